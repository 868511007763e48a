//! A script is played: each deed at its time, the end of what lasts, the mending of everything, and then the wait until the world is at rest.
//!
//! Decides nothing: what is done is in the script, and how it is done in [`super::perform`].

use super::invariants::{Inspector, Invariant, Recording};
use super::perform::End;
use super::script::{Hotplug, KubeletWays, NodeSize, Refuser, Script};
use super::trace::Keep;
use super::tree::Tree;
use super::world::{Watched, World, WorldError};
use reef_sim::api::InfeasibleMode;
use reef_sim::cluster::ClusterOptions;
use reef_sim::node::NodeOptions;
use reef_sim::vmm::HotplugMethod;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long after the mending all is known that was wrong: a watch that has fallen silent in its first 20 s is given up after 295, and a daemon
/// looks at each VM once a minute.
const KNOWN: Duration = Duration::from_secs(6 * 60);
/// How long after the mending every VM has settled or says for good why not: a deferred wish is given up after ten minutes, a guest that does
/// not follow after thirteen.
const SETTLES: Duration = Duration::from_secs(20 * 60);
/// How often it is looked whether they have.
const LOOKS: Duration = Duration::from_secs(5);
/// So long after they have, nothing is written any more.
const CALMS: Duration = Duration::from_secs(30);
/// So long nothing is written.
const QUIET: Duration = Duration::from_secs(180);
/// How often it may be looked for such a quiet: what was given up is tried again now and then.
const QUIETS: u32 = 3;

/// A world in which a script is played.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) inspector: Inspector,
    pub(super) tree: Tree,
    pub(super) before: Vec<Tree>,
    pub(super) quirks: BTreeMap<String, BTreeSet<KubeletWays>>,
    pub(super) down: BTreeMap<String, u64>,
    pub(super) weather: u64,
    ends: BTreeMap<(Instant, u64), End>,
    numbers: u64,
    pub(super) start: Instant,
}

impl Stage {
    /// A world as the script's ground says, before the first deed.
    ///
    /// # Errors
    /// Where the embedded cluster refuses its own set-up.
    pub(super) async fn set(script: &Script, recording: Recording, trace: Keep) -> Result<Self, WorldError> {
        let watched = Watched { recording: Some(recording), trace };
        let start = Instant::now();
        let ground = script.ground.clone();
        let world =
            World::start_watched(script.seed, watched, |options| lay(options, &ground.nodes, ground.refuser)).await?;
        let inspector = world.inspector().cloned().ok_or_else(|| WorldError::Invalid("nobody looks".to_owned()))?;
        for (place, _) in ground.nodes.iter().enumerate().filter(|(_, node)| node.hotplug == Hotplug::Dimms) {
            inspector.cannot_shrink_on(&node_name(place));
        }
        Ok(Self {
            world,
            inspector,
            tree: Tree::default(),
            before: Vec::new(),
            quirks: BTreeMap::new(),
            down: BTreeMap::new(),
            weather: 0,
            ends: BTreeMap::new(),
            numbers: 0,
            start,
        })
    }

    /// Plays a script to its end.
    pub(super) async fn play(&mut self, script: &Script) {
        for timed in &script.deeds {
            self.until(self.start + timed.at).await;
            let (vm, deed) = (timed.deed.vm(), &timed.deed);
            self.inspector.note(vm, || format!("deed {}", serde_json::to_string(deed).unwrap_or_default()));
            self.perform(deed);
        }
        self.until(self.start + Duration::from_millis(script.ground.mended_after_ms)).await;
        self.mend();
        let mended = Instant::now();
        self.until(mended + KNOWN).await;
        self.settles(mended + SETTLES).await;
        self.rests().await;
    }

    /// Something ends after so many milliseconds.
    pub(super) fn ends_after(&mut self, millis: u64, end: End) {
        self.numbers += 1;
        self.ends.insert((Instant::now() + Duration::from_millis(millis), self.numbers), end);
    }

    /// Everything that lasts, in the order in which it would have ended.
    pub(super) fn take_ends(&mut self) -> Vec<End> {
        std::mem::take(&mut self.ends).into_values().collect()
    }

    /// Lets time pass until a moment; what ends meanwhile ends.
    async fn until(&mut self, moment: Instant) {
        loop {
            let next = self.ends.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= moment);
            tokio::select! {
                biased;
                () = self.world.traps.fired() => self.bury(),
                () = tokio::time::sleep_until(next.unwrap_or(moment)) => {
                    if next.is_none() {
                        return;
                    }
                    if let Some((_, end)) = self.ends.pop_first() {
                        self.end(end);
                    }
                }
            }
        }
    }

    /// Waits until every VM has settled or says for good why not, which is by `bound`.
    async fn settles(&mut self, bound: Instant) {
        loop {
            self.until(Instant::now() + LOOKS).await;
            let Some((vm, why)) = self.unsettled() else { return };
            if Instant::now() >= bound {
                let told = format!("{} minutes after the faults have ended {why}", SETTLES.as_secs() / 60);
                self.inspector.fail(Invariant::Settling, Some(&vm), told);
                return;
            }
        }
    }

    fn unsettled(&self) -> Option<(String, String)> {
        let statement = self.tree.statement();
        self.inspector.unsettled(&statement, &self.tree.vms().cloned().collect())
    }

    /// Then nothing is written any more, and every VM stays so.
    async fn rests(&mut self) {
        self.until(Instant::now() + CALMS).await;
        let mut busy = None;
        for _ in 0..QUIETS {
            let before = self.inspector.writes();
            self.until(Instant::now() + QUIET).await;
            busy = self.busy_since(&before);
            if busy.is_none() {
                break;
            }
        }
        if let Some((about, written)) = busy {
            let told = format!(
                "{written} writes about {about} in the last {} s, though every VM has settled",
                QUIET.as_secs()
            );
            self.inspector.fail(Invariant::Rest, Some(&about), told);
        }
        if let Some((vm, why)) = self.unsettled() {
            self.inspector.fail(Invariant::Settling, Some(&vm), format!("it had settled, and now {why}"));
        }
        self.roles_live();
    }

    /// The first object that more was written about than is right, and how much.
    fn busy_since(&self, before: &BTreeMap<String, u64>) -> Option<(String, u64)> {
        let written = |(about, count): (String, u64)| {
            let written = count - before.get(&about).copied().unwrap_or(0);
            (written > self.inspector.allowance(&about)).then_some((about, written))
        };
        self.inspector.writes().into_iter().find_map(written)
    }

    fn roles_live(&self) {
        if let Some(role) = self.world.ended_role() {
            self.inspector.fail(Invariant::Roles, None, format!("the role {role} has ended by itself"));
        }
        let panics = self.world.metrics.counts().panics;
        if panics > 0 {
            self.inspector.fail(Invariant::Roles, None, format!("{panics} tasks of the controller panicked"));
        }
        let missed = self.world.metrics.counts().audit_misses;
        if missed > 0 {
            let told = format!("the controller has missed {missed} times that something was to be done with a VM");
            self.inspector.fail(Invariant::Roles, None, told);
        }
    }
}

/// The name of a node by its place among all.
fn node_name(place: usize) -> String {
    format!("node-{}", place + 1)
}

fn lay(options: &mut ClusterOptions, nodes: &[NodeSize], refuser: Refuser) {
    let named = |(number, node): (usize, &NodeSize)| {
        let hotplug = match node.hotplug {
            Hotplug::VirtioMem => HotplugMethod::VirtioMem,
            Hotplug::Dimms => HotplugMethod::Acpi,
        };
        NodeOptions { hotplug, ..NodeOptions::new(&node_name(number), node.cpu, node.memory) }
    };
    options.nodes = nodes.iter().enumerate().map(named).collect();
    options.api.infeasible = match refuser {
        Refuser::Kubelet => InfeasibleMode::ByKubelet,
        Refuser::Admission => InfeasibleMode::AtAdmission,
    };
}
