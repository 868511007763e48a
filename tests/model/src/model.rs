//! The model: the tables that its states point into, and the one step from a state to the next.

use crate::asks::Asks;
use crate::bounds::{Bounds, Guard};
use crate::calm;
use crate::moves::Move;
use crate::parties::fresh;
use crate::reports::Reports;
use crate::rules::Rules;
use crate::size::Level;
use crate::state::{
    Controller, Grant, Inherited, Kubelet, Pair, Pending, Pod, Progress, Spent, Start, State, View, Vm, Vmm,
};
use crate::statuses::Statuses;
use reef_reconciler::decide::action::ControllerStatus;

/// The model within its bounds.
#[derive(Debug)]
pub struct Model {
    pub(crate) bounds: Bounds,
    pub(crate) statuses: Statuses,
    pub(crate) reports: Reports,
    pub(crate) rules: Rules,
    pub(crate) asks: Asks,
}

/// A VM that holds more than its Pod carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What the VM holds or was asked for.
    pub held: Level,
    /// What the Pod carries: the smallest of what it wishes, what is set aside, and what is in effect.
    pub carried: Level,
}

impl Breach {
    /// Looks for it. What is still on its way needs no look of its own: that it arrives is a move, and what that leads to is looked at.
    pub fn of(state: &State) -> Option<Self> {
        let held = state.vmm.requested.max(state.vmm.actual);
        let carried = state.pod.wish.min(state.kubelet.allocated).min(state.kubelet.actual);
        (!carried.covers(held)).then_some(Self { held, carried })
    }
}

impl Model {
    /// Has seen nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        let (statuses, reports) = (Statuses::default(), Reports::default());
        Self { bounds, statuses, reports, rules: Rules::new(bounds), asks: Asks::new(bounds) }
    }

    /// The bounds.
    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// How many statuses, reports, and decisions of controller and daemon there are.
    pub fn sizes(&self) -> [usize; 4] {
        [self.statuses.len(), self.reports.len(), self.rules.len(), self.asks.len()]
    }

    /// A VM that has been at rest since it was started, with everybody's copies up to date.
    pub fn root(&mut self) -> State {
        let size = self.bounds.begin;
        let (pending, progress) = (Pending::No, Progress::Done);
        let status = self.statuses.number(&ControllerStatus::default());
        let second = (!self.bounds.holds(Guard::OneDaemon)).then(|| fresh(View::Current));
        let (vm, pod) = (View::Current, View::Current);
        let state = State {
            spent: Spent::default(),
            vm: Vm { generation: 0, want: size, status, report: None },
            pod: Pod { start: Start(0), wish: size, allocated: size, actual: size, caught_up: true, pending, progress },
            kubelet: Kubelet { synced: true, allocated: size, actual: size, pending, progress },
            vmm: Vmm { requested: size, actual: size, late: Pair::default(), pressed: false },
            controller: Controller {
                vm,
                pod,
                suspect: None,
                inherited: Inherited::default(),
                refusal: None,
                late: Pair::default(),
            },
            daemons: [Some(fresh(View::Current)), second],
            reports: Pair::default(),
            past: None,
        };
        calm::rest(self, state)
    }

    /// What a move leads to, whatever it costs; `None` where it is not possible or changes nothing.
    pub fn apply(&mut self, state: &State, step: Move) -> Option<State> {
        let mut next = *state;
        self.play(&mut next, step)?;
        moved(state, &mut next);
        self.normalise(&mut next);
        (next != *state).then_some(next)
    }

    /// What a move leads to within the bounds.
    pub fn afford(&mut self, state: &State, step: Move) -> Option<State> {
        let spent = state.spent.after(step.cost(), state.vm.generation, &self.bounds)?;
        let next = self.apply(state, step)?;
        Some(State { spent, ..next })
    }

    fn play(&mut self, state: &mut State, step: Move) -> Option<()> {
        match step {
            Move::Want(want) => self.want(state, want),
            Move::ControllerSeesVm => self.controller_sees_vm(state),
            Move::ControllerSeesPod => self.controller_sees_pod(state),
            Move::ControllerActs(fate) => self.controller_acts(state, fate),
            Move::ControllerLateWrite(place) => self.late_write(state, place),
            Move::WritesExpire => self.writes_expire(state),
            Move::RefusalExpires => self.refusal_expires(state),
            Move::ControllerCrashes => self.controller_crashes(state),
            Move::KubeletAllocates => self.kubelet_allocates(state),
            Move::KubeletDefers => self.kubelet_refuses(state, Pending::Deferred),
            Move::KubeletRefuses => self.kubelet_refuses(state, Pending::Infeasible),
            Move::KubeletActuates => self.kubelet_actuates(state),
            Move::KubeletFails => self.kubelet_fails(state),
            Move::KubeletTells => {
                self.kubelet_tells(state);
                Some(())
            }
            Move::DaemonSees(daemon) => self.daemon_sees(state, daemon),
            Move::DaemonSeesPast(daemon) => self.daemon_sees_past(state, daemon),
            Move::CacheLags => self.cache_lags(state),
            Move::DaemonMakesSure(daemon) => self.daemon_makes_sure(state, daemon),
            Move::DaemonActs(daemon, fate) => self.daemon_acts(state, daemon, fate),
            Move::DaemonWaits(daemon) => self.daemon_waits(state, daemon),
            Move::DaemonSeesStill(daemon) => self.daemon_sees_still(state, daemon),
            Move::DaemonCrashes(daemon) => self.daemon_crashes(state, daemon),
            Move::LateReport(place) => self.late_report(state, place),
            Move::LateAsk(place) => self.late_ask(state, place),
            Move::GuestEjects => self.guest_ejects(state),
            Move::GuestMoves => self.guest_moves(state),
            Move::GuestReboots => self.guest_reboots(state),
            Move::GuestUses => (!std::mem::replace(&mut state.vmm.pressed, true)).then_some(()),
            Move::GuestFrees => std::mem::take(&mut state.vmm.pressed).then_some(()),
            Move::Restarts => self.restarts(state),
            Move::ReasonAges => self.reason_ages(state),
            Move::RetriesAreDue => self.retries_are_due(state),
        }
    }
}

/// A daemon that sees its guest move, or takes over another size, counts from anew how long nothing moves.
fn moved(before: &State, state: &mut State) {
    let (was, is) = (before.vmm.actual, state.vmm.actual);
    for (daemon, earlier) in state.daemons.iter_mut().zip(before.daemons) {
        let Some(daemon) = daemon else { continue };
        let size = |taken: Option<Grant>| taken.map(|grant| grant.size);
        let (had, has) = (earlier.and_then(|earlier| size(earlier.taken)), size(daemon.taken));
        let same = |part: fn(Level) -> u8| part(was) == part(is) && had.map(part) == has.map(part);
        // Where the guest has what was granted it makes no difference.
        let waits = |part: fn(Level) -> u8| has.is_some_and(|has| part(has) != part(is));
        let counts = |part| same(part) && waits(part);
        daemon.still.cpu &= counts(|level| level.cpu);
        daemon.still.memory &= counts(|level| level.memory);
    }
}
