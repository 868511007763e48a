//! Who asks for room beside those that a judge looks at, node by node. Gathered once: each judge looks at all nodes.

use std::collections::{BTreeMap, BTreeSet};

use reef_api::VmKey;
use reef_api::facts::{Claim, NodeFacts};

use super::demand::Demand;
use super::draft::Draft;
use super::known::{Known, free};
use super::placed::{Host, hosts, may_run, part};
use crate::decide::target::Placement;

/// A VM that asks for room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Other {
    pub(super) name: String,
    /// How much more it asks for.
    pub(super) more: Claim,
    /// All that its Pod would have.
    pub(super) whole: Claim,
}

impl Other {
    /// One whose Pod is yet to be put on a node.
    fn placed(name: String, whole: Claim) -> Self {
        Self { name, more: whole, whole }
    }
}

/// Those that ask for room.
#[derive(Default)]
pub(super) struct Crowd<'f> {
    /// VMs beside the plan that have less than they want, by node: they ask the kubelet for it again and again.
    waiting: BTreeMap<&'f str, Vec<Other>>,
    /// VMs beside the plan whose Pod waits for a node.
    unplaced: Vec<Other>,
    /// VMs of the plan that start by themselves, by namespace and name.
    starting: Vec<(&'f VmKey, Other)>,
    /// Which of those the scheduler may put on a node, by their place in the list.
    likely: BTreeMap<&'f str, Vec<usize>>,
    /// What VMs of a node wish for and do not have: it counts with the scheduler, until the wish is taken back.
    standing: BTreeMap<&'f str, Claim>,
    /// What all that may come to a node or grow on it ask for together.
    asked: BTreeMap<&'f str, Claim>,
}

impl<'f> Crowd<'f> {
    /// Gathers all that ask for room beside the drafts' own growths.
    pub(super) fn of(drafts: &[Draft<'f>], known: &Known<'f>) -> Self {
        let planned: BTreeSet<&VmKey> = drafts.iter().map(|draft| &draft.subject.key).collect();
        let mut crowd = Self::default();
        crowd.add_known(&planned, known);
        crowd.add_starting(drafts, known);
        let sum = |node: &str| {
            let all = crowd.arriving(node).chain(crowd.waiting(node));
            all.fold(Claim::default(), |sum, other| sum.plus(other.more))
        };
        crowd.asked = known.nodes.keys().map(|node| (*node, sum(node))).collect();
        crowd
    }

    fn add_known(&mut self, planned: &BTreeSet<&VmKey>, known: &Known<'f>) {
        for (key, vm) in &known.vms {
            let Some(pod) = &vm.pod else { continue };
            let (wish, allocated) = (Claim::from(pod.wish), Claim::from(pod.allocated));
            if let Some(node) = &pod.node {
                let sum = self.standing.entry(node).or_default();
                *sum = sum.plus(wish.less(allocated));
            }
            if planned.contains(key) {
                continue;
            }
            let Some(node) = &pod.node else {
                self.unplaced.push(Other::placed(key.to_string(), wish));
                continue;
            };
            let whole = Claim::from(known.wanted(vm).max(pod.wish));
            let more = whole.less(allocated);
            if more != Claim::default() {
                self.waiting.entry(node).or_default().push(Other { name: key.to_string(), more, whole });
            }
        }
    }

    fn add_starting(&mut self, drafts: &[Draft<'f>], known: &Known<'f>) {
        let starting = drafts.iter().filter_map(|draft| match &draft.demand {
            Demand::Placed { pod, instead_of: None, .. } => Some((draft, Claim::from(*pod))),
            Demand::Placed { .. } | Demand::Nothing | Demand::Grown { .. } | Demand::Gone { .. } => None,
        });
        let mut starting: Vec<(&Draft<'f>, Claim)> = starting.collect();
        starting.sort_by_key(|(draft, _)| &draft.subject.key);
        let mut found = Likely::default();
        for (index, (draft, whole)) in starting.into_iter().enumerate() {
            for node in found.of(whole, &draft.subject.placement, known) {
                self.likely.entry(node).or_default().push(index);
            }
            self.starting.push((&draft.subject.key, Other::placed(draft.change.vm(), whole)));
        }
    }

    /// VMs of a node that wait to grow.
    pub(super) fn waiting(&self, node: &str) -> impl Iterator<Item = &Other> {
        self.waiting.get(node).into_iter().flatten()
    }

    /// VMs that the scheduler may put on a node: those of the plan that start by themselves, and those that wait for a node already.
    pub(super) fn arriving(&self, node: &str) -> impl Iterator<Item = &Other> {
        let starting = self.likely.get(node).into_iter().flatten();
        let starting = starting.filter_map(|index| self.starting.get(*index).map(|(_, other)| other));
        starting.chain(&self.unplaced)
    }

    /// What of a node is wished for and not set aside.
    pub(super) fn standing(&self, node: &str) -> Claim {
        self.standing.get(node).copied().unwrap_or_default()
    }

    /// What all others than this VM may take of a node before it is placed there.
    pub(super) fn asked_beside(&self, key: &VmKey, node: &str) -> Claim {
        let asked = self.asked.get(node).copied().unwrap_or_default();
        let Ok(index) = self.starting.binary_search_by_key(&key, |(key, _)| *key) else { return asked };
        let likely = self.likely.get(node).is_some_and(|likely| likely.binary_search(&index).is_ok());
        let own = self.starting.get(index).filter(|_| likely).map(|(_, own)| own.more);
        asked.less(own.unwrap_or_default())
    }
}

/// What a Pod asks of nodes, and the likely ones among them.
type Answer<'f> = (&'f Placement, Vec<&'f str>);

/// The answers for Pods that were asked about, by what they claim: most of a commit are alike.
#[derive(Default)]
struct Likely<'f>(BTreeMap<(u64, u64), Vec<Answer<'f>>>);

impl<'f> Likely<'f> {
    fn of(&mut self, claim: Claim, placement: &'f Placement, known: &Known<'f>) -> Vec<&'f str> {
        let alike = self.0.entry((claim.cpu.0, claim.memory.0)).or_default();
        if let Some((_, nodes)) = alike.iter().find(|(other, _)| *other == placement) {
            return nodes.clone();
        }
        let nodes = likely(claim, placement, known);
        alike.push((placement, nodes.clone()));
        nodes
    }
}

/// The nodes that the scheduler may take for a Pod: if some have room, those where the most is left, by one way to count it or another; if none, any.
fn likely<'k>(claim: Claim, placement: &Placement, known: &Known<'k>) -> Vec<&'k str> {
    let left = |node: &NodeFacts| {
        let free = free(node, node.requested);
        let (cpu, memory) = (part(free.cpu.0, node.cpu.0), part(free.memory.0, node.memory.0));
        [u128::from(free.cpu.0), u128::from(free.memory.0), cpu, memory, cpu + memory]
    };
    let hosts = hosts(known, placement, claim, |node| node.requested);
    let most = hosts.filter(|(_, host)| *host == Host::Now).map(|(node, _)| left(node)).reduce(larger);
    let is_likely =
        |node: &NodeFacts| most.is_none_or(|most| left(node).iter().zip(most).any(|(own, most)| *own >= most));
    let able = known.nodes.iter().filter(|(_, node)| may_run(node, placement) && is_likely(node));
    able.map(|(name, _)| *name).collect()
}

fn larger(one: [u128; 5], other: [u128; 5]) -> [u128; 5] {
    let mut pairs = one.into_iter().zip(other);
    std::array::from_fn(|_| pairs.next().map_or(0, |(one, other)| one.max(other)))
}
