//! Starting the container of a VM: what its arguments say is booted, and its socket appears.
//!
//! Plays the container runtime and the launcher inside; must not decide about sizes.

use std::path::PathBuf;
use std::sync::Arc;

use rand::RngExt;
use reef_api::{BootLayout, VmmKind};
use tokio::time::Instant;

use super::Kubelet;
use super::status::is_guaranteed;
use super::worker::Worker;
use crate::node::host::{HostFacts, TICKS_PER_SECOND};
use crate::node::host_tree::socket_path;
use crate::node::pod::ContainerView;
use crate::vmm::socket::Endpoint;
use crate::vmm::{HotplugMethod, Machine, Observer, VmConfig, Vmm};

impl Kubelet {
    /// Starts the VMM that a container's arguments describe.
    ///
    /// # Errors
    /// What the launcher would print before it ends.
    pub(super) fn launch(&self, worker: &Worker, container: &ContainerView) -> Result<Vmm, String> {
        let layout = container.layout().map_err(|error| error.to_string())?;
        if layout.vmm == VmmKind::Qemu {
            return Err("this cluster boots Cloud Hypervisor alone, and the layout asks for QEMU".to_owned());
        }
        let now = Instant::now().saturating_duration_since(self.start);
        let seed = self.rng().random();
        let mut machine = Machine::booted(config(&layout, self.node.hotplug), self.vmm_timings.clone(), seed, now)
            .map_err(|refusal| format!("the VM could not boot: {refusal}"))?;
        machine.hypervisor_mut().set_version(&self.node.vmm_version);
        let vmm = self.start_process(worker, machine, now);
        self.open_socket(worker, vmm.clone());
        Ok(vmm)
    }

    fn start_process(&self, worker: &Worker, machine: Machine, now: std::time::Duration) -> Vmm {
        let (node, uid, pod) = (self.node.name.clone(), worker.pod.uid.clone(), worker.pod.key.clone());
        let limits = worker.containers.iter().find(|it| it.name == reef_api::names::VMM_CONTAINER);
        let limits = limits.map(|container| container.actual.limits).unwrap_or_default();
        let pid = self.hosts.next_pid();
        let ticks = now.as_millis().saturating_mul(u128::from(TICKS_PER_SECOND)) / 1_000;
        let facts = HostFacts {
            pid,
            start_time: u64::try_from(ticks).unwrap_or(u64::MAX),
            container_id: container_id(worker),
            guaranteed: is_guaranteed(worker),
            threads: Arc::default(),
            memory_limit: limits.memory,
            memory_current: reef_api::Bytes(0),
            cpu_quota: limits.cpu,
        };
        self.hosts.started(&node, &uid, pod.clone(), facts, machine.view());
        let (hosts, checker) = (self.hosts.clone(), self.checker.clone());
        let (place, id) = (node.clone(), uid.clone());
        let observer: Observer = Arc::new(move |view| {
            let fate = hosts.observe(&place, &id, view);
            checker.check_pod(&pod);
            fate
        });
        let vmm = Vmm::start(machine, pid, self.vmm_timings.request, self.start, Some(observer));
        self.hosts.attach(&node, &uid, vmm.clone());
        vmm
    }

    /// The socket is there a moment after the process: in memory, and on disk where the node has a folder.
    fn open_socket(&self, worker: &Worker, vmm: Vmm) {
        let (net, delay) = (self.net.clone(), self.vmm_timings.start);
        let path = PathBuf::from(socket_path(&worker.pod.uid));
        let real = self.hosts.tree().map(|tree| tree.socket(&self.node.name, &worker.pod.uid));
        tokio::spawn(async move {
            let ended = vmm.ended();
            tokio::select! {
                biased;
                () = ended.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
            net.bind(&path, vmm.clone());
            if let Some(real) = real
                && let Err(error) = Endpoint::new(vmm).listen(&real)
            {
                tracing::error!(%error, path = %real.display(), "VMM socket not made");
            }
        });
    }

    /// Makes the Pod's volume on disk, before anything runs in it.
    pub(super) fn make_volume(&self, worker: &Worker) {
        if let Some(tree) = self.hosts.tree()
            && let Err(error) = tree.make_volume(&self.node.name, &worker.pod.uid)
        {
            tracing::error!(%error, pod = %worker.pod.key, "volume not made");
        }
    }

    /// Removes what is left of a Pod on the host.
    pub(super) fn remove_volume(&self, worker: &Worker) {
        self.net.unbind(&PathBuf::from(socket_path(&worker.pod.uid)));
        if let Some(tree) = self.hosts.tree()
            && let Err(error) = tree.remove_pod(&self.node.name, &worker.pod.uid)
        {
            tracing::error!(%error, pod = %worker.pod.key, "volume not removed");
        }
    }
}

fn config(layout: &BootLayout, hotplug: HotplugMethod) -> VmConfig {
    let elastic = VmConfig::elastic(
        layout.vcpus.get(),
        layout.max_vcpus.get(),
        layout.memory.get(),
        layout.min_memory.get(),
        layout.max_memory.get(),
    );
    match hotplug {
        HotplugMethod::VirtioMem => elastic,
        HotplugMethod::Acpi => elastic.with_dimms(),
    }
}

fn container_id(worker: &Worker) -> String {
    let of_vmm = worker.containers.iter().find(|it| it.name == reef_api::names::VMM_CONTAINER);
    of_vmm.map(|container| container.id.clone()).unwrap_or_default()
}
