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
pub(super) struct Crowd {
    /// VMs beside the plan that have less than they want, by node: they ask the kubelet for it again and again.
    waiting: BTreeMap<String, Vec<Other>>,
    /// VMs beside the plan whose Pod waits for a node.
    unplaced: Vec<Other>,
    /// VMs of the plan that start by themselves, by each node that the scheduler may take for them.
    starting: BTreeMap<String, BTreeMap<VmKey, Other>>,
    /// What VMs of a node wish for and do not have: it counts with the scheduler, until the wish is taken back.
    standing: BTreeMap<String, Claim>,
    /// What all that may come to a node or grow on it ask for together.
    asked: BTreeMap<String, Claim>,
}

impl Crowd {
    /// Gathers all that ask for room beside the drafts' own growths.
    pub(super) fn of(drafts: &[Draft<'_>], known: &Known<'_>) -> Self {
        let planned: BTreeSet<&VmKey> = drafts.iter().map(|draft| &draft.subject.key).collect();
        let mut crowd = Self {
            waiting: BTreeMap::new(),
            unplaced: Vec::new(),
            starting: BTreeMap::new(),
            standing: BTreeMap::new(),
            asked: BTreeMap::new(),
        };
        crowd.add_known(&planned, known);
        drafts.iter().for_each(|draft| crowd.add_starting(draft, known));
        let sum = |node: &str| {
            let all = crowd.arriving(node).chain(crowd.waiting(node));
            all.fold(Claim::default(), |sum, other| sum.plus(other.more))
        };
        crowd.asked = known.nodes.keys().map(|node| ((*node).to_owned(), sum(node))).collect();
        crowd
    }

    fn add_known(&mut self, planned: &BTreeSet<&VmKey>, known: &Known<'_>) {
        for (key, vm) in &known.vms {
            let Some(pod) = &vm.pod else { continue };
            let (wish, allocated) = (Claim::from(pod.wish), Claim::from(pod.allocated));
            if let Some(node) = &pod.node {
                let sum = self.standing.entry(node.clone()).or_default();
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
                self.waiting.entry(node.clone()).or_default().push(Other { name: key.to_string(), more, whole });
            }
        }
    }

    fn add_starting(&mut self, draft: &Draft<'_>, known: &Known<'_>) {
        let Demand::Placed { pod, instead_of: None, .. } = &draft.demand else { return };
        let whole = Claim::from(*pod);
        for node in likely(whole, &draft.subject.placement, known) {
            let others = self.starting.entry(node.to_owned()).or_default();
            others.insert(draft.subject.key.clone(), Other::placed(draft.change.vm(), whole));
        }
    }

    /// VMs of a node that wait to grow.
    pub(super) fn waiting(&self, node: &str) -> impl Iterator<Item = &Other> {
        self.waiting.get(node).into_iter().flatten()
    }

    /// VMs that the scheduler may put on a node: those of the plan that start by themselves, and those that wait for a node already.
    pub(super) fn arriving(&self, node: &str) -> impl Iterator<Item = &Other> {
        self.starting.get(node).into_iter().flat_map(BTreeMap::values).chain(&self.unplaced)
    }

    /// What of a node is wished for and not set aside.
    pub(super) fn standing(&self, node: &str) -> Claim {
        self.standing.get(node).copied().unwrap_or_default()
    }

    /// What all others than this VM may take of a node before it is placed there.
    pub(super) fn asked_beside(&self, key: &VmKey, node: &str) -> Claim {
        let own = self.starting.get(node).and_then(|starting| starting.get(key)).map(|own| own.more);
        self.asked.get(node).copied().unwrap_or_default().less(own.unwrap_or_default())
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
    let with_room = hosts.iter().filter(|(_, host)| **host == Host::Now).filter_map(|(node, _)| known.nodes.get(node));
    let most = with_room.map(|node| left(node)).reduce(larger);
    let is_likely =
        |node: &NodeFacts| most.is_none_or(|most| left(node).iter().zip(most).any(|(own, most)| *own >= most));
    let able = known.nodes.iter().filter(|(_, node)| may_run(node, placement) && is_likely(node));
    able.map(|(name, _)| *name).collect()
}

fn larger(one: [u128; 5], other: [u128; 5]) -> [u128; 5] {
    let mut pairs = one.into_iter().zip(other);
    std::array::from_fn(|_| pairs.next().map_or(0, |(one, other)| one.max(other)))
}
