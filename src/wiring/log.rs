//! Logs to standard error: plain for people at a terminal, JSON lines otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` as in RUST_LOG; `fallback` is the level where it is absent or empty.
///
/// A filter that cannot be read is told on standard error, and the fallback holds. A second start changes nothing.
pub fn start(filter: Option<&str>, fallback: &str) {
    let wanted = filter.filter(|filter| !filter.is_empty()).unwrap_or(fallback);
    let parsed = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        anstream::eprintln!("reef: the log filter {wanted:?} cannot be read ({error}); {fallback} holds");
        EnvFilter::new(fallback)
    });
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr);
    // Fails where a subscriber is there already: a second start.
    let _ = if io::stderr().is_terminal() {
        builder.compact().with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}
