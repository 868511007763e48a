//! What Git states of one object, applied by the loop: where it differs, once, and not again before something changes.

use std::time::Duration;

use kube::core::DynamicObject;
use reef_api::{EventName, GitSource, Reason, VmKey};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use super::control::Control;
use super::sources::{self, Stated, Verdict, verdict};
use super::suspended::Withheld;
use super::task::{Report, Task};
use crate::act::{self, Account, Applied, Caller, FieldConflict, Manifest, Outcome, Refused, VmRef};
use crate::decide::action::PlannedEvent;
use crate::decide::diff::Drift;
use crate::decide::observed::RefusalKind;
use crate::decide::target::TargetProblem;
use crate::desired::ObjectName;
use crate::observe::{Held, Kind, Object, ObjectKey, Told};
use crate::packed::Packed;

/// What was refused, or came out otherwise than stated, is tried again after this if nothing changes before.
const AGAIN: Duration = Duration::from_secs(300);

/// An apply that was made, so that the same one is not made over and over.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    manifest: Manifest,
    drift: Drift,
    until: Instant,
}

impl Attempt {
    /// Whether it was made for a source, which is named as `NAMESPACE/NAME`.
    pub(super) fn is_by(&self, source: &str) -> bool {
        self.manifest.source == source
    }
}

/// What the cluster has of an object agreed with this.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Agreement {
    manifest: Packed,
    source: ObjectKey,
    /// The number of what Git can state of the object.
    live: u64,
}

/// Whether work was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// The object is busy now.
    Yes,
    /// There is nothing to do.
    No,
}

/// Whether an object that is not there is made.
enum Making {
    /// It is.
    Now,
    /// The source is read again first.
    AfterARead,
    /// The source is gone, and what it stated is about to be forgotten.
    Never,
}

impl Control {
    pub(super) fn pass_policy(&mut self, key: &ObjectKey, now: Instant) {
        if self.store.policies.held(key).is_some_and(|held| held.doubtful) {
            return self.reread(Task::Policy(key.clone()), &[(Kind::Policy, key.clone())]);
        }
        self.apply_stated(Task::Policy(key.clone()), (Kind::Policy, key.clone()), now);
    }

    /// Applies what Git states of an object where the cluster differs.
    pub(super) fn apply_stated(&mut self, task: Task, stated: Stated, now: Instant) -> Begun {
        // Most of what happens to a VM is its status, of which Git states nothing.
        let agreement = self.agreement(&stated);
        if agreement.is_some() && self.agreed.get(&stated) == agreement.as_ref() {
            self.settle(&stated, None);
            return Begun::No;
        }
        self.agreed.remove(&stated);
        if self.store.told(stated.0, &stated.1).is_some_and(Told::ends) {
            self.settle(&stated, None);
            return Begun::No;
        }
        let statements = self.sources.statements(&stated);
        // Where nothing is stated, there is nothing to compare it with.
        let live = if statements.is_empty() { None } else { self.store.raw(stated.0, &stated.1) };
        match verdict((stated.0, &stated.1), &statements, live.as_ref(), |owner| self.unread(owner, &stated)) {
            Verdict::Unstated => {
                self.attempts.remove(&stated);
                self.unapplied.remove(&stated);
                Begun::No
            }
            Verdict::Agrees => {
                self.attempts.remove(&stated);
                self.stages.agreed(&stated.1);
                self.agreed.extend(agreement.map(|agreement| (stated.clone(), agreement)));
                self.settle(&stated, None);
                Begun::No
            }
            Verdict::Blocked(problem) => {
                self.settle(&stated, Some(problem));
                Begun::No
            }
            Verdict::Apply(manifest, drift) => {
                if let Some(withheld) = self.withheld(&stated, &manifest, &drift) {
                    return self.withhold(stated, withheld);
                }
                match self.forbidden(&stated, &manifest) {
                    Some(problem) => self.forbid(&stated, problem),
                    None => self.apply(task, stated, *manifest, drift, now),
                }
            }
        }
    }

    /// What an object would agree with: of several statements none alone tells.
    fn agreement(&self, stated: &Stated) -> Option<Agreement> {
        let live = match stated.0 {
            Kind::Vm => self.store.vms.held(&stated.1)?.stated,
            Kind::Policy => self.store.policies.held(&stated.1)?.stated,
            Kind::Pod | Kind::Node | Kind::Source | Kind::Check => return None,
        };
        match self.sources.statements(stated).as_slice() {
            [only] => Some(Agreement { manifest: only.manifest.clone(), source: only.source.clone(), live }),
            _ => None,
        }
    }

    /// Whoever deletes an object may have deleted the source before it, and watches tell of two kinds in any order.
    pub(super) fn doubt_sources_of(&mut self, kind: Kind, object: &Object) {
        if !matches!(kind, Kind::Vm | Kind::Policy) {
            return;
        }
        let Some(key) = ObjectKey::of(object) else { return };
        let stating: Vec<ObjectKey> =
            self.sources.statements(&(kind, key)).iter().map(|statement| statement.source.clone()).collect();
        stating.iter().for_each(|source| self.store.doubt(Kind::Source, source));
    }

    /// An object is made anew only for a source that is still there.
    fn makes(&mut self, task: &Task, source: &str) -> Making {
        let Some((key, held)) = self.source_named(source) else { return Making::Never };
        if held.doubtful {
            self.reread(task.clone(), &[(Kind::Source, key)]);
            return Making::AfterARead;
        }
        let goes = held.object.as_ref().is_ok_and(|source| source.metadata.deletion_timestamp.is_some());
        if goes { Making::Never } else { Making::Now }
    }

    fn apply(&mut self, task: Task, stated: Stated, manifest: Manifest, drift: Drift, now: Instant) -> Begun {
        if drift == Drift::Missing {
            match self.makes(&task, &manifest.source) {
                Making::Now => {}
                Making::AfterARead => return Begun::Yes,
                Making::Never => return Begun::No,
            }
        }
        let caller = match self.writer(&manifest) {
            Ok(account) => self.caller.acting_as(account),
            Err(problem) => return self.forbid(&stated, problem),
        };
        let same = |before: &&Attempt| before.manifest == manifest && before.drift == drift && before.until > now;
        if let Some(until) = self.attempts.get(&stated).filter(same).map(|before| before.until) {
            self.queue.at(task, until);
            if !self.unapplied.contains_key(&stated) {
                self.settle(&stated, Some(stubborn(&drift)));
            }
            return Begun::No;
        }
        let live = self.store.raw(stated.0, &stated.1);
        tracing::info!(object = %stated.1, kind = %stated.0, revision = %manifest.revision, origin = %manifest.origin, drift = %told(&drift), "what Git states is applied");
        self.seams.metrics.git.applied(word(&drift));
        let attempt = Attempt { manifest: manifest.clone(), drift, until: now + AGAIN };
        self.attempts.insert(stated.clone(), attempt);
        let at = self.seams.clock.now();
        let telling = self.caller.clone();
        let span = tracing::info_span!("apply", object = %stated.1, revision = %manifest.revision);
        let work = async move {
            let meta = live.as_ref().and_then(|live| serde_json::from_value(live.get("metadata")?.clone()).ok());
            let applied = act::apply(&caller, &manifest, meta.as_ref()).await;
            if let (Applied::Conflict(conflict), Some(live), Kind::Vm) = (&applied, &live, manifest.kind) {
                tell_conflict(&telling, &manifest, live, conflict, at).await;
            }
            Report::Applied { kind: manifest.kind, applied }
        };
        self.jobs.start(task, work.instrument(span));
        Begun::Yes
    }

    /// Takes in the end of an apply.
    pub(super) fn applied(&mut self, task: &Task, kind: Kind, applied: Applied) {
        let stated = (kind, task.key().clone());
        match applied {
            Applied::Conflict(conflict) => {
                let problem = TargetProblem { reason: Reason::FieldConflict, message: conflict.to_string() };
                self.failed(&stated, problem);
            }
            Applied::Outcome(outcome) => {
                let settled = matches!(outcome, Outcome::Done(_));
                let refused = self.take_outcome(task, kind, task.key(), outcome.map(Some));
                match refused {
                    Some(refused) => {
                        let account = self.attempts.get(&stated).and_then(|made| self.writer(&made.manifest).ok()?);
                        self.failed(&stated, refusal(refused, account.as_ref()));
                    }
                    None if settled => {
                        self.stages.applied(task.key(), Instant::now());
                        self.settle(&stated, None);
                        self.look_at_sources(&stated.1.namespace);
                    }
                    // Nothing is known to have been done: the next look may do the same again.
                    None => {
                        self.attempts.remove(&stated);
                    }
                }
            }
        }
    }

    /// A change that a policy forbids is told, and looked at again when the policy or the VM changes.
    fn forbid(&mut self, stated: &Stated, problem: TargetProblem) -> Begun {
        if self.unapplied.get(stated) != Some(&problem) {
            let message = &problem.message;
            tracing::warn!(object = %stated.1, %message, "what Git states may not be applied");
        }
        self.settle(stated, Some(problem));
        Begun::No
    }

    fn failed(&mut self, stated: &Stated, problem: TargetProblem) {
        let TargetProblem { reason, message } = &problem;
        tracing::warn!(object = %stated.1, %reason, %message, "what Git states could not be applied");
        self.settle(stated, Some(problem));
    }

    /// An object is dealt with; why it could not be applied is remembered where it could not.
    fn settle(&mut self, stated: &Stated, problem: Option<TargetProblem>) {
        let before = match problem.clone() {
            Some(problem) => self.unapplied.insert(stated.clone(), problem),
            None => self.unapplied.remove(stated),
        };
        let policies_before =
            stated.0 == Kind::Policy && self.sources.policies_pending(&stated.1.namespace, Instant::now());
        for source in self.sources.settle(stated) {
            self.look_at(Task::Source(source));
        }
        if policies_before && !self.sources.policies_pending(&stated.1.namespace, Instant::now()) {
            self.look_at_vms(&stated.1.namespace);
        }
        if before != problem {
            self.look_at_sources(&stated.1.namespace);
        }
    }

    /// What a suspension keeps from an object is told of it.
    fn withhold(&mut self, stated: Stated, withheld: Withheld) -> Begun {
        self.attempts.remove(&stated);
        match withheld {
            Withheld::ByObject(problem) => self.settle(&stated, Some(problem)),
            // It stays pending.
            Withheld::BySource(problem) => {
                self.unapplied.insert(stated, problem);
            }
        }
        Begun::No
    }

    /// Looks at every VM of a namespace, those that are only stated yet too.
    fn look_at_vms(&mut self, namespace: &str) {
        let pending = self.sources.about(namespace).flat_map(|(_, source)| &source.pending);
        let stated = pending.filter(|(kind, key)| *kind == Kind::Vm && key.namespace == namespace);
        let stated = stated.map(|(_, key)| key.clone());
        let live = self.store.vms.within(namespace).map(|(key, _)| key.clone());
        let vms: Vec<ObjectKey> = stated.chain(live).collect();
        vms.into_iter().for_each(|vm| self.look_at(Task::Vm(vm)));
    }

    /// Looks at every source that may state objects of a namespace: whose word counts for an object may have changed.
    pub(super) fn look_at_sources(&mut self, namespace: &str) {
        let sources: Vec<ObjectKey> = self.sources.about(namespace).map(|(key, _)| key.clone()).collect();
        sources.into_iter().for_each(|source| self.look_at(Task::Source(source)));
    }

    /// A source, by `NAMESPACE/NAME`.
    pub(super) fn source_named(&self, name: &str) -> Option<(ObjectKey, &Held<GitSource>)> {
        let (namespace, name) = name.split_once('/')?;
        let key = ObjectKey::new(namespace, name);
        self.store.sources.held(&key).map(|held| (key, held))
    }

    /// As whom a manifest is applied: as the account of its source, and otherwise by the controller's own rights, in the source's namespace alone.
    fn writer(&self, manifest: &Manifest) -> Result<Option<Account>, TargetProblem> {
        let forbidden = |message| TargetProblem { reason: Reason::Forbidden, message };
        let named = self.source_named(&manifest.source);
        let source = named.as_ref().and_then(|(key, held)| Some((key, held.object.as_ref().ok()?)));
        let Some((key, source)) = source else {
            return Err(forbidden(format!("GitSource {} cannot be read; correct it", manifest.source)));
        };
        let account = sources::account(key, &source.spec).map_err(|trouble| forbidden(trouble.to_string()))?;
        if account.is_none() && key.namespace != manifest.key.namespace {
            let at = &manifest.origin;
            return Err(forbidden(format!("{at}: GitSource {key} may write to namespace {} only", key.namespace)));
        }
        Ok(account)
    }

    /// Whether a source that has applied an object may still state it: it exists, has not been read since the start, and had the object before.
    fn unread(&self, owner: &str, stated: &Stated) -> bool {
        let Some((key, _)) = self.source_named(owner) else { return false };
        let Some(source) = self.sources.get(&key) else { return true };
        let lists = |object: &ObjectName| object.name == stated.1.name && object.namespace == stated.1.namespace;
        source.snapshot.is_none() && source.desired.left.iter().any(|(object, listed)| lists(object) && !listed.removed)
    }
}

/// The API server took an object and kept another one.
fn stubborn(drift: &Drift) -> TargetProblem {
    let message = format!(
        "the API server took what Git states and keeps something else ({}); another writer or a webhook changes it, or the field is unknown",
        told(drift)
    );
    TargetProblem { reason: Reason::Problems, message }
}

/// `account` is the one as which it was written.
fn refusal(refused: Refused, account: Option<&Account>) -> TargetProblem {
    let reason = match refused.kind {
        RefusalKind::Admission => Reason::AdmissionDenied,
        RefusalKind::Quota => Reason::QuotaExceeded,
        RefusalKind::Forbidden => Reason::Forbidden,
        RefusalKind::Unsupported => Reason::Unsupported,
        // The size that the VM has is fine: it is the new document that is not.
        RefusalKind::Invalid | RefusalKind::NodeCapacity => Reason::Problems,
    };
    let message = match account.filter(|_| refused.kind == RefusalKind::Forbidden) {
        Some(account) => sources::refused_as(account, &refused.message),
        None => refused.message,
    };
    TargetProblem { reason, message }
}

/// The word for metrics.
const fn word(drift: &Drift) -> &'static str {
    match drift {
        Drift::Missing => "missing",
        Drift::Unowned => "unowned",
        Drift::OtherSource(_) => "other-source",
        Drift::Fields(_) => "fields",
    }
}

pub(super) fn told(drift: &Drift) -> String {
    match drift {
        Drift::Missing => "it is not in the cluster".to_owned(),
        Drift::Unowned => "it was never applied by Reef".to_owned(),
        Drift::OtherSource(other) => format!("it was applied by GitSource {other}"),
        Drift::Fields(fields) => {
            let paths: Vec<&str> = fields.iter().take(5).map(|field| field.path.as_str()).collect();
            paths.join(", ")
        }
    }
}

async fn tell_conflict(
    caller: &Caller,
    manifest: &Manifest,
    live: &Value,
    conflict: &FieldConflict,
    at: jiff::Timestamp,
) {
    let Ok(live) = serde_json::from_value::<DynamicObject>(live.clone()) else { return };
    let vm = VmRef {
        key: VmKey::from(&manifest.key),
        uid: live.metadata.uid.unwrap_or_default(),
        resource_version: String::new(),
    };
    let message = format!("{}: {conflict}", manifest.origin);
    let generation = live.metadata.generation.unwrap_or(0);
    let planned = PlannedEvent { name: EventName::VMFieldConflict, generation, message, at };
    let outcome = caller.call(&act::event(&vm, &planned)).await;
    tracing::debug!(outcome = outcome.category(), "a conflict of fields was told");
}
