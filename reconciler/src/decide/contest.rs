//! A VM whose Pod another writer resizes again and again: what it holds still meanwhile, and what it may not.
//!
//! Pure. Who undoes what, and for how long the VM holds, is counted by the controller. Held back is every wish for the Pod but one: where the Pod is
//! too small for what the VM has, it is raised again, whoever lowers it.

use crate::decide::aim::{Aim, Short};
use crate::decide::observed::{Contest, PodObserved, VmObserved};
use crate::decide::target::Target;
use reef_api::{PodSize, Reason, Size};

/// The other writer for whom the VM holds: about this generation and Pod.
pub fn contest<'a>(target: &Target, observed: &'a VmObserved, pod: &PodObserved) -> Option<&'a Contest> {
    let about = |contest: &&Contest| contest.pod_uid == pod.uid && contest.generation == target.generation;
    observed.contest.as_ref().filter(about)
}

/// The aim of a VM that holds, and that was granted `granted` last. It does not grow: its Pod is another's, who may lower it at any moment.
pub fn holding(contest: &Contest, pod: &PodObserved, granted: Size, aim: Aim) -> Aim {
    let told = sentence(contest, pod);
    let short = match aim.short {
        Some(Short { reason: reason @ (Reason::Invalid | Reason::RestartRequired), message }) => {
            Short { reason, message: format!("{message}; {told}") }
        }
        Some(_) | None => Short { reason: Reason::PodConflict, message: told },
    };
    Aim { size: aim.size.min(granted), short: Some(short), ..aim }
}

fn sentence(contest: &Contest, pod: &PodObserved) -> String {
    let Contest { theirs, ours, .. } = contest;
    let writer =
        contest.writer.as_ref().map_or_else(|| "somebody".to_owned(), |writer| format!("field manager {writer:?}"));
    format!(
        "{writer} sets Pod {} to {theirs} again and again, where the VM needs {ours}; stop that writer (a VerticalPodAutoscaler, for example): Reef \
         holds, tries again ever more rarely, and goes on by itself",
        pod.name
    )
}

/// The wish of a VM that holds: the Pod stays as the other writer wants it, as far as that covers what the VM has.
pub fn least(pod: &PodObserved, needed: PodSize) -> PodSize {
    pod.spec.max(needed)
}
