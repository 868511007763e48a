//! One script played from its first deed to the rest at its end, in a runtime of its own.

use super::invariants::{Failure, Invariant, Line, Recording};
use super::script::Script;
use super::stage::Stage;
use super::trace::Keep;
use super::world::{WorldError, deterministic};
use std::time::Duration;
use tokio::time::Instant;

/// What is kept of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// Lines for people.
    pub recording: Recording,
    /// Every change of every object.
    pub trace: Keep,
}

impl Play {
    /// Nothing but whether it went well.
    pub const BARE: Self = Self { recording: Recording::Off, trace: Keep::Nothing };
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was wrong, where something was.
    pub failure: Option<Failure>,
    /// Virtual time that passed.
    pub lasted: Duration,
    /// Requests of the roles, watches included.
    pub calls: usize,
    /// Writes of the roles.
    pub writes: u64,
    /// The most writes about one VM in one minute.
    pub most_writes: u32,
    /// Changes of objects.
    pub changes: u64,
    /// A number that differs where traces differ; 0 where none is kept.
    pub digest: u64,
    /// Every change of every object, where it is kept.
    pub trace: String,
    /// What was recorded for people.
    pub lines: Vec<Line>,
}

/// Plays a script.
///
/// # Errors
/// Where no runtime can be made, or the embedded cluster refuses its own set-up: no failure of what is tried.
pub fn play(script: &Script, kept: Play) -> Result<Outcome, WorldError> {
    let played = deterministic(played(script, kept));
    played.map_err(|error| WorldError::Invalid(format!("no runtime can be made: {error}")))?
}

async fn played(script: &Script, kept: Play) -> Result<Outcome, WorldError> {
    let start = Instant::now();
    let mut stage = Stage::set(script, kept.recording, kept.trace).await?;
    let inspector = stage.inspector.clone();
    tokio::select! {
        biased;
        () = inspector.failed() => {}
        () = stage.play(script) => {}
    }
    let calls = stage.world.faults.count();
    let trace = &stage.world.trace;
    Ok(Outcome {
        failure: inspector.failure(),
        lasted: start.elapsed(),
        calls,
        writes: inspector.writes().values().sum(),
        most_writes: inspector.most_writes(),
        changes: trace.changes(),
        digest: if kept.trace == Keep::Nothing { 0 } else { trace.digest() },
        trace: if kept.trace == Keep::Text { trace.text() } else { String::new() },
        lines: inspector.lines(),
    })
}

impl Outcome {
    /// The last lines about the VM that a failure concerns, and about what concerns all of them.
    pub fn story(&self, most: usize) -> Vec<&Line> {
        let vm = self.failure.as_ref().and_then(|failure| failure.vm.as_deref());
        let concerned = |line: &&Line| vm.is_none() || line.vm.is_none() || line.vm.as_deref() == vm;
        let mut lines: Vec<&Line> = self.lines.iter().rev().filter(concerned).take(most).collect();
        lines.reverse();
        lines
    }

    /// What did not hold.
    pub fn broken(&self) -> Option<Invariant> {
        self.failure.as_ref().map(|failure| failure.invariant)
    }
}
