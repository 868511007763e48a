//! Requests that write the status of a VM, a source or a check, and the read of one object. Pure.

use kube::core::ApiResource;
use reef_api::check::{CAPACITY_CHECK, CapacityCheckStatus};
use reef_api::names::{CONTROLLER_MANAGER, VM_GROUP, VM_VERSION, reef_api_version};
use reef_api::source::GitSourceStatus;
use reef_api::vm::VirtualMachineStatus;
use serde_json::{Value, json};

use super::execute::VmRef;
use super::request::{Request, Verb};
use crate::decide::action::ControllerStatus;
use crate::observe::{Kind, ObjectKey};

/// Reads one object.
pub fn get(kind: Kind, key: &ObjectKey) -> Request {
    Request { verb: Verb::Get, uri: path(&kind.resource(), key), body: Value::Null }
}

/// The path of an object; a key without a namespace is one of the whole cluster.
pub(super) fn path(resource: &ApiResource, key: &ObjectKey) -> String {
    let root = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    if key.namespace.is_empty() {
        format!("{root}/{}/{}", resource.plural, key.name)
    } else {
        format!("{root}/namespaces/{}/{}/{}", key.namespace, resource.plural, key.name)
    }
}

/// Applies the controller's whole part of a VM's status, if the VM is still as it was looked at.
///
/// Forced, because all of these fields are the controller's; `status.vmm` is not among them.
pub(super) fn vm_status(vm: &VmRef, status: &ControllerStatus) -> Request {
    let status = VirtualMachineStatus {
        phase: Some(status.phase),
        node_name: status.node_name.clone(),
        vm_pod_name: status.pod_name.clone(),
        vm_pod_uid: status.pod_uid.clone(),
        resize: status.resize.clone(),
        history: status.history.clone(),
        vmm: None,
        conditions: status.conditions.clone(),
    };
    let body = json!({
        "apiVersion": format!("{VM_GROUP}/{VM_VERSION}"),
        "kind": "VirtualMachine",
        "metadata": {
            "name": vm.key.name,
            "namespace": vm.key.namespace,
            "uid": vm.uid,
            "resourceVersion": vm.resource_version,
        },
        "status": status,
    });
    forced_status(Kind::Vm, &ObjectKey::from(&vm.key), body)
}

/// Applies the status of a source, of this uid only.
pub fn apply_source_status(key: &ObjectKey, uid: &str, status: &GitSourceStatus) -> Request {
    let body = json!({
        "apiVersion": reef_api_version(),
        "kind": "GitSource",
        "metadata": {"name": key.name, "namespace": key.namespace, "uid": uid},
        "status": status,
    });
    forced_status(Kind::Source, key, body)
}

/// Applies the status of a check, of this uid only.
pub fn apply_check_status(key: &ObjectKey, uid: &str, status: &CapacityCheckStatus) -> Request {
    let body = json!({
        "apiVersion": reef_api_version(),
        "kind": CAPACITY_CHECK,
        "metadata": {"name": key.name, "namespace": key.namespace, "uid": uid},
        "status": status,
    });
    forced_status(Kind::Check, key, body)
}

fn forced_status(kind: Kind, key: &ObjectKey, body: Value) -> Request {
    let uri = format!("{}/status?fieldManager={CONTROLLER_MANAGER}&force=true", path(&kind.resource(), key));
    Request { verb: Verb::Apply, uri, body }
}
