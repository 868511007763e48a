//! The command lines as they are, and what no command line is made of.

use super::*;
use reef_api::Vcpus;
use reef_api::boot::{DiskFile, KernelFiles};
use reef_api::vm::DiskFormat;
use std::time::Duration;

const MIB: u64 = 1 << 20;

fn layout(vmm: VmmKind) -> BootLayout {
    let disk = |name: &str, path: &str, format, read_only| DiskFile {
        name: name.to_owned(),
        path: path.to_owned(),
        format,
        read_only,
    };
    BootLayout {
        vmm,
        name: "web/web-1".to_owned(),
        vcpus: Vcpus(2),
        min_vcpus: Vcpus(1),
        max_vcpus: Vcpus(4),
        memory: Bytes(1024 * MIB),
        min_memory: Bytes(512 * MIB),
        max_memory: Bytes(4096 * MIB),
        kernel: Some(KernelFiles {
            path: "/mnt/reef-kernel/vmlinux".to_owned(),
            initramfs: Some("/mnt/reef-kernel/initrd".to_owned()),
            cmdline: "console=ttyS0 root=/dev/vda,ro quiet".to_owned(),
        }),
        disks: vec![
            disk("root", "/mnt/root/disk.img", DiskFormat::Raw, false),
            disk("data", "/mnt/data", DiskFormat::Qcow2, true),
        ],
    }
}

fn facts(accelerator: Accelerator) -> Facts {
    Facts {
        accelerator,
        disks: vec![
            Backing { kind: BackingKind::File, direct: true },
            Backing { kind: BackingKind::Device, direct: false },
        ],
        socket: "/run/reef/vmm.sock".to_owned(),
    }
}

/// One flag and its value a line.
fn shown(line: &[String]) -> String {
    let mut text = String::new();
    for word in line {
        text.push_str(if word.starts_with('-') && !text.is_empty() { "\n" } else { " " });
        text.push_str(word);
    }
    text.trim_start().to_owned()
}

#[test]
fn cloud_hypervisor_boots_at_the_floor_with_the_rest_plugged() {
    let line = command_line(&layout(VmmKind::CloudHypervisor), &facts(Accelerator::Kvm)).unwrap();
    insta::assert_snapshot!(shown(&line));
}

#[test]
fn a_kernels_command_line_is_never_taken_for_a_flag() {
    let mut layout = layout(VmmKind::CloudHypervisor);
    layout.kernel.as_mut().unwrap().cmdline = "--api-socket path=/elsewhere".to_owned();
    let line = command_line(&layout, &facts(Accelerator::Kvm)).unwrap();
    assert!(line.contains(&"--cmdline=--api-socket path=/elsewhere".to_owned()), "{line:?}");
}

#[test]
fn qemu_boots_at_the_floor_with_the_rest_plugged() {
    let line = command_line(&layout(VmmKind::Qemu), &facts(Accelerator::Tcg)).unwrap();
    insta::assert_snapshot!(shown(&line));
}

#[test]
fn a_vm_whose_floor_is_its_ceiling_has_nothing_to_plug() {
    let fixed = |vmm| BootLayout {
        vcpus: Vcpus(2),
        min_vcpus: Vcpus(2),
        max_vcpus: Vcpus(2),
        memory: Bytes(512 * MIB),
        min_memory: Bytes(512 * MIB),
        max_memory: Bytes(512 * MIB),
        disks: Vec::new(),
        kernel: Some(KernelFiles { path: "/k".to_owned(), initramfs: None, cmdline: String::new() }),
        ..layout(vmm)
    };
    let facts = Facts { disks: Vec::new(), ..facts(Accelerator::Kvm) };
    let line = command_line(&fixed(VmmKind::CloudHypervisor), &facts).unwrap();
    insta::assert_snapshot!(shown(&line));
    let line = command_line(&fixed(VmmKind::Qemu), &facts).unwrap();
    insta::assert_snapshot!(shown(&line));
}

#[test]
fn what_cannot_be_booted_is_told_with_what_to_do() {
    let base = layout(VmmKind::CloudHypervisor);
    let cases = [
        BootLayout { memory: Bytes(256 * MIB), ..base.clone() },
        BootLayout { vcpus: Vcpus(5), ..base.clone() },
        BootLayout { min_vcpus: Vcpus(0), ..base.clone() },
        BootLayout { max_memory: Bytes(4000 * MIB), ..base.clone() },
        BootLayout { kernel: None, ..base.clone() },
        BootLayout { kernel: None, disks: Vec::new(), ..layout(VmmKind::Qemu) },
        BootLayout { disks: vec![DiskFile { path: "/mnt/a,readonly=on".to_owned(), ..base.disks[0].clone() }], ..base },
    ];
    let told: Vec<String> = cases.iter().map(|layout| check(layout).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn qemu_boots_from_a_disk_by_its_own_firmware() {
    assert_eq!(check(&BootLayout { kernel: None, ..layout(VmmKind::Qemu) }), Ok(()));
}

#[test]
fn versions_are_read_as_the_programs_tell_them() {
    let cases = [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c)", Some((7, 2))),
        ("QEMU emulator version 10.0.2", Some((10, 0))),
        ("cloud-hypervisor v53.0", Some((53, 0))),
        ("cloud-hypervisor v52.0-12-gabcdef-dirty", Some((52, 0))),
        ("cloud-hypervisor 53.1.0", Some((53, 1))),
        ("cloud-hypervisor v54", Some((54, 0))),
        ("no version at all", None),
        ("", None),
        ("version 99999999999999999999.1", None),
    ];
    for (text, expected) in cases {
        let found = version(text).map(|version| (version.major, version.minor));
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn a_program_that_is_too_old_is_refused_with_the_least_version() {
    assert_eq!(unsuitable(VmmKind::Qemu, "QEMU emulator version 7.2.22"), None);
    assert_eq!(unsuitable(VmmKind::CloudHypervisor, "cloud-hypervisor v52.0"), None);
    let told = [
        unsuitable(VmmKind::CloudHypervisor, "cloud-hypervisor v51.1"),
        unsuitable(VmmKind::Qemu, "QEMU emulator version 6.2.0"),
        unsuitable(VmmKind::Qemu, "\u{1b}[31mhello"),
    ];
    insta::assert_snapshot!(told.map(Option::unwrap).join("\n"));
}

#[test]
fn an_end_is_told_by_code_and_sentence() {
    let words = ["kvm: oops".to_owned()];
    let console = ["Kernel panic".to_owned(), "end".to_owned()];
    let endings = [
        Ending::GuestShutDown,
        Ending::Stopped,
        Ending::ToldToEnd,
        Ending::Killed { within: Duration::from_secs(50) },
        Ending::Failed { code: 1 },
        Ending::Failed { code: 256 },
        Ending::Signalled { signal: 9, out_of_memory: true },
        Ending::Signalled { signal: 11, out_of_memory: false },
    ];
    let lines = endings.map(|ending| {
        let told = told(&ending, &words, &console);
        format!("{}: {}", told.code, told.message.replace('\n', " | "))
    });
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_message_is_no_longer_than_kubernetes_keeps() {
    let console: Vec<String> = (0..30).map(|line| format!("{line} {}", "ä".repeat(200))).collect();
    let message = with_console("the sentence", &console);
    assert!(message.len() <= 4096 && message.starts_with("the sentence\n") && message.ends_with('ä'), "{message}");
    let long = with_console(&"ä".repeat(5000), &console);
    assert_eq!(long, "ä".repeat(2048));
}
