//! Simulated VMMs behind real sockets in the folders of simulated nodes, for real daemons to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use reef_api::{BootLayout, Bytes};
use reef_sim::node::host_tree::HostTree;
use reef_sim::node::{HostFacts, PodView};
use reef_sim::vmm::socket::Endpoint;
use reef_sim::vmm::{Machine, VmConfig, Vmm, VmmTimings};
use tokio::time::Instant;

/// What every container calls itself.
pub const CONTAINER: &str = "0";
/// The first process id; they are the simulation's own and mean nothing to the machine.
const FIRST_PID: u32 = 100_000;

/// The VMMs of all nodes; each belongs to a Pod and runs as long as this process.
pub struct Vmms {
    tree: HostTree,
    begun: Instant,
    started: BTreeSet<String>,
    running: Vec<Vmm>,
}

impl Vmms {
    /// None yet, on nodes with these names below a folder.
    pub fn on(folder: PathBuf, nodes: &[String]) -> anyhow::Result<Self> {
        let tree = HostTree::new(folder);
        for node in nodes {
            tree.make_node(node).with_context(|| format!("the folders of {node}"))?;
        }
        Ok(Self { tree, begun: Instant::now(), started: BTreeSet::new(), running: Vec::new() })
    }

    /// Boots what a Pod's container says, once.
    pub fn start(&mut self, pod: &Pod) -> anyhow::Result<()> {
        let uid = pod.uid().context("a Pod of the cluster has a uid")?;
        if !self.started.insert(uid.clone()) {
            return Ok(());
        }
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).context("it is bound")?;
        let view = PodView::parse(&serde_json::to_value(pod)?);
        let layout = view.vmm_container().context("it has a container for a VMM")?.layout()?;
        let now = self.begun.elapsed();
        let machine = Machine::booted(config(&layout), VmmTimings::default(), 1, now);
        let machine = machine.map_err(|refusal| anyhow!("the VM could not boot: {refusal}"))?;
        let pid = FIRST_PID + u32::try_from(self.running.len())?;
        self.tree.make_volume(&node, &uid)?;
        self.tree.update(&node, &uid, None, Some(&facts(pid, &layout, pod)))?;
        let vmm = Vmm::start(machine, pid, Duration::from_millis(1), self.begun, None);
        Endpoint::new(vmm.clone()).listen(&self.tree.socket(&node, &uid))?;
        self.running.push(vmm);
        Ok(())
    }
}

fn config(layout: &BootLayout) -> VmConfig {
    VmConfig::elastic(
        layout.vcpus.get(),
        layout.max_vcpus.get(),
        layout.memory.get(),
        layout.min_memory.get(),
        layout.max_memory.get(),
    )
}

fn facts(pid: u32, layout: &BootLayout, pod: &Pod) -> HostFacts {
    let threads: BTreeMap<u32, String> =
        (0..layout.vcpus.get()).map(|number| (pid + 1 + number, format!("vcpu{number}"))).collect();
    let class = pod.status.as_ref().and_then(|status| status.qos_class.as_deref());
    HostFacts {
        pid,
        start_time: 1,
        container_id: CONTAINER.to_owned(),
        guaranteed: class == Some("Guaranteed"),
        threads: Arc::new(threads),
        memory_limit: None,
        memory_current: Bytes(0),
        cpu_quota: None,
    }
}
