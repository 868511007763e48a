//! What the host of each node shows of the VMM processes on it: process, threads, cgroup. By node and Pod UID.
//!
//! The truth in memory; with a folder it is also written as the tree that a node daemon reads. It decides nothing but
//! what the kernel decides: a process above its cgroup's memory limit is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reef_api::{Bytes, MilliCpu};

use super::host_tree::HostTree;
use crate::store::ObjectKey;
use crate::vmm::{Fate, Vmm, VmmView};

/// The first process id of a VMM; each VMM has room for its threads behind it.
const FIRST_PID: u32 = 1_000;
const PID_STEP: u32 = 1_000;
/// The first thread that serves a vCPU, counted from the process id.
const FIRST_VCPU_THREAD: u32 = 10;
/// The kernel's clock ticks in a second, in which `/proc/PID/stat` counts.
pub const TICKS_PER_SECOND: u64 = 100;

/// What the host shows of one VMM process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// Its process id.
    pub pid: u32,
    /// When it started, in clock ticks since the node's boot.
    pub start_time: u64,
    /// The container that it runs in.
    pub container_id: String,
    /// Whether the Pod is of the class Guaranteed, by which the cgroup's place differs.
    pub guaranteed: bool,
    /// Every thread and its name.
    pub threads: Arc<BTreeMap<u32, String>>,
    /// The cgroup's memory limit.
    pub memory_limit: Option<Bytes>,
    /// The cgroup's memory use.
    pub memory_current: Bytes,
    /// The cgroup's CPU quota.
    pub cpu_quota: Option<MilliCpu>,
}

impl HostFacts {
    /// The distinct `N` of the threads named `vcpuN`.
    #[must_use]
    pub fn vcpu_threads(&self) -> BTreeSet<u32> {
        self.threads.values().filter_map(|name| name.strip_prefix("vcpu")?.parse().ok()).collect()
    }

    /// How many distinct `vcpuN` there are.
    #[must_use]
    pub fn vcpu_count(&self) -> u32 {
        let names = || self.threads.values().filter(|name| name.starts_with("vcpu"));
        let is_first = |(place, name): &(usize, &String)| !names().take(*place).any(|other| other == *name);
        u32::try_from(names().enumerate().filter(is_first).count()).unwrap_or(u32::MAX)
    }

    /// Its cgroup below the root of the hierarchy, as the `cgroupfs` driver places it.
    #[must_use]
    pub fn cgroup(&self, pod_uid: &str) -> String {
        let class = if self.guaranteed { "" } else { "/burstable" };
        format!("/kubepods{class}/pod{pod_uid}/{}", self.container_id)
    }
}

struct Entry {
    pod: ObjectKey,
    facts: HostFacts,
    view: VmmView,
    vmm: Option<Vmm>,
    oom_killed: bool,
}

type Key = (String, String);

/// Something that has happened to a VMM process or to its cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChange {
    /// The Pod.
    pub pod_uid: String,
    /// What the host shows now and what is inside; nothing once the process has ended.
    pub now: Option<(HostFacts, VmmView)>,
}

/// Is told of each change in the instant in which it happens.
pub type HostWitness = Arc<dyn Fn(&HostChange) + Send + Sync>;

#[derive(Default)]
struct Table {
    entries: BTreeMap<Key, Entry>,
    by_pod: BTreeMap<ObjectKey, Key>,
    witness: Option<HostWitness>,
}

impl Table {
    fn tell(&self, pod_uid: &str, entry: Option<&Entry>) {
        if let Some(witness) = &self.witness {
            let now = entry.map(|entry| (entry.facts.clone(), entry.view.clone()));
            witness(&HostChange { pod_uid: pod_uid.to_owned(), now });
        }
    }
}

/// The hosts of all nodes. Clones share them.
#[derive(Clone)]
pub struct Hosts {
    table: Arc<Mutex<Table>>,
    next_pid: Arc<Mutex<u32>>,
    tree: Option<HostTree>,
}

impl Hosts {
    /// Hosts without a process. With a folder, each node's tree is kept below `FOLDER/NODE`.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { table: Arc::default(), next_pid: Arc::new(Mutex::new(FIRST_PID)), tree: folder.map(HostTree::new) }
    }

    /// From now on `witness` is told of each change in the instant in which it happens. It must not call the hosts, which are locked meanwhile.
    pub fn witness(&self, witness: HostWitness) {
        self.lock().witness = Some(witness);
    }

    /// The trees on disk, where they are kept.
    #[must_use]
    pub const fn tree(&self) -> Option<&HostTree> {
        self.tree.as_ref()
    }

    /// A process id that was never used.
    #[must_use]
    pub fn next_pid(&self) -> u32 {
        let mut next = self.next_pid.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = *next;
        *next = pid.saturating_add(PID_STEP);
        pid
    }

    /// What a host shows of the VMM in a Pod.
    #[must_use]
    pub fn facts(&self, node: &str, pod_uid: &str) -> Option<HostFacts> {
        self.lock().entries.get(&key(node, pod_uid)).map(|entry| entry.facts.clone())
    }

    /// Every VMM on a node: Pod UID and what the host shows.
    #[must_use]
    pub fn on_node(&self, node: &str) -> BTreeMap<String, HostFacts> {
        let table = self.lock();
        let here = table.entries.iter().filter(|((place, _), _)| place == node);
        here.map(|((_, uid), entry)| (uid.clone(), entry.facts.clone())).collect()
    }

    /// The handle and the inside of the VMM that runs in a Pod of this name.
    #[must_use]
    pub fn vmm_of(&self, pod: &ObjectKey) -> Option<(Vmm, VmmView)> {
        let table = self.lock();
        let entry = table.entries.get(table.by_pod.get(pod)?)?;
        Some((entry.vmm.clone()?, entry.view.clone()))
    }

    /// A process has started.
    pub(super) fn started(&self, node: &str, pod_uid: &str, pod: ObjectKey, mut facts: HostFacts, view: VmmView) {
        show(&mut facts, &view, None);
        let mut table = self.lock();
        self.write(node, pod_uid, None, Some(&facts));
        table.by_pod.insert(pod.clone(), key(node, pod_uid));
        let entry = Entry { pod, facts, view, vmm: None, oom_killed: false };
        table.tell(pod_uid, Some(&entry));
        table.entries.insert(key(node, pod_uid), entry);
    }

    /// The handle of a process that has started.
    pub(super) fn attach(&self, node: &str, pod_uid: &str, vmm: Vmm) {
        if let Some(entry) = self.lock().entries.get_mut(&key(node, pod_uid)) {
            entry.vmm = Some(vmm);
        }
    }

    /// A process has changed; the kernel says whether it lives.
    pub(super) fn observe(&self, node: &str, pod_uid: &str, view: &VmmView) -> Fate {
        self.change(node, pod_uid, |entry| {
            show(&mut entry.facts, view, Some(&entry.view));
            entry.view.clone_from(view);
        })
    }

    /// The kubelet has set the cgroup's limits.
    pub(super) fn limit(&self, node: &str, pod_uid: &str, memory: Option<Bytes>, cpu: Option<MilliCpu>) -> Fate {
        self.change(node, pod_uid, |entry| {
            entry.facts.memory_limit = memory;
            entry.facts.cpu_quota = cpu;
        })
    }

    fn change(&self, node: &str, pod_uid: &str, change: impl FnOnce(&mut Entry)) -> Fate {
        let mut table = self.lock();
        let Some(entry) = table.entries.get_mut(&key(node, pod_uid)) else { return Fate::Lives };
        let before = entry.facts.clone();
        change(entry);
        entry.oom_killed |= entry.facts.memory_limit.is_some_and(|limit| entry.facts.memory_current > limit);
        let fate = if entry.oom_killed { Fate::Killed } else { Fate::Lives };
        if before != entry.facts {
            // Under the lock: an older write that comes later would bring back what has ended.
            self.write(node, pod_uid, Some(&before), Some(&entry.facts));
        }
        table.tell(pod_uid, table.entries.get(&key(node, pod_uid)));
        fate
    }

    /// The kernel ends the process in a Pod for its memory, as where something else in its container takes all of it. False where none runs.
    pub(crate) fn run_out(&self, pod: &ObjectKey) -> bool {
        let mut table = self.lock();
        let Some(key) = table.by_pod.get(pod).cloned() else { return false };
        let Some(entry) = table.entries.get_mut(&key) else { return false };
        entry.oom_killed = true;
        entry.vmm.as_ref().map(Vmm::kill).is_some()
    }

    /// A process has ended; says whether the kernel killed it for its memory.
    pub(super) fn ended(&self, node: &str, pod_uid: &str) -> bool {
        let mut table = self.lock();
        let Some(entry) = table.entries.remove(&key(node, pod_uid)) else { return false };
        if table.by_pod.get(&entry.pod).is_some_and(|(_, uid)| uid == pod_uid) {
            table.by_pod.remove(&entry.pod);
        }
        self.write(node, pod_uid, Some(&entry.facts), None);
        table.tell(pod_uid, None);
        entry.oom_killed
    }

    fn write(&self, node: &str, pod_uid: &str, before: Option<&HostFacts>, after: Option<&HostFacts>) {
        let Some(tree) = &self.tree else { return };
        if let Err(error) = tree.update(node, pod_uid, before, after) {
            tracing::error!(%error, node, pod_uid, "host tree not written");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(node: &str, pod_uid: &str) -> Key {
    (node.to_owned(), pod_uid.to_owned())
}

/// Takes over what a process shows of itself.
fn show(facts: &mut HostFacts, view: &VmmView, before: Option<&VmmView>) {
    facts.memory_current = Bytes(view.resident_bytes);
    if before.is_some_and(|before| before.vcpu_threads == view.vcpu_threads) {
        return;
    }
    let own = [(0, "cloud-hyperviso"), (1, "vmm"), (2, "http-server")];
    let own = own.map(|(offset, name)| (facts.pid.saturating_add(offset), name.to_owned()));
    let vcpus = view.vcpu_threads.iter().map(|(ordinal, vcpu)| {
        (facts.pid.saturating_add(FIRST_VCPU_THREAD).saturating_add(*ordinal), format!("vcpu{vcpu}"))
    });
    facts.threads = Arc::new(own.into_iter().chain(vcpus).collect());
}
