//! Names that are part of the contract: API groups, labels, annotations, field managers, container and volume names.
//!
//! A name that a user or another program can see is written here once. No logic beyond building keys from parts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// API group of the VirtualMachine, which Reef shares with ch-vmm.
pub const VM_GROUP: &str = "cloudhypervisor.quill.today";
/// Served version of the VirtualMachine.
pub const VM_VERSION: &str = "v1beta1";
/// API group of Reef's own kinds.
pub const REEF_GROUP: &str = "reef.dev";
/// Served version of Reef's own kinds.
pub const REEF_VERSION: &str = "v1alpha1";

/// Group of the extended resources by which Pods ask for devices of their node.
pub const DEVICE_GROUP: &str = "devices.reef.dev";

/// What stands in the field `apiVersion` of Reef's own kinds and documents.
pub fn reef_api_version() -> String {
    format!("{REEF_GROUP}/{REEF_VERSION}")
}

/// Field manager of the controller: what Git states, and the controller's part of a status.
pub const CONTROLLER_MANAGER: &str = "reef-controller";
/// Field manager of the node daemon: `status.vmm` and nothing else.
pub const DAEMON_MANAGER: &str = "reef-daemon";
/// Field manager of what people ask for by the command line.
pub const CLI_MANAGER: &str = "reef-cli";

/// What the controller adds to the name of an account when it acts as that: the key of an extra of the user. Its value is [`CONTROLLER_MANAGER`]. By this
/// admission tells a write of Git's from one of the account's own.
pub const APPLIED_BY_EXTRA: &str = "reef.dev/applied-by";

/// Container of the VM's Pod that runs the VMM; the only one whose resources Reef changes.
pub const VMM_CONTAINER: &str = "vm-manager";
/// `emptyDir` volume of the VM's Pod in which the VMM's socket lives.
pub const VMM_VOLUME: &str = "vmm";
/// Where that volume is mounted in the container.
pub const VMM_MOUNT: &str = "/run/reef";
/// File name of the VMM's socket inside the volume.
pub const VMM_SOCKET: &str = "ch.sock";
/// Name of the socket on which QEMU speaks QMP, below [`VMM_MOUNT`]: the one that the daemon uses alone.
pub const QMP_SOCKET: &str = "qmp.sock";

/// `emptyDir` volume of the VM's Pod in which its kernel and initial RAM file system are put.
pub const KERNEL_VOLUME: &str = "reef-kernel";
/// Folder below which the volumes of kernel and disks are mounted, each under its name.
pub const VOLUMES_MOUNT: &str = "/mnt";
/// File name of the kernel inside its volume.
pub const KERNEL_FILE: &str = "vmlinux";
/// File name of the initial RAM file system inside the kernel's volume.
pub const INITRAMFS_FILE: &str = "initrd";

/// Label of a VM's Pod: the name of its VM.
pub const VM_LABEL: &str = "reef.dev/vm";
/// Annotation of a VM: the last commit that changed this VM.
pub const REVISION_ANNOTATION: &str = "reef.dev/revision";
/// Annotation of a VM: `NAMESPACE/NAME` of the GitSource that applied it.
pub const SOURCE_ANNOTATION: &str = "reef.dev/source";
/// Annotation of a VM: file and line in the repository, as `FILE:LINE`.
pub const ORIGIN_ANNOTATION: &str = "reef.dev/origin";
/// Annotation in a manifest: `"true"` lets Reef take over once, when it is first applied, what others own of the object.
pub const ADOPT_ANNOTATION: &str = "reef.dev/adopt";
/// Annotation of a VM or a GitSource: nothing that Git states is applied while it stands, until the time that it names. JSON, as
/// [`crate::suspension::Suspension`]; never stated in Git.
pub const SUSPENDED_ANNOTATION: &str = "reef.dev/suspended";
/// Annotation that marks `spec.resources` as filled in by a webhook, so that it counts as absent. It holds what was filled in: [`crate::filled`].
pub const FILLED_RESOURCES_ANNOTATION: &str = "reef.dev/filled-resources";
/// Annotation of a VM's Pod: the generation of the VM's spec that it was made for.
pub const GENERATION_ANNOTATION: &str = "reef.dev/generation";
/// Annotation of a VM: asks for a new start. A VM whose Pod was not made for its present value is started anew, where its run policy starts it by itself.
pub const RESTART_ANNOTATION: &str = "reef.dev/restart-requested-at";
/// Annotation of a VM: asks to try again now what was refused, deferred or given up. Each new value is taken up once.
pub const RETRY_ANNOTATION: &str = "reef.dev/retry-requested-at";
/// Annotation of a VM: asks to give up now what the guest has not followed with, and what its node has no room for. Each new value is taken up once.
pub const SETTLE_ANNOTATION: &str = "reef.dev/settle-requested-at";
/// Annotation that asks for a reconcile now; its value is echoed in the status (Flux' habit, kept).
pub const REQUESTED_AT_ANNOTATION: &str = "reconcile.reef.dev/requestedAt";

/// Namespace and name of a VirtualMachine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VmKey {
    /// Namespace of the VM.
    pub namespace: String,
    /// Name of the VM, unique in its namespace.
    pub name: String,
}

impl VmKey {
    /// Builds a key from its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for VmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
