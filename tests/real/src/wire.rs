//! What a cluster's handle and its supervisor say to one another, a line of JSON each.
//!
//! The end of the supervisor's input is the order to end everything: it comes also from a handle that was killed.
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    layout::Layout,
    options::{Options, Party, Program},
};

/// What a supervisor is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What to start.
    pub options: Options,
    /// The folder of the built programs.
    pub programs: PathBuf,
}

/// What a running supervisor is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// End a party with SIGKILL.
    Kill(Party),
    /// Start a party that was killed, as it was started before.
    Revive(Party),
    /// Run a program beside the parties.
    Run(Program),
    /// End such a program with SIGKILL.
    KillProgram(String),
    /// Send a signal to such a program, by its name as `STOP`.
    Signal(String, String),
    /// Tell how much memory a party or program has.
    Memory(String),
}

/// What it answers: one to its start, and one to each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The cluster is ready, and this is where it is.
    Ready(Layout),
    /// The request was carried out.
    Done,
    /// The memory that was asked for, in KiB.
    Memory(u64),
    /// It was not, and why.
    Failed(String),
}
