//! Pods that are yet to be put on a node: new VMs, VMs that are started, and those that need a restart.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use reef_api::facts::{Claim, NodeFacts, TaintFacts};
use reef_api::plan::{Action, Finding, Mode, Rule};

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

/// Finds a node for each Pod that needs one, in the order of the VMs.
pub(super) fn judge(drafts: &mut [Draft<'_>], known: &Known<'_>) {
    let grown = |node: &NodeFacts| drafts.iter().fold(node.requested, |sum, draft| draft.on(&node.name, sum));
    let mut taken: BTreeMap<&str, Claim> = known.nodes.values().map(|node| (node.name.as_str(), grown(node))).collect();
    for draft in drafts {
        let Demand::Placed { pod, instead_of, .. } = draft.demand.clone() else { continue };
        let counted = |node: &NodeFacts| {
            let sum = taken.get(node.name.as_str()).copied().unwrap_or(node.requested);
            let own = instead_of.as_ref().filter(|(old, _)| *old == node.name);
            own.map_or(sum, |(_, size)| sum.less(Claim::from(*size)))
        };
        let claim = Claim::from(pod);
        let hosts = hosts(known, &draft.subject.placement, claim, counted);
        let best = best(&hosts, known, counted);
        if let Some((name, sum)) = best.and_then(|name| taken.get_mut(name).map(|sum| (name, sum))) {
            *sum = sum.plus(claim);
            draft.demand = Demand::Placed { pod, instead_of, node: Some(name.to_owned()) };
        }
        told(draft, claim, best, !hosts.is_empty());
    }
}

/// The nodes that can take a Pod, now or with nothing else on them; `taken` says what counts as taken of each.
pub(super) fn hosts<'k>(
    known: &Known<'k>,
    placement: &Placement,
    claim: Claim,
    taken: impl Fn(&NodeFacts) -> Claim,
) -> BTreeMap<&'k str, Host> {
    let fitting = known.nodes.iter().filter(|(_, node)| may_run(node, placement)).filter_map(|(name, node)| {
        let host = match claim {
            claim if claim.fits(free(node, taken(node))) => Host::Now,
            claim if claim.fits(all(node)) => Host::Empty,
            _ => return None,
        };
        Some((*name, host))
    });
    fitting.collect()
}

/// The node that has the most left, in parts of what it has in all: where the scheduler puts it by default.
fn best<'k>(
    hosts: &BTreeMap<&'k str, Host>,
    known: &Known<'_>,
    taken: impl Fn(&NodeFacts) -> Claim,
) -> Option<&'k str> {
    let left = |name: &str| {
        known.nodes.get(name).map(|node| {
            let free = free(node, taken(node));
            let part = |free: u64, all: u64| u128::from(free) * 1_000_000 / u128::from(all.max(1));
            part(free.cpu.0, node.cpu.0) + part(free.memory.0, node.memory.0)
        })
    };
    let now = hosts.iter().filter(|(_, host)| **host == Host::Now).map(|(name, _)| *name);
    now.max_by_key(|name| (left(name), std::cmp::Reverse(*name)))
}

/// Whether a Pod may be put on a node at all. What an affinity asks for is not judged.
pub(super) fn may_run(node: &NodeFacts, placement: &Placement) -> bool {
    let mut wanted = placement.node_selector.iter().flatten();
    let tolerations = placement.tolerations.as_deref().unwrap_or_default();
    let tolerated = |taint: &TaintFacts| tolerations.iter().any(|toleration| tolerates(toleration, taint));
    node.schedulable
        && wanted.all(|(key, value)| node.labels.get(key) == Some(value))
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

fn told(draft: &mut Draft<'_>, claim: Claim, best: Option<&str>, ever: bool) {
    let needs = format!("its Pod needs cpu {}, memory {}", claim.cpu, claim.memory);
    let restarts = draft.change.mode == Mode::Restart;
    match best {
        Some(node) if restarts => draft.says(Rule::Fits, format!("{needs}, and {node} has room for it")),
        Some(node) => {
            draft.change.turn = 2;
            let what = if draft.change.action == Action::Create { "a new VM" } else { "it is started" };
            draft.says(Rule::Fits, format!("{what}: {needs}, and {node} has room for it"));
        }
        None if ever => {
            let finding = Finding::says(Rule::NoNode, format!("{needs}, and no node has room for it at present"))
                .remedied("free room on a node, or add one");
            draft.change.turn = 3;
            draft.worsen(if restarts { Mode::Restart } else { Mode::Deferred }, finding);
        }
        None => {
            let finding =
                Finding::says(Rule::NoNode, format!("{needs}, and no node that it may run on has that in all"))
                    .remedied("ask for less, or add a node that is large enough");
            draft.worsen(Mode::Infeasible, finding);
        }
    }
}
