//! Pods that are yet to be put on a node: new VMs, VMs that are started, and those that need a restart.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use reef_api::facts::{Claim, NodeFacts, TaintFacts};
use reef_api::plan::{Action, Finding, Mode, Rule};

use super::affinity;
use super::crowd::Crowd;
use super::demand::Demand;
use super::draft::Draft;
use super::known::{Known, all, free};
use crate::decide::target::Placement;

/// Whether a node can take a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// It has the room.
    Now,
    /// It would have, with nothing else on it.
    Empty,
}

/// Judges each Pod that needs a node: one that surely gets it gets it wherever the scheduler puts the others.
pub(super) fn judge(drafts: &mut [Draft<'_>], known: &Known<'_>, crowd: &Crowd<'_>) {
    let given = given(drafts, known);
    let taken = taken(drafts, &given);
    let before: BTreeMap<&str, Claim> =
        given.iter().map(|(name, sum)| (*name, sum.less(crowd.standing(name)))).collect();
    let mut packed = taken.clone();
    for draft in drafts {
        let Demand::Placed { pod, instead_of, .. } = draft.demand.clone() else { continue };
        let claim = Claim::from(pod);
        let without_own = |node: &NodeFacts, sum: Claim| {
            let own = instead_of.as_ref().filter(|(old, _)| *old == node.name);
            own.map_or(sum, |(_, size)| sum.less(Claim::from(*size)))
        };
        let of = |sums: &BTreeMap<&str, Claim>, node: &NodeFacts| {
            without_own(node, sums.get(node.name.as_str()).copied().unwrap_or(node.requested))
        };
        let hosts: Vec<(&NodeFacts, Host)> =
            hosts(known, &draft.subject.placement, claim, |node| of(&taken, node)).collect();
        let key = &draft.subject.key;
        let surely =
            |node: &NodeFacts| claim.fits(free(node, of(&taken, node).plus(crowd.asked_beside(key, &node.name))));
        let sure = hosts.iter().any(|(node, host)| *host == Host::Now && surely(node));
        let early = hosts.iter().any(|(node, _)| claim.fits(free(node, of(&before, node))));
        let best = best(&hosts, |node| of(&packed, node));
        if let Some((name, sum)) = best.and_then(|name| packed.get_mut(name).map(|sum| (name, sum))) {
            *sum = sum.plus(claim);
            draft.demand = Demand::Placed { pod, instead_of, node: Some(name.to_owned()) };
        }
        let allowed = known.nodes.values().any(|node| may_run(node, &draft.subject.placement));
        let found = Found { best, sure, early, allowed, ever: !hosts.is_empty() };
        told(draft, claim, &found);
    }
}

/// What is found for a Pod.
struct Found<'k> {
    /// The node where it goes if the scheduler takes the VMs in their order.
    best: Option<&'k str>,
    /// Whether it finds room wherever the scheduler puts the others.
    sure: bool,
    /// Whether it finds room if nothing grows before, and no wish without room stands in its way.
    early: bool,
    /// Whether there is a node that it may run on, of whatever size.
    allowed: bool,
    /// Whether there is a node that could take it with nothing else on it.
    ever: bool,
}

/// What is taken of each node once what shrinks has shrunk.
fn given<'k>(drafts: &[Draft<'_>], known: &Known<'k>) -> BTreeMap<&'k str, Claim> {
    let mut sums: BTreeMap<&str, Claim> = known.nodes.iter().map(|(name, node)| (*name, node.requested)).collect();
    for draft in drafts.iter().filter(|draft| draft.change.mode == Mode::Live) {
        if let Some(sum) = draft.demand.node().and_then(|node| sums.get_mut(node)) {
            *sum = sum.less(draft.demand.back());
        }
    }
    sums
}

/// The same once everything has grown: a growth that waits counts with the scheduler as long as its wish stands.
fn taken<'k>(drafts: &[Draft<'_>], given: &BTreeMap<&'k str, Claim>) -> BTreeMap<&'k str, Claim> {
    let mut sums = given.clone();
    for draft in drafts {
        if let Some(sum) = draft.demand.node().and_then(|node| sums.get_mut(node)) {
            *sum = sum.plus(draft.demand.more());
        }
    }
    sums
}

/// The nodes that can take a Pod, now or with nothing else on them, by name; `taken` says what counts as taken of each.
pub(super) fn hosts<'a, 'k>(
    known: &'a Known<'k>,
    placement: &'a Placement,
    claim: Claim,
    taken: impl Fn(&NodeFacts) -> Claim + 'a,
) -> impl Iterator<Item = (&'k NodeFacts, Host)> {
    known.nodes.values().filter(|node| may_run(node, placement)).filter_map(move |node| match claim {
        claim if claim.fits(free(node, taken(node))) => Some((*node, Host::Now)),
        claim if claim.fits(all(node)) => Some((*node, Host::Empty)),
        _ => None,
    })
}

/// The node that has the most left, in parts of what it has in all: where the scheduler puts it by default.
fn best<'k>(hosts: &[(&'k NodeFacts, Host)], taken: impl Fn(&NodeFacts) -> Claim) -> Option<&'k str> {
    let left = |node: &NodeFacts| {
        let free = free(node, taken(node));
        part(free.cpu.0, node.cpu.0) + part(free.memory.0, node.memory.0)
    };
    let now = hosts.iter().filter(|(_, host)| *host == Host::Now).map(|(node, _)| *node);
    now.max_by_key(|node| (left(node), std::cmp::Reverse(&node.name))).map(|node| node.name.as_str())
}

/// How much of a whole is free, in millionths.
pub(super) fn part(free: u64, whole: u64) -> u128 {
    u128::from(free) * 1_000_000 / u128::from(whole.max(1))
}

/// Whether a Pod may be put on a node at all, as far as that depends on the node.
pub(super) fn may_run(node: &NodeFacts, placement: &Placement) -> bool {
    let mut wanted = placement.node_selector.iter().flatten();
    let tolerations = placement.tolerations.as_deref().unwrap_or_default();
    let tolerated = |taint: &TaintFacts| tolerations.iter().any(|toleration| tolerates(toleration, taint));
    node.schedulable
        && wanted.all(|(key, value)| node.labels.get(key) == Some(value))
        && affinity::admits(placement.affinity.as_ref(), node)
        && node.taints.iter().all(tolerated)
}

/// As Kubernetes reads a toleration: without a key it is for all, without an effect for each.
fn tolerates(toleration: &Toleration, taint: &TaintFacts) -> bool {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let exists = toleration.operator.as_deref() == Some("Exists");
    given(&toleration.effect).is_none_or(|effect| effect == taint.effect)
        && given(&toleration.key).is_none_or(|key| key == taint.key)
        && (exists
            || (given(&toleration.key).is_some() && toleration.value.as_deref().unwrap_or_default() == taint.value))
}

fn told(draft: &mut Draft<'_>, claim: Claim, found: &Found<'_>) {
    let needs = format!("its Pod needs cpu {}, memory {}", claim.cpu, claim.memory);
    let restarts = draft.change.mode == Mode::Restart;
    match found.best {
        Some(node) if restarts => draft.says(Rule::Fits, format!("{needs}, and {node} has room for it")),
        Some(node) if found.sure => {
            draft.change.turn = 2;
            let what = if draft.change.action == Action::Create { "a new VM" } else { "it is started" };
            draft.says(Rule::Fits, format!("{what}: {needs}, and {node} has room for it"));
        }
        _ if found.ever => {
            let (rule, why, remedy) = if found.early || found.best.is_some() {
                let remedy = "free room on a node, add one, or merge them one after the other";
                (Rule::Contended, "and not all that ask for room find some", remedy)
            } else {
                (Rule::NoNode, "and no node has room for it at present", "free room on a node, or add one")
            };
            draft.change.turn = 3;
            let finding = Finding::says(rule, format!("{needs}, {why}")).remedied(remedy);
            draft.worsen(if restarts { Mode::Restart } else { Mode::Deferred }, finding);
        }
        _ if found.allowed => {
            let finding =
                Finding::says(Rule::NoNode, format!("{needs}, and no node that it may run on has that in all"))
                    .remedied("ask for less, or add a node that is large enough");
            draft.worsen(Mode::Infeasible, finding);
        }
        _ => {
            let message = "its nodeSelector, its affinity and the taints of the nodes leave no node that it may run on";
            let remedy = "change what it asks of nodes, or label, untaint or uncordon one";
            draft.worsen(Mode::Infeasible, Finding::says(Rule::NoNode, message).remedied(remedy));
        }
    }
    if found.best.is_some() {
        for affinity in affinity::unjudged(draft.subject.placement.affinity.as_ref()) {
            let message = format!("its {affinity} is not judged: the scheduler may refuse a node that has room");
            draft.says(Rule::NotJudged, message);
        }
    }
}
