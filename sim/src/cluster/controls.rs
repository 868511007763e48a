//! What a demonstration or a test can do to a cluster from behind, and what it can see that no role sees.

use reef_api::names::VM_LABEL;
use reef_api::{Bytes, VmKey};
use serde_json::{Value, json};

use super::Cluster;
use crate::node::pod::PodView;
use crate::node::scheduler::node_key;
use crate::node::{HostFacts, Quirks};
use crate::store::{ApiError, Backup, DeleteOptions, ObjectKey, ResourceId};
use crate::vmm::{Behaviour, FaultPlan, GuestView, Machine, Refusal, Vmm, VmmGone, VmmView};

/// Why a control did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No VMM runs in the Pod.
    #[error("no VMM runs in {0}")]
    NoVmm(ObjectKey),
    /// The VMM ended meanwhile.
    #[error("the VMM did not take the control")]
    Gone(#[source] VmmGone),
    /// The VMM refused.
    #[error("the VMM refused the control")]
    Refused(#[source] Refusal),
    /// There is no such node.
    #[error("there is no node {0}")]
    NoNode(String),
    /// The cluster refused.
    #[error("the cluster refused the control")]
    Api(#[source] ApiError),
}

impl Cluster {
    /// The store goes back to a backup, and its API server comes back with it: open watches end.
    pub fn restore(&self, backup: Backup) {
        self.store.restore(backup);
        self.api.drop_watches();
    }

    /// The key of a Pod.
    #[must_use]
    pub fn pod(namespace: &str, name: &str) -> ObjectKey {
        ObjectKey::namespaced(ResourceId::core("pods"), namespace, name)
    }

    /// The Pod that carries a VM now: the one with its label that has not ended.
    #[must_use]
    pub fn pod_of(&self, vm: &VmKey) -> Option<ObjectKey> {
        let pods = self.store.list(&ResourceId::core("pods"), Some(&vm.namespace));
        let label = |pod: &Value| pod.get("metadata")?.get("labels")?.get(VM_LABEL)?.as_str().map(str::to_owned);
        let carries = |pod: &&std::sync::Arc<Value>| label(pod).as_deref() == Some(&vm.name);
        let views = pods.iter().filter(carries).map(|pod| PodView::parse(pod));
        views.filter(|pod| !pod.is_over()).map(|pod| pod.key).next()
    }

    fn vmm(&self, pod: &ObjectKey) -> Result<(Vmm, VmmView), ControlError> {
        self.hosts.vmm_of(pod).ok_or_else(|| ControlError::NoVmm(pod.clone()))
    }

    /// What somebody inside the guest sees, where one runs.
    #[must_use]
    pub fn guest_view(&self, pod: &ObjectKey) -> Option<GuestView> {
        self.hosts.vmm_of(pod).map(|(_, view)| view.guest)
    }

    /// What can be known of the VMM in a Pod, where one runs.
    #[must_use]
    pub fn vmm_view(&self, pod: &ObjectKey) -> Option<VmmView> {
        self.hosts.vmm_of(pod).map(|(_, view)| view)
    }

    /// What the host shows of the VMM in a Pod, where one runs.
    #[must_use]
    pub fn host_facts(&self, pod: &ObjectKey) -> Option<HostFacts> {
        let pod = PodView::parse(&*self.store.get(pod)?);
        self.hosts.facts(&pod.node, &pod.uid)
    }

    /// Changes a VMM and its guest in any way, for example its version, or a migration that begins.
    ///
    /// # Errors
    /// Where no VMM runs in the Pod.
    pub async fn change_vmm<T: Send + 'static>(
        &self,
        pod: &ObjectKey,
        change: impl FnOnce(&mut Machine) -> T + Send + 'static,
    ) -> Result<T, ControlError> {
        let (vmm, _) = self.vmm(pod)?;
        vmm.control(change).await.map_err(ControlError::Gone)
    }

    /// Processes in the guest now use so much memory, its own idle use included.
    ///
    /// # Errors
    /// Where no VMM runs in the Pod.
    pub async fn set_guest_used(&self, pod: &ObjectKey, used: Bytes) -> Result<(), ControlError> {
        self.change_vmm(pod, move |machine| machine.set_used(used.get())).await
    }

    /// The guest now behaves so.
    ///
    /// # Errors
    /// Where no VMM runs in the Pod.
    pub async fn set_guest_behaviour(&self, pod: &ObjectKey, behaviour: Behaviour) -> Result<(), ControlError> {
        self.change_vmm(pod, move |machine| machine.set_behaviour(behaviour)).await
    }

    /// The guest reboots by itself.
    ///
    /// # Errors
    /// Where no VMM runs in the Pod, or its VM does not.
    pub async fn reboot_guest(&self, pod: &ObjectKey) -> Result<(), ControlError> {
        self.change_vmm(pod, Machine::reboot).await?.map_err(ControlError::Refused)
    }

    /// Switches a fault of a VMM's socket on, or all of them off.
    ///
    /// # Errors
    /// Where no VMM runs in the Pod.
    pub async fn set_vmm_fault(&self, pod: &ObjectKey, fault: Option<FaultPlan>) -> Result<(), ControlError> {
        let (vmm, _) = self.vmm(pod)?;
        vmm.set_fault(fault).await.map_err(ControlError::Gone)
    }

    /// Kills a VMM, as a signal does.
    ///
    /// # Errors
    /// Where no VMM runs in the Pod.
    pub fn kill_vmm(&self, pod: &ObjectKey) -> Result<(), ControlError> {
        self.vmm(pod)?.0.kill();
        Ok(())
    }

    /// The kernel ends the container of a VM for its memory.
    ///
    /// # Errors
    /// Where no VMM runs in the Pod.
    pub fn oom_kill(&self, pod: &ObjectKey) -> Result<(), ControlError> {
        if self.hosts.run_out(pod) { Ok(()) } else { Err(ControlError::NoVmm(pod.clone())) }
    }

    /// Deletes a Pod with the grace that it asks for.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn delete_pod(&self, pod: &ObjectKey) -> Result<(), ControlError> {
        self.store.delete(pod, &DeleteOptions::default()).map(|_| ()).map_err(ControlError::Api)
    }

    /// Closes a node to new Pods, or opens it again.
    ///
    /// # Errors
    /// Where there is no such node.
    pub fn cordon(&self, node: &str, closed: Cordon) -> Result<(), ControlError> {
        let changed = self.store.update(&node_key(node), None, "kubectl", |object| {
            if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                match closed {
                    Cordon::Closed => spec.insert("unschedulable".to_owned(), json!(true)),
                    Cordon::Open => spec.remove("unschedulable"),
                };
            }
        });
        changed.map(|_| ()).map_err(ControlError::Api)
    }

    /// A node's kubelet now has these quirks and no others; a frozen one makes its node not ready.
    ///
    /// # Errors
    /// Where there is no such node.
    pub async fn set_quirks(&self, node: &str, quirks: Quirks) -> Result<(), ControlError> {
        let kubelet = self.kubelets.get(node).ok_or_else(|| ControlError::NoNode(node.to_owned()))?;
        kubelet.set(quirks).await;
        Ok(())
    }
}

/// Whether a node takes new Pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cordon {
    /// It takes none.
    Closed,
    /// It takes them.
    Open,
}
