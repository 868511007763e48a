//! Events about VMs and sources, under names that make a second posting meet the first. Pure.

use jiff::Timestamp;
use reef_api::condition::seconds;
use reef_api::names::CONTROLLER_MANAGER;
use serde_json::json;

use super::execute::VmRef;
use super::request::{Request, Verb};
use crate::decide::action::PlannedEvent;
use crate::observe::{Kind, ObjectKey};

/// Kubernetes takes messages of up to 1024 bytes.
const MESSAGE_BYTES: usize = 1024;

/// Posts an event about a VM.
pub fn event(vm: &VmRef, planned: &PlannedEvent) -> Request {
    about(Kind::Vm, &ObjectKey::from(&vm.key), &vm.uid, planned)
}

/// Posts an event about a source.
pub fn source_event(key: &ObjectKey, uid: &str, planned: &PlannedEvent) -> Request {
    about(Kind::Source, key, uid, planned)
}

fn about(kind: Kind, key: &ObjectKey, uid: &str, planned: &PlannedEvent) -> Request {
    let at: Timestamp = seconds(planned.at);
    let (resource, namespace) = (kind.resource(), key.namespace.as_str());
    let severity = if planned.name.is_warning() { "Warning" } else { "Normal" };
    let body = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": planned.name.object_name(&key.name, uid, planned.generation),
            "namespace": namespace,
        },
        "involvedObject": {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": namespace,
            "name": key.name,
            "uid": uid,
        },
        "reason": planned.name.as_str(),
        "message": shortened(&planned.message),
        "type": severity,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": CONTROLLER_MANAGER},
        "reportingComponent": CONTROLLER_MANAGER,
        "reportingInstance": CONTROLLER_MANAGER,
    });
    Request { verb: Verb::Create, uri: format!("/api/v1/namespaces/{namespace}/events"), body }
}

fn shortened(message: &str) -> String {
    let mut bytes = 0;
    let fits = message.chars().take_while(|letter| {
        bytes += letter.len_utf8();
        bytes <= MESSAGE_BYTES
    });
    fits.collect()
}
