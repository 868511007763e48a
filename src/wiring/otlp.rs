//! Spans to a collector of OpenTelemetry, which the environment names as every program of that kind is told: `OTEL_EXPORTER_OTLP_ENDPOINT`.
//!
//! A commit is a trace: all that any role does for it carries a trace id made of the commit's own, so that nothing has to be passed between roles.
//! Nothing else is known here of what a span means.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, TraceId, TracerProvider};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Export};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Where spans go; nothing is sent without it.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The field of a span that names a commit.
const REVISION: &str = "revision";
/// What is left at the end is sent within this.
const END: Duration = Duration::from_secs(3);

/// Sends what is left when it ends.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends what is left. A collector that does not answer is not waited for.
    pub fn end(self) {
        let _ = self.0.shutdown_with_timeout(END);
    }
}

/// A layer, and what sends the rest at the end.
pub type Collected<S> = (Box<dyn Layer<S> + Send + Sync>, Traces);

/// A layer that sends spans, where the environment names a collector. Has to be called within a runtime.
///
/// # Errors
/// Where the address is none that spans can be sent to.
pub fn layer<S>() -> anyhow::Result<Option<Collected<S>>>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let Some(endpoint) = std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty()) else { return Ok(None) };
    anyhow::ensure!(
        endpoint.starts_with("http://"),
        "{ENDPOINT} is {endpoint:?}: spans are sent as gRPC to http://HOST:PORT alone, such as a collector beside Reef that passes them on over TLS"
    );
    let exporter = SpanExporter::builder().with_tonic().build()?;
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let resource = match std::env::var("OTEL_SERVICE_NAME") {
        Ok(_) => resource,
        Err(_) => resource.with_service_name("reef"),
    };
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(ByCommit(exporter)).with_resource(resource.build()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("reef"));
    Ok(Some((layer.boxed(), Traces(provider))))
}

/// Gives spans that name a commit the trace of that commit, and takes along what is within them.
#[derive(Debug)]
struct ByCommit<E>(E);

impl<E: Export> Export for ByCommit<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        let known = |span: &SpanData| span.span_context.trace_id().to_bytes();
        let own: BTreeMap<[u8; 16], TraceId> =
            batch.iter().filter_map(|span| Some((known(span), of_commit(span)?))).collect();
        for span in &mut batch {
            let Some(trace) = own.get(&known(span)) else { continue };
            let known = &span.span_context;
            span.span_context = SpanContext::new(
                *trace,
                known.span_id(),
                known.trace_flags(),
                known.is_remote(),
                known.trace_state().clone(),
            );
        }
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// The first sixteen bytes of the commit that a span names. A span within another belongs to the trace of that one.
fn of_commit(span: &SpanData) -> Option<TraceId> {
    let stated = span.attributes.iter().find(|attribute| attribute.key.as_str() == REVISION);
    let commit = stated.filter(|_| span.parent_span_id == SpanId::INVALID)?.value.as_str().into_owned();
    TraceId::from_hex(commit.get(..32)?).ok().filter(|trace| *trace != TraceId::INVALID)
}
