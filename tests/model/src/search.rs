//! The search: every state within the bounds, the nearest first, so that the first breach is the shortest way to one.

use crate::calm::{Calm, Temper, Unrest};
use crate::model::{Breach, Model};
use crate::moves::Move;
use crate::state::State;
use crate::store::{Seen, Ways, mark};
use crate::trace::Trace;

/// What a search came to.
#[derive(Debug)]
pub enum Outcome {
    /// All states were seen, and nothing was found.
    Exhausted(Numbers),
    /// This was found.
    Found(Box<Trace>),
    /// There were more states than allowed.
    TooMany(Numbers),
}

/// How large a search was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// States.
    pub states: usize,
    /// Steps between them, those that lead to a state that was known included.
    pub steps: usize,
    /// Moves from the first state to the farthest.
    pub depth: usize,
    /// Bytes of what was remembered, states of the last depths aside.
    pub bytes: usize,
    /// Most states of one depth.
    pub widest: usize,
    /// States that were met while calming down, for each temper.
    pub calm: Vec<(Temper, usize)>,
    /// Statuses, reports, and decisions of controller and daemon.
    pub tables: [usize; 4],
}

/// What is wrong with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The VM holds more than its Pod carries.
    Breach(Breach),
    /// It does not come to a good end.
    Unrest(Temper, Unrest),
    /// A decision panicked, or led out of the model: what it said stands in the output.
    Panic,
}

/// A search under way.
struct Search<'a> {
    model: &'a mut Model,
    moves: Vec<Move>,
    calm: Vec<Calm>,
    seen: Seen,
    ways: Ways,
    numbers: Numbers,
}

/// Searches all states within the model's bounds, `most` at most. From each, everything calms down under each of `tempers`.
pub fn search(model: &mut Model, tempers: &[Temper], most: usize) -> Outcome {
    let moves = Move::all(model.bounds());
    let calm = tempers.iter().map(|temper| Calm::new(model, *temper)).collect();
    let root = model.root();
    let numbers = Numbers::default();
    Search { model, moves, calm, seen: Seen::default(), ways: Ways::default(), numbers }.run(root, most)
}

impl Search<'_> {
    fn run(mut self, root: State, most: usize) -> Outcome {
        self.seen.add(mark(&root));
        let first = self.ways.add(0, 0);
        let mut depth = vec![(first, root)];
        while !depth.is_empty() {
            self.numbers.widest = self.numbers.widest.max(depth.len());
            let mut next = Vec::new();
            for (number, state) in &depth {
                if let Err((number, fault)) = self.expand(*number, state, &mut next) {
                    return Outcome::Found(Box::new(self.trace(&root, number, fault)));
                }
            }
            self.numbers.depth += usize::from(!next.is_empty());
            if self.seen.len() > most {
                return Outcome::TooMany(self.counted());
            }
            depth = next;
        }
        Outcome::Exhausted(self.counted())
    }

    fn expand(&mut self, number: u32, state: &State, next: &mut Vec<(u32, State)>) -> Result<(), (u32, Fault)> {
        for by in 0..self.moves.len() {
            let Some(to) = self.model.afford(state, self.moves[by]) else { continue };
            self.numbers.steps += 1;
            if !self.seen.add(mark(&to)) {
                continue;
            }
            let added = self.ways.add(number, u8::try_from(by).expect("fewer than 256 moves"));
            self.judge(&to).map_err(|fault| (added, fault))?;
            next.push((added, to));
        }
        Ok(())
    }

    fn judge(&mut self, state: &State) -> Result<(), Fault> {
        if let Some(breach) = Breach::of(state) {
            return Err(Fault::Breach(breach));
        }
        for calm in &mut self.calm {
            calm.follow(self.model, state).map_err(|unrest| Fault::Unrest(calm.temper(), unrest))?;
        }
        if self.model.rules.panicked() || self.model.asks.panicked() { Err(Fault::Panic) } else { Ok(()) }
    }

    fn counted(&self) -> Numbers {
        Numbers {
            states: self.seen.len(),
            bytes: self.seen.bytes() + self.ways.bytes(),
            calm: self.calm.iter().map(|calm| (calm.temper(), calm.len())).collect(),
            tables: self.model.sizes(),
            ..self.numbers.clone()
        }
    }

    fn trace(&mut self, root: &State, number: u32, fault: Fault) -> Trace {
        let way = self.ways.to(number).into_iter().map(|by| self.moves[usize::from(by)]).collect();
        Trace::replay(self.model, root, way, fault)
    }
}
