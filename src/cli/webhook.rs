//! `reef webhook`: admission for a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use jiff::SignedDuration;
use reef_reconciler::source::FileUrls;
use reef_webhook::certificates::{Callers, CallersError, CertificateFiles};

use super::args::{ClusterArgs, duration};
use crate::wiring::webhook::{Trust, Webhook, WebhookOptions};
use crate::wiring::{health, shutdown};

/// Arguments of `reef webhook`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run two of them behind a Service. Each keeps the same certificate, in a Secret, and has both webhook configurations trust it; \
with --tls-cert and --tls-key somebody else does. It stops at SIGTERM or SIGINT, after what is under way."
)]
pub struct Args {
    /// Where the API server's requests are answered, over TLS. In a Pod, state the Pod's address.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9443")]
    listen: SocketAddr,
    /// Where /livez, /readyz, /healthz and /metrics are served. In a Pod, state the Pod's address for the kubelet to reach it.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8083")]
    health_addr: SocketAddr,
    /// A user whose writes are Reef's own, and are no change by hand. Can be repeated.
    #[arg(long = "own-user", value_name = "USER", default_value = "system:serviceaccount:reef-system:reef-controller")]
    own_users: Vec<String>,
    /// Let GitSources name repositories of the controller's machine (file://): as the controller's flag says.
    #[arg(long)]
    allow_file_urls: bool,
    #[command(flatten)]
    certificate: CertificateArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Where the certificate comes from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Certificate")]
struct CertificateArgs {
    /// Namespace of the Secret that keeps the certificate.
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", default_value = "reef-system")]
    tls_namespace: String,
    /// Secret that keeps the certificate and its authority; it is made where it is not there.
    #[arg(long, value_name = "NAME", default_value = "reef-webhook-tls")]
    tls_secret: String,
    /// Name of the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration that are to trust it.
    #[arg(long, value_name = "NAME", default_value = "reef-webhook")]
    configurations: String,
    /// A host that the certificate is for, as a name or an address; the Service's name when absent. Can be repeated.
    #[arg(long = "tls-host", value_name = "HOST")]
    hosts: Vec<String>,
    /// How long a certificate is valid; it is renewed after two thirds of that. An authority is valid four times as long.
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = duration)]
    certificate_life: SignedDuration,
    /// Certificate that somebody else renews, such as cert-manager; nothing is made or published then.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Answer only who shows a certificate that an authority of this file has signed; who can connect is answered when absent. The API server shows one when its
    /// --admission-control-config-file says so.
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
}

impl CertificateArgs {
    fn callers(&self) -> Result<Callers, CallersError> {
        self.client_ca.as_deref().map_or_else(|| Ok(Callers::anybody()), Callers::signed_by)
    }

    fn trust(self) -> Trust {
        if let (Some(certificate), Some(key)) = (self.tls_cert, self.tls_key) {
            return Trust::Files(CertificateFiles { certificate, key });
        }
        let service = || vec![format!("reef-webhook.{}.svc", self.tls_namespace)];
        let hosts = if self.hosts.is_empty() { service() } else { self.hosts };
        Trust::own(
            self.tls_namespace,
            self.tls_secret,
            self.configurations,
            hosts,
            self.certificate_life.unsigned_abs(),
        )
    }
}

/// Runs until told to stop.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let cluster = args.cluster.connect().await?;
    let file_urls = if args.allow_file_urls { FileUrls::Allowed } else { FileUrls::Refused };
    let own_users = args.own_users.into_iter().collect();
    let callers = args.certificate.callers().context("--client-ca")?;
    let options = WebhookOptions { own_users, file_urls, trust: args.certificate.trust(), callers };
    let webhook = Webhook::new(&cluster, options).await?;
    let listener = std::net::TcpListener::bind(args.listen)
        .with_context(|| format!("cannot listen at {}; choose another --listen", args.listen))?;
    let health = health::listen(args.health_addr).await?;
    let serving = tokio::spawn(health::serve(health, webhook.probes(), webhook.registry(), stop.clone()));
    tracing::info!(server = cluster.server, address = %listener.local_addr()?, "webhook started");
    let outcome = webhook.run(listener, stop.clone()).await;
    stop.cancel();
    serving.await.context("the health endpoints ended early")?;
    outcome?;
    tracing::info!("webhook stopped");
    Ok(ExitCode::SUCCESS)
}
