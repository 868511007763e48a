//! Capacity checks in the loop: which are being planned, what came of it, and their statuses. Planning runs beside the loop, a few at a time, so that no
//! VM waits for it; what a source would change that only reads is planned in the same way.

mod application;
mod forecast;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use reef_api::check::CapacityCheckStatus;
use reef_api::condition::{READY, RECONCILING, STALLED};
use reef_api::{CapacityCheck, Reason};
use tokio::time::Instant;
use tracing::Instrument;

use super::control::Control;
use super::jobs::Panicked;
use super::task::{Report, Task};
use crate::act;
use crate::decide::check::{Answer, Next, Question, next};
use crate::observe::{Kind, ObjectKey, in_order, tracked_by};

/// Plans that are made at once; each lists the cluster and may wait for a slow repository.
const AT_ONCE: usize = 4;
/// Between two looks for what has not been told yet.
const PAUSE: Duration = Duration::from_secs(1);

/// One check: what is asked, and what the last attempt came to.
#[derive(Debug)]
struct Asked {
    uid: String,
    question: Question,
    answer: Option<Answer>,
    /// When to look again.
    next: Instant,
}

/// All checks that have no verdict yet.
#[derive(Debug, Default)]
pub(super) struct Checks(BTreeMap<ObjectKey, Asked>);

/// What a plan is made for: the task that it belongs to, and the uid of its object.
pub(super) type PlanKey = (Task, String);

/// What a plan came to.
#[derive(Debug)]
pub(super) struct Judged {
    about: About,
    answer: Answer,
}

/// What a plan is about.
#[derive(Debug)]
enum About {
    /// The question of a check.
    Check(Question),
    /// The newest commit of a source that only reads.
    Tip(String),
}

impl Checks {
    /// What is known of a check; of another object or question nothing is.
    fn about(&mut self, key: &ObjectKey, uid: &str, question: &Question, now: Instant) -> &mut Asked {
        let fresh = || Asked { uid: uid.to_owned(), question: question.clone(), answer: None, next: now };
        let asked = self.0.entry(key.clone()).or_insert_with(fresh);
        if asked.uid != uid || asked.question != *question {
            *asked = fresh();
        }
        asked
    }
}

/// A check with the conditions that Reef states, in Reef's order: others are somebody else's, and stay whatever is applied.
fn own(check: &CapacityCheck) -> CapacityCheck {
    let mut check = check.clone();
    if let Some(status) = &mut check.status {
        status.conditions.retain(|condition| [READY, RECONCILING, STALLED].contains(&condition.type_.as_str()));
        status.conditions = in_order(std::mem::take(&mut status.conditions));
    }
    check
}

impl Control {
    pub(super) fn pass_check(&mut self, key: &ObjectKey, now: Instant) {
        let task = Task::Check(key.clone());
        let Some(held) = self.store.checks.held(key) else {
            self.checks.0.remove(key);
            return self.backoffs.succeeded(&task);
        };
        if held.doubtful {
            return self.reread(task, &[(Kind::Check, key.clone())]);
        }
        // One that cannot be read was told of in the log, and has no status that could be written.
        let (uid, Ok(check)) = (held.uid.clone(), held.object.as_deref().map(own)) else { return };
        let application = tracked_by(Kind::Check, key, check.metadata.annotations.as_ref());
        let named = application.map(|found| self.application(&found));
        let question = Question::of(&check, named.as_ref().map(ToString::to_string));
        let asked = self.checks.about(key, &uid, &question, now);
        match next(&check, &question, asked.answer.as_ref(), self.seams.clock.now()) {
            Next::Rest => {
                self.checks.0.remove(key);
                self.backoffs.succeeded(&task);
            }
            Next::Tell(status) => self.tell_check(task, key, &uid, &status),
            Next::Plan(left) => self.plan_check(key, &check, named, left, now),
        }
    }

    fn tell_check(&mut self, task: Task, key: &ObjectKey, uid: &str, status: &CapacityCheckStatus) {
        let request = act::apply_check_status(key, uid, status);
        let caller = self.caller.clone();
        self.jobs.start(task, async move {
            Report::Told { kind: Kind::Check, outcome: act::object(caller.call(&request).await) }
        });
    }

    /// Looks for an answer, unless that is under way, was done just now, or others are to be answered first.
    fn plan_check(
        &mut self,
        key: &ObjectKey,
        check: &CapacityCheck,
        application: Option<ObjectKey>,
        left: Duration,
        now: Instant,
    ) {
        let task = Task::Check(key.clone());
        let Some(asked) = self.checks.0.get_mut(key) else { return };
        let plan = (task.clone(), asked.uid.clone());
        if self.plans.has(&plan) {
            return;
        }
        if asked.next > now {
            return self.queue.at(task, asked.next);
        }
        if self.plans.len() >= AT_ONCE {
            return self.queue.at(task, now + PAUSE);
        }
        let question = asked.question.clone();
        let order = work::Order {
            key: key.clone(),
            spec: check.spec.clone(),
            application,
            source: self.source_of(key, check),
            files: self.settings.file_urls,
        };
        let work = work::answer(self.seams.clone(), self.caller.clone(), order, left);
        let span = tracing::info_span!("check", check = %key);
        let judged = async move { Judged { about: About::Check(question), answer: work.await } };
        self.plans.start(plan, judged.instrument(span));
    }

    /// The source that a check names, where it is there and can be read.
    fn source_of(&self, key: &ObjectKey, check: &CapacityCheck) -> Option<work::Source> {
        let key = ObjectKey::new(key.namespace.as_str(), check.spec.source_ref.name.as_str());
        let spec = self.store.sources.get(&key)?.spec.clone();
        Some(work::Source { key, spec })
    }

    /// Takes in what a plan came to.
    pub(super) fn planned(&mut self, (task, uid): &PlanKey, ended: Result<Judged, Panicked>) {
        self.look_at(task.clone());
        let about = ended.unwrap_or_else(|error| {
            self.seams.metrics.panics.inc();
            tracing::error!(object = %task.key(), %error, "planning failed; everything else goes on");
            let message = format!("planning the commit failed: {error}; this is a defect of Reef");
            self.failed_plan(task, Answer::Unjudged { reason: Reason::NotJudged, message })
        });
        match about {
            Judged { about: About::Check(question), answer } => self.answered(task.key(), uid, &question, answer),
            Judged { about: About::Tip(commit), answer } => self.forecast(task.key(), uid, commit, &answer),
        }
    }

    /// Of a plan that failed altogether nothing has come back: it was about what is asked now.
    fn failed_plan(&self, task: &Task, answer: Answer) -> Judged {
        let asked = self.checks.0.get(task.key()).filter(|_| matches!(task, Task::Check(_)));
        let tip = || self.sources.get(task.key()).and_then(|source| source.snapshot.as_ref());
        let about = match asked {
            Some(asked) => About::Check(asked.question.clone()),
            None => About::Tip(tip().map(|tip| tip.commit.id.clone()).unwrap_or_default()),
        };
        Judged { about, answer }
    }

    fn answered(&mut self, key: &ObjectKey, uid: &str, question: &Question, answer: Answer) {
        let Some(asked) = self.checks.0.get_mut(key).filter(|asked| asked.uid == uid) else { return };
        asked.next = Instant::now() + PAUSE;
        // It may have been asked something else meanwhile.
        if asked.question == *question {
            asked.answer = Some(answer);
        }
    }
}
