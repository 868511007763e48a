//! People, the time that goes by for everybody, and an API server that lags behind.

use crate::model::Model;
use crate::size::Level;
use crate::state::{State, StatusId, View, Vm, Write};
use crate::statuses::Statuses;

impl Model {
    /// People want another size: a new generation of the spec.
    pub(crate) fn want(&mut self, state: &mut State, want: Level) -> Option<()> {
        if state.vm.want == want {
            return None;
        }
        let status = self.statuses.superseded(state.vm.status);
        let vm = Vm { generation: state.vm.generation + 1, want, status, ..state.vm };
        self.put_vm(state, vm);
        Some(())
    }

    /// One of the API servers stays at what it has now.
    pub(crate) fn cache_lags(&self, state: &mut State) -> Option<()> {
        state.past = Some(self.seen(state.vm));
        Some(())
    }

    /// What a VM waits for has lasted long, in every copy of its status.
    pub(crate) fn reason_ages(&mut self, state: &mut State) -> Option<()> {
        self.each_status(state, Statuses::aged)
    }

    /// So long since something was given up that it is tried again, in every copy of its status.
    pub(crate) fn retries_are_due(&mut self, state: &mut State) -> Option<()> {
        self.each_status(state, Statuses::due)
    }

    fn each_status(&mut self, state: &mut State, change: impl Fn(&mut Statuses, StatusId) -> StatusId) -> Option<()> {
        let statuses = &mut self.statuses;
        state.vm.status = change(statuses, state.vm.status);
        if let View::Stale(vm) = &mut state.controller.vm {
            vm.status = change(statuses, vm.status);
        }
        state.controller.late.change(|write| {
            Some(match write {
                Write::Status(status, generation) => Write::Status(change(statuses, status), generation),
                Write::Pod(..) => write,
            })
        });
        Some(())
    }
}
