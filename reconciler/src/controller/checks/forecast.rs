//! What the newest commit of a source would change that only reads: planned once for each commit, and told in the status of the source. Where it cannot be
//! told, that is tried again at each fetch.

use reef_api::GitSource;
use tokio::time::Instant;
use tracing::Instrument;

use super::{AT_ONCE, About, Judged, PAUSE, work};
use crate::controller::control::Control;
use crate::controller::task::Task;
use crate::decide::check::{Answer, forecast};
use crate::observe::ObjectKey;

impl Control {
    /// Plans the tip of a source that only reads, where that was not done yet.
    pub(in crate::controller) fn plan_source(&mut self, key: &ObjectKey, object: &GitSource, now: Instant) {
        let task = Task::Source(key.clone());
        let Some(source) = self.sources.get(key).filter(|source| !source.applies) else { return };
        let Some(commit) = source.snapshot.as_ref().map(|tip| tip.commit.id.clone()) else { return };
        let plan = (task.clone(), source.uid.clone());
        let told = !source.plan_again && source.plan.as_ref().is_some_and(|plan| plan.commit == commit);
        if told || self.plans.has(&plan) {
            return;
        }
        if self.plans.len() >= AT_ONCE {
            return self.queue.at(task, now + PAUSE);
        }
        let source = work::Source { key: key.clone(), spec: object.spec.clone() };
        let (seams, caller, files) = (self.seams.clone(), self.caller.clone(), self.settings.file_urls);
        let work = work::of_tip(seams, caller, source, files, commit.clone());
        let span = tracing::info_span!("forecast", source = %key);
        let judged = async move { Judged { about: About::Tip(commit), answer: work.await } };
        self.plans.start(plan, judged.instrument(span));
    }

    /// Takes in what the plan of a tip came to.
    pub(super) fn forecast(&mut self, key: &ObjectKey, uid: &str, commit: String, answer: &Answer) {
        if let Some(source) = self.sources.get_mut(key).filter(|source| source.uid == uid) {
            source.plan = Some(forecast(commit, answer));
            source.plan_again = false;
        }
    }
}
