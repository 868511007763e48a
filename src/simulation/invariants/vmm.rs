//! The true state of a VMM process and its cgroup, and what may change in it.

use super::facts::Amounts;
use super::{Invariant, State};
use reef_api::{Bytes, MilliCpu, Size, Vcpus};
use reef_sim::node::HostFacts;
use reef_sim::vmm::{Layout, VmmView};
use std::time::Duration;
use tokio::time::Instant;

/// How far below what was granted a VMM may be asked for memory: a shrink that is stuck goes on when another size is asked for.
const NUDGE: Bytes = Bytes(128 << 20);
/// How far above: a granule, of memory that the guest still has. That its Pod covers it is the first invariant's to say.
const NUDGE_UP: Bytes = Bytes(2 << 20);
/// What a guest came to use so short a time ago may not have been seen by who asked for less: a request can take that long on its way.
const UNSEEN: Duration = Duration::from_secs(60);
/// How often a VM may turn from growing to shrinking or back under one generation: a wish that is taken back, and a guest that is helped on.
const TURNS: u32 = 6;

/// A VMM that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    pub(super) requested: Size,
    pub(super) actual: Size,
    pub(super) limits: Amounts,
    pub(super) uses: Bytes,
    current: Bytes,
    oom_kills: u32,
    pub(super) layout: Option<Layout>,
    pub(super) out_of_bounds: u32,
    boot: u64,
    since: Instant,
    least_use: Bytes,
    turns: Turns,
}

/// In which direction memory was asked for last, and how often that changed under one generation.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    generation: i64,
    grows: bool,
    count: u32,
}

impl Running {
    pub(super) fn new(facts: &HostFacts, view: &VmmView) -> Self {
        Self {
            pid: facts.pid,
            requested: Size::new(Vcpus(view.vcpus_requested), Bytes(view.memory_requested_bytes)),
            // What the guest really has: of DIMMs `vm.info` tells the last wish.
            actual: Size::new(Vcpus(view.vcpus_present), Bytes(view.guest.memory_bytes)),
            limits: Amounts {
                cpu: facts.cpu_quota.unwrap_or(MilliCpu(u64::MAX)),
                memory: facts.memory_limit.unwrap_or(Bytes(u64::MAX)),
            },
            uses: Bytes(view.guest.used_bytes),
            current: facts.memory_current,
            oom_kills: view.guest.oom_kills,
            layout: view.layout,
            out_of_bounds: view.out_of_bounds,
            boot: view.guest.boot_id,
            since: Instant::now(),
            least_use: Bytes(view.guest.used_bytes),
            turns: Turns::default(),
        }
    }

    /// The most that it was asked for or has.
    pub(super) fn held(&self) -> Size {
        self.requested.max(self.actual)
    }

    /// What its guest used at least during the last minute.
    fn remember(&mut self, before: &Self) {
        self.turns = before.turns;
        if before.uses == self.uses || before.since.elapsed() < UNSEEN {
            self.since = before.since;
            self.least_use = before.least_use.min(self.uses);
        }
        if self.since.elapsed() >= UNSEEN {
            (self.since, self.least_use) = (Instant::now(), self.uses);
        }
    }
}

impl State {
    /// A VMM has started, or something about it has changed.
    pub(super) fn check_vmm(&mut self, pod_uid: &str, vm: Option<&str>, before: Option<&Running>) {
        let Some(mut now) = self.running.get(pod_uid).cloned() else { return };
        match before.filter(|before| before.pid == now.pid) {
            None => self.check_only_one(pod_uid, vm),
            Some(before) => {
                now.remember(before);
                self.check_asked(pod_uid, vm, before, &mut now);
                self.check_bounds(vm, before, &now);
                self.check_killed(vm, before, &now);
                self.running.insert(pod_uid.to_owned(), now);
            }
        }
    }

    /// Two processes of one VM would write to one disk.
    fn check_only_one(&mut self, pod_uid: &str, vm: Option<&str>) {
        let Some(vm) = vm else { return };
        let other = self
            .running
            .keys()
            .find(|uid| *uid != pod_uid && self.pods.get(*uid).is_some_and(|pod| pod.vm.as_deref() == Some(vm)));
        if let Some(other) = other {
            let told = format!("a VMM starts in Pod {pod_uid} while the one in Pod {other} still runs");
            self.fail(Invariant::Life, Some(vm), told);
        }
    }

    /// A request of a role has changed what the VMM is asked for.
    fn check_asked(&mut self, pod_uid: &str, vm: Option<&str>, before: &Running, now: &mut Running) {
        let (old, new) = (before.requested, now.requested);
        if old == new {
            return;
        }
        if old.vcpus != new.vcpus && old.memory != new.memory {
            self.fail(Invariant::SingleFlight, vm, format!("one request asks for both: {old} became {new}"));
        }
        let acked = vm.and_then(|name| self.vms.get(name)).and_then(|vm| vm.report.as_ref());
        let acked = acked.filter(|report| report.pod_uid == pod_uid).map(|report| report.ack);
        let acked = acked.or_else(|| self.last_acks.get(pod_uid).copied());
        let granted = acked.and_then(|ack| self.grants.get(pod_uid)?.get(&ack).copied());
        let Some(granted) = granted else {
            self.fail(Invariant::Identity, vm, format!("the VMM is asked for {new} and no grant is acknowledged"));
            return;
        };
        let beyond = (new.vcpus > old.vcpus && new.vcpus > granted.vcpus)
            || (new.memory > old.memory && new.memory > granted.memory.saturating_add(NUDGE_UP));
        if beyond {
            self.fail(Invariant::GrowOrder, vm, format!("the VMM is asked for {new}, and {granted} is granted"));
        }
        let below = (new.vcpus < old.vcpus && new.vcpus < granted.vcpus)
            || (new.memory < old.memory && new.memory.saturating_add(NUDGE) < granted.memory);
        if below {
            self.fail(Invariant::ShrinkOrder, vm, format!("the VMM is asked for {new}, and {granted} is granted"));
        }
        if new.memory < old.memory && new.memory < before.actual.memory {
            self.check_gate(vm, new.memory, now);
        }
        self.check_turns(vm, old, new, now);
    }

    /// Memory is asked back: what the guest has used all the last minute must fit into what it is to keep.
    fn check_gate(&mut self, vm: Option<&str>, left: Bytes, now: &Running) {
        if now.least_use > left {
            let used = now.least_use;
            self.fail(Invariant::ShrinkOrder, vm, format!("memory is asked back to {left}, and the guest uses {used}"));
        }
    }

    fn check_turns(&mut self, vm: Option<&str>, old: Size, new: Size, now: &mut Running) {
        let generation = vm.and_then(|name| self.vms.get(name)).map_or(0, |vm| vm.generation);
        // A nudge asks for nothing else than before: the guest is to look once more.
        if old.memory.get().abs_diff(new.memory.get()) < NUDGE.get() {
            return;
        }
        let grows = new.memory > old.memory;
        let turns = &mut now.turns;
        if turns.generation != generation {
            *turns = Turns { generation, grows, count: 0 };
        } else if turns.grows != grows {
            *turns = Turns { generation, grows, count: turns.count + 1 };
        }
        if turns.count > TURNS {
            let told = format!("its memory was grown and shrunk in turn {} times under one spec", turns.count);
            self.fail(Invariant::Flapping, vm, told);
        }
    }

    /// The guest's own OOM killer, or the cgroup's.
    fn check_killed(&mut self, vm: Option<&str>, before: &Running, now: &Running) {
        let meddled = self.is_meddled(vm);
        if now.current > now.limits.memory && !meddled {
            let told = format!("the cgroup holds {} and its limit is {}", now.current, now.limits.memory);
            self.fail(Invariant::Life, vm, told);
        }
        // A process that has just asked for more than there is ends by its own doing; one that is robbed does not.
        let robbed = now.oom_kills > before.oom_kills
            && now.boot == before.boot
            && now.actual.memory < before.actual.memory.max(before.least_use)
            && before.least_use > now.actual.memory;
        if robbed && !meddled {
            let told = format!("the guest used {} and was left with {}", before.least_use, now.actual.memory);
            self.fail(Invariant::ShrinkOrder, vm, told);
        }
    }
}
