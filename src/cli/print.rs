//! Writes results to standard output and failures to standard error.
//!
//! A reader that stopped reading (`reef status | head`) is no failure; colours go to terminals only.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::view::Paint;

/// Prints text as it is.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    forgive(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    text(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Prints a value as YAML.
pub fn yaml(value: &impl Serialize) -> anyhow::Result<()> {
    text(&serde_yaml::to_string(value)?)
}

/// Whether standard output takes colours.
pub fn paint() -> Paint {
    if io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() { Paint::Colours } else { Paint::Plain }
}

/// The width of the terminal that standard output goes to; nothing where it goes elsewhere.
pub fn width() -> Option<u16> {
    terminal_size::terminal_size_of(io::stdout()).map(|(terminal_size::Width(width), _)| width)
}

/// Tells why the command failed, each cause once.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if causes.last().is_none_or(|before| !before.contains(&cause)) {
            causes.push(cause);
        }
    }
    let _ = writeln!(anstream::stderr(), "reef: {}", causes.join(": "));
    ExitCode::FAILURE
}

/// Tells what was done, or what is wrong, beside the result.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "reef: {text}");
}

/// Tells what should be known and stops nothing.
pub fn warning(text: &str) {
    let _ = writeln!(anstream::stderr(), "reef: warning: {text}");
}

fn forgive(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
