//! What a change starts from, and what becomes of the VM.
//!
//! That is what the cluster has, where it is known: the base may state what was refused. Without a cluster it is what the base states.

use reef_api::Size;
use reef_api::plan::Action;
use reef_api::vm::RunPolicy;

use super::known::Known;
use super::subject::{Subject, Wanted};

/// A VM before the change.
pub(super) struct Start {
    /// The size that it is to have; none where there is no such VM.
    pub(super) size: Option<Size>,
    /// Whether it is to run, where there is such a VM.
    runs: Option<bool>,
}

impl Start {
    pub(super) fn of(subject: &Subject, known: Option<&Known<'_>>) -> Self {
        let (before, facts) = (subject.before.as_ref(), known.map(|known| known.vms.get(&subject.key)));
        let stated = before.map(|vm| vm.run_policy);
        let (size, policy) = match facts {
            None => (before.map(|vm| vm.size), stated),
            Some(None) => (None, None),
            Some(Some(facts)) => (Some(facts.size), facts.run_policy.or(stated)),
        };
        Self { size, runs: policy.map(runs) }
    }

    /// What becomes of it, the weightiest first.
    pub(super) fn action(&self, subject: &Subject) -> Action {
        let wanted = match &subject.wanted {
            Wanted::Nothing => return Action::Remove,
            Wanted::Stated(vm) => Some(runs(vm.run_policy)),
            Wanted::Invalid(..) | Wanted::Conflict(_) => None,
        };
        match (self.runs, wanted) {
            _ if self.size.is_none() => Action::Create,
            (Some(false), Some(true)) => Action::Start,
            (Some(true), Some(false)) => Action::Stop,
            _ if subject.wanted.size().is_some_and(|to| Some(to) != self.size) => Action::Resize,
            _ if subject.fields.is_empty() && subject.moved_from.is_some() => Action::Move,
            _ => Action::Edit,
        }
    }
}

fn runs(policy: RunPolicy) -> bool {
    policy != RunPolicy::Halted
}
