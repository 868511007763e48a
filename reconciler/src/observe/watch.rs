//! The watches, as one stream of events. Each object comes untyped, so that an odd one cannot stop the others.

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use kube::{Api, Client};
use reef_api::names::VM_LABEL;
use reef_watch::{Chain, Restored, with_past};

use super::backoff::WatchBackoff;
use super::kind::Kind;
use super::object::Object;

/// Objects of one answer to a list: a whole page is in memory at once, with all that is not kept of its objects.
const PAGE: u32 = 100;

/// Why a watch was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It failed with these words, and goes on by itself.
    Failed(String),
    /// It cannot go on, and the others must not: all have to begin anew.
    Restored(Restored),
}

/// What a watch of one kind tells, or why it tells nothing.
pub type Seen = (Kind, Result<Event<Object>, Interruption>);

/// Watches every kind, for ever, or until one of them tells of a restored cluster.
pub fn watch(client: &Client) -> BoxStream<'static, Seen> {
    select_all(Kind::ALL.map(|kind| watch_kind(client.clone(), kind))).boxed()
}

fn watch_kind(client: Client, kind: Kind) -> BoxStream<'static, Seen> {
    let api: Api<Object> = Api::all_with(with_past(client), &kind.resource());
    let config = Config::default().page_size(PAGE);
    // Labels keep foreign Pods out of memory.
    let config = if kind == Kind::Pod { config.labels(VM_LABEL) } else { config };
    let events = watcher(api, config).backoff(WatchBackoff::default());
    events.map(move |event| (kind, event.map_err(|error| interruption(&error)))).boxed()
}

fn interruption(error: &Error) -> Interruption {
    Restored::told_by(error).map_or_else(|| Interruption::Failed(Chain(error).to_string()), Interruption::Restored)
}
