//! A webhook with a certificate from files, and an embedded cluster beside it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{Certificate, CertifiedKey, KeyPair, generate_simple_self_signed};
use reef::wiring::embedded::{Embedded, Options};
use reef::wiring::webhook::{Trust, Webhook, WebhookOptions};
use reef_reconciler::source::FileUrls;
use reef_webhook::certificates::{Callers, CertificateFiles};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::client::Client;

/// Everything ends when it is dropped.
pub struct Stand {
    address: SocketAddr,
    made: CertifiedKey<KeyPair>,
    tls: TlsConnector,
    _folder: tempfile::TempDir,
    cluster: CancellationToken,
    _stop: DropGuard,
}

impl Stand {
    /// Starts cluster and webhook, and waits until it is ready.
    pub async fn start() -> Self {
        Self::for_callers(None).await
    }

    /// The same; only who is signed by this authority is answered.
    pub async fn for_callers(authority: Option<&Certificate>) -> Self {
        let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let cluster = stop.child_token();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = Options { listen, nodes: 1, dir: folder.path().to_owned(), seed: 1, speed: 1 };
        let embedded = Embedded::start(&options, &TaskTracker::new(), &cluster).await.unwrap();
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let files = files(&folder, &made);
        let callers = authority.map(|authority| {
            let file = folder.path().join("clients.crt");
            std::fs::write(&file, authority.pem()).unwrap();
            Callers::signed_by(&file).unwrap()
        });
        let options = WebhookOptions {
            own_users: [].into(),
            file_urls: FileUrls::Refused,
            trust: Trust::Files(files),
            callers: callers.unwrap_or_else(Callers::anybody),
        };
        let webhook = Webhook::new(&embedded.connection, options).await.unwrap();
        let probes = webhook.probes();
        let listener = std::net::TcpListener::bind(listen).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(webhook.run(listener, stop.clone()));
        while (probes.ready)().is_err() {
            tokio::task::yield_now().await;
        }
        let tls = TlsConnector::from(Arc::new(trusting(&made).with_no_client_auth()));
        Self { address, made, tls, _folder: folder, cluster, _stop: stop.drop_guard() }
    }

    /// The API server goes away, and the webhook stays.
    pub fn end_cluster(&self) {
        self.cluster.cancel();
    }

    /// A connection that has not said anything yet.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A client that trusts the webhook.
    pub async fn client(&self) -> Client {
        self.client_by(&self.tls).await
    }

    /// A client that shows a certificate.
    pub async fn client_with(&self, shown: &Certificate, key: &KeyPair) -> Client {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = trusting(&self.made).with_client_auth_cert(vec![shown.der().clone()], key).unwrap();
        self.client_by(&TlsConnector::from(Arc::new(config))).await
    }

    async fn client_by(&self, tls: &TlsConnector) -> Client {
        Client::new(tls.connect(self.address.ip().into(), self.connect().await).await.unwrap())
    }
}

fn files(folder: &tempfile::TempDir, made: &CertifiedKey<KeyPair>) -> CertificateFiles {
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    CertificateFiles { certificate, key }
}

fn trusting(made: &CertifiedKey<KeyPair>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots)
}
