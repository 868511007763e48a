//! The files of a story's repository: policies and VMs as a person would write them, sized for a small machine.

use reef_api::Size;

use reef_real::stage::images::{INITRAMFS, KERNEL};

/// How the kernel of the guest is started: what is plugged while it runs can be taken away again.
const CMDLINE: &str = "console=ttyS0 memhp_default_state=online_movable quiet panic=-1";

/// A VM of a story.
#[derive(Clone, Copy, Debug)]
pub struct VmFile {
    /// Its name.
    pub name: &'static str,
    /// Its size at first.
    pub size: Size,
    /// When it runs.
    pub run_policy: &'static str,
    /// A word more on the kernel's command line.
    pub argument: &'static str,
}

impl VmFile {
    /// A VM that always runs.
    pub const fn new(name: &'static str, size: Size) -> Self {
        Self { name, size, run_policy: "Always", argument: "" }
    }

    /// Where it is in the repository.
    pub fn path(&self) -> String {
        format!("vms/{}.yaml", self.name)
    }

    /// Its manifest: QEMU, between one and four vCPUs and between 256Mi and 2Gi.
    pub fn text(&self) -> String {
        let Self { name, size, run_policy, argument } = self;
        format!(
            r#"apiVersion: cloudhypervisor.quill.today/v1beta1
kind: VirtualMachine
metadata:
  name: {name}
spec:
  runPolicy: {run_policy}
  vmm: QEMU
  instance:
    cpu:
      sockets: 1
      coresPerSocket: {vcpus}
      min: 1
      max: 4
    memory:
      size: {memory}
      min: 256Mi
      max: 2Gi
    kernel:
      image: {KERNEL}
      imagePullPolicy: Never
      initramfs:
        image: {INITRAMFS}
        imagePullPolicy: Never
      cmdline: "{CMDLINE} {argument}"
    disks:
      - name: orders
        readOnly: true
  volumes:
    - name: orders
      persistentVolumeClaim:
        claimName: {name}
"#,
            vcpus = size.vcpus,
            memory = size.memory,
        )
    }
}

/// A policy that lets several VMs share the node's CPUs.
pub fn policy(overcommit: u32) -> String {
    format!(
        r#"apiVersion: reef.dev/v1alpha1
kind: SizingPolicy
metadata:
  name: default
spec:
  cpuOvercommit: "{overcommit}"
  overhead: 256Mi
"#
    )
}
