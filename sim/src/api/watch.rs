//! Watches: the changes after a version as a stream of events, with bookmarks, a time-out, and 410 as an event.
//!
//! A stream reads the store's history itself. It has no task and no buffer of its own, so a slow reader costs nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ApiServer;
use super::fault::WatchFailure;
use super::present::Presenter;
use super::read;
use super::request::{RequestFacts, Target};
use super::resource::Served;
use super::respond::{Answer, to_bytes};
use super::selectors::Selector;
use super::table::Headers;
use crate::store::{ApiError, Cause, Change, ChangeKind, Lagged, Listener, Stored, Subscription, meta};

/// How often an idle watch hears the current version.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long a watch lives that names no time-out.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

/// Answers a watch.
///
/// # Errors
/// 400 for selectors that do not parse, 403 for a `sendInitialEvents` without its match.
pub fn watch(
    server: &ApiServer,
    served: Served,
    target: &Target,
    facts: &RequestFacts,
    failure: WatchFailure,
) -> Result<Answer, ApiError> {
    let mut selector = read::selector(&served, facts)?;
    if let Some(name) = &target.name {
        selector = selector.with_name(name);
    }
    let timeout = facts.number("timeoutSeconds")?.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    let start = Start::read(facts)?;
    let presenter = read::presenter(server, served, facts)?;
    let (now, id, version) = (Instant::now(), presenter.served.id.clone(), server.store().version());
    let mut stream = Watch {
        namespace: target.namespace.clone(),
        selector,
        presenter,
        waiting: VecDeque::new(),
        changes: server.store().subscribe_of(id, version),
        bookmarks: facts.flag("allowWatchBookmarks"),
        headers: Headers::Shown,
        ended: false,
        failure: Trouble::of(failure, now),
        released: 0,
        deadline: now.checked_add(timeout).unwrap_or(now),
        next_bookmark: next_bookmark(now),
        cut: server.cut_signal(),
        server: server.clone(),
    };
    stream.begin(&start);
    Ok(Answer::stream(futures::stream::unfold(stream, Watch::next)))
}

/// Where a watch begins.
enum Start {
    /// With what is there, as events; the flag asks for the word that these were all.
    Initial { announce_end: bool },
    /// After a version.
    After(u64),
}

impl Start {
    fn read(facts: &RequestFacts) -> Result<Self, ApiError> {
        let version = facts.number("resourceVersion")?.unwrap_or(0);
        match facts.param("sendInitialEvents") {
            Some("true") if facts.param("resourceVersionMatch") == Some("NotOlderThan") => {
                Ok(Start::Initial { announce_end: true })
            }
            Some("true") => {
                let message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                let cause = Cause::new("FieldValueForbidden", "resourceVersionMatch", message);
                Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause]))
            }
            Some(_) => Ok(Start::After(version)),
            None if version == 0 => Ok(Start::Initial { announce_end: false }),
            None => Ok(Start::After(version)),
        }
    }
}

/// What goes wrong, with the time at which it does.
#[derive(Clone, Copy)]
enum Trouble {
    None,
    Late(Duration),
    Ends(Instant),
    Freezes(Instant),
}

impl Trouble {
    fn of(failure: WatchFailure, now: Instant) -> Self {
        let at = |after: Duration| now.checked_add(after).unwrap_or(now);
        match failure {
            WatchFailure::None => Trouble::None,
            WatchFailure::Late(by) => Trouble::Late(by),
            WatchFailure::Ends(after) => Trouble::Ends(at(after)),
            WatchFailure::Freezes(after) => Trouble::Freezes(at(after)),
        }
    }

    /// Comes back when the trouble begins, and never where there is none to wait for.
    async fn begins(self) {
        match self {
            Trouble::Ends(at) | Trouble::Freezes(at) => tokio::time::sleep_until(at).await,
            Trouble::None | Trouble::Late(_) => std::future::pending().await,
        }
    }
}

struct Watch {
    namespace: Option<String>,
    selector: Selector,
    presenter: Presenter,
    /// Events that are ready to go.
    waiting: VecDeque<Bytes>,
    changes: Subscription,
    bookmarks: bool,
    headers: Headers,
    ended: bool,
    failure: Trouble,
    /// Changes up to this version have been held back long enough.
    released: u64,
    deadline: Instant,
    next_bookmark: Instant,
    cut: Listener,
    server: ApiServer,
}

impl Watch {
    fn begin(&mut self, start: &Start) {
        match start {
            Start::After(0) => {}
            Start::After(version) => match self.server.store().check_reachable(*version) {
                Ok(()) => self.changes.skip_to(*version),
                Err(error) => self.fail(&error),
            },
            Start::Initial { announce_end } => self.send_initial(*announce_end),
        }
    }

    fn send_initial(&mut self, announce_end: bool) {
        let (objects, version) = self.server.store().stored_at(&self.presenter.served.id, self.namespace.as_deref());
        self.changes.skip_to(version);
        for object in &objects {
            if self.selector.matches(object) {
                self.send("ADDED", object);
            }
        }
        if announce_end {
            let annotations = json!({ "k8s.io/initial-events-end": "true" });
            self.bookmark(&json!({ "annotations": annotations }));
        }
    }

    async fn next(mut self) -> Option<(Bytes, Watch)> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some((event, self));
            }
            if self.ended {
                return None;
            }
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            biased;
            () = self.failure.begins() => match self.failure {
                Trouble::Freezes(_) => std::future::pending().await,
                Trouble::None | Trouble::Late(_) | Trouble::Ends(_) => self.ended = true,
            },
            () = self.cut.heard() => self.ended = true,
            change = next_change(&mut self.changes, self.failure, &mut self.released, &self.server) => match change {
                Ok(change) => self.follow(&change),
                Err(lagged) => self.fail(&ApiError::expired(lagged.asked, lagged.oldest)),
            },
            () = tokio::time::sleep_until(self.deadline) => {
                self.periodic_bookmark();
                self.ended = true;
            }
            () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => self.periodic_bookmark(),
        }
    }

    /// A change is an event by what the selector says of the object before and after.
    fn follow(&mut self, change: &Change) {
        let elsewhere = self.namespace.is_some() && change.key.namespace != self.namespace;
        if change.key.resource != self.presenter.served.id || elsewhere {
            return;
        }
        let was = change.before.as_ref().is_some_and(|object| self.selector.matches(object));
        let is = change.kind != ChangeKind::Deleted && self.selector.matches(&change.stored);
        match (was, is) {
            (false, false) => {}
            (false, true) => self.send("ADDED", &change.stored),
            (true, true) => self.send("MODIFIED", &change.stored),
            (true, false) => self.send("DELETED", &leaving(change)),
        }
    }

    fn send(&mut self, kind: &str, object: &Stored) {
        let shown = self.presenter.event(object, self.headers);
        self.headers = Headers::Hidden;
        self.waiting.push_back(line(kind, &shown));
    }

    fn periodic_bookmark(&mut self) {
        self.next_bookmark = next_bookmark(Instant::now());
        // A watch from a version that is to come hears nothing before then, not even where it stands.
        if self.bookmarks && self.changes.caught_up() <= self.server.store().version() {
            self.bookmark(&json!({}));
        }
    }

    fn bookmark(&mut self, more: &Value) {
        let mut metadata = more.clone();
        if let Some(map) = metadata.as_object_mut() {
            map.insert("resourceVersion".to_owned(), json!(self.changes.caught_up().to_string()));
        }
        let (kind, api_version) = (self.presenter.served.kind.kind.clone(), self.presenter.served.api_version());
        let object = json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata });
        self.waiting.push_back(line("BOOKMARK", &to_bytes(&object)));
    }

    fn fail(&mut self, error: &ApiError) {
        self.waiting.push_back(line("ERROR", &to_bytes(&error.status())));
        self.ended = true;
    }
}

/// The next change, late where it is to be. What happened before the wait began comes with it; what happens meanwhile waits anew, so that a
/// watch is late by at most twice its delay, however much happens.
async fn next_change(
    changes: &mut Subscription,
    trouble: Trouble,
    released: &mut u64,
    server: &ApiServer,
) -> Result<Arc<Change>, Lagged> {
    if let Trouble::Late(by) = trouble
        && changes.caught_up() >= *released
    {
        changes.ready().await?;
        let happened = server.store().version();
        tokio::time::sleep(by).await;
        *released = happened;
    }
    changes.next().await
}

fn next_bookmark(now: Instant) -> Instant {
    now.checked_add(BOOKMARK_EVERY).unwrap_or(now)
}

/// What a watcher is told of an object that left its view: its last state there, at the version of the leaving.
fn leaving(change: &Change) -> Stored {
    match (&change.before, change.kind) {
        (Some(before), ChangeKind::Modified | ChangeKind::Added) => {
            let mut last = Value::clone(before);
            meta::set(&mut last, "resourceVersion", json!(change.resource_version.to_string()));
            Stored::new(last, before.owners.clone())
        }
        (_, ChangeKind::Deleted) | (None, _) => change.stored.clone(),
    }
}

fn line(kind: &str, object: &[u8]) -> Bytes {
    let parts: [&[u8]; 5] = [b"{\"type\":\"", kind.as_bytes(), b"\",\"object\":", object, b"}\n"];
    Bytes::from(parts.concat())
}
