//! The ninth invariant: what is granted, and what a VMM is asked for, lies within what its VM has booted with and on whole blocks.
//!
//! How large the steps of a shrink may be is not looked at here: a request may take effect when the guest has more than it had when it was made.

use super::facts::GrantFacts;
use super::vmm::Running;
use super::{Invariant, State};
use reef_api::{Size, VIRTIO_MEM_GRANULE, Vcpus};
use reef_sim::vmm::Layout;

/// Whether a VM can have a size without a new start.
fn allows(layout: Layout, size: Size) -> bool {
    let memory = size.memory.get();
    let added = memory.saturating_sub(layout.min_memory_bytes);
    (Vcpus(1)..=Vcpus(layout.max_vcpus)).contains(&size.vcpus)
        && (layout.min_memory_bytes..=layout.max_memory_bytes).contains(&memory)
        && added.is_multiple_of(VIRTIO_MEM_GRANULE.get())
}

impl State {
    /// A grant is new.
    pub(super) fn check_granted(&mut self, vm: &str, grant: &GrantFacts) {
        let layout = self.running.get(&grant.pod_uid).and_then(|running| running.layout);
        if let Some(layout) = layout.filter(|layout| !allows(*layout, grant.size)) {
            let told = format!("grant {} is for {}, and the VM has booted with {layout:?}", grant.seq, grant.size);
            self.fail(Invariant::Bounds, Some(vm), told);
        }
    }

    /// A VMM has refused what it can never give.
    pub(super) fn check_bounds(&mut self, vm: Option<&str>, before: &Running, now: &Running) {
        if now.out_of_bounds > before.out_of_bounds && !self.is_meddled(vm) {
            let told = format!("the VMM was asked for a size beyond {:?}, or between two blocks", now.layout);
            self.fail(Invariant::Bounds, vm, told);
        }
    }
}
