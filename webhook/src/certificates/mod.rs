//! The certificate that is served: kept in a Secret by an authority of its own, or read from files that somebody else renews.

mod callers;
mod configurations;
mod files;
mod issue;
mod keeper;
mod stored;
mod tls;

pub use callers::{Callers, CallersError};
pub use files::{CertificateFiles, FilesError, follow};
pub use issue::IssueError;
pub use keeper::{Keeper, KeeperError, Place};
pub use tls::{Serving, TlsError};
