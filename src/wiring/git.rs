//! libgit2's process-wide settings, made once before the process has threads.

use std::time::Duration;

use anyhow::Context;
use reef_reconciler::source::{ProcessTimeouts, set_process_timeouts};

/// How long the making of a connection to a Git server may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a Git server may be silent on a connection.
const SILENCE: Duration = Duration::from_secs(30);

/// Proof that the settings are made.
pub type Made = ProcessTimeouts;

/// Makes the settings.
///
/// # Errors
/// Where libgit2 refuses them.
pub fn settings() -> anyhow::Result<Made> {
    set_process_timeouts(CONNECT, SILENCE).context("libgit2 does not take its settings")
}
