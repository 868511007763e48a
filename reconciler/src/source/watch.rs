//! Pushes to repositories on this machine, seen as they happen. A hint and no more: whoever listens also polls, so a lost event costs time only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{Stream, StreamExt};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// A push writes several files; this long after the first of them it is over.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// Yields once for each burst of changes to the references below `path`; never where they cannot be watched.
pub(super) fn changes(path: &Path) -> impl Stream<Item = ()> + Send + 'static {
    let git_dir = if path.join(".git").is_dir() { path.join(".git") } else { path.to_owned() };
    let watched = futures::stream::unfold(Watch::Unopened(git_dir), |state| async move {
        let mut open = match state {
            Watch::Unopened(dir) => Open::new(&dir)?,
            Watch::Open(open) => open,
        };
        open.changes.recv().await?;
        tokio::time::sleep(DEBOUNCE).await;
        while open.changes.try_recv().is_ok() {}
        Some(((), Watch::Open(open)))
    });
    // A watch that ended must not look like a change.
    watched.chain(futures::stream::pending())
}

enum Watch {
    Unopened(PathBuf),
    Open(Open),
}

struct Open {
    changes: mpsc::Receiver<()>,
    /// Stops watching when it is dropped.
    _watcher: RecommendedWatcher,
}

impl Open {
    fn new(dir: &Path) -> Option<Self> {
        let opened = Self::watching(dir);
        opened.inspect_err(|error| tracing::warn!(dir = %dir.display(), %error, "a repository cannot be watched and is only polled")).ok()
    }

    /// One place in the channel: a change that finds it taken is announced already.
    fn watching(dir: &Path) -> notify::Result<Self> {
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| matters(&event)) {
                let _ = sender.try_send(());
            }
        })?;
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        watcher.watch(&dir.join("refs"), RecursiveMode::Recursive)?;
        Ok(Self { changes, _watcher: watcher })
    }
}

/// Our own reading causes events too, and a lock file alone says nothing yet.
fn matters(event: &notify::Event) -> bool {
    !event.kind.is_access()
        && !event.paths.iter().all(|path| path.extension().is_some_and(|extension| extension == "lock"))
}
