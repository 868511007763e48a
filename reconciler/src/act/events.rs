//! Events about VMs, under names that make a second posting meet the first. Pure.

use jiff::Timestamp;
use reef_api::condition::seconds;
use reef_api::names::{CONTROLLER_MANAGER, VM_GROUP, VM_VERSION};
use serde_json::json;

use super::execute::VmRef;
use super::request::{Request, Verb};
use crate::decide::action::PlannedEvent;

/// Kubernetes takes messages of up to 1024 bytes.
const MESSAGE_BYTES: usize = 1024;

/// Posts an event about a VM.
pub fn event(vm: &VmRef, planned: &PlannedEvent) -> Request {
    let at: Timestamp = seconds(planned.at);
    let namespace = vm.key.namespace.as_str();
    let kind = if planned.name.is_warning() { "Warning" } else { "Normal" };
    let body = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": planned.name.object_name(&vm.key.name, &vm.uid, planned.generation),
            "namespace": namespace,
        },
        "involvedObject": {
            "apiVersion": format!("{VM_GROUP}/{VM_VERSION}"),
            "kind": "VirtualMachine",
            "namespace": namespace,
            "name": vm.key.name,
            "uid": vm.uid,
        },
        "reason": planned.name.as_str(),
        "message": shortened(&planned.message),
        "type": kind,
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
