//! The form in which two situations that are the same are the same state.
//!
//! Grants are named by their order. That is sound: both functions only compare numbers, and a new one is one more than the largest of the copy that
//! it is written on; a write takes effect only on the newest copy, whose largest number is the largest of all. Where that guard is left out two
//! situations may be taken for one that are not: then what is found is still true, and what is not found proves nothing.

use crate::model::Model;
use crate::state::{Grant, Remembered, Report, Seen, State, View, Vm, Write};
use crate::statuses::{Renaming, Statuses};

impl Model {
    /// Brings a state into its form.
    pub(crate) fn normalise(&mut self, state: &mut State) {
        forget_refusal(state);
        if let Some(renaming) = Renaming::by_order(self.present(state)) {
            self.rename(state, renaming);
        }
    }

    /// All numbers of grants that a state speaks of, as bits.
    fn present(&self, state: &State) -> u32 {
        let of_vm = |vm: Vm| self.statuses.get(vm.status).seqs | of_report(vm.report);
        let of_write = |write: Write| match write {
            Write::Status(status, _) => self.statuses.get(status).seqs,
            Write::Pod(..) => 0,
        };
        let mut present = of_vm(state.vm);
        if let View::Stale(vm) = state.controller.vm {
            present |= of_vm(vm);
        }
        present |= state.controller.late.iter().map(of_write).fold(0, |all, one| all | one);
        present |= state.reports.iter().map(|report| of_report(Some(report))).fold(0, |all, one| all | one);
        let of_seen = |seen: Seen| of_grant(seen.grant) | of_report(seen.report);
        present |= state.past.map_or(0, of_seen);
        for daemon in state.daemons.iter().flatten() {
            present |= of_grant(daemon.taken) | (1 << daemon.pledged);
            if let View::Stale(seen) = daemon.view {
                present |= of_seen(seen);
            }
        }
        present
    }

    fn rename(&mut self, state: &mut State, renaming: Renaming) {
        let statuses = &mut self.statuses;
        rename_vm(statuses, &mut state.vm, renaming);
        if let View::Stale(vm) = &mut state.controller.vm {
            rename_vm(statuses, vm, renaming);
        }
        state.controller.late.change(|write| {
            Some(match write {
                Write::Status(status, generation) => Write::Status(statuses.renamed(status, renaming), generation),
                Write::Pod(..) => write,
            })
        });
        state.reports.change(|report| renamed_report(Some(report), renaming));
        for daemon in state.daemons.iter_mut().flatten() {
            daemon.taken = renamed_grant(daemon.taken, renaming);
            daemon.pledged = renaming.of(daemon.pledged);
            if let View::Stale(seen) = &mut daemon.view {
                rename_seen(seen, renaming);
            }
        }
        if let Some(seen) = &mut state.past {
            rename_seen(seen, renaming);
        }
    }
}

/// A refusal that can never count again is forgotten: copies only become newer.
fn forget_refusal(state: &mut State) {
    let generation = state.controller.vm.shows(state.vm).map_or(state.vm.generation, |vm| vm.generation);
    let start = state.controller.pod.shows(state.pod).map_or(state.pod.start, |pod| pod.start);
    let lasts = |remembered: &Remembered| remembered.generation >= generation && remembered.start >= start;
    state.controller.refusal = state.controller.refusal.filter(lasts);
}

fn of_report(report: Option<Report>) -> u32 {
    report.map_or(0, |report| 1 << report.ack)
}

fn of_grant(grant: Option<Grant>) -> u32 {
    grant.map_or(0, |grant| 1 << grant.seq)
}

fn rename_vm(statuses: &mut Statuses, vm: &mut Vm, renaming: Renaming) {
    vm.status = statuses.renamed(vm.status, renaming);
    vm.report = renamed_report(vm.report, renaming);
}

fn rename_seen(seen: &mut Seen, renaming: Renaming) {
    seen.grant = renamed_grant(seen.grant, renaming);
    seen.report = renamed_report(seen.report, renaming);
}

fn renamed_report(report: Option<Report>, renaming: Renaming) -> Option<Report> {
    report.map(|report| Report { ack: renaming.of(report.ack), ..report })
}

fn renamed_grant(grant: Option<Grant>, renaming: Renaming) -> Option<Grant> {
    grant.map(|grant| Grant { seq: renaming.of(grant.seq), ..grant })
}
