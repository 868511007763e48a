//! The command line of QEMU.
//!
//! `-smp` counts the vCPUs that can never be removed: the floor. Those up to the size at boot are devices of their own, so that the guest has
//! them from its first instruction and the daemon can still take them away.

use super::{Accelerator, Backing, BackingKind, Facts, mebibytes, pluggable};
use reef_api::BootLayout;
use reef_api::boot::DiskFile;
use reef_api::vm::DiskFormat;

/// Memory of TCG's translations. It takes a quarter of the node's memory by default, which no overhead could carry.
const TRANSLATIONS_MIB: u32 = 64;
/// How often the guest tells its own use of memory, in seconds.
const STATISTICS_SECONDS: u32 = 2;

pub(super) fn arguments(layout: &BootLayout, facts: &Facts) -> Vec<String> {
    let mut line = Line::default();
    line.flags(&["-nodefaults", "-no-user-config"]);
    // What QEMU does not need is taken from it before a guest can turn it against the node.
    line.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny".to_owned());
    line.add("-display", "none".to_owned());
    line.add("-name", format!("guest={},debug-threads=on", escaped(&layout.name)));
    machine(layout, facts.accelerator, &mut line);
    memory(layout, &mut line);
    monitors(facts, &mut line);
    kernel(layout, &mut line);
    for (index, (file, backing)) in layout.disks.iter().zip(&facts.disks).enumerate() {
        disk(index, file, *backing, &mut line);
    }
    line.0
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn flags(&mut self, flags: &[&str]) {
        self.0.extend(flags.iter().map(|flag| (*flag).to_owned()));
    }

    fn add(&mut self, flag: &str, value: String) {
        self.0.extend([flag.to_owned(), value]);
    }
}

/// QEMU's options are split at commas, and a doubled one is a comma of the value.
fn escaped(text: &str) -> String {
    text.replace(',', ",,")
}

fn machine(layout: &BootLayout, accelerator: Accelerator, line: &mut Line) {
    let (accel, cpu) = match accelerator {
        Accelerator::Kvm => ("kvm".to_owned(), "host"),
        Accelerator::Tcg => (format!("tcg,thread=multi,tb-size={TRANSLATIONS_MIB}"), "max"),
    };
    line.add("-machine", "q35".to_owned());
    line.add("-accel", accel);
    line.add("-cpu", cpu.to_owned());
    let (least, most) = (layout.min_vcpus, layout.max_vcpus);
    line.add("-smp", format!("cpus={least},maxcpus={most},sockets={most},cores=1,threads=1"));
    for index in least.0..layout.vcpus.0 {
        line.add("-device", format!("{cpu}-x86_64-cpu,id=vcpu-{index},socket-id={index},core-id=0,thread-id=0"));
    }
}

fn memory(layout: &BootLayout, line: &mut Line) {
    let floor = mebibytes(layout.min_memory.0);
    match pluggable(layout) {
        None => line.add("-m", format!("size={floor}")),
        Some((room, plugged)) => {
            line.add("-m", format!("size={floor},maxmem={},slots=1", mebibytes(layout.max_memory.0)));
            // Not reserved: the node gives only what the guest has touched, and the Pod's limit holds it.
            line.add("-object", format!("memory-backend-ram,id=vmem0,size={},reserve=off", mebibytes(room)));
            line.add("-device", format!("virtio-mem-pci,id=vm0,memdev=vmem0,requested-size={}", mebibytes(plugged)));
        }
    }
    line.add(
        "-device",
        format!(
            "virtio-balloon-pci,id=balloon0,free-page-reporting=on,guest-stats-polling-interval={STATISTICS_SECONDS}"
        ),
    );
}

/// The daemon's monitor is a socket that serves one client at a time; the launcher's own is what it is started with as standard input.
fn monitors(facts: &Facts, line: &mut Line) {
    line.add("-chardev", format!("socket,id=daemon,path={},server=on,wait=off", escaped(&facts.socket)));
    line.add("-mon", "chardev=daemon,mode=control".to_owned());
    line.add("-chardev", "socket,id=launch,fd=0".to_owned());
    line.add("-mon", "chardev=launch,mode=control".to_owned());
    line.add("-chardev", "file,id=serial0,path=/proc/self/fd/1".to_owned());
    line.add("-serial", "chardev:serial0".to_owned());
}

fn kernel(layout: &BootLayout, line: &mut Line) {
    let Some(kernel) = &layout.kernel else { return };
    line.add("-kernel", kernel.path.clone());
    if let Some(initramfs) = &kernel.initramfs {
        line.add("-initrd", initramfs.clone());
    }
    line.add("-append", kernel.cmdline.clone());
}

fn disk(index: usize, file: &DiskFile, backing: Backing, line: &mut Line) {
    let driver = match backing.kind {
        BackingKind::File => "file",
        BackingKind::Device => "host_device",
    };
    let format = match file.format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
    };
    let cache = if backing.direct { "cache.direct=on,aio=native" } else { "cache.direct=off,aio=threads" };
    let read_only = if file.read_only { "on" } else { "off" };
    line.add(
        "-blockdev",
        format!("driver={driver},node-name=file{index},filename={},{cache},read-only={read_only}", escaped(&file.path)),
    );
    line.add("-blockdev", format!("driver={format},node-name=disk{index},file=file{index},read-only={read_only}"));
    line.add("-device", format!("virtio-blk-pci,drive=disk{index},serial={}", escaped(&file.name)));
}
