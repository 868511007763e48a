//! In the place of `otlp.rs` where the program is built without that feature: nothing is sent, and who expects it is told.

use anyhow::ensure;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// There are none.
pub enum Traces {}

impl Traces {
    /// Never called.
    pub fn end(self) {
        match self {}
    }
}

/// A layer, and what sends the rest at the end.
pub type Collected<S> = (Box<dyn Layer<S> + Send + Sync>, Traces);

/// No layer.
///
/// # Errors
/// Where the environment names a collector.
pub fn layer<S>() -> anyhow::Result<Option<Collected<S>>>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let named = std::env::var_os(ENDPOINT).is_some_and(|named| !named.is_empty());
    ensure!(!named, "{ENDPOINT} is set, and this program was built without the feature otlp");
    Ok(None)
}
