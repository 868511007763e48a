//! What the answers of the API server do to the loop: into the store, into doubt, or to rest.

use std::time::Duration;

use tokio::time::Instant;

use super::control::Control;
use super::jobs::Panicked;
use super::task::{Acted, Read, Report, Task};
use crate::act::{Outcome, Refused};
use crate::decide::observed::Refusal;
use crate::observe::{Kind, Object, ObjectKey};

/// Where the server asks for a pause and does not say how long.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that asks for more is asked again after this: nothing at all is decided meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Control {
    /// Takes in the end of a piece of work.
    pub(super) fn ended(&mut self, task: &Task, report: Result<Report, Panicked>) {
        self.look_at(task.clone());
        match report {
            Ok(Report::Acted(acted)) => self.acted(task, *acted),
            Ok(Report::Reread(reads)) => reads.into_iter().for_each(|read| self.reread_ended(task, read)),
            Ok(Report::Applied { kind, applied }) => self.applied(task, kind, applied),
            Ok(Report::Application { number, outcome }) => self.application_read(task, number, outcome),
            Ok(Report::Told { kind: of, outcome }) => {
                if let Some(Refused { kind, message }) = self.take_outcome(task, of, task.key(), outcome) {
                    let pause = self.rest(task);
                    tracing::warn!(%of, object = %task.key(), ?kind, %message, ?pause, "a status could not be written");
                }
            }
            Err(error) => {
                self.seams.metrics.panics.inc();
                tracing::error!(object = %task.key(), %error, "a task of one object failed; the others go on");
                self.doubt_all(task);
                self.rest(task);
            }
        }
    }

    fn acted(&mut self, task: &Task, acted: Acted) {
        let Acted { effect, generation, pod_uid, wish, made_otherwise } = acted;
        if let Some((pod_uid, wish)) = pod_uid.as_ref().zip(wish) {
            let stored = matches!(effect.outcome, Outcome::Done(_)) && made_otherwise.is_none();
            self.contests.wrote(task.key(), pod_uid, generation, stored.then_some(wish), Instant::now());
        }
        if matches!(effect.outcome, Outcome::Unknown(_)) {
            let (now, object) = (Instant::now(), effect.key.clone());
            match self.store.version(effect.kind, &object) {
                Some(version) => self.suspects.suspect(task.key(), (effect.kind, object), version, now),
                None if effect.kind == Kind::Pod => self.suspects.suspect_creation(task.key(), object, now),
                None => {}
            }
        }
        let refused = self.take_outcome(task, effect.kind, &effect.key, effect.outcome);
        let Some(Refused { kind, message }) = refused.or(made_otherwise) else { return };
        tracing::warn!(vm = %task.key(), object = %effect.key, ?kind, %message, "the API server refused a request");
        match pod_uid {
            Some(pod_uid) => {
                let refusal = Refusal { generation, pod_uid, wishes: Vec::from_iter(wish), kind, message };
                self.refusals.remember(task.key(), refusal, Instant::now());
            }
            None => {
                self.rest(task);
            }
        }
    }

    /// Deals with every outcome of a write but a refusal, which is handed back.
    pub(super) fn take_outcome(
        &mut self,
        task: &Task,
        kind: Kind,
        key: &ObjectKey,
        outcome: Outcome<Option<Box<Object>>>,
    ) -> Option<Refused> {
        match outcome {
            Outcome::Done(Some(object)) => {
                self.backoffs.succeeded(task);
                self.put(kind, *object);
            }
            // Done, and nothing is left to put into the store: a read tells what is there now.
            Outcome::Done(None) => self.store.doubt(kind, key),
            Outcome::Gone(message) => self.gone(task, kind, key, &message),
            Outcome::Conflict(message) => {
                tracing::debug!(object = %key, %message, "an object has changed meanwhile");
                self.store.doubt(kind, key);
                // The first one is read again and decided anew at once: two writers of one object meet every now and then.
                if !self.backoffs.first(task) {
                    self.rest(task);
                }
            }
            Outcome::Unknown(message) => {
                let pause = self.rest(task);
                tracing::warn!(object = %key, %message, ?pause, "the outcome of a request is unknown; it is read again");
                self.store.doubt(kind, key);
            }
            Outcome::Throttled { retry_after, message } => self.pause(task, retry_after, &message),
            Outcome::Refused(refused) => return Some(refused),
        }
        None
    }

    /// An object of the store is read again; what is missing otherwise (a namespace) may take its time to come.
    fn gone(&mut self, task: &Task, kind: Kind, key: &ObjectKey, message: &str) {
        tracing::debug!(object = %key, %message, "an object is gone");
        if self.store.version(kind, key).is_none() {
            self.rest(task);
        }
        self.store.doubt(kind, key);
    }

    /// The server is busy: nothing at all is sent for a while.
    fn pause(&mut self, task: &Task, retry_after: Option<Duration>, message: &str) {
        let pause = retry_after.unwrap_or(PAUSE).min(LONGEST_PAUSE);
        tracing::warn!(?pause, %message, "the API server asks for a pause");
        self.rest(task);
        let until = Instant::now() + pause;
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }

    fn reread_ended(&mut self, task: &Task, read: Read) {
        let Read { kind, key, before, outcome } = read;
        let object = outcome.map(|body| serde_json::from_slice::<Object>(&body));
        if matches!(object, Outcome::Done(Ok(_)) | Outcome::Gone(_)) {
            self.suspects.answered(task.key(), (kind, &key), Instant::now());
        }
        match object {
            Outcome::Done(Ok(object)) => {
                let changes = self.store.put_read(kind, object, before);
                self.concern(changes);
                if kind == Kind::Pod {
                    self.sightings.read(task.key(), Instant::now());
                }
            }
            Outcome::Gone(_) => {
                let changes = self.store.put_absent(kind, &key);
                self.concern(changes);
            }
            Outcome::Throttled { retry_after, message } => self.pause(task, retry_after, &message),
            Outcome::Done(Err(_)) | Outcome::Conflict(_) | Outcome::Refused(_) | Outcome::Unknown(_) => {
                let pause = self.rest(task);
                tracing::warn!(%kind, object = %key, ?pause, "an object could not be read again");
            }
        }
    }

    /// A panic leaves open what was sent.
    fn doubt_all(&mut self, task: &Task) {
        let key = task.key();
        match task {
            Task::Vm(_) => {
                self.store.doubt(Kind::Vm, key);
                let pods: Vec<ObjectKey> = self.store.pods_of(key).map(|(pod, _)| pod.clone()).collect();
                pods.iter().for_each(|pod| self.store.doubt(Kind::Pod, pod));
            }
            Task::Policy(_) => self.store.doubt(Kind::Policy, key),
            Task::Source(_) => self.store.doubt(Kind::Source, key),
            Task::Check(_) => self.store.doubt(Kind::Check, key),
            Task::Application(_) => {}
        }
    }
}
