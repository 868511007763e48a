//! The shortest way to a fault, played again from the first state and told move by move.

use crate::model::Model;
use crate::moves::Move;
use crate::search::Fault;
use crate::state::{Pending, State};
use std::fmt;

/// A way to a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What the VM begins with.
    pub begin: String,
    /// The moves, and what is different after each.
    pub moves: Vec<(Move, String)>,
    /// What is wrong at the end.
    pub fault: Fault,
}

impl Trace {
    pub(crate) fn replay(model: &mut Model, root: &State, way: Vec<Move>, fault: Fault) -> Self {
        let mut state = *root;
        let begin = told(model, &state);
        let mut moves = Vec::new();
        for step in way {
            state = model.apply(&state, step).expect("a move that was possible before");
            moves.push((step, told(model, &state)));
        }
        Self { begin, moves, fault }
    }

    /// How many moves it takes.
    pub fn len(&self) -> usize {
        self.moves.len()
    }

    /// Whether the first state is at fault.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }
}

/// What a reader needs to follow: the sizes, and the grant with its acknowledgement.
fn told(model: &Model, state: &State) -> String {
    let grant = model.statuses.get(state.vm.status).grant;
    let grant = grant.map_or_else(|| "-".to_owned(), |grant| format!("{}:{}", grant.seq, grant.size));
    let ack = state.vm.report.map_or(0, |report| report.ack);
    let pod = format!("{} {} {}", state.pod.wish, state.kubelet.allocated, state.kubelet.actual);
    let vmm = format!("{} {}", state.vmm.requested, state.vmm.actual);
    let pending = match state.pod.pending {
        Pending::No => "",
        Pending::Deferred => " deferred",
        Pending::Infeasible => " infeasible",
    };
    format!("want {}  grant {grant} ack {ack}  Pod {pod}{pending}  VMM {vmm}", state.vm.want)
}

impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "    {:62}{}", "", self.begin)?;
        for (number, (step, told)) in self.moves.iter().enumerate() {
            writeln!(out, "{:>3} {:62}{told}", number + 1, step.to_string())?;
        }
        match self.fault {
            Fault::Breach(breach) => {
                writeln!(out, "the VM holds {}, and its Pod carries {}", breach.held, breach.carried)
            }
            Fault::Unrest(temper, unrest) => writeln!(out, "it does not come to a good end ({temper:?}): {unrest:?}"),
            Fault::Panic => writeln!(out, "a decision panicked, here or while it calmed down"),
        }
    }
}
