//! What is told of a CapacityCheck, and what is to be done about it next.
//!
//! A verdict is final for the generation, the Application and the request that it is about: it is not made again, so that a controller that begins anew
//! changes nothing. The time limit counts from when the controller began with the check, by the controller's own clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reef_api::check::{CapacityCheckStatus, CheckSummary, FailOn};
use reef_api::condition::{READY, RECONCILING, STALLED, Truth, condition, is_true};
use reef_api::names::REQUESTED_AT_ANNOTATION;
use reef_api::plan::CapacityPlan;
use reef_api::source::SourcePlan;
use reef_api::{CapacityCheck, CapacityCheckSpec, Reason};

/// Lines that a status has.
const LINES: usize = 20;
/// Bytes of one line.
const LINE: usize = 700;
/// Lines that the message of a condition repeats: people read it at the sync.
const REPEATED: usize = 3;

/// What a check is about; another one is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Generation of its spec.
    pub generation: i64,
    /// The Application that tracks it, as `NAMESPACE/NAME`.
    pub application: Option<String>,
    /// The request for a new answer.
    pub requested: Option<String>,
}

/// What came of an attempt to answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing yet; the same may work later.
    Waits {
        /// The word.
        reason: Reason,
        /// What it waits for.
        message: String,
    },
    /// It cannot be judged before somebody changes something.
    Unjudged {
        /// The word.
        reason: Reason,
        /// Why, and what to do.
        message: String,
    },
    /// The plan.
    Planned(Box<Planned>),
}

/// A commit as it was planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The commit.
    pub revision: String,
    /// What would be done.
    pub plan: CapacityPlan,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing: it has its verdict.
    Rest,
    /// Its status is written.
    Tell(Box<CapacityCheckStatus>),
    /// An answer is looked for, for so long.
    Plan(Duration),
}

impl Question {
    /// What a check asks, where it is a hook of `application`.
    pub fn of(check: &CapacityCheck, application: Option<String>) -> Self {
        let annotations = check.metadata.annotations.as_ref();
        Self {
            generation: check.metadata.generation.unwrap_or(0),
            application,
            requested: annotations.and_then(|found| found.get(REQUESTED_AT_ANNOTATION)).cloned(),
        }
    }

    /// Whether a status is about this question.
    fn is_of(&self, status: &CapacityCheckStatus) -> bool {
        status.observed_generation == Some(self.generation)
            && status.application == self.application
            && status.last_handled_reconcile_at == self.requested
    }
}

/// Decides. `answer` is what the last attempt came to, where there was one for this question.
pub fn next(check: &CapacityCheck, question: &Question, answer: Option<&Answer>, now: Timestamp) -> Next {
    let nothing = CapacityCheckStatus::default();
    let before = check.status.as_ref().unwrap_or(&nothing);
    if check.metadata.deletion_timestamp.is_some() || (question.is_of(before) && is_final(before)) {
        return Next::Rest;
    }
    let teller = Teller { question, before, now };
    let violations = check.spec.violations();
    if !violations.is_empty() {
        let message = violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return teller.unjudged(Reason::Invalid, &message);
    }
    let Some(left) = before.started_at.filter(|_| question.is_of(before)).map(|began| left(&check.spec, began, now))
    else {
        return teller.begins(check.spec.revision.is_some());
    };
    match answer {
        Some(Answer::Planned(planned)) => teller.verdict(&check.spec, planned),
        Some(Answer::Unjudged { reason, message }) => teller.unjudged(*reason, message),
        Some(Answer::Waits { message, .. }) if left.is_zero() => teller.late(&check.spec, Some(message)),
        None if left.is_zero() => teller.late(&check.spec, None),
        Some(Answer::Waits { reason, message }) => teller.waits(*reason, message, left),
        None => Next::Plan(left),
    }
}

/// What is told of the newest commit of a source that only reads.
pub fn forecast(commit: String, answer: &Answer) -> SourcePlan {
    match answer {
        Answer::Planned(planned) => SourcePlan {
            commit,
            summary: Some(CheckSummary::of(&planned.plan)),
            lines: lines(&planned.plan),
            problem: None,
        },
        Answer::Waits { message, .. } | Answer::Unjudged { message, .. } => {
            SourcePlan { commit, problem: Some(cut(message)), ..SourcePlan::default() }
        }
    }
}

fn is_final(status: &CapacityCheckStatus) -> bool {
    is_true(&status.conditions, READY) || is_true(&status.conditions, STALLED)
}

/// How long the answer may still take. A begin that is still to come was written by a clock that was wrong.
fn left(spec: &CapacityCheckSpec, began: Timestamp, now: Timestamp) -> Duration {
    let limit = spec.limit();
    let passed = now.duration_since(began).max(SignedDuration::ZERO);
    limit.saturating_sub(Duration::try_from(passed).unwrap_or_default())
}

/// Makes statuses for one question.
struct Teller<'a> {
    question: &'a Question,
    before: &'a CapacityCheckStatus,
    now: Timestamp,
}

impl Teller<'_> {
    /// A status of which nothing is known but the question, and since when it is worked on.
    fn bare(&self) -> CapacityCheckStatus {
        let began = self.before.started_at.filter(|began| self.question.is_of(self.before) && *began <= self.now);
        CapacityCheckStatus {
            observed_generation: Some(self.question.generation),
            started_at: Some(began.unwrap_or(reef_api::condition::seconds(self.now))),
            application: self.question.application.clone(),
            last_handled_reconcile_at: self.question.requested.clone(),
            ..CapacityCheckStatus::default()
        }
    }

    /// The same with `Ready`, and with the condition beside it, where there is one.
    fn with(
        &self,
        bare: CapacityCheckStatus,
        reason: Reason,
        message: &str,
        beside: Option<&str>,
    ) -> CapacityCheckStatus {
        let make = |kind: &str, truth| {
            condition(kind, truth, reason, message, self.question.generation, &self.before.conditions, self.now)
        };
        let ready = make(READY, Truth::of(beside.is_none()));
        let beside = beside.map(|kind| make(kind, Truth::True));
        CapacityCheckStatus { conditions: std::iter::once(ready).chain(beside).collect(), ..bare }
    }

    fn begins(&self, named: bool) -> Next {
        let message = if named {
            "the commit is being planned"
        } else {
            "the Application is asked for its commit, which is then planned"
        };
        Next::Tell(Box::new(self.with(self.bare(), Reason::Planning, message, Some(RECONCILING))))
    }

    fn waits(&self, reason: Reason, message: &str, left: Duration) -> Next {
        let status = self.with(self.bare(), reason, &cut(message), Some(RECONCILING));
        if status == *self.before { Next::Plan(left) } else { Next::Tell(Box::new(status)) }
    }

    fn unjudged(&self, reason: Reason, message: &str) -> Next {
        Next::Tell(Box::new(self.with(self.bare(), reason, &cut(message), Some(STALLED))))
    }

    fn late(&self, spec: &CapacityCheckSpec, waited_for: Option<&String>) -> Next {
        let seconds = spec.limit().as_secs();
        let waited_for = waited_for.map_or("planning was not done", String::as_str);
        let message = format!(
            "there was no answer within {seconds} s of spec.timeout: {waited_for}; nothing of the commit was applied. Sync again, or give it longer"
        );
        self.unjudged(Reason::PlanTimedOut, &message)
    }

    fn verdict(&self, spec: &CapacityCheckSpec, planned: &Planned) -> Next {
        let plan = &planned.plan;
        let summary = CheckSummary::of(plan);
        let lines = lines(plan);
        let broken: Vec<&str> = spec.broken(summary).into_iter().map(FailOn::as_str).collect();
        let commit: String = planned.revision.chars().take(10).collect();
        let headline = format!("commit {commit} compared with {}: {}", plan.base.name, plan.headline());
        let bare = CapacityCheckStatus {
            revision: Some(planned.revision.clone()),
            base: Some(plan.base.name.clone()),
            summary: Some(summary),
            ..self.bare()
        };
        let status = if broken.is_empty() {
            self.with(bare, Reason::CapacityOk, &headline, None)
        } else {
            let first = first(&lines);
            let message = format!(
                "{headline}; refused for {} (spec.failOn), so that nothing of it is applied. {first}",
                broken.join(", ")
            );
            self.with(bare, Reason::CapacityRefused, &message, Some(STALLED))
        };
        Next::Tell(Box::new(CapacityCheckStatus { lines, ..status }))
    }
}

/// The lines of a plan, as many as a status has; the last one tells how many are left out.
fn lines(plan: &CapacityPlan) -> Vec<String> {
    let mut lines: Vec<String> = plan.lines().iter().map(|line| cut(line)).collect();
    let more = lines.len().saturating_sub(LINES);
    if more > 0 {
        // The line that tells it takes the place of one.
        lines.truncate(LINES.saturating_sub(1));
        lines.push(format!("and {} lines more: `reef plan --live` shows all of them", more.saturating_add(1)));
    }
    lines
}

fn first(lines: &[String]) -> String {
    let more = lines.len().saturating_sub(REPEATED);
    let rest = if more == 0 { String::new() } else { " | more in status.lines".to_owned() };
    let shown: Vec<&str> = lines.iter().take(REPEATED).map(String::as_str).collect();
    format!("{}{rest}", shown.join(" | "))
}

/// One line without control characters, cut to what a line of a status may have.
fn cut(text: &str) -> String {
    let shown: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    if shown.len() <= LINE {
        return shown;
    }
    let end = shown.char_indices().map(|(at, _)| at).take_while(|at| *at <= LINE.saturating_sub(4)).last().unwrap_or(0);
    format!("{} ...", shown.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
