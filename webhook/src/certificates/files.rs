//! A certificate from files that somebody else renews, such as cert-manager through a mounted Secret.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::issue::Pair;
use super::tls::{Serving, TlsError};

/// How often the files are looked at. A mounted Secret takes a minute to change; a certificate is renewed weeks before its end.
const LOOKS: Duration = Duration::from_secs(10);

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate with its chain, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

/// Why files cannot be served from.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is in them cannot be served.
    #[error("{} and its key: {source}", path.display())]
    Tls {
        /// The file of the certificate.
        path: PathBuf,
        /// Why.
        source: TlsError,
    },
}

impl CertificateFiles {
    /// Reads the files and serves what is in them. Whether it is another pair than before.
    ///
    /// # Errors
    /// Where a file cannot be read, or both do not belong together: they may be in the middle of being exchanged.
    pub async fn serve(&self, serving: &Serving) -> Result<bool, FilesError> {
        let pair = Pair { certificate: read(&self.certificate).await?, key: read(&self.key).await? };
        serving.serve(&pair).map_err(|source| FilesError::Tls { path: self.certificate.clone(), source })
    }
}

async fn read(path: &PathBuf) -> Result<String, FilesError> {
    tokio::fs::read_to_string(path).await.map_err(|source| FilesError::Read { path: path.clone(), source })
}

/// Follows the files until told to stop; what was served before stays while they cannot be used.
pub async fn follow(files: &CertificateFiles, serving: &Serving, stop: &CancellationToken) {
    let mut told = String::new();
    loop {
        match files.serve(serving).await {
            Ok(true) => tracing::info!(file = %files.certificate.display(), "the certificate of the files is served"),
            Ok(false) => told.clear(),
            Err(error) if error.to_string() == told => {}
            Err(error) => {
                told = error.to_string();
                tracing::warn!(%error, "the certificate's files cannot be used; what was served before stays");
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOKS) => {}
        }
    }
}
