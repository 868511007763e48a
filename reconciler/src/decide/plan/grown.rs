//! Pods that run and are to become larger or smaller, node by node: which growths fit in whatever order they are asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use reef_api::PodSize;
use reef_api::facts::{Claim, NodeFacts};
use reef_api::plan::{Finding, Mode, Rule};

use super::affinity;
use super::crowd::Crowd;
use super::draft::{Draft, listed};
use super::known::{Known, all, free};
use super::placed::{self, Host};

/// One that asks for room on a node, or gives some back.
#[derive(Clone, Debug, PartialEq)]
struct Bid<'a> {
    name: Cow<'a, str>,
    /// Which draft it is; none for a VM that is not part of the plan and waits for room.
    draft: Option<usize>,
    more: Claim,
    back: Claim,
    /// All that its Pod is to have.
    whole: Claim,
}

/// What becomes of a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It fits in any order; `after` says whether others have to give back first.
    Fits { after: bool },
    /// The node has less than that in all.
    TooLarge,
    /// Not even by itself.
    NoRoom,
    /// By itself, but not together with others.
    Contended,
}

/// Judges every Pod that is to be resized while it runs.
pub(super) fn judge(drafts: &mut [Draft<'_>], known: &Known<'_>, crowd: &Crowd<'_>) {
    for (name, bids) in bids(drafts, crowd) {
        let Some(node) = known.nodes.get(name.as_str()) else {
            for index in bids.iter().filter_map(|bid| bid.draft) {
                if let Some(draft) = drafts.get_mut(index) {
                    draft.says(Rule::NotJudged, format!("nothing is known of node {name}"));
                }
            }
            continue;
        };
        let (fates, room) = fates(free(node, node.allocated), all(node), &bids);
        let most = bids.iter().fold(free(node, node.allocated), |sum, bid| sum.plus(bid.back));
        for (bid, fate) in bids.iter().zip(fates) {
            if let Some(draft) = bid.draft.and_then(|index| drafts.get_mut(index)) {
                told(draft, bid, fate, &Floor { node, room, most, bids: &bids }, known);
            }
        }
    }
}

/// A node with those that bid for it.
struct Floor<'a> {
    node: &'a NodeFacts,
    /// What is free once everything that surely shrinks has shrunk.
    room: Claim,
    /// What would be free if all gave back what they are to give.
    most: Claim,
    bids: &'a [Bid<'a>],
}

fn bids<'a>(drafts: &[Draft<'_>], crowd: &'a Crowd<'_>) -> BTreeMap<String, Vec<Bid<'a>>> {
    let mut by_node: BTreeMap<String, Vec<Bid<'a>>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let Some(node) = draft.demand.node() else { continue };
        let whole = draft.target().map(Claim::from).unwrap_or_default();
        let bid = Bid {
            name: Cow::Owned(draft.change.vm()),
            draft: Some(index),
            more: draft.demand.more(),
            back: draft.demand.back(),
            whole,
        };
        by_node.entry(node.to_owned()).or_default().push(bid);
    }
    for (node, bids) in &mut by_node {
        bids.extend(crowd.waiting(node).chain(crowd.arriving(node)).map(|other| Bid {
            name: Cow::Borrowed(&other.name),
            draft: None,
            more: other.more,
            back: Claim::default(),
            whole: other.whole,
        }));
    }
    by_node
}

/// What becomes of each bid, and the room that there is in the end for growing.
fn fates(free: Claim, all: Claim, bids: &[Bid<'_>]) -> (Vec<Fate>, Claim) {
    let shrinks = bids.iter().filter(|bid| bid.more == Claim::default());
    let surely = shrinks.fold(Claim::default(), |sum, bid| sum.plus(bid.back));
    let mut back = surely;
    // A Pod that grows in one resource and shrinks in the other gives back only if its growth is sure.
    // Each round finds one more of them, or is the last.
    for _ in 0..=bids.len() {
        let found = judged(free, back, all, bids);
        let mixed = bids
            .iter()
            .zip(&found)
            .filter(|(bid, fate)| bid.more != Claim::default() && matches!(fate, Fate::Fits { .. }));
        let next = mixed.fold(surely, |sum, (bid, _)| sum.plus(bid.back));
        if next == back {
            return (found, free.plus(back));
        }
        back = next;
    }
    (judged(free, surely, all, bids), free.plus(surely))
}

fn judged(free: Claim, back: Claim, all: Claim, bids: &[Bid<'_>]) -> Vec<Fate> {
    let room = free.plus(back);
    let possible = |bid: &&Bid<'_>| bid.whole.fits(all) && bid.more.fits(room);
    let sum = bids.iter().filter(possible).fold(Claim::default(), |sum, bid| sum.plus(bid.more));
    let of = |bid: &Bid<'_>| {
        let short = |more: u64, sum: u64, room: u64| more > 0 && sum > room;
        let beyond = |room: Claim| {
            short(bid.more.cpu.0, sum.cpu.0, room.cpu.0) || short(bid.more.memory.0, sum.memory.0, room.memory.0)
        };
        match bid {
            bid if bid.more == Claim::default() => Fate::Fits { after: false },
            bid if !bid.whole.fits(all) => Fate::TooLarge,
            bid if !bid.more.fits(room) => Fate::NoRoom,
            _ if beyond(room) => Fate::Contended,
            _ => Fate::Fits { after: beyond(free) },
        }
    };
    bids.iter().map(of).collect()
}

fn told(draft: &mut Draft<'_>, bid: &Bid<'_>, fate: Fate, floor: &Floor<'_>, known: &Known<'_>) {
    let (Some(to), name) = (draft.target(), &floor.node.name) else { return };
    match fate {
        Fate::Fits { after } => {
            let givers = if after { givers(bid, floor) } else { Vec::new() };
            let once = if givers.is_empty() { String::new() } else { format!(", once {} gave room", listed(&givers)) };
            draft.change.turn = if after { 2 } else { 1 };
            draft.change.after = givers.iter().map(|giver| (*giver).to_owned()).collect();
            draft.says(Rule::Fits, format!("its Pod becomes {to} on {name}{once}"));
        }
        Fate::TooLarge => {
            let limit = format!("cpu {}, memory {}", floor.node.cpu, floor.node.memory);
            let finding =
                Finding::says(Rule::NodeCapacity, format!("its Pod needs {to}, and {name} has {limit} in all"));
            let remedy = elsewhere(draft, to, name, known, "ask for less");
            draft.worsen(Mode::Infeasible, finding.against(limit, to.to_string()).remedied(remedy));
        }
        Fate::NoRoom if bid.more.fits(floor.most) => {
            let givers = givers(bid, floor);
            let message = format!(
                "its Pod needs {} more, and {name} has {} free unless {} give back first",
                said(bid.more),
                said(floor.room),
                listed(&givers)
            );
            let finding = Finding::says(Rule::Contended, message).against(said(floor.room), said(bid.more));
            draft.change.turn = 3;
            draft.worsen(Mode::Deferred, finding.remedied(format!("merge what {} give back first", listed(&givers))));
        }
        Fate::NoRoom => {
            let (more, limit) = (said(bid.more), said(floor.room));
            let finding =
                Finding::says(Rule::NodeRoom, format!("its Pod needs {more} more, and {name} has {limit} free"));
            let remedy =
                elsewhere(draft, to, name, known, &format!("free {} on {name}", said(bid.more.less(floor.room))));
            draft.change.turn = 3;
            draft.worsen(Mode::Deferred, finding.against(limit, more).remedied(remedy));
        }
        Fate::Contended => contended(draft, bid, to, floor, known),
    }
}

fn contended(draft: &mut Draft<'_>, bid: &Bid<'_>, to: PodSize, floor: &Floor<'_>, known: &Known<'_>) {
    let name = &floor.node.name;
    let all = floor.bids.iter().filter(|other| other.more.fits(floor.room) && rivals(bid, other));
    let sum = all.clone().fold(Claim::default(), |sum, other| sum.plus(other.more));
    let names: Vec<&str> = all.map(|other| &*other.name).collect();
    let (found, limit) = (said(sum), said(floor.room));
    let message =
        format!("{} together ask for {found} more, and {name} has {limit} free: not all of them fit", listed(&names));
    let remedy = elsewhere(
        draft,
        to,
        name,
        known,
        &format!("free {} on {name}, or merge them one after the other", said(sum.less(floor.room))),
    );
    draft.change.turn = 3;
    draft.worsen(Mode::Deferred, Finding::says(Rule::Contended, message).against(limit, found).remedied(remedy));
}

/// Whether both grow in one resource.
fn rivals(one: &Bid<'_>, other: &Bid<'_>) -> bool {
    let both = |one: u64, other: u64| one > 0 && other > 0;
    both(one.more.cpu.0, other.more.cpu.0) || both(one.more.memory.0, other.more.memory.0)
}

/// Those that give back what this one needs.
fn givers<'a>(bid: &Bid<'_>, floor: &Floor<'a>) -> Vec<&'a str> {
    let gives = |other: &&Bid<'_>| {
        let both = |more: u64, back: u64| more > 0 && back > 0;
        both(bid.more.cpu.0, other.back.cpu.0) || both(bid.more.memory.0, other.back.memory.0)
    };
    floor.bids.iter().filter(gives).map(|other| &*other.name).collect()
}

/// What would help, and a node that could take the VM after a restart.
fn elsewhere(draft: &Draft<'_>, to: PodSize, own: &str, known: &Known<'_>, first: &str) -> String {
    if !affinity::unjudged(draft.subject.placement.affinity.as_ref()).is_empty() {
        return first.to_owned();
    }
    let mut hosts = placed::hosts(known, &draft.subject.placement, Claim::from(to), |node| node.requested);
    match hosts.find(|(node, host)| *host == Host::Now && node.name != own) {
        Some((other, _)) => format!("{first}, or start it anew on {}", other.name),
        None => first.to_owned(),
    }
}

/// An amount as people read it: what is zero is left out.
fn said(claim: Claim) -> String {
    match (claim.cpu.0, claim.memory.0) {
        (0, _) => format!("memory {}", claim.memory),
        (_, 0) => format!("cpu {}", claim.cpu),
        (_, _) => format!("cpu {}, memory {}", claim.cpu, claim.memory),
    }
}
