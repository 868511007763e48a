//! What a VM boots from, as a person who writes manifests of ch-vmm's schema meets it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reef_api::boot::{DiskFile, KernelFiles};
use reef_api::vm::DiskFormat;
use reef_api::{BootLayout, EffectivePolicy, Size, Vcpus, VirtualMachine, boot_layout, defaulted, validate};
use serde_json::{Value, json};

fn vm(spec: Value) -> VirtualMachine {
    serde_json::from_value(json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web-1", "namespace": "web"},
        "spec": spec
    }))
    .unwrap()
}

fn layout(spec: Value) -> BootLayout {
    boot_layout(&validate(&vm(spec), &EffectivePolicy::default()).unwrap())
}

fn messages(spec: Value) -> Vec<String> {
    validate(&vm(spec), &EffectivePolicy::default()).unwrap_err().iter().map(ToString::to_string).collect()
}

fn disk(name: &str, path: &str) -> DiskFile {
    DiskFile { name: name.to_owned(), path: path.to_owned(), format: DiskFormat::Raw, read_only: false }
}

#[test]
fn a_kernel_and_its_initramfs_are_two_files_of_one_volume() {
    let kernel = json!({"image": "kernel:6.1", "cmdline": "console=ttyS0", "initramfs": {"image": "initrd:6.1"}});
    let expected = KernelFiles {
        path: "/mnt/reef-kernel/vmlinux".to_owned(),
        initramfs: Some("/mnt/reef-kernel/initrd".to_owned()),
        cmdline: "console=ttyS0".to_owned(),
    };
    assert_eq!(layout(json!({"instance": {"kernel": kernel}})).kernel, Some(expected));
}

#[test]
fn each_source_of_a_disk_has_its_path_and_the_order_is_that_of_the_disks() {
    let layout = layout(json!({
        "instance": {"disks": [
            {"name": "block"}, {"name": "root"}, {"name": "data", "format": "qcow2", "readOnly": true}, {"name": "tools"}
        ]},
        "volumes": [
            {"name": "tools", "containerDisk": {"image": "tools:1", "imagePullPolicy": "Never"}},
            {"name": "root", "containerRootfs": {"image": "root:1", "size": "4Gi"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data-1"}},
            {"name": "block", "persistentVolumeClaim": {"claimName": "block-1", "volumeMode": "Block"}}
        ]
    }));
    let data = DiskFile { format: DiskFormat::Qcow2, read_only: true, ..disk("data", "/mnt/data/disk.img") };
    let expected =
        [disk("block", "/mnt/block"), disk("root", "/mnt/root/rootfs.raw"), data, disk("tools", "/mnt/tools/disk.raw")];
    assert_eq!(layout.disks, expected);
}

#[test]
fn what_is_not_started_yet_is_refused_by_its_name() {
    let spec = json!({
        "instance": {"interfaces": [{"name": "pod", "bridge": {}}], "gpus": [{"name": "a"}], "pmem": [], "fileSystems": [{"name": "b"}]},
        "networks": [{"name": "pod", "pod": {}}],
        "livenessProbe": {"exec": {}},
        "volumes": [{"name": "seed", "cloudInit": {"userData": "x"}}, {"name": "old", "memorySnapshot": {"bucket": "b"}}]
    });
    assert_eq!(
        messages(spec),
        [
            "spec.instance.interfaces is set, but the guest gets no network yet; leave interfaces out",
            "spec.instance.fileSystems is set, but file systems are not shared with guests yet; leave fileSystems out",
            "spec.instance.gpus is set, but devices are not passed through yet; leave gpus out",
            "spec.networks is set, but the guest gets no network yet; leave networks out",
            "spec.livenessProbe is set, but probes reach the VMM's container and not the guest; leave livenessProbe out",
            "spec.volumes is cloudInit (volume \"seed\"), but Reef makes no cloud-init disk yet; put the seed on a disk of its own",
            "spec.volumes is memorySnapshot (volume \"old\"), but Reef does not start a VM from that; use containerDisk, containerRootfs or persistentVolumeClaim",
        ]
    );
}

#[test]
fn disks_and_volumes_that_do_not_fit_together_are_named() {
    let spec = json!({
        "instance": {"disks": [{"name": "gone"}, {"name": "data"}, {"name": "data"}]},
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "a"}},
            {"name": "vmm", "persistentVolumeClaim": {"claimName": "b"}},
            {"name": "Root", "persistentVolumeClaim": {"claimName": "c", "hotpluggable": true}},
            {"name": "two", "persistentVolumeClaim": {"claimName": "d"}, "containerDisk": {"image": "e"}},
            {"name": "none"},
            {"name": "half", "containerRootfs": {"image": "f"}}
        ]
    });
    assert_eq!(
        messages(spec),
        [
            "spec.volumes is \"vmm\", but Reef's own volume has that name; rename the volume",
            "spec.volumes is \"Root\", but a volume's name is a DNS label of at most 51 characters; rename the volume",
            "spec.volumes is persistentVolumeClaim.hotpluggable (volume \"Root\"), but Reef plugs no disk into a running VM; leave hotpluggable out",
            "spec.volumes is containerDisk and persistentVolumeClaim (volume \"two\"), but a volume has exactly one source; state one source",
            "spec.volumes is without a source (volume \"none\"), but a volume has exactly one source; state one source",
            "spec.volumes is containerRootfs, of which missing field `size` (volume \"half\"), but that cannot be read; state the fields of its schema",
            "spec.instance.disks is \"gone\", but spec.volumes has no volume of that name; add the volume",
            "spec.instance.disks is \"data\", but two disks name that volume; remove one of them",
        ]
    );
}

#[test]
fn a_command_line_with_a_line_break_is_refused() {
    let kernel = json!({"image": "k", "cmdline": "quiet\nroot=/dev/vda"});
    let expected = r#"spec.instance.kernel.cmdline is "quiet\nroot=/dev/vda", but a command line is one line; remove the control characters"#;
    assert_eq!(messages(json!({"instance": {"kernel": kernel}})), [expected]);
}

#[test]
fn a_vm_of_qemu_boots_with_all_its_vcpus_unless_the_spec_says_otherwise() {
    let spec = |cpu| json!({"vmm": "QEMU", "instance": {"cpu": cpu, "memory": {"size": "2Gi"}}});
    let floor = |cpu| defaulted(&vm(spec(cpu)), &EffectivePolicy::default()).floor;
    let memory = layout(spec(json!({}))).memory;
    assert_eq!(floor(json!({"coresPerSocket": 4})), Size::new(Vcpus(4), memory));
    assert_eq!(floor(json!({"coresPerSocket": 4, "min": 1})), Size::new(Vcpus(1), memory));
}

#[test]
fn a_layout_of_before_kernels_and_disks_can_still_be_read() {
    let json = r#"{"vmm":"CloudHypervisor","vcpus":2,"minVcpus":1,"maxVcpus":4,"memory":"2Gi","minMemory":"1Gi","maxMemory":"4Gi"}"#;
    let layout: BootLayout = serde_json::from_str(json).unwrap();
    assert_eq!((layout.kernel.clone(), layout.disks.clone()), (None, Vec::new()));
    assert_eq!(serde_json::to_string(&layout).unwrap(), json);
}
