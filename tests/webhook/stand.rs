//! A webhook with a certificate from files, and an embedded cluster beside it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reef::wiring::embedded::{Embedded, Options};
use reef::wiring::webhook::{Trust, Webhook, WebhookOptions};
use reef_reconciler::source::FileUrls;
use reef_webhook::certificates::CertificateFiles;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::client::Client;

/// Everything ends when it is dropped.
pub struct Stand {
    address: SocketAddr,
    tls: TlsConnector,
    _folder: tempfile::TempDir,
    _stop: DropGuard,
}

impl Stand {
    /// Starts cluster and webhook, and waits until it is ready.
    pub async fn start() -> Self {
        let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = Options { listen, nodes: 1, dir: folder.path().to_owned(), seed: 1, speed: 1 };
        let embedded = Embedded::start(&options, &TaskTracker::new(), &stop).await.unwrap();
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let files = files(&folder, &made);
        let options = WebhookOptions { own_users: [].into(), file_urls: FileUrls::Refused, trust: Trust::Files(files) };
        let webhook = Webhook::new(&embedded.connection, options).await.unwrap();
        let probes = webhook.probes();
        let listener = std::net::TcpListener::bind(listen).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(webhook.run(listener, stop.clone()));
        while (probes.ready)().is_err() {
            tokio::task::yield_now().await;
        }
        Self { address, tls: connector(&made), _folder: folder, _stop: stop.drop_guard() }
    }

    /// A connection that has not said anything yet.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A client that trusts the webhook.
    pub async fn client(&self) -> Client {
        let name = self.address.ip().into();
        Client::new(self.tls.connect(name, self.connect().await).await.unwrap())
    }
}

fn files(folder: &tempfile::TempDir, made: &CertifiedKey<rcgen::KeyPair>) -> CertificateFiles {
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    CertificateFiles { certificate, key }
}

fn connector(made: &CertifiedKey<rcgen::KeyPair>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
