//! Tells at once when a file comes or goes in a folder that a plugin looks at.
//!
//! By inotify with a mask of its own: what programs write to `/dev/null` is no news, and would be most of it. A folder that is not there, or a
//! kernel that has no watches left, costs promptness alone: whoever waits looks by himself every few seconds as well.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use futures::stream::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};
use tokio::sync::watch;

/// Room for several events; one with the longest name takes 272 bytes.
const BUFFER: usize = 4096;
/// The slow look: how often folders are watched anew, which may have been made since.
pub(super) const SLOW_LOOK: Duration = Duration::from_secs(10);

/// Bumps `changes` at each change in one of the folders, and now and then without one. Never ends.
pub(super) async fn watch(folders: BTreeSet<PathBuf>, changes: watch::Sender<()>) {
    let mut events = match Inotify::init().and_then(|inotify| inotify.into_event_stream([0; BUFFER])) {
        Ok(events) => Some(events),
        Err(error) => {
            tracing::warn!(%error, "devices cannot be watched; they are looked at every few seconds");
            None
        }
    };
    loop {
        for folder in events.iter().flat_map(|_| &folders) {
            follow(events.as_ref(), folder);
        }
        changes.send_replace(());
        let _ = tokio::time::timeout(SLOW_LOOK, until_failed(&mut events, &changes)).await;
    }
}

/// Watching a folder twice is the same as once.
fn follow(events: Option<&EventStream<[u8; BUFFER]>>, folder: &PathBuf) {
    let news = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE | WatchMask::ATTRIB;
    let added = events.map(|events| events.watches().add(folder, news | WatchMask::ONLYDIR));
    if let Some(Err(error)) = added {
        tracing::trace!(%error, folder = %folder.display(), "a folder cannot be watched");
    }
}

async fn until_failed(events: &mut Option<EventStream<[u8; BUFFER]>>, changes: &watch::Sender<()>) {
    while let Some(Ok(_)) = match events {
        Some(events) => events.next().await,
        None => None,
    } {
        changes.send_replace(());
    }
    // Nothing to hear: the slow look is left.
    std::future::pending::<()>().await;
}
