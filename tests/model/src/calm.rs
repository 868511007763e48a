//! Calming down: from a state on nobody fails any more, and everybody moves in turn. Where that leads, and whether it ends.
//!
//! The schedule is fixed: whoever follows it from any state comes to rest. Some parties may stay difficult for ever ([`Temper`]).

use crate::bounds::{Guard, VcpuKind};
use crate::model::Model;
use crate::moves::{Fate, Move};
use crate::rules::Act;
use crate::state::{Spent, State, View};
use crate::store::{Seen, mark};
use reef_api::Reason;

/// How the other parties are while everything calms down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// They do what they are asked.
    Willing,
    /// The node has no room for growth.
    NoRoom,
    /// The node says that it never will have.
    TooSmall,
    /// The guest never plugs, unplugs or ejects.
    DeafGuest,
    /// The kubelet cannot lower memory.
    NoLowering,
    /// The guest uses all of its memory.
    FullGuest,
}

/// Why a state does not come to a good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrest {
    /// It goes round for ever.
    Endless,
    /// It rests, and waits for this.
    Waits(Reason),
    /// The VM came to hold more than its Pod carries.
    Breach,
}

impl Temper {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Willing, Self::NoRoom, Self::TooSmall, Self::DeafGuest, Self::NoLowering, Self::FullGuest];

    /// Ends that are good beside *settled*: each says what would move it, and nothing more would happen by itself.
    const fn ends(self) -> &'static [Reason] {
        match self {
            // A size that the node refused before stays refused until the spec or the node changes.
            Self::Willing | Self::TooSmall => &[Reason::Infeasible],
            Self::NoRoom => &[Reason::Infeasible, Reason::Deferred],
            Self::DeafGuest => {
                &[Reason::Infeasible, Reason::Deferred, Reason::Stalled, Reason::Partial, Reason::CpuRemovalPending]
            }
            Self::NoLowering => &[Reason::Infeasible, Reason::PodResizeError],
            Self::FullGuest => &[Reason::Infeasible, Reason::GuestPressure],
        }
    }

    fn plays(self, model: &Model) -> Vec<Move> {
        let mut moves = vec![
            Move::ControllerSeesVm,
            Move::ControllerSeesPod,
            Move::ControllerActs(Fate::Answered),
            match self {
                Self::NoRoom => Move::KubeletDefers,
                Self::TooSmall => Move::KubeletRefuses,
                Self::Willing | Self::DeafGuest | Self::NoLowering | Self::FullGuest => Move::KubeletAllocates,
            },
            if self == Self::NoLowering { Move::KubeletFails } else { Move::KubeletActuates },
            Move::KubeletTells,
        ];
        let daemons = if model.bounds.holds(Guard::OneDaemon) { 1 } else { 2 };
        for daemon in 0..daemons {
            let acts = Move::DaemonActs(daemon, Fate::Answered);
            moves.extend([Move::DaemonSees(daemon), Move::DaemonMakesSure(daemon), acts]);
        }
        if self == Self::FullGuest {
            moves.push(Move::GuestUses);
        }
        if self != Self::DeafGuest {
            moves.extend([Move::GuestEjects, Move::GuestMoves]);
        }
        moves
    }

    /// Time goes by only when nobody has anything to do.
    fn waits(self, model: &Model) -> Vec<Move> {
        let mut moves = vec![Move::WritesExpire, Move::RefusalExpires, Move::DaemonSeesStill(0), Move::ReasonAges];
        if self != Self::FullGuest {
            moves.push(Move::GuestFrees);
        }
        if self != Self::DeafGuest && model.bounds.vcpus == VcpuKind::Slots {
            moves.push(Move::DaemonWaits(0));
        }
        moves
    }
}

/// What is tried again after a while.
const GIVEN_UP: [Reason; 2] = [Reason::Deferred, Reason::Partial];
/// How many attempts may be needed where several things were given up.
const ATTEMPTS: usize = 3;

/// What is known about calming down, for one temper.
#[derive(Debug)]
pub(crate) struct Calm {
    temper: Temper,
    plays: Vec<Move>,
    waits: Vec<Move>,
    ends_well: Seen,
}

impl Calm {
    pub(crate) fn new(model: &Model, temper: Temper) -> Self {
        Self { temper, plays: temper.plays(model), waits: temper.waits(model), ends_well: Seen::default() }
    }

    pub(crate) const fn temper(&self) -> Temper {
        self.temper
    }

    /// How many states are known to come to a good end.
    pub(crate) const fn len(&self) -> usize {
        self.ends_well.len()
    }

    /// Follows the schedule until it meets a state that is known to end well, or ends.
    ///
    /// Where it ends something may be due to be tried again later. That is followed as well: each attempt comes to a good end, however many follow.
    pub(crate) fn follow(&mut self, model: &mut Model, state: &State) -> Result<(), Unrest> {
        let mut next = Some(unspent(state));
        while let Some(begin) = next {
            let mut way = Seen::default();
            let end = self.to_rest(model, begin, &self.ends_well, &mut way)?;
            next = match end {
                Some(end) => {
                    self.judge(model, &end)?;
                    model.apply(&end, Move::RetriesAreDue)
                }
                None => None,
            };
            way.each(|mark| {
                self.ends_well.add(mark);
            });
        }
        Ok(())
    }

    /// The state at rest, unless it is known what follows; the way to it is added to `way`.
    fn to_rest(
        &self,
        model: &mut Model,
        mut state: State,
        known: &Seen,
        way: &mut Seen,
    ) -> Result<Option<State>, Unrest> {
        while known.is_new(mark(&state)) {
            if !way.add(mark(&state)) {
                return Err(Unrest::Endless);
            }
            match self.round(model, &state)? {
                Some(next) => state = next,
                None => return Ok(Some(state)),
            }
        }
        Ok(None)
    }

    /// One turn of everybody; time goes by where nobody has anything to do; `None` at rest.
    fn round(&self, model: &mut Model, state: &State) -> Result<Option<State>, Unrest> {
        let next = turn(model, &self.plays, self.temper, *state)?;
        if next != *state {
            return Ok(Some(next));
        }
        let next = turn(model, &self.waits, self.temper, *state)?;
        Ok((next != *state).then_some(next))
    }

    /// A rest is good where the VM is settled or may wait for what it waits for; or where it is tried again, and after some attempts that is so.
    fn judge(&self, model: &mut Model, state: &State) -> Result<(), Unrest> {
        let mut state = *state;
        for _ in 0..=ATTEMPTS {
            let (decision, ..) = model.controller_decides(&mut state.clone()).ok_or(Unrest::Endless)?;
            let Some(reason) = decision.waiting else { return Ok(()) };
            let again = GIVEN_UP.contains(&reason).then(|| model.apply(&state, Move::RetriesAreDue));
            if decision.act != Act::Rest || again == Some(None) {
                return Err(Unrest::Waits(reason));
            }
            if self.temper.ends().contains(&reason) {
                return Ok(());
            }
            let again = again.flatten().ok_or(Unrest::Waits(reason))?;
            state = self.to_rest(model, again, &Seen::default(), &mut Seen::default())?.ok_or(Unrest::Endless)?;
        }
        Err(Unrest::Endless)
    }
}

fn turn(model: &mut Model, moves: &[Move], temper: Temper, mut state: State) -> Result<State, Unrest> {
    for step in moves {
        let next = model.apply(&state, *step).or_else(|| instead(model, &state, *step, temper));
        state = next.unwrap_or(state);
        if crate::model::Breach::of(&state).is_some() {
            return Err(Unrest::Breach);
        }
    }
    Ok(state)
}

/// A kubelet that has no room for growth takes up everything else, and one that cannot lower memory does everything else.
fn instead(model: &mut Model, state: &State, step: Move, temper: Temper) -> Option<State> {
    match (temper, step) {
        (Temper::NoRoom | Temper::TooSmall, Move::KubeletDefers | Move::KubeletRefuses) => {
            let fits = state.kubelet.allocated.covers(state.pod.wish);
            fits.then(|| model.apply(state, Move::KubeletAllocates)).flatten()
        }
        (Temper::NoLowering, Move::KubeletFails) => {
            let lowers = state.kubelet.allocated.memory < state.kubelet.actual.memory;
            if lowers { None } else { model.apply(state, Move::KubeletActuates) }
        }
        _ => None,
    }
}

/// What is spent makes no difference to what follows when nobody fails.
fn unspent(state: &State) -> State {
    let mut state = State { spent: Spent::default(), ..*state };
    let last = state.vm.generation;
    let generations = |generation: u8| generation + 16 - last;
    state.vm.generation = 16;
    if let View::Stale(vm) = &mut state.controller.vm {
        vm.generation = generations(vm.generation);
    }
    if let Some(refusal) = &mut state.controller.refusal {
        refusal.generation = generations(refusal.generation);
    }
    state.controller.late.change(|write| {
        Some(match write {
            crate::state::Write::Status(status, generation) => {
                crate::state::Write::Status(status, generations(generation))
            }
            crate::state::Write::Pod(..) => write,
        })
    });
    state
}

/// Follows the schedule of willing parties to its end.
pub(crate) fn rest(model: &mut Model, state: State) -> State {
    let calm = Calm::new(model, Temper::Willing);
    let (mut state, spent, generation) = (state, state.spent, state.vm.generation);
    for _ in 0..1000 {
        match calm.round(model, &state) {
            Ok(Some(next)) => state = next,
            Ok(None) => return State { spent, vm: crate::state::Vm { generation, ..state.vm }, ..state },
            Err(unrest) => panic!("the VM does not come to rest after its start: {unrest:?} {state:?}"),
        }
    }
    panic!("the VM does not come to rest after its start: {state:?}")
}
