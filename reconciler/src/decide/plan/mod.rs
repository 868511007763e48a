//! The plan: what a state of the repository changes, each change with *how* it will happen, why, and in which turn.
//!
//! A forecast, made of the same facts as the pipeline's decisions; it carries nothing out. Kubelet and scheduler have the last word about room, so a
//! growth is called live only where it fits in whatever order they take the commit's changes.

mod affinity;
mod crowd;
mod demand;
mod draft;
mod grown;
mod hypervisor;
mod known;
mod placed;
mod policed;
mod quota;
mod start;
mod subject;

use std::collections::BTreeMap;

use reef_api::facts::{Claim, ClusterFacts};
use reef_api::plan::{Change, NodeHeadroom};

pub use subject::{Effect, FieldChange, Subject, Wanted};

use crowd::Crowd;
use draft::Draft;
use known::Known;

/// What is planned: the changes, and the nodes that they touch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planned {
    /// Every VM that changes, in the order of the subjects.
    pub changes: Vec<Change>,
    /// The nodes that the changes touch, by name.
    pub nodes: Vec<NodeHeadroom>,
}

/// Makes the plan of the subjects. Without facts about the cluster it says what can be said without.
pub fn plan(subjects: &[Subject], facts: Option<&ClusterFacts>) -> Planned {
    let known = facts.map(Known::of);
    let mut drafts: Vec<Draft> = subjects.iter().map(|subject| draft::of(subject, known.as_ref())).collect();
    policed::judge(&mut drafts, known.as_ref());
    let nodes = match &known {
        Some(known) => {
            quota::judge(&mut drafts, known);
            let crowd = Crowd::of(&drafts, known);
            grown::judge(&mut drafts, known, &crowd);
            placed::judge(&mut drafts, known, &crowd);
            headroom(&drafts, known)
        }
        None => Vec::new(),
    };
    Planned { changes: drafts.into_iter().map(|draft| draft.change).collect(), nodes }
}

/// What each touched node has free before, and after everything that fits.
fn headroom(drafts: &[Draft], known: &Known<'_>) -> Vec<NodeHeadroom> {
    let mut sums: BTreeMap<&str, Claim> = BTreeMap::new();
    for draft in drafts {
        for name in draft.demand.touched() {
            let Some(node) = known.nodes.get(name) else { continue };
            let sum = sums.entry(&node.name).or_insert(node.requested);
            *sum = draft.on(name, *sum);
        }
    }
    let touched = sums.iter().filter_map(|(name, after)| {
        let node = known.nodes.get(name)?;
        let before = node.requested;
        (*after != before).then(|| NodeHeadroom {
            name: node.name.clone(),
            cpu: node.cpu,
            memory: node.memory,
            cpu_free_before: node.cpu.saturating_sub(before.cpu),
            cpu_free_after: node.cpu.saturating_sub(after.cpu),
            memory_free_before: node.memory.saturating_sub(before.memory),
            memory_free_after: node.memory.saturating_sub(after.memory),
        })
    });
    touched.collect()
}
