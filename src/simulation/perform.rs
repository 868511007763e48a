//! How each deed is done to the world, and undone where it lasts.
//!
//! What would have to wait for a VMM is done by a task of its own, so that a VMM that is slow holds nobody up. Where there is nothing to do it to,
//! nothing happens.

use super::script::{Change, Crash, Deed, GuestWays, KubeletWays, VmmWays, Wanted};
use super::stage::Stage;
use super::tree::Tree;
use super::weather;
use reef_api::{Bytes, VmKey};
use reef_reconciler::source::FetchError;
use reef_sim::cluster::{Cluster, Cordon};
use reef_sim::node::Quirks;
use reef_sim::node::host_tree::socket_path;
use reef_sim::store::{DeleteOptions, ObjectKey, ResourceId};
use reef_sim::vmm::{Behaviour, CpuEject, Fault, FaultPlan, Machine, Plug, Pressed, Unplug, Vmm};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The namespace of every VM.
pub(super) const NAMESPACE: &str = "default";
/// What a guest uses when nothing happens in it.
const IDLE: Bytes = Bytes(100 << 20);
/// Beyond its boot size a guest of half a heart plugs or keeps so much.
const ONE: u64 = 1 << 30;

/// The end of a deed that lasts.
#[derive(Clone, Debug)]
pub(super) enum End {
    Git,
    Weather(u64),
    Kubelet(String, KubeletWays),
    Cordon(String),
    Vmm(ObjectKey),
    Pause(ObjectKey),
    Migration(ObjectKey),
    Guest(ObjectKey),
    Uses(ObjectKey),
    Socket(PathBuf, Vmm),
    Down(String),
    Second(String),
    Clock,
}

impl Stage {
    /// Does it.
    pub(super) fn perform(&mut self, deed: &Deed) {
        match deed {
            Deed::Commit { changes } => self.commit(changes),
            Deed::Revert => self.revert(),
            Deed::ForcePush => {
                self.inspector.rewritten();
                let _ = self.world.drop_last_commit();
                self.revert();
            }
            Deed::GitFails { lasts } => {
                let _ =
                    self.world.fail_git(|url| FetchError::Unreachable { url, detail: "connection refused".to_owned() });
                self.ends_after(*lasts, End::Git);
            }
            Deed::EditVm { vm, size } => self.edit_vm(vm, *size),
            Deed::EditPod { vm, size } => self.edit_pod(vm, *size),
            Deed::Ask { vm, request } => self.ask(vm, *request),
            Deed::DeleteVm { vm } => self.delete_vm(vm),
            Deed::DeletePod { vm } => self.on_pod(vm, |cluster, pod| drop(cluster.delete_pod(pod))),
            Deed::KillVmm { vm } => self.on_pod(vm, |cluster, pod| drop(cluster.kill_vmm(pod))),
            Deed::OomKill { vm } => {
                self.inspector.kills(vm);
                self.on_pod(vm, |cluster, pod| drop(cluster.oom_kill(pod)));
            }
            Deed::Weather { sky, of_thousand, seed, lasts } => {
                self.weather += 1;
                self.world.faults.set(weather::hook(*sky, *of_thousand, *seed));
                self.world.server.drop_watches();
                self.ends_after(*lasts, End::Weather(self.weather));
            }
            Deed::DropWatches => self.world.server.drop_watches(),
            Deed::Compact => self.world.cluster.store().compact(),
            Deed::Kubelet { node, ways, lasts } => {
                self.quirks.entry(node.clone()).or_default().insert(*ways);
                self.set_quirks(node);
                self.ends_after(*lasts, End::Kubelet(node.clone(), *ways));
            }
            Deed::Cordon { node, lasts } => {
                drop(self.world.cluster.cordon(node, Cordon::Closed));
                self.ends_after(*lasts, End::Cordon(node.clone()));
            }
            Deed::Kill { role, crash, down } => self.kill(role, *crash, *down),
            Deed::SecondDaemon { node, lasts } => {
                let name = format!("{node}-second");
                self.world.start_daemon_as(&name, node);
                self.ends_after(*lasts, End::Second(name));
            }
            Deed::ClockJumps { seconds, lasts } => {
                self.world.set_clock(*seconds);
                self.ends_after(*lasts, End::Clock);
            }
            Deed::Pause { .. }
            | Deed::Migrate { .. }
            | Deed::Vmm { .. }
            | Deed::Reboot { .. }
            | Deed::Guest { .. }
            | Deed::GuestUses { .. }
            | Deed::GuestDrops { .. }
            | Deed::SwapSocket { .. } => self.perform_on_vmm(deed),
        }
    }

    /// Does what is done to a VMM or its guest.
    fn perform_on_vmm(&mut self, deed: &Deed) {
        let Some(pod) = deed.vm().and_then(|vm| self.pod(vm)) else { return };
        match deed {
            Deed::Pause { vm, lasts } => {
                self.inspector.excuses(vm, "paused");
                self.on_machine(&pod, |machine| drop(machine.hypervisor_mut().pause()));
                self.ends_if(*lasts, End::Pause(pod));
            }
            Deed::Migrate { lasts, .. } => {
                self.on_machine(&pod, |machine| machine.hypervisor_mut().set_migrating(true));
                self.ends_after(*lasts, End::Migration(pod));
            }
            Deed::Vmm { ways, requests, lasts, .. } => {
                let only = matches!(ways, VmmWays::Overtaken(_)).then_some("vm.resize");
                let plan = FaultPlan { fault: fault(*ways), requests: Some(*requests), only };
                self.set_fault(&pod, Some(plan));
                self.ends_after(*lasts, End::Vmm(pod));
            }
            Deed::Reboot { .. } => self.on_machine(&pod, |machine| drop(machine.reboot())),
            Deed::Guest { vm, ways, lasts } => {
                let (behaviour, excuse) = behaviour(*ways);
                self.inspector.excuses(vm, excuse);
                self.on_machine(&pod, move |machine| machine.set_behaviour(behaviour));
                self.ends_if(*lasts, End::Guest(pod));
            }
            Deed::GuestUses { vm, mib, lasts } => {
                self.inspector.excuses(vm, "memory");
                let used = u64::from(*mib) << 20;
                self.on_machine(&pod, move |machine| machine.set_used(used));
                self.ends_after(*lasts, End::Uses(pod));
            }
            Deed::GuestDrops { vm, mib } => {
                self.inspector.excuses(vm, "memory");
                let dropped = u64::from(*mib) << 20;
                self.on_machine(&pod, move |machine| {
                    let memory = &mut machine.hypervisor_mut().memory;
                    memory.plugged = memory.plugged.saturating_sub(dropped);
                });
            }
            Deed::SwapSocket { other, lasts, .. } => self.swap(&pod, other, *lasts),
            _ => {}
        }
    }

    fn ends_if(&mut self, lasts: Option<u64>, end: End) {
        if let Some(lasts) = lasts {
            self.ends_after(lasts, end);
        }
    }

    /// Ends what lasted.
    pub(super) fn end(&mut self, end: End) {
        match end {
            End::Git => self.push("as it was", self.tree.clone()),
            End::Weather(number) if number == self.weather => {
                self.world.faults.clear();
                self.world.server.drop_watches();
            }
            End::Weather(_) => {}
            End::Kubelet(node, ways) => {
                self.quirks.entry(node.clone()).or_default().remove(&ways);
                self.set_quirks(&node);
            }
            End::Cordon(node) => drop(self.world.cluster.cordon(&node, Cordon::Open)),
            End::Vmm(pod) => self.set_fault(&pod, None),
            End::Pause(pod) => self.on_machine(&pod, |machine| drop(machine.hypervisor_mut().resume())),
            End::Migration(pod) => self.on_machine(&pod, |machine| machine.hypervisor_mut().set_migrating(false)),
            End::Guest(pod) => self.on_machine(&pod, |machine| machine.set_behaviour(Behaviour::default())),
            End::Uses(pod) => self.on_machine(&pod, |machine| machine.set_used(IDLE.get())),
            End::Socket(path, vmm) => {
                if !vmm.ended().is_cancelled() {
                    self.world.cluster.net().bind(&path, vmm);
                }
            }
            End::Down(role) => self.raise(&role),
            End::Second(name) => self.world.kill(&name),
            End::Clock => self.world.set_clock(0),
        }
    }

    /// Everything that is wrong ends now, except what was to stay so for ever; whoever is dead is started.
    pub(super) fn mend(&mut self) {
        self.inspector.note(None, || "everything is mended".to_owned());
        self.world.traps.clear();
        self.bury();
        for end in self.take_ends() {
            self.end(end);
        }
        for role in self.world.roles_of_all() {
            self.raise(&role);
        }
        self.world.faults.clear();
        self.world.server.drop_watches();
    }

    fn commit(&mut self, changes: &[Change]) {
        let beyond = changes.iter().filter(|change| matches!(change.to, Wanted::Beyond(_)));
        beyond.for_each(|change| self.inspector.excuses(&change.vm, "beyond"));
        let tree = self.tree.with(changes);
        self.before.push(std::mem::replace(&mut self.tree, tree.clone()));
        self.push("a change", tree);
    }

    fn revert(&mut self) {
        self.inspector.rewritten();
        let Some(tree) = self.before.pop().filter(|tree| tree.vms().next().is_some()) else { return };
        self.tree = tree.clone();
        self.push("a revert", tree);
    }

    fn push(&self, subject: &str, tree: Tree) {
        if let Ok(commit) = self.world.push(subject, &tree.files()) {
            self.inspector.pushed(&commit, tree.statement());
        }
    }

    /// The Pod in which a VM runs.
    fn pod(&self, vm: &str) -> Option<ObjectKey> {
        self.world.cluster.pod_of(&VmKey::new(NAMESPACE, vm))
    }

    fn on_pod(&self, vm: &str, act: impl FnOnce(&Cluster, &ObjectKey)) {
        if let Some(pod) = self.pod(vm) {
            act(&self.world.cluster, &pod);
        }
    }

    /// Changes a VMM as soon as it takes the change.
    fn on_machine(&self, pod: &ObjectKey, act: impl FnOnce(&mut Machine) + Send + 'static) {
        let (cluster, pod) = (Arc::clone(&self.world.cluster), pod.clone());
        tokio::spawn(async move { drop(cluster.change_vmm(&pod, act).await) });
    }

    fn set_fault(&self, pod: &ObjectKey, plan: Option<FaultPlan>) {
        let (cluster, pod) = (Arc::clone(&self.world.cluster), pod.clone());
        tokio::spawn(async move { drop(cluster.set_vmm_fault(&pod, plan).await) });
    }

    fn set_quirks(&self, node: &str) {
        let ways = self.quirks.get(node).cloned().unwrap_or_default();
        let quirks = Quirks {
            defers: ways.contains(&KubeletWays::Defers),
            infeasible: ways.contains(&KubeletWays::Refuses).then(|| "static CPU manager".to_owned()),
            stalls: ways.contains(&KubeletWays::Stalls),
            flaps: ways.contains(&KubeletWays::Flaps),
            keeps: ways.contains(&KubeletWays::KeepsMemory),
            frozen: ways.contains(&KubeletWays::Lost),
            restarting: ways.contains(&KubeletWays::Restarts),
        };
        let (cluster, node) = (Arc::clone(&self.world.cluster), node.to_owned());
        tokio::spawn(async move { drop(cluster.set_quirks(&node, quirks).await) });
    }

    fn delete_vm(&self, vm: &str) {
        self.inspector.deletes_vm(vm);
        let resource = ResourceId::new(reef_api::names::VM_GROUP, "virtualmachines");
        let key = ObjectKey::namespaced(resource, NAMESPACE, vm);
        if self.world.cluster.store().delete(&key, &DeleteOptions::default()).is_err() {
            self.inspector.spares_vm(vm);
        }
    }

    /// The socket of another VM in the place of a VM's own.
    fn swap(&mut self, pod: &ObjectKey, other: &str, lasts: u64) {
        let Some(theirs) = self.pod(other).filter(|other| other != pod) else { return };
        let hosts = self.world.cluster.hosts();
        let (Some((own, _)), Some((foreign, _))) = (hosts.vmm_of(pod), hosts.vmm_of(&theirs)) else { return };
        let Some(object) = self.world.cluster.store().get(pod) else { return };
        let path = PathBuf::from(socket_path(reef_sim::store::meta::uid(&object)));
        self.world.cluster.net().bind(&path, foreign);
        self.ends_after(lasts, End::Socket(path, own));
    }

    fn kill(&mut self, role: &str, crash: Crash, down: u64) {
        self.down.insert(role.to_owned(), down);
        match crash {
            Crash::Now => {
                self.world.kill(role);
                self.ends_after(down, End::Down(role.to_owned()));
            }
            Crash::Write { .. } | Crash::Resize { .. } => self.world.traps.set(role, crash),
        }
    }

    /// Roles that have died in traps stay down for their time.
    pub(super) fn bury(&mut self) {
        for role in self.world.traps.take_dead() {
            self.inspector.note(None, || format!("{role} dies"));
            self.world.kill(&role);
            let down = self.down.get(&role).copied().unwrap_or(0);
            self.ends_after(down, End::Down(role));
        }
    }

    /// Starts a role that is dead.
    pub(super) fn raise(&mut self, role: &str) {
        if self.world.runs(role) {
            return;
        }
        self.inspector.note(None, || format!("{role} starts"));
        if role == "controller" { self.world.start_controller() } else { self.world.start_daemon(role) }
    }
}

fn fault(ways: VmmWays) -> Fault {
    match ways {
        VmmWays::Slow(millis) => Fault::Slow(Duration::from_millis(millis.into())),
        VmmWays::Overtaken(millis) => Fault::Overtaken(Duration::from_millis(millis.into())),
        VmmWays::TooMany => Fault::TooManyRequests,
        VmmWays::Internal => Fault::Internal,
        VmmWays::HalfReply => Fault::HalfReply,
        VmmWays::LostReply => Fault::LostReply,
        VmmWays::Hangs => Fault::Hang,
        VmmWays::Garbage => Fault::Garbage,
    }
}

/// How such a guest behaves, and what it excuses.
fn behaviour(ways: GuestWays) -> (Behaviour, &'static str) {
    let usual = Behaviour::default();
    match ways {
        GuestWays::KeepsVcpus => (Behaviour { cpu_eject: CpuEject::Never, ..usual }, "vcpus"),
        GuestWays::OneVcpu => (Behaviour { cpu_eject: CpuEject::Only(1), ..usual }, "vcpus"),
        GuestWays::NeverPlugs => (Behaviour { plug: Plug::Never, ..usual }, "memory"),
        GuestWays::PlugsOne => (Behaviour { plug: Plug::UpTo(ONE), ..usual }, "memory"),
        GuestWays::NeverUnplugs => (Behaviour { unplug: Unplug::Never, ..usual }, "memory"),
        GuestWays::KeepsOne => (Behaviour { unplug: Unplug::DownTo(ONE), ..usual }, "memory"),
        GuestWays::NoDriver => (Behaviour { driver: false, ..usual }, "memory"),
        GuestWays::Kills => (Behaviour { pressed: Pressed::Kill, ..usual }, "memory"),
    }
}
