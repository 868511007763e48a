//! Who may call: anybody who can connect, or only who shows a certificate of an authority, as an API server can be told to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, VerifierBuilderError, WebPkiClientVerifier};

/// Judges the certificates that clients show.
#[derive(Clone, Debug)]
pub struct Callers(pub(super) Arc<dyn ClientCertVerifier>);

/// Why an authority of clients cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CallersError {
    /// The file cannot be read, or is no PEM.
    #[error("{} cannot be read as certificates: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// What is in it is no authority.
    #[error("{} holds no authority that can be used: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// There is nothing in it.
    #[error("{} holds no certificate: {source}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

impl Callers {
    /// Whoever can connect.
    pub fn anybody() -> Self {
        Self(Arc::new(NoClientAuth))
    }

    /// Who shows a certificate that an authority of this file has signed. The file is read once.
    ///
    /// # Errors
    /// Where the file cannot be read, or holds no authority.
    pub fn signed_by(path: &Path) -> Result<Self, CallersError> {
        let read = |source| CallersError::Read { path: path.to_owned(), source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(read)? {
            let unusable = |source| CallersError::Authority { path: path.to_owned(), source };
            roots.add(certificate.map_err(read)?).map_err(unusable)?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
        let verifier = builder.build().map_err(|source| CallersError::Empty { path: path.to_owned(), source })?;
        Ok(Self(verifier))
    }
}
