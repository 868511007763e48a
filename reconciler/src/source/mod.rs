//! From a Git location to the files of its tip: fetched into a bare clone, read from the object database by tree path.
//!
//! Nothing is ever checked out, no filter, hook or submodule runs, and nothing here knows what a file means. A fetch that fails says why
//! and leaves the caller's last snapshot as it is.

mod cache;
mod change;
mod classify;
mod credentials;
mod error;
mod known_hosts;
mod local;
mod location;
mod memory;
mod past;
mod path;
mod pool;
mod remote;
mod repositories;
mod same;
mod snapshot;
mod text;
mod timeouts;
mod tree;
mod walk;
mod watch;

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use change::{Change, ChangeError};
pub use credentials::{Credentials, SecretContent, SecretError};
pub use error::{FetchError, Retry};
pub use known_hosts::{KnownHosts, KnownHostsError};
pub use local::{LocalError, LocalRepository};
pub use location::{FileUrls, History, Location, LocationError, Redacted, shown_address};
pub use memory::MemoryRepositories;
pub use past::FileLog;
pub use path::{PathError, RepoPath};
pub use repositories::{Git2Repositories, Limits};
pub use same::{same_folder, same_repository};
pub use snapshot::{Commit, Descent, File, SkipReason, Skipped, Snapshot};
pub use text::escaped;
pub use timeouts::{ProcessTimeouts, set_process_timeouts};

/// Where snapshots come from: Git in production, memory in simulation.
pub trait Repositories: Send + Sync {
    /// Fetches the tip of a location, or the commit that it names.
    ///
    /// Files whose tree entry did not change since `last` are taken from it; an unchanged tip gives `last` itself.
    fn fetch(
        &self,
        location: &Location,
        last: Option<Arc<Snapshot>>,
    ) -> BoxFuture<'static, Result<Arc<Snapshot>, FetchError>>;

    /// Tells when a repository on this machine may have changed; never for a remote one.
    ///
    /// Items may be lost or be superfluous: whoever listens also polls.
    fn changes(&self, location: &Location) -> BoxStream<'static, ()>;
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod stubs;
#[cfg(test)]
mod tests;
