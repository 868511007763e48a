//! `VirtualMachine.spec`: the schema of ch-vmm's `cloudhypervisor.quill.today/v1beta1`, and what Reef adds to it.
//!
//! Raw words: nothing here is checked beyond its shape; `validate` is where a spec becomes a `Vm`.
//! Fields that Reef does not read are kept as they are (`x-kubernetes-preserve-unknown-fields`), except under `cpu`,
//! `memory` and `resources`, where a misspelt field would silently resize nothing.

#![allow(clippy::duplicated_attributes, reason = "each printer column repeats the same attribute names")]

use crate::units::Bytes;
use crate::vm::VirtualMachineStatus;
use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A virtual machine that can be resized while it runs.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cloudhypervisor.quill.today",
    version = "v1beta1",
    kind = "VirtualMachine",
    namespaced,
    status = "VirtualMachineStatus",
    shortname = "vm",
    category = "reef",
    derive = "PartialEq",
    derive = "Default",
    selectable = ".status.nodeName",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Node", type_ = "string", json_path = ".status.nodeName"),
    printcolumn(name = "CPU", type_ = "integer", json_path = ".status.vmm.vcpusPresent"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".status.vmm.memoryActual"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct VirtualMachineSpec {
    /// The machine itself.
    pub instance: Instance,
    /// When the VM runs. `Once` when absent, as ch-vmm has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_policy: Option<RunPolicy>,
    /// The VMM that runs the VM; another one counts from the next start. `CloudHypervisor` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmm: Option<VmmKind>,
    /// Resources of the Pod's container `vm-manager`: no less than the size and the overhead of the VM's policy. Size and overhead when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Nodes that the Pod may run on, by label. Any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Affinity of the Pod, as Kubernetes has it. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Tolerations of the Pod, as Kubernetes has them. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Volumes that disks refer to by name. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<Volume>>,
    /// Networks of the guest. Not supported yet: refused where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub networks: Option<Value>,
    /// Probe of the Pod's container. Not supported yet: refused where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub liveness_probe: Option<Value>,
    /// Probe of the Pod's container. Not supported yet: refused where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub readiness_probe: Option<Value>,
}

/// The schema of what is taken as it comes, because it is refused with its name instead of with its shape.
fn any(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "nullable": true, "x-kubernetes-preserve-unknown-fields": true })
}

/// The machine: processors, memory, kernel and devices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Instance {
    /// Processors. One vCPU when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// Memory. 1Gi when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Kernel to boot directly. Cloud Hypervisor needs one; QEMU starts from its first disk when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
    /// Disks, by the names of volumes; the guest sees them in this order. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<Vec<Disk>>,
    /// Network interfaces. Not supported yet: refused where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub interfaces: Option<Value>,
    /// Shared file systems. Not supported yet: refused where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub file_systems: Option<Value>,
    /// Devices that are passed through. Not supported yet: refused where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub gpus: Option<Value>,
    /// Persistent memory. Not supported yet: refused where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub pmem: Option<Value>,
}

/// Processors: `sockets * coresPerSocket` vCPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// Number of sockets, 1 or more. 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<i32>,
    /// Cores of each socket, 1 or more. 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores_per_socket: Option<i32>,
    /// Whether each vCPU gets a CPU of its own. Where it is true, the number of vCPUs is fixed at boot. It does not when absent.
    #[serde(default, rename = "dedicatedCPUPlacement", skip_serializing_if = "Option::is_none")]
    pub dedicated_cpu_placement: Option<bool>,
    /// Fewest vCPUs that the VM can have while it runs, 1 or more and no more than its vCPUs; fixed at boot. The policy's `boot.min.vcpus` when absent, else 1,
    /// and with QEMU or dedicated CPUs its vCPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i32>,
    /// Most vCPUs that the VM can have while it runs, no fewer than its vCPUs; fixed at boot. The policy's `boot.max.vcpus` when absent, else twice its vCPUs
    /// within the policy's bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i32>,
}

/// Memory of the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Size in bytes; a multiple of 128Mi, the block in which Linux plugs memory. 1Gi when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// Huge pages that back the memory. Not supported yet: refused where it is stated, because Kubernetes cannot resize them in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugepages: Option<Hugepages>,
    /// Least memory that the VM can have while it runs, in bytes: a multiple of 128Mi, no more than the size; fixed at boot. Below the size it needs a
    /// guest with virtio-mem. The policy's `boot.min.memory` when absent, else the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Bytes>,
    /// Most memory that the VM can have while it runs, in bytes: a multiple of 128Mi, no less than the size; fixed at boot. The policy's `boot.max.memory`
    /// when absent, else five times the size within the policy's bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Bytes>,
}

/// Huge pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hugepages {
    /// `2Mi` or `1Gi`. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<String>,
}

/// A kernel from an image, with its command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kernel {
    /// Image that holds the kernel: its entrypoint copies the kernel to the path that is its one argument.
    pub image: String,
    /// Command line of the kernel.
    pub cmdline: String,
    /// When to pull the image: `Always`, `IfNotPresent` or `Never`. Kubernetes' own rule when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Initial RAM file system of the kernel. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initramfs: Option<Initramfs>,
}

/// An initial RAM file system from an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Initramfs {
    /// Image that holds it: its entrypoint copies it to the path that is its one argument.
    pub image: String,
    /// When to pull the image: `Always`, `IfNotPresent` or `Never`. Kubernetes' own rule when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
}

/// A disk of the VM: the name of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// Name of the volume.
    pub name: String,
    /// Whether the guest may only read it. It may write when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// How the volume holds the disk. It is never guessed, because a guest can write what a guess would read. `raw` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DiskFormat>,
}

/// How a file or a device holds a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    /// Byte for byte.
    #[default]
    Raw,
    /// QEMU's format, without a backing file.
    Qcow2,
}

/// A volume: its name, and beside it what is behind it, in ch-vmm's words: `containerDisk`, `containerRootfs` or `persistentVolumeClaim`. Other kinds are
/// refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Volume {
    /// Name that disks refer to.
    pub name: String,
    /// Everything else of the volume.
    #[serde(flatten)]
    #[schemars(skip)]
    pub kind: BTreeMap<String, Value>,
}

/// When a VM runs (ch-vmm's words).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunPolicy {
    /// A VM that ended is started again, however it ended.
    Always,
    /// Started again when it failed, not when the guest shut down.
    RerunOnFailure,
    /// Started once.
    #[default]
    Once,
    /// Started and stopped by hand: Reef keeps what runs and starts nothing.
    Manual,
    /// Does not run.
    Halted,
}

impl RunPolicy {
    /// Whether a VM that is stopped for a new start is started again by itself.
    pub const fn restarts(self) -> bool {
        matches!(self, Self::Always | Self::RerunOnFailure)
    }
}

/// The kind of VMM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VmmKind {
    /// Cloud Hypervisor.
    #[default]
    CloudHypervisor,
    /// QEMU.
    #[serde(rename = "QEMU")]
    Qemu,
}
