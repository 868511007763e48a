//! The first invariant: max(requested, actual) + overhead is at most the smallest of what the Pod's spec says, what is allocated, and what is in
//! effect; for each resource by itself.
//!
//! What is in effect is the cgroup's limit itself: a status may be late, the kernel is not.

use super::facts::Amounts;
use super::{Invariant, State};
use reef_api::{Bytes, MilliCpu, Size};

/// What a VM of a size needs of its Pod.
pub(super) fn needed(size: Size, overhead: Bytes) -> Amounts {
    let cpu = MilliCpu(u64::from(size.vcpus.get()).saturating_mul(1_000));
    Amounts { cpu, memory: size.memory.saturating_add(overhead) }
}

/// A number of a Pod, and its name.
type Side = (&'static str, Amounts);

impl State {
    /// What of a Pod does not cover a size now; nothing where all of it does or its numbers are not there yet.
    pub(super) fn uncovered(&self, pod_uid: &str, size: Size) -> Option<Side> {
        let pod = self.pods.get(pod_uid)?;
        let cgroup = self.running.get(pod_uid)?.limits;
        let sides = [("spec", pod.limits?), ("allocated", pod.allocated?), ("in effect", cgroup)];
        let needed = needed(size, self.overhead);
        sides.into_iter().find(|(_, has)| !has.covers(needed))
    }

    /// Checks one Pod now.
    pub(super) fn check_containment(&mut self, pod_uid: &str) {
        let Some(held) = self.running.get(pod_uid).map(super::vmm::Running::held) else { return };
        let vm = self.pods.get(pod_uid).and_then(|pod| pod.vm.clone());
        let Some((side, has)) = self.uncovered(pod_uid, held) else {
            self.covered_again(vm.as_deref());
            return;
        };
        if self.is_meddled(vm.as_deref()) {
            self.still_meddled(vm.as_deref());
            return;
        }
        let told = format!(
            "the VM holds {held}, and its Pod has cpu {}, memory {} {side} (overhead {})",
            has.cpu, has.memory, self.overhead
        );
        self.fail(Invariant::Containment, vm.as_deref(), told);
    }
}
