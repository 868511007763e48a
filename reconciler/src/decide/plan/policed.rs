//! What the policies of the VMs say of the changes: one by one, and of all that a commit asks for together.

use std::collections::BTreeMap;

use reef_api::plan::{Action, Finding, Mode, Rule};
use reef_api::{EffectivePolicy, Size};
use reef_policy::{Asked, Before, Broken, Change, Host, Rulebooks, over_budget};

use super::draft::Draft;
use super::known::Known;
use super::subject::Wanted;

/// Judges every change that is stated, by the policy of its VM.
pub(super) fn judge(drafts: &mut [Draft<'_>], known: Option<&Known<'_>>) {
    let mut rulebooks = Rulebooks::default();
    drafts.iter_mut().for_each(|draft| by_itself(draft, &mut rulebooks, known));
    together(drafts, known);
}

fn by_itself(draft: &mut Draft<'_>, rulebooks: &mut Rulebooks, known: Option<&Known<'_>>) {
    let subject = draft.subject;
    let Wanted::Stated(after) = &subject.wanted else { return };
    let change = Change {
        before: accepted(draft, known).map_or(Before::New, Before::Had),
        after,
        labels: &subject.labels,
        stops: draft.change.action == Action::Stop,
        restart: restarts(draft, after.size, known),
        host: host(draft, known),
    };
    let judgement = rulebooks.of(&subject.key.namespace, &subject.policy).judge(&change);
    draft.forbid(&judgement.broken);
    for rule in judgement.open {
        draft.says(Rule::NotJudged, format!("nothing is known that rule {rule} could be asked about"));
    }
}

/// What the cluster has accepted where that is known: the base may state what was refused.
fn accepted(draft: &Draft<'_>, known: Option<&Known<'_>>) -> Option<Size> {
    let Some(known) = known else { return draft.change.size.from };
    known.vms.get(&draft.subject.key).map(|facts| facts.accepted())
}

/// Whether a size cannot be reached while the VM runs, whatever else becomes of it.
fn restarts(draft: &Draft<'_>, size: Size, known: Option<&Known<'_>>) -> bool {
    let Some(known) = known else {
        return draft.change.findings.iter().any(|finding| needs_restart(finding.rule));
    };
    let facts = known.vms.get(&draft.subject.key);
    let placed = facts.filter(|facts| facts.pod.as_ref().is_some_and(|pod| pod.node.is_some()));
    placed.and_then(|facts| facts.vmm.as_ref()).is_some_and(|vmm| !vmm.allows(size))
}

fn host<'a>(draft: &'a Draft<'_>, known: Option<&'a Known<'_>>) -> Host<'a> {
    let Some(known) = known else { return Host::Unknown };
    let Some(name) = &draft.change.node else { return Host::None };
    known.nodes.get(name.as_str()).map_or(Host::Unknown, |node| Host::Node { name, cpu: node.cpu, memory: node.memory })
}

/// Budgets are held against all that a commit asks for, whether each by itself is allowed or not: that is what its author asks for.
fn together(drafts: &mut [Draft<'_>], known: Option<&Known<'_>>) {
    let mut asked: BTreeMap<(String, Option<String>), (EffectivePolicy, Vec<Asked>)> = BTreeMap::new();
    for draft in drafts.iter() {
        let (Wanted::Stated(after), false) = (&draft.subject.wanted, is_anothers(draft)) else { continue };
        let (namespace, policy) = (&draft.subject.key.namespace, &draft.subject.policy);
        let entry = asked.entry((namespace.clone(), policy.name.clone()));
        entry.or_insert_with(|| (policy.clone(), Vec::new())).1.push(asked_by(
            draft,
            accepted(draft, known),
            after.size,
        ));
    }
    let over: BTreeMap<String, Vec<_>> =
        asked.into_values().flat_map(|(policy, asked)| over_budget(&policy, &asked)).collect();
    for draft in drafts {
        draft.forbid(over.get(&draft.change.vm()).map(Vec::as_slice).unwrap_or_default());
    }
}

fn asked_by(draft: &Draft<'_>, before: Option<Size>, after: Size) -> Asked {
    Asked { vm: draft.change.vm(), before, after, node: draft.change.node.clone() }
}

impl Draft<'_> {
    /// A policy forbids it: how it would have gone is of no interest any more.
    fn forbid(&mut self, broken: &[Broken]) {
        if broken.is_empty() {
            return;
        }
        let restarts = broken.iter().any(|broken| broken.rule == Rule::RestartForbidden);
        let stays = |rule| match rule {
            Rule::Policy | Rule::PolicyRule | Rule::Protected | Rule::RestartForbidden | Rule::Budget => true,
            rule if needs_restart(rule) => restarts,
            rule => rule == Rule::OtherSource,
        };
        self.change.findings.retain(|finding| stays(finding.rule));
        self.change.pod.to = self.change.pod.from;
        self.change.turn = 0;
        broken.iter().for_each(|broken| self.worsen(Mode::Blocked, Finding::from(broken)));
    }
}

/// Whether a rule says that a size cannot be reached while the VM runs.
fn needs_restart(rule: Rule) -> bool {
    matches!(rule, Rule::BootLayout | Rule::Hypervisor)
}

/// Whether another source states it, so that nothing of it is asked for here.
fn is_anothers(draft: &Draft<'_>) -> bool {
    draft.change.findings.iter().any(|finding| finding.rule == Rule::OtherSource)
}
