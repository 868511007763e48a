//! The API server: two objects, their copies, and the writes that can still take effect.

use crate::bounds::Guard;
use crate::model::Model;
use crate::parties::controller::forget;
use crate::state::{Object, Pod, Seen, State, View, Vm, Write};

impl Model {
    /// What a daemon takes out of a VM.
    pub(crate) fn seen(&self, vm: Vm) -> Seen {
        let status = self.statuses.get(vm.status);
        Seen { start: status.start, grant: status.grant, report: vm.report }
    }

    /// Changes the VM. Copies become older ones, and what was computed from an older one can no longer take effect.
    pub(crate) fn put_vm(&self, state: &mut State, vm: Vm) {
        if vm == state.vm {
            return;
        }
        let older = std::mem::replace(&mut state.vm, vm);
        let seen = self.seen(older);
        for daemon in state.daemons.iter_mut().flatten() {
            outdate(&mut daemon.view, seen);
        }
        outdate(&mut state.controller.vm, older);
        clear_suspect(state, Object::Vm, state.controller.vm == View::Unread);
        if self.bounds.holds(Guard::Preconditions) {
            state.controller.late.keep(|write| matches!(write, Write::Pod(..)));
            state.reports.keep(|_| false);
        }
    }

    /// Changes the Pod.
    pub(crate) fn put_pod(&self, state: &mut State, pod: Pod) {
        if pod == state.pod {
            return;
        }
        let older = std::mem::replace(&mut state.pod, pod);
        outdate(&mut state.controller.pod, older);
        clear_suspect(state, Object::Pod, state.controller.pod == View::Unread);
        if self.bounds.holds(Guard::Preconditions) {
            state.controller.late.keep(|write| matches!(write, Write::Status(..)));
        }
    }
}

fn outdate<T: Copy + PartialEq>(view: &mut View<T>, older: T) {
    if *view == View::Current {
        *view = View::Stale(older);
    }
}

/// A read that is still to come will show another version than the one that the doubt began with.
fn clear_suspect(state: &mut State, object: Object, unread: bool) {
    if unread {
        forget(&mut state.controller, object);
    }
}
