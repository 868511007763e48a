//! A collector of OpenTelemetry over roles as processes: all that is done for a commit is one trace, whoever does it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::WEB;
use super::cluster::{Cluster, size};

/// Keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let of_resources = request.into_inner().resource_spans.into_iter().flat_map(|found| found.scope_spans);
        self.0.lock().unwrap().extend(of_resources.flat_map(|found| found.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Serves on a runtime, and tells where.
    fn start(runtime: &tokio::runtime::Runtime) -> (Self, String) {
        let _within = runtime.enter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = format!("http://{}", incoming.local_addr().unwrap());
        let collector = Self::default();
        let service = TraceServiceServer::new(collector.clone());
        runtime.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        (collector, address)
    }

    /// The spans of a commit: name, and the names of what they say.
    fn of(&self, commit: &str) -> BTreeSet<String> {
        let spans = self.0.lock().unwrap();
        let mine = spans.iter().filter(|span| commit.starts_with(&hex(&span.trace_id)));
        mine.map(|span| {
            let mut said: Vec<&str> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
            said.retain(|key| ["object", "generation", "seq"].contains(key));
            format!("{} {}", span.name, said.join(" "))
        })
        .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_commit_is_one_trace_from_the_apply_to_the_request_to_the_vmm() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (collector, address) = Collector::start(&runtime);
    let told = format!("OTEL_EXPORTER_OTLP_ENDPOINT={address}");
    let by = ["env", told.as_str()];
    let cluster = Cluster::start();
    let controller = cluster.controller_by(&by);
    let daemons = ["node-1", "node-2"].map(|node| cluster.daemon_by(node, &by));
    cluster.until_settled("web-1", size(2, 2048));
    let commit = cluster.push_size(WEB, "web-1", size(4, 4096));
    cluster.until_settled("web-1", size(4, 4096));
    // What has not been sent yet is sent at the end.
    for role in std::iter::once(controller).chain(daemons) {
        assert_eq!(role.terminate(), Some(0));
    }
    let spans = collector.of(&commit);
    let wanted = ["apply object", "resize generation", "resize seq"];
    assert!(wanted.iter().all(|span| spans.contains(*span)), "{spans:?}");
    assert!(collector.of("not a commit").is_empty());
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}

#[test]
fn a_collector_that_cannot_be_sent_to_is_told_and_stops_nothing() {
    let cluster = Cluster::start();
    let controller = cluster.controller_by(&["env", "OTEL_EXPORTER_OTLP_ENDPOINT=https://collector.example.com:4317"]);
    let daemons = ["node-1", "node-2"]
        .map(|node| cluster.daemon_by(node, &["env", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9"]));
    cluster.until_settled("web-1", size(2, 2048));
    let told = controller.told();
    assert!(told.contains("spans are not sent to a collector") && told.contains("http://HOST:PORT"), "{told}");
    for role in std::iter::once(controller).chain(daemons) {
        assert_eq!(role.terminate(), Some(0));
    }
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}
