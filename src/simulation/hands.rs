//! What people do by hand, with kubectl: through the API server, with its checks, and without any fault on their way.

use super::perform::NAMESPACE;
use super::stage::Stage;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use reef_api::names::{CLI_MANAGER, VMM_CONTAINER};
use reef_api::size::DEFAULT_OVERHEAD;
use reef_api::{MilliCpu, Request, Size, VirtualMachine, VmKey};
use serde_json::{Value, json};

impl Stage {
    /// Somebody patches the size in a VM's spec.
    pub(super) fn edit_vm(&self, vm: &str, size: Size) {
        self.inspector.edits_vm(vm);
        let cpu = json!({"coresPerSocket": size.vcpus});
        let change = json!({"spec": {"instance": {"cpu": cpu, "memory": {"size": size.memory}}}});
        self.patch_vm(vm, "kubectl-patch", change);
    }

    /// Somebody asks something of a VM, as `reef restart`, `reef retry` and `reef settle` do: the value is the time.
    pub(super) fn ask(&self, vm: &str, request: Request) {
        if request == Request::Settle {
            self.inspector.excuses(vm, "settled");
        }
        let at = self.start.elapsed().as_millis().to_string();
        self.patch_vm(vm, CLI_MANAGER, json!({"metadata": {"annotations": {request.annotation(): at}}}));
    }

    /// Merges a change into a VM. One that is not there cannot be changed, and what is refused changes nothing.
    fn patch_vm(&self, vm: &str, manager: &str, change: Value) {
        let api: Api<VirtualMachine> = Api::namespaced(self.world.server.client(), NAMESPACE);
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let name = vm.to_owned();
        tokio::spawn(async move { drop(api.patch(&name, &params, &Patch::Merge(change)).await) });
    }

    /// Somebody resizes a VM's Pod to what would carry a size.
    pub(super) fn edit_pod(&self, vm: &str, size: Size) {
        let Some(pod) = self.world.cluster.pod_of(&VmKey::new(NAMESPACE, vm)) else { return };
        self.inspector.meddles(vm);
        let api: Api<Pod> = Api::namespaced(self.world.server.client(), NAMESPACE);
        let memory = size.memory.saturating_add(DEFAULT_OVERHEAD);
        let amounts = json!({"cpu": MilliCpu::from(size.vcpus), "memory": memory});
        let resources = json!({"requests": amounts, "limits": amounts});
        let change = json!({"spec": {"containers": [{"name": VMM_CONTAINER, "resources": resources}]}});
        tokio::spawn(async move {
            drop(api.patch_subresource("resize", &pod.name, &PatchParams::default(), &Patch::Strategic(change)).await);
        });
    }
}
