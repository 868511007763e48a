//! VMs with their Pods and VMMs, and what is suspended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::VmKey;
use crate::size::{PodSize, Size};
use crate::vm::{BootStatus, Limitation, RunPolicy, VmmKind};

/// A VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmFacts {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `NAMESPACE/NAME` of the GitSource that applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What its spec asks for.
    pub size: Size,
    /// The size that it was promised last; policies hold a change against it. What its spec asks for where it has never run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Size>,
    /// When its spec says that it runs; not told in snapshots of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_policy: Option<RunPolicy>,
    /// Labels, by which policies select it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Pod size that a person states; the Pod is never below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated: Option<PodSize>,
    /// The Pod that it runs in, or is about to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<VmPodFacts>,
    /// The VMM that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmm: Option<VmmFacts>,
    /// That it is suspended, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<SuspensionFacts>,
}

/// A VM's Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmPodFacts {
    /// Node that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What its spec wishes.
    pub wish: PodSize,
    /// What the kubelet has set aside; the wish where it has told nothing.
    pub allocated: PodSize,
}

/// A VM's VMM, by its daemon's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmmFacts {
    /// The kind that its spec names.
    pub kind: VmmKind,
    /// Version that it tells of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it booted with.
    pub boot: BootStatus,
    /// What it cannot do while the VM runs, within what it booted with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitations: Vec<Limitation>,
    /// What the guest has.
    pub actual: Size,
}

/// A suspension, as the controller tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspensionFacts {
    /// Who suspended it, until when, and why, in words.
    pub told: String,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

/// A GitSource that is suspended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspendedSource {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The suspension.
    pub suspended: SuspensionFacts,
}

impl VmFacts {
    /// Namespace and name.
    pub fn key(&self) -> VmKey {
        VmKey::new(&self.namespace, &self.name)
    }

    /// The size that policies hold a change against.
    pub fn accepted(&self) -> Size {
        self.promised.unwrap_or(self.size)
    }
}

impl VmmFacts {
    /// Whether a size can be reached without a restart: it lies within what the VM booted with, and the VMM can do it.
    pub fn allows(&self, size: Size) -> bool {
        self.boot.allows(size) && !self.hinders(size)
    }

    /// Whether the VMM itself keeps a size from the VM while it runs.
    pub fn hinders(&self, size: Size) -> bool {
        !Limitation::all_allow(&self.limitations, self.actual, size)
    }
}
