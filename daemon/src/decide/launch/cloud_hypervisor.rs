//! The command line of Cloud Hypervisor.
//!
//! Neither `prefault` nor huge pages: both would fill the whole plug-in region at once and break the Pod's limit.

use super::{Backing, Facts, mebibytes, pluggable};
use reef_api::BootLayout;
use reef_api::boot::DiskFile;
use reef_api::vm::DiskFormat;

/// Any vCPU but the first can be removed, so the size at boot is what `boot` says.
pub(super) fn arguments(layout: &BootLayout, facts: &Facts) -> Vec<String> {
    let mut line = Vec::new();
    let mut add = |flag: &str, value: String| line.extend([flag.to_owned(), value]);
    add("--api-socket", format!("path={}", facts.socket));
    add("--cpus", format!("boot={},max={}", layout.vcpus, layout.max_vcpus));
    add("--memory", memory(layout));
    add("--balloon", "size=0,free_page_reporting=on".to_owned());
    if let Some(kernel) = &layout.kernel {
        add("--kernel", kernel.path.clone());
        if let Some(initramfs) = &kernel.initramfs {
            add("--initramfs", initramfs.clone());
        }
        if !kernel.cmdline.is_empty() {
            // One argument: a command line that begins with a dash would be taken for a flag.
            line.push(format!("--cmdline={}", kernel.cmdline));
        }
    }
    line.extend(["--serial", "tty", "--console", "off"].map(str::to_owned));
    if !layout.disks.is_empty() {
        line.push("--disk".to_owned());
        line.extend(layout.disks.iter().zip(&facts.disks).map(|(file, backing)| disk(file, *backing)));
    }
    line
}

fn memory(layout: &BootLayout) -> String {
    let size = format!("size={}", mebibytes(layout.min_memory.0));
    let Some((room, plugged)) = pluggable(layout) else { return size };
    let region = format!("{size},hotplug_method=virtio-mem,hotplug_size={}", mebibytes(room));
    if plugged == 0 { region } else { format!("{region},hotplugged_size={}", mebibytes(plugged)) }
}

/// The format is stated: where it is guessed, a guest can turn its raw disk into one that names another file of the node.
fn disk(file: &DiskFile, backing: Backing) -> String {
    let format = match file.format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
    };
    let switch = |on: bool| if on { "on" } else { "off" };
    format!(
        "path={},image_type={format},readonly={},direct={},serial={}",
        file.path,
        switch(file.read_only),
        switch(backing.direct),
        file.name
    )
}
