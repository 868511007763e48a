//! The vCPUs that are present: the threads named `vcpuN`.
//!
//! A shrink only marks vCPUs; the guest ejects them. Knows nothing of what the configuration says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::answer::Refusal;

/// The vCPU slots of a running VM and the threads that serve them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vcpus {
    max: u32,
    active: BTreeSet<u32>,
    removing: BTreeSet<u32>,
    threads: Arc<BTreeMap<u32, u32>>,
    /// Distinct names of threads: they are asked for far more often than they change.
    names: u32,
    next_thread: u32,
}

impl Vcpus {
    /// The vCPUs of a VM that just booted.
    #[must_use]
    pub fn boot(boot: u32, max: u32) -> Self {
        let mut vcpus = Self { max, ..Self::default() };
        vcpus.start(0..boot);
        vcpus
    }

    /// How many are active, as the VMM counts them.
    #[must_use]
    pub fn present(&self) -> u32 {
        u32::try_from(self.active.len()).unwrap_or(u32::MAX)
    }

    /// The threads: an ordinal that is never used again, and the `N` of its name. Two can have one name.
    #[must_use]
    pub const fn threads(&self) -> &Arc<BTreeMap<u32, u32>> {
        &self.threads
    }

    /// How many distinct thread names there are: the ground truth.
    #[must_use]
    pub const fn names_count(&self) -> u32 {
        self.names
    }

    fn change_threads(&mut self, change: impl FnOnce(&mut BTreeMap<u32, u32>)) {
        change(Arc::make_mut(&mut self.threads));
        let names: BTreeSet<&u32> = self.threads.values().collect();
        self.names = u32::try_from(names.len()).unwrap_or(u32::MAX);
    }

    /// Marked for removal and not yet ejected.
    #[must_use]
    pub fn pending(&self) -> BTreeSet<u32> {
        self.removing.intersection(&self.active).copied().collect()
    }

    /// Takes a new target, in the order in which the VMM checks it.
    ///
    /// # Errors
    /// What the VMM refuses: zero, above the maximum, or a removal that is pending.
    pub fn resize(&mut self, desired: u32) -> Result<(), Refusal> {
        let present = self.present();
        if desired == present {
            return Ok(());
        }
        if desired == 0 {
            return Err(Refusal::ZeroVcpus);
        }
        if !self.pending().is_empty() {
            return Err(Refusal::VcpuRemovalPending);
        }
        if desired > self.max {
            return Err(Refusal::VcpusExceedMaximum);
        }
        if desired > present {
            self.start(present..desired);
        } else {
            self.removing.extend((desired..present).filter(|slot| self.active.contains(slot)));
        }
        Ok(())
    }

    /// The guest ejects one, whether it was marked or not.
    pub fn eject(&mut self, vcpu: u32) {
        self.active.remove(&vcpu);
        self.removing.remove(&vcpu);
        self.change_threads(|threads| threads.retain(|_, name| *name != vcpu));
    }

    /// Starts by slot number from the present count on, as the VMM does. After the guest has ejected a middle one by
    /// itself, this makes a second thread of a name that exists, and no new vCPU.
    fn start(&mut self, slots: std::ops::Range<u32>) {
        self.active.extend(slots.clone());
        let first = self.next_thread;
        self.next_thread = first.saturating_add(slots.end.saturating_sub(slots.start));
        self.change_threads(|threads| threads.extend((first..).zip(slots)));
    }
}
