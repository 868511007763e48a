//! The controller's process: its copies, the one thing that it does, and what it makes of the answer.
//!
//! As `reconciler/src/controller` does it: an answer is the newest copy; a conflict and a lost reply put the object in doubt, and while a write
//! may still arrive only the same object is written to.

use crate::bounds::Guard;
use crate::model::Model;
use crate::moves::Fate;
use crate::rules::{Act, Decision, Look};
use crate::size::Level;
use crate::state::{Controller, Inherited, Object, Pair, Pending, Pod, Refusal, Remembered, State, View, Vm, Write};
use reef_reconciler::decide::grant;

impl Model {
    /// The watch brings the VM, or it is read again.
    pub(crate) fn controller_sees_vm(&self, state: &mut State) -> Option<()> {
        let controller = &mut state.controller;
        match controller.vm {
            View::Current => return None,
            View::Stale(_) => forget(controller, Object::Vm),
            View::Unread => {}
        }
        controller.vm = View::Current;
        Some(())
    }

    /// The watch brings the Pod, or it is read again.
    pub(crate) fn controller_sees_pod(&self, state: &mut State) -> Option<()> {
        let controller = &mut state.controller;
        match controller.pod {
            View::Current => return None,
            View::Stale(_) => forget(controller, Object::Pod),
            View::Unread => {}
        }
        controller.pod = View::Current;
        Some(())
    }

    /// What the controller would do; `None` while something has to be read again first.
    pub(crate) fn controller_decides(&mut self, state: &mut State) -> Option<(Decision, Vm, Pod)> {
        let vm = state.controller.vm.shows(state.vm)?;
        let pod = state.controller.pod.shows(state.pod)?;
        let told = self.statuses.get(vm.status).refused;
        let holds = |remembered: &Remembered| {
            let about = remembered.generation == vm.generation && remembered.start == pod.start;
            about && !(told && remembered.refusal == Refusal::NodeCapacity)
        };
        state.controller.refusal = state.controller.refusal.filter(holds);
        let look = Look::new(vm, pod, state.controller.refusal.map(|remembered| (remembered.refusal, remembered.wish)));
        let decision = self.rules.decide(look, &mut self.statuses, &self.reports);
        Some((decision, vm, pod))
    }

    /// The controller does the one thing.
    pub(crate) fn controller_acts(&mut self, state: &mut State, fate: Fate) -> Option<()> {
        let (decision, vm, pod) = self.controller_decides(state)?;
        let (object, write) = match decision.act {
            Act::Rest => return None,
            Act::Write(status) => (Object::Vm, Write::Status(status, vm.generation)),
            Act::Wish(wish) => (Object::Pod, Write::Pod(pod.start, wish)),
        };
        let suspect = state.controller.suspect.filter(|_| self.bounds.holds(Guard::Suspects));
        if suspect.is_some_and(|suspect| suspect != object) || self.relies_on_inherited(state, decision.act, vm, pod) {
            return None;
        }
        match fate {
            Fate::Answered => self.answered(state, object, write),
            Fate::Lost => return self.unanswered(state, object, write),
            Fate::Refused(refusal) => {
                let wish = grows(write, pod).filter(|_| state.controller.pod == View::Current)?;
                debug_assert!(!pod.wish.covers(wish));
                let remembered = Remembered { refusal, generation: vm.generation, start: pod.start, wish };
                state.controller.refusal = Some(remembered);
            }
        }
        Some(())
    }

    /// Whether an act relies on an object that a process of before may still write to.
    fn relies_on_inherited(&self, state: &State, act: Act, vm: Vm, pod: Pod) -> bool {
        let resize = |status| self.statuses.get(status).status.resize.as_ref();
        let inherited = state.controller.inherited;
        match act {
            Act::Rest => false,
            Act::Write(status) => inherited.pod && grant::raises(resize(vm.status), resize(status)),
            Act::Wish(wish) => inherited.vm && !wish.covers(pod.wish),
        }
    }

    fn takes_effect(&self, state: &State, object: Object) -> bool {
        current(&state.controller, object) || !self.bounds.holds(Guard::Preconditions)
    }

    fn answered(&mut self, state: &mut State, object: Object, write: Write) {
        if !self.takes_effect(state, object) {
            return doubt(&mut state.controller, object);
        }
        self.land(state, write);
        if self.bounds.holds(Guard::OwnWrites) {
            forget(&mut state.controller, object);
            match object {
                Object::Vm => state.controller.vm = View::Current,
                Object::Pod => state.controller.pod = View::Current,
            }
        }
    }

    fn unanswered(&self, state: &mut State, object: Object, write: Write) -> Option<()> {
        // On an older copy nothing is lost but the answer that there is a conflict.
        if !self.takes_effect(state, object) || state.controller.late.is_full() {
            return None;
        }
        state.controller.late.add(write);
        if self.bounds.holds(Guard::OwnWrites) {
            if current(&state.controller, object) && self.bounds.holds(Guard::Suspects) {
                state.controller.suspect = Some(object);
            }
            doubt(&mut state.controller, object);
        }
        Some(())
    }

    /// A write takes effect.
    fn land(&mut self, state: &mut State, write: Write) {
        match write {
            Write::Status(status, generation) => {
                let older = generation < state.vm.generation;
                let status = if older { self.statuses.superseded(status) } else { status };
                self.put_vm(state, Vm { status, ..state.vm });
            }
            Write::Pod(start, wish) if start == state.pod.start && wish != state.pod.wish => {
                self.put_pod(state, Pod { wish, caught_up: false, pending: Pending::No, ..state.pod });
                state.kubelet.synced = false;
            }
            Write::Pod(..) => {}
        }
    }

    /// A write arrives that nobody waits for any more.
    pub(crate) fn late_write(&mut self, state: &mut State, place: usize) -> Option<()> {
        let write = state.controller.late.take(place)?;
        self.land(state, write);
        Some(())
    }

    /// So long that a write that has not arrived never will. One that has may not be seen yet, so its object is read again.
    pub(crate) fn writes_expire(&self, state: &mut State) -> Option<()> {
        let controller = &mut state.controller;
        let mut inherited = std::mem::take(&mut controller.inherited);
        let suspect = controller.suspect.take();
        let mut objects = vec![Object::Vm, Object::Pod];
        objects.retain(|object| suspect == Some(*object) || *inherited.of(*object));
        controller.late = Pair::default();
        if self.bounds.holds(Guard::ReadAgain) {
            objects.iter().for_each(|object| doubt(controller, *object));
        }
        (!objects.is_empty()).then_some(())
    }

    /// What was refused is asked for again.
    pub(crate) fn refusal_expires(&self, state: &mut State) -> Option<()> {
        state.controller.refusal.take().map(|_| ())
    }

    /// Another process takes over, from a consistent list.
    pub(crate) fn controller_crashes(&self, state: &mut State) -> Option<()> {
        let late = state.controller.late;
        // Where nothing is on its way the wait changes nothing but the time.
        let waits = self.bounds.holds(Guard::Inherited) && late != Pair::default();
        let inherited = Inherited { vm: waits, pod: waits };
        state.controller =
            Controller { vm: View::Current, pod: View::Current, suspect: None, inherited, refusal: None, late };
        Some(())
    }
}

fn current(controller: &Controller, object: Object) -> bool {
    match object {
        Object::Vm => controller.vm == View::Current,
        Object::Pod => controller.pod == View::Current,
    }
}

fn doubt(controller: &mut Controller, object: Object) {
    match object {
        Object::Vm => controller.vm = View::Unread,
        Object::Pod => controller.pod = View::Unread,
    }
}

/// The object has moved on: what was suspected to arrive at its older version cannot.
pub(super) fn forget(controller: &mut Controller, object: Object) {
    *controller.inherited.of(object) = false;
    if controller.suspect == Some(object) {
        controller.suspect = None;
    }
}

fn grows(write: Write, pod: Pod) -> Option<Level> {
    match write {
        Write::Pod(_, wish) if !pod.wish.covers(wish) => Some(wish),
        Write::Pod(..) | Write::Status(..) => None,
    }
}
