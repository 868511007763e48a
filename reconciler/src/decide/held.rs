//! How much a VM may hold, and what its Pod has to wish for because of it (rule 1).
//!
//! The two functions on which containment rests. Neither knows why a size is aimed at.

use crate::decide::observed::{PodObserved, VmObserved};
use reef_api::vm::Grant;
use reef_api::{MilliCpu, PodSize, Size, Vm};

/// The most that the VM may hold: the largest of what the VMM was asked for, what the guest has, and every grant that is not older
/// than the acknowledged one. Unknown while no daemon has reported about the present Pod.
pub fn held(observed: &VmObserved) -> Option<Size> {
    observed.status.held_in(&observed.pod()?.uid)
}

/// Grants that the daemon may still act on: for the present Pod, and not older than the one it has acknowledged.
pub fn live_grants(observed: &VmObserved) -> impl Iterator<Item = &Grant> {
    observed.pod().into_iter().flat_map(|pod| observed.status.live_grants(&pod.uid))
}

/// What the Pod has to wish for so that the VM may have `size`. The QoS class stays what it was at creation, whatever the policy says now.
pub fn wish(vm: &Vm, pod: &PodObserved, size: Size) -> PodSize {
    in_class(pod.spec, vm.pod_size(size))
}

/// What the node has set aside of `wish`, and no more of it.
pub fn kept(pod: &PodObserved, wish: PodSize) -> PodSize {
    let Some(allocated) = pod.allocated else { return pod.spec };
    let guaranteed = pod.spec.cpu_request == pod.spec.cpu_limit;
    let cpu_request = wish.cpu_request.min(allocated.cpu_request);
    // The kubelet tells no allocated limit: of a Guaranteed Pod it is the request, else what is in effect comes nearest.
    let in_effect = pod.actual.map_or(pod.spec.cpu_limit, |actual| actual.cpu_limit);
    let cpu_limit = if guaranteed { cpu_request } else { wish.cpu_limit.min(in_effect) };
    in_class(pod.spec, PodSize { cpu_request, cpu_limit, memory: wish.memory.min(allocated.memory) })
}

/// A wish bent to the QoS class of the Pod whose spec is `spec`.
pub(crate) fn in_class(spec: PodSize, mut wish: PodSize) -> PodSize {
    if spec.cpu_request == spec.cpu_limit {
        wish.cpu_request = wish.cpu_limit;
    } else if wish.cpu_request >= wish.cpu_limit {
        wish.cpu_request = MilliCpu(wish.cpu_limit.0.saturating_sub(1));
    }
    wish
}

/// Whether spec, allocated and actual of the Pod all carry `wish` in the resources that `which` looks at.
pub fn carries(pod: &PodObserved, wish: PodSize, which: Which) -> bool {
    let enough = |has: PodSize| match which {
        Which::Cpu => has.cpu_limit >= wish.cpu_limit && has.cpu_request >= wish.cpu_request,
        Which::Memory => has.memory >= wish.memory,
    };
    pod.caught_up() && enough(pod.spec) && pod.allocated.is_some_and(enough) && pod.actual.is_some_and(enough)
}

/// One of the two resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// vCPUs and CPU.
    Cpu,
    /// Memory.
    Memory,
}
