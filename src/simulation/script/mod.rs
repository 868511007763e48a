//! A script: what people, the world and chance do to a simulation, each at its time. One line of text for each deed.
//!
//! Plain data. It is made from a seed, kept in `tests/seeds` where it once failed, and made smaller by leaving deeds out.

mod deed;
mod scenario;
mod text;
mod wild;

use reef_api::{Bytes, MilliCpu};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

pub use deed::{Change, Crash, Deed, GuestWays, KubeletWays, Moment, Sky, VmmWays, Wanted};
pub use scenario::Scale;
pub use text::ScriptError;

/// How VMs that start on a node are given more memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hotplug {
    /// By virtio-mem, as Reef's own launcher does.
    #[default]
    VirtioMem,
    /// By DIMMs, which a launcher of another make may have booted with: such a VM can never give memory back.
    Dimms,
}

impl Hotplug {
    fn is_usual(&self) -> bool {
        *self == Self::VirtioMem
    }
}

/// A node of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSize {
    /// What Pods can have of it.
    pub cpu: MilliCpu,
    /// The same.
    pub memory: Bytes,
    /// How VMs on it grow.
    #[serde(default, skip_serializing_if = "Hotplug::is_usual")]
    pub hotplug: Hotplug,
}

/// Who refuses a size beyond a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Refuser {
    /// The kubelet, as up to Kubernetes 1.35.
    Kubelet,
    /// The API server, as from 1.36 on.
    Admission,
}

/// What is there before the first deed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ground {
    /// The nodes; they are called `node-1` and on.
    pub nodes: Vec<NodeSize>,
    /// Who refuses a size beyond a node.
    pub refuser: Refuser,
    /// When everything that is still wrong is mended, and nothing goes wrong any more.
    pub mended_after_ms: u64,
}

/// A deed and when it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// Since the world began.
    pub at: Duration,
    /// What is done.
    pub deed: Deed,
}

/// Everything that decides a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// What is left to chance follows from it: delays, ids, how a guest acts.
    pub seed: u64,
    /// What is there before the first deed.
    pub ground: Ground,
    /// The deeds, in order.
    pub deeds: Vec<Timed>,
}

impl Script {
    /// Names of the VMs that any commit states.
    pub fn vms(&self) -> BTreeSet<String> {
        let changes = self.deeds.iter().flat_map(|timed| timed.deed.changes());
        changes.map(|change| change.vm.clone()).collect()
    }

    /// The same without one VM.
    #[must_use]
    pub fn without_vm(&self, name: &str) -> Self {
        let deeds = self.deeds.iter().filter_map(|timed| {
            let deed = timed.deed.without_vm(name)?;
            Some(Timed { at: timed.at, deed })
        });
        Self { deeds: deeds.collect(), ..self.clone() }
    }
}
