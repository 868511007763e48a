//! The VMM and its guest, by their measured rules, and a VM that is started anew.
//!
//! A yes of the VMM is no promise of the guest: it follows in moves of its own, or never.

use crate::bounds::VcpuKind;
use crate::model::Model;
use crate::parties::fresh;
use crate::size::Level;
use crate::state::{Ask, Kubelet, Pair, Pending, Pod, Progress, Start, State, Vmm, Write};

impl Model {
    /// The VMM is asked.
    pub(crate) fn vmm_serves(&self, vmm: &mut Vmm, ask: Ask) {
        match ask {
            Ask::Memory(memory) => vmm.requested.memory = memory,
            Ask::Cpu(cpu) => {
                let removing = vmm.actual.cpu > vmm.requested.cpu;
                let refuses = self.bounds.vcpus == VcpuKind::Counted && removing;
                if !refuses {
                    vmm.requested.cpu = cpu;
                    vmm.actual.cpu = vmm.actual.cpu.max(cpu);
                }
            }
        }
    }

    /// A request is served that nobody waits for any more.
    pub(crate) fn late_ask(&self, state: &mut State, place: usize) -> Option<()> {
        let ask = state.vmm.late.take(place)?;
        self.vmm_serves(&mut state.vmm, ask);
        Some(())
    }

    /// The guest lets go of the vCPUs that it was asked for.
    pub(crate) fn guest_ejects(&self, state: &mut State) -> Option<()> {
        let vmm = &mut state.vmm;
        (vmm.actual.cpu > vmm.requested.cpu).then(|| vmm.actual.cpu = vmm.requested.cpu)
    }

    /// One block is plugged or unplugged.
    pub(crate) fn guest_moves(&self, state: &mut State) -> Option<()> {
        let (wanted, has) = (state.vmm.requested.memory, &mut state.vmm.actual.memory);
        match wanted.cmp(has) {
            std::cmp::Ordering::Less => *has -= 1,
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => *has += 1,
        }
        Some(())
    }

    /// The guest comes back with the vCPUs that were asked for last, and its memory at the boot size until its driver is loaded.
    pub(crate) fn guest_reboots(&self, state: &mut State) -> Option<()> {
        let cpu = state.vmm.requested.cpu;
        let before = std::mem::replace(&mut state.vmm.actual, Level { cpu, memory: 0 });
        (before != state.vmm.actual).then_some(())
    }

    /// The VM runs in a new Pod, at the size that is wanted; nothing of the old Pod and its VMM is left.
    pub(crate) fn restarts(&self, state: &mut State) -> Option<()> {
        if state.pod.start != Start(0) {
            return None;
        }
        let size = state.vm.want;
        let (pending, progress) = (Pending::No, Progress::Done);
        let (allocated, actual) = (size, size);
        state.kubelet = Kubelet { synced: true, allocated, actual, pending, progress };
        state.vmm = Vmm { requested: size, actual: size, late: Pair::default(), pressed: false };
        state.controller.late.keep(|write| matches!(write, Write::Status(..)));
        for daemon in state.daemons.iter_mut().flatten() {
            *daemon = fresh(daemon.view);
        }
        let pod = Pod { start: Start(1), wish: size, allocated, actual, caught_up: true, pending, progress };
        self.put_pod(state, pod);
        Some(())
    }
}
