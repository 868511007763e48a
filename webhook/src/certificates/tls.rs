//! The certificate that connections are answered with: exchanged while it serves, without an open connection noticing.

use std::fmt;
use std::io::Cursor;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::callers::Callers;
use super::issue::Pair;
use super::stored::validity;
use crate::metrics::Metrics;

/// Why a pair cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The texts are no certificate and key.
    #[error("the certificate or its key is no PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The two do not belong together, or TLS has no use for them.
    #[error("the certificate and its key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// What is served; clones share it. Before there is a certificate every handshake fails.
#[derive(Clone, Default)]
pub struct Serving {
    current: Arc<Resolver>,
    ends: Gauge,
}

#[derive(Default)]
struct Resolver(RwLock<Option<(Pair, Arc<CertifiedKey>)>>);

impl fmt::Debug for Resolver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, key)| Arc::clone(key))
    }
}

impl Serving {
    /// Nothing yet; when what is served ends is told to these metrics.
    pub fn told_to(metrics: &Metrics) -> Self {
        Self { current: Arc::default(), ends: metrics.certificate_ends.clone() }
    }

    /// Serves another pair from now on. Whether it is another one.
    ///
    /// # Errors
    /// Where it cannot be served; what was served before stays.
    pub fn serve(&self, pair: &Pair) -> Result<bool, TlsError> {
        if self.current.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(now, _)| now == pair) {
            return Ok(false);
        }
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_reader_iter(Cursor::new(pair.certificate.as_bytes())).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
        let key = CertifiedKey::from_der(certificates, key, &ring::default_provider())?;
        let next = Some((pair.clone(), Arc::new(key)));
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.ends.set(validity(&pair.certificate).map_or(0, |(_, until)| until.as_second()));
        Ok(true)
    }

    /// Whether there is a certificate to serve.
    pub fn is_ready(&self) -> bool {
        self.current.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What a TLS server is made with, for these callers.
    ///
    /// # Errors
    /// Where the TLS library does not know its own protocol versions.
    pub fn config(&self, callers: &Callers) -> Result<ServerConfig, TlsError> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config =
            builder.with_client_cert_verifier(Arc::clone(&callers.0)).with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
