//! People, the time that goes by for everybody, and an API server that lags behind.

use crate::model::Model;
use crate::size::Level;
use crate::state::{Pending, Pod, State, View, Vm, Write};

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
        state.vm.status = self.statuses.aged(state.vm.status);
        if let View::Stale(vm) = &mut state.controller.vm {
            vm.status = self.statuses.aged(vm.status);
        }
        let statuses = &mut self.statuses;
        state.controller.late.change(|write| {
            Some(match write {
                Write::Status(status, generation) => Write::Status(statuses.aged(status), generation),
                Write::Pod(..) => write,
            })
        });
        Some(())
    }

    /// A wish has been deferred for long, in every copy of the Pod.
    pub(crate) fn pending_ages(&self, state: &mut State) -> Option<()> {
        let age = |pending: &mut Pending| {
            if *pending == Pending::Deferred {
                *pending = Pending::DeferredLong;
            }
        };
        age(&mut state.kubelet.pending);
        age(&mut state.pod.pending);
        if let View::Stale(Pod { pending, .. }) = &mut state.controller.pod {
            age(pending);
        }
        Some(())
    }
}
