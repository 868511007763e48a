//! What sources have to do with the loop: when they are fetched, and what their status tells.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reef_api::condition::{READY, RECONCILING, STALLED, SUSPENDED};
use reef_api::names::REQUESTED_AT_ANNOTATION;
use reef_api::source::SourceProblem;
use reef_api::{EventName, GitSource, Reason};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::control::Control;
use super::jobs::Panicked;
use super::sources::{self, Fetched, Order, Source, Told};
use super::task::{Report, Task};
use crate::act;
use crate::decide::suspension;
use crate::desired::Desired;
use crate::metrics::{CHANGED, Metrics, UNCHANGED};
use crate::observe::{Kind, ObjectKey, in_order};
use crate::source::{Location, Retry, Snapshot};

/// Pushes that follow one another closely are fetched together.
const GAP: Duration = Duration::from_millis(250);

/// Work that takes no longer is not told of before it is done.
const QUIET: Duration = Duration::from_secs(2);

impl Control {
    pub(super) fn pass_source(&mut self, key: &ObjectKey, now: Instant) {
        let task = Task::Source(key.clone());
        let Some(held) = self.store.sources.held(key) else { return self.drop_source(key) };
        if held.doubtful {
            return self.reread(task, &[(Kind::Source, key.clone())]);
        }
        let Ok(object) = held.object.clone() else { return };
        // Whatever keeps it from going, it states nothing any more: its namespace may be ending too.
        if object.metadata.deletion_timestamp.is_some() {
            return self.drop_source(key);
        }
        let uid = held.uid.clone();
        if self.sources.get(key).is_none_or(|source| source.uid != uid) {
            let status = object.status.clone().unwrap_or_default();
            let applied = self.applied_by(key, &object.spec, &status);
            self.sources.insert(key.clone(), Source::new(uid, applied, &status, now));
        }
        self.see_applying(key, &object, now);
        self.see_suspension(key, &object, now);
        self.fetch_if_due(key, &object, now);
        self.plan_source(key, &object, now);
        self.tell_source(key, &object, now);
    }

    /// Whoever begins or ceases to apply what a source states changes whose word counts for its objects.
    fn see_applying(&mut self, key: &ObjectKey, object: &GitSource, now: Instant) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if source.apply(object.spec.applies(), now) {
            let stated: Vec<_> = source.stated().collect();
            stated.into_iter().for_each(|(kind, stated)| self.look_at_object(kind, stated));
        }
    }

    /// Looks at an object that a source may state.
    pub(super) fn look_at_object(&mut self, kind: Kind, key: ObjectKey) {
        self.look_at(if kind == Kind::Policy { Task::Policy(key) } else { Task::Vm(key) });
    }

    /// A source that is gone leaves its VMs as they are.
    fn drop_source(&mut self, key: &ObjectKey) {
        let Some(source) = self.sources.remove(key) else { return };
        self.budgeted.remove(key);
        self.fetch_backoffs.succeeded(key);
        source.stated().for_each(|(kind, stated)| self.look_at_object(kind, stated));
    }

    fn fetch_if_due(&mut self, key: &ObjectKey, object: &GitSource, now: Instant) {
        let generation = object.metadata.generation.unwrap_or(0);
        let requested = object.metadata.annotations.as_ref().and_then(|found| found.get(REQUESTED_AT_ANNOTATION));
        let Some(source) = self.sources.get_mut(key) else { return };
        if self.fetches.has(&(key.clone(), source.uid.clone())) {
            return;
        }
        if source.generation != generation || (requested.is_some() && requested != source.handled.as_ref()) {
            source.next_fetch = now;
        }
        let earliest = source.begun.map_or(now, |begun| begun + GAP);
        let due = source.next_fetch.max(earliest);
        if due > now {
            return self.queue.at(Task::Source(key.clone()), due);
        }
        source.generation = generation;
        source.begun = Some(now);
        source.handling = requested.cloned();
        if source.handling.is_some() && source.handling != source.handled {
            let name = key.to_string();
            self.attempts.retain(|(_, stated), attempt| stated.namespace != key.namespace && !attempt.is_by(&name));
        }
        let order = Order {
            key: key.clone(),
            spec: object.spec.clone(),
            files: self.settings.file_urls,
            // What was read is lost when the task that it was lent to ends in a panic: then everything is fetched as if for the first time.
            last: source.snapshot.clone().filter(|_| !source.cache.is_empty()),
            desired: source.desired.clone(),
            grants: source.grants.clone(),
            cache: std::mem::take(&mut source.cache),
        };
        let work = sources::fetch(self.seams.clone(), self.caller.clone(), order);
        let span = tracing::info_span!("fetch", source = %key);
        self.fetches.start((key.clone(), source.uid.clone()), work.instrument(span));
    }

    /// Takes in the end of a fetch.
    pub(super) fn fetched(&mut self, (key, uid): &(ObjectKey, String), ended: Result<Fetched, Panicked>) {
        let now = Instant::now();
        self.look_at(Task::Source(key.clone()));
        let stated = self.store.sources.get(key).and_then(|source| source.spec.interval.clone());
        let interval = sources::interval(stated.as_deref()).unwrap_or(sources::usual());
        let pause = interval + self.seams.jitter.up_to(interval / 10);
        let Some(source) = self.sources.get_mut(key).filter(|source| source.uid == *uid) else { return };
        let told = troubled(&source.desired);
        source.fetched = true;
        source.handled = source.handling.take().or(source.handled.take());
        let location = match ended {
            Ok(Fetched { location, result, cache }) => {
                source.cache = cache;
                match result {
                    Ok(tip) => {
                        count(&self.seams.metrics, source.snapshot.as_ref(), &tip.snapshot);
                        source.trouble = None;
                        self.sources.adopt(key, tip, now);
                    }
                    Err(trouble) => {
                        self.seams.metrics.git.ended(trouble.category());
                        source.trouble = Some(trouble);
                    }
                }
                location
            }
            Err(error) => {
                self.seams.metrics.panics.inc();
                let trouble = sources::Trouble::Panic(error.to_string());
                self.seams.metrics.git.ended(trouble.category());
                source.trouble = Some(trouble);
                None
            }
        };
        if let Some(source) = self.sources.get_mut(key) {
            source.next_fetch = now + pause;
            source.plan_again = source.plan.as_ref().is_some_and(|plan| plan.problem.is_some());
        }
        self.measure_pushes(key, now);
        self.after_fetch(key, told, pause, now);
        // What was pushed while the fetch was under way may have come too late for it.
        if let Some(source) = self.sources.get_mut(key).filter(|source| source.again) {
            source.again = false;
            source.next_fetch = now;
        }
        if let Some(location) = location {
            self.listen(key, location);
        }
    }

    /// `told` are the VMs that had a problem before the fetch.
    fn after_fetch(&mut self, key: &ObjectKey, mut told: BTreeSet<ObjectKey>, interval: Duration, now: Instant) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let retry = source.trouble.as_ref().map(|trouble| {
            tracing::warn!(source = %key, error = %trouble, "a source could not be read; the last good state stays");
            trouble.retry()
        });
        match retry {
            Some(Retry::Backoff) => {
                let rest = self.fetch_backoffs.failed(key, self.seams.jitter.as_ref());
                source.next_fetch = now + rest.max(GAP);
            }
            // Nobody is told when a repository changes on the other side, so it is looked at as usual.
            Some(Retry::AfterChange) => source.next_fetch = now + interval,
            None => self.fetch_backoffs.succeeded(key),
        }
        let pending: Vec<_> = source.pending.iter().chain(&source.given_up).cloned().collect();
        // A problem of a document changes what is told of its VM, and so does its end.
        told.extend(troubled(&source.desired));
        pending.into_iter().for_each(|(kind, stated)| self.look_at_object(kind, stated));
        told.into_iter().for_each(|vm| self.look_at(Task::Vm(vm)));
    }

    /// Listens for changes of a repository, instead of those of another one.
    fn listen(&mut self, key: &ObjectKey, location: Location) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if source.listening.as_ref().is_some_and(|(known, _)| *known == location) {
            return;
        }
        if let Some((_, token)) = source.listening.take() {
            token.cancel();
        }
        let token = CancellationToken::new();
        let changes = self.seams.repositories.changes(&location);
        let named = key.clone();
        let until = token.clone().cancelled_owned();
        self.changes.push(changes.take_until(until).map(move |()| named.clone()).boxed());
        source.listening = Some((location, token));
    }

    /// A repository may have changed.
    pub(super) fn repository_changed(&mut self, key: ObjectKey) {
        if let Some(source) = self.sources.get_mut(&key) {
            source.again = self.fetches.has(&(key.clone(), source.uid.clone()));
            source.next_fetch = Instant::now();
            self.look_at(Task::Source(key));
        }
    }

    fn tell_source(&mut self, key: &ObjectKey, object: &GitSource, now: Instant) {
        let task = Task::Source(key.clone());
        let Some(source) = self.sources.get(key).filter(|source| source.fetched) else { return };
        if let Some(tell_at) = source.pending_since.map(|since| since + QUIET).filter(|tell_at| *tell_at > now) {
            return self.queue.at(task, tell_at);
        }
        let mut before = object.status.clone().unwrap_or_default();
        // A condition of another type is somebody else's, and stays whatever is applied.
        before
            .conditions
            .retain(|condition| [READY, RECONCILING, STALLED, SUSPENDED].contains(&condition.type_.as_str()));
        before.conditions = in_order(before.conditions);
        let told = Told {
            generation: object.metadata.generation.unwrap_or(0),
            before: &before,
            unapplied: self.unapplied_of(key, source),
            removed: self.removed_of(key, source),
            remark: sources::interval(object.spec.interval.as_deref()).err(),
            now: self.seams.clock.now(),
        };
        let next = sources::status(source, &told);
        if next == before {
            return self.backoffs.succeeded(&task);
        }
        let names = [EventName::SourceSuspended, EventName::SourceResumed];
        let suspension = suspension::events(names, &before.conditions, &next.conditions, told.now);
        let suspension = suspension.map(|planned| act::source_event(key, &source.uid, &planned));
        let events: Vec<act::Request> = self.removals(key, &next, &before).into_iter().chain(suspension).collect();
        let request = act::apply_source_status(key, &source.uid, &next);
        let caller = self.caller.clone();
        self.jobs.start(task, async move {
            for event in events {
                let outcome = caller.call(&event).await;
                tracing::debug!(outcome = outcome.category(), "an event of a source was told");
            }
            Report::Told { kind: Kind::Source, outcome: act::object(caller.call(&request).await) }
        });
    }

    /// What of a source is not applied, with where it stands: it was refused, or another source's word counts.
    fn unapplied_of(&self, key: &ObjectKey, source: &Source) -> Vec<SourceProblem> {
        let alone = self.sources.alone(key);
        let problem = |stated: sources::Stated| {
            let statements = self.sources.statements(&stated);
            let statement = statements.iter().find(|statement| statement.source == key)?;
            // What waits for the source itself is no problem of an object.
            let told = self
                .unapplied
                .get(&stated)
                .filter(|problem| source.suspended.is_none() || problem.reason != Reason::Suspended);
            let refused = told.map(|problem| problem.message.clone());
            let live = self.store.raw(stated.0, &stated.1);
            let message = refused.or_else(|| sources::overruled(&statements, key, live.as_ref()))?;
            Some(SourceProblem {
                path: statement.origin.file.to_string(),
                line: (statement.origin.line > 0).then_some(statement.origin.line),
                message: format!("{} {}: {message}", stated.0, stated.1),
            })
        };
        // Comparing every object costs; with one source there is nobody to be overruled by.
        if alone {
            let within = self.unapplied.keys().filter(|(_, stated)| stated.namespace == key.namespace);
            within.cloned().filter_map(problem).collect()
        } else {
            source.stated().filter_map(problem).collect()
        }
    }
}

/// Counts a fetch that went well. One that brought nothing gives back the snapshot that there was.
fn count(metrics: &Metrics, before: Option<&Arc<Snapshot>>, after: &Arc<Snapshot>) {
    let same = before.is_some_and(|before| Arc::ptr_eq(before, after));
    metrics.git.ended(if same { UNCHANGED } else { CHANGED });
}

/// The VMs whose documents cannot be used.
fn troubled(desired: &Desired) -> BTreeSet<ObjectKey> {
    let named = desired.problems.iter().filter_map(|problem| problem.object.as_ref());
    named.map(|object| ObjectKey::new(object.namespace.as_str(), object.name.as_str())).collect()
}
