//! The daemon's process: its copy, the one thing that it does, and what it makes of the answer.
//!
//! As `daemon/src/vm_task` does it: only a write that is known to have arrived takes a grant over; a lost reply of the VMM puts all in doubt until
//! two answers came in a row, which leaves nothing of before on its way.

use crate::asks::{Act, Look};
use crate::bounds::Guard;
use crate::model::Model;
use crate::moves::Fate;
use crate::state::{Ask, Daemon, Grant, Pair, Report, Seen, State, Still, View, Vm};

/// A process that has just begun. Its first list may be as old as the copy of the one before.
pub(crate) const fn fresh(view: View<Seen>) -> Daemon {
    Daemon { view, taken: None, pledged: 0, doubt: true, asked: false, still: Still { cpu: false, memory: false } }
}

impl Model {
    /// The watch brings the VM.
    pub(crate) fn daemon_sees(&self, state: &mut State, number: usize) -> Option<()> {
        let daemon = state.daemons[number].as_mut()?;
        let before = std::mem::replace(&mut daemon.view, View::Current);
        (before != View::Current).then_some(())
    }

    /// A list, or a watch that begins anew, is answered by an API server that lags behind.
    pub(crate) fn daemon_sees_past(&self, state: &mut State, number: usize) -> Option<()> {
        let past = state.past?;
        state.daemons[number].as_mut()?.view = View::Stale(past);
        Some(())
    }

    /// Two answers in a row: of what was sent before, nothing is left, be it served or lost.
    pub(crate) fn daemon_makes_sure(&self, state: &mut State, number: usize) -> Option<()> {
        let daemon = state.daemons[number].as_mut().filter(|daemon| daemon.doubt)?;
        daemon.doubt = false;
        if self.bounds.holds(Guard::TwoInfos) {
            state.vmm.late = Pair::default();
        }
        Some(())
    }

    /// It may be asked again for a removal that nobody has heard.
    pub(crate) fn daemon_waits(&self, state: &mut State, number: usize) -> Option<()> {
        let daemon = state.daemons[number].as_mut()?;
        std::mem::take(&mut daemon.asked).then_some(())
    }

    /// Nothing of what it was granted has come for long.
    pub(crate) fn daemon_sees_still(&self, state: &mut State, number: usize) -> Option<()> {
        let daemon = state.daemons[number].as_mut()?;
        let (granted, actual) = (daemon.taken?.size, state.vmm.actual);
        daemon.still = Still { cpu: granted.cpu != actual.cpu, memory: granted.memory != actual.memory };
        Some(())
    }

    /// Another process takes over.
    pub(crate) fn daemon_crashes(&self, state: &mut State, number: usize) -> Option<()> {
        let daemon = state.daemons[number].as_mut()?;
        *daemon = fresh(daemon.view);
        Some(())
    }

    /// The daemon looks and does the one thing.
    pub(crate) fn daemon_acts(&mut self, state: &mut State, number: usize, fate: Fate) -> Option<()> {
        let daemon = state.daemons[number]?;
        let view = daemon.view.shows(self.seen(state.vm))?;
        if view.start != Some(state.pod.start) {
            return None;
        }
        let act = self.asks.decide(self.look(state, daemon, view), &mut self.reports);
        match act {
            Act::Rest => None,
            Act::Report(report) => self.writes(state, number, report, None, fate),
            Act::Acknowledge(report) => self.writes(state, number, report, view.grant, fate),
            Act::Cpu(cpu) => self.asks_vmm(state, number, Ask::Cpu(cpu), fate),
            Act::Memory(memory) => self.asks_vmm(state, number, Ask::Memory(memory), fate),
        }
    }

    fn look(&self, state: &State, daemon: Daemon, view: Seen) -> Look {
        Look {
            start: state.pod.start,
            grant: view.grant,
            standing: view.report,
            taken: daemon.taken,
            pledged: daemon.pledged,
            doubt: daemon.doubt && self.bounds.holds(Guard::TwoInfos),
            asked: daemon.asked,
            still: daemon.still,
            requested: state.vmm.requested,
            actual: state.vmm.actual,
            limits: match self.bounds.limits {
                crate::bounds::Limits::Looked => state.kubelet.actual,
                crate::bounds::Limits::Unknown => crate::size::Level::default(),
            },
            pressed: state.vmm.pressed,
        }
    }

    fn writes(
        &self,
        state: &mut State,
        number: usize,
        report: Report,
        taking: Option<Grant>,
        fate: Fate,
    ) -> Option<()> {
        let before = state.daemons[number];
        let daemon = state.daemons[number].as_mut()?;
        if let Some(grant) = taking {
            daemon.pledged = daemon.pledged.max(grant.seq);
        }
        let lands = daemon.view == View::Current || !self.bounds.holds(Guard::Preconditions);
        match fate {
            Fate::Answered if lands => {
                daemon.taken = taking.or(daemon.taken);
                self.put_vm(state, Vm { report: Some(report), ..state.vm });
                state.daemons[number].as_mut()?.view = View::Current;
            }
            Fate::Lost if lands => {
                if state.reports.is_full() {
                    return None;
                }
                state.reports.add(report);
            }
            // A conflict: nothing but the pledge is left of it.
            Fate::Answered => return (state.daemons[number] != before).then_some(()),
            Fate::Lost | Fate::Refused(_) => return None,
        }
        Some(())
    }

    /// A report arrives that nobody waits for any more.
    pub(crate) fn late_report(&self, state: &mut State, place: usize) -> Option<()> {
        let report = state.reports.take(place)?;
        self.put_vm(state, Vm { report: Some(report), ..state.vm });
        Some(())
    }

    fn asks_vmm(&self, state: &mut State, number: usize, ask: Ask, fate: Fate) -> Option<()> {
        let daemon = state.daemons[number].as_mut()?;
        if matches!(ask, Ask::Cpu(_)) {
            daemon.asked = self.bounds.vcpus == crate::bounds::VcpuKind::Slots;
        }
        match fate {
            Fate::Answered => {
                match ask {
                    Ask::Cpu(cpu) => daemon.still.cpu &= cpu == state.vmm.requested.cpu,
                    Ask::Memory(memory) => daemon.still.memory &= memory == state.vmm.requested.memory,
                }
                self.vmm_serves(&mut state.vmm, ask);
            }
            Fate::Lost | Fate::Refused(_) => {
                if state.vmm.late.is_full() {
                    return None;
                }
                daemon.doubt = true;
                state.vmm.late.add(ask);
            }
        }
        Some(())
    }
}
