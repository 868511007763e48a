//! The kubelet, by its measured rules: a wish is taken up as a whole, deferred or refused; what is set aside is put into effect a while later;
//! memory is not lowered below use. What it tells may be behind what it has done.

use crate::bounds::Telling;
use crate::model::Model;
use crate::state::{Pending, Pod, Progress, State};

impl Model {
    /// The wish is set aside.
    pub(crate) fn kubelet_allocates(&self, state: &mut State) -> Option<()> {
        let kubelet = &mut state.kubelet;
        let again = kubelet.pending == Pending::Deferred;
        if kubelet.synced && !again {
            return None;
        }
        kubelet.synced = true;
        kubelet.allocated = state.pod.wish;
        kubelet.pending = Pending::No;
        kubelet.progress = if kubelet.allocated == kubelet.actual { Progress::Done } else { Progress::Going };
        self.kubelet_told(state);
        Some(())
    }

    /// There is no room for the wish, at present or for ever.
    pub(crate) fn kubelet_refuses(&self, state: &mut State, pending: Pending) -> Option<()> {
        let kubelet = &mut state.kubelet;
        if kubelet.synced || kubelet.allocated.covers(state.pod.wish) {
            return None;
        }
        kubelet.synced = true;
        kubelet.pending = pending;
        self.kubelet_told(state);
        Some(())
    }

    /// What is set aside comes into effect.
    pub(crate) fn kubelet_actuates(&self, state: &mut State) -> Option<()> {
        let kubelet = &mut state.kubelet;
        if kubelet.allocated == kubelet.actual && kubelet.progress == Progress::Done {
            return None;
        }
        if kubelet.allocated.memory < state.vmm.actual.memory {
            kubelet.progress = Progress::Error;
        } else {
            kubelet.actual = kubelet.allocated;
            kubelet.progress = Progress::Done;
        }
        self.kubelet_told(state);
        Some(())
    }

    /// The container uses more than the lower limit, by the kubelet's measure.
    pub(crate) fn kubelet_fails(&self, state: &mut State) -> Option<()> {
        let kubelet = &mut state.kubelet;
        if kubelet.allocated.memory >= kubelet.actual.memory {
            return None;
        }
        kubelet.progress = Progress::Error;
        self.kubelet_told(state);
        Some(())
    }

    fn kubelet_told(&self, state: &mut State) {
        match self.bounds.kubelet {
            Telling::AtOnce => self.kubelet_tells(state),
            Telling::Later => {}
        }
    }

    /// The Pod's status says what the kubelet has done.
    pub(crate) fn kubelet_tells(&self, state: &mut State) {
        let kubelet = state.kubelet;
        let pending = if kubelet.synced { kubelet.pending } else { Pending::No };
        let told = Pod {
            allocated: kubelet.allocated,
            actual: kubelet.actual,
            caught_up: kubelet.synced,
            pending,
            progress: kubelet.progress,
            ..state.pod
        };
        self.put_pod(state, told);
    }
}
