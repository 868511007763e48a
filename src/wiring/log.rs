//! Logs to standard error: plain for people at a terminal, JSON lines otherwise. With the feature `otlp`, spans to a collector besides.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::otlp::{self, Traces};

/// Who is interested in the spans of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spans {
    /// The log alone.
    Logged,
    /// A collector as well, where the environment names one.
    Collected,
}

/// Ends what was started.
pub struct Started {
    traces: Option<Traces>,
}

impl Started {
    /// Sends what has not been sent yet.
    pub fn end(self) {
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}

/// Starts logging, within a runtime. `filter` as in RUST_LOG; `fallback` is the level where it is absent or empty.
///
/// A filter that cannot be read is told on standard error, and the fallback holds. So is a collector that cannot be sent to, and nothing stops for it. A
/// second start changes nothing.
pub fn start(filter: Option<&str>, fallback: &str, spans: Spans) -> Started {
    let wanted = filter.filter(|filter| !filter.is_empty()).unwrap_or(fallback);
    let parsed = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        anstream::eprintln!("reef: the log filter {wanted:?} cannot be read ({error}); {fallback} holds");
        EnvFilter::new(fallback)
    });
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if io::stderr().is_terminal() {
        lines.compact().with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    let registry = tracing_subscriber::registry().with(parsed).with(lines);
    let collected = if spans == Spans::Collected { otlp::layer() } else { Ok(None) };
    let (collected, problem) = match collected {
        Ok(collected) => (collected, None),
        Err(problem) => (None, Some(problem)),
    };
    let (layer, traces) = collected.unzip();
    // Fails where a subscriber is there already: a second start.
    let _ = registry.with(layer).try_init();
    if let Some(error) = problem {
        tracing::warn!(%error, "spans are not sent to a collector");
    }
    Started { traces }
}
