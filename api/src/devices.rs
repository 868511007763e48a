//! What a VM boots from: its kernel, its disks, and the volumes behind them.
//!
//! Where the words of ch-vmm's schema become the few kinds that Reef starts. What it does not start is refused by its name, never left out
//! silently. No path of a node and no command line is known here.

use crate::dns::dns1123_label;
use crate::names::{KERNEL_VOLUME, VMM_VOLUME};
use crate::units::Bytes;
use crate::validate::{Violation, violation};
use crate::vm::{DiskFormat, Kernel, VirtualMachineSpec, Volume};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest name of a volume: `init-volume-NAME` has to be the name of a container.
const LONGEST_NAME: usize = 51;
const KERNEL: &str = "spec.instance.kernel";
const DISKS: &str = "spec.instance.disks";
const VOLUMES: &str = "spec.volumes";

/// What a VM boots from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Kernel to boot directly.
    pub kernel: Option<Kernel>,
    /// Disks, in the order in which the guest sees them.
    pub disks: Vec<AttachedDisk>,
}

/// A disk and the volume behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedDisk {
    /// Name of the volume.
    pub name: String,
    /// Whether the guest may only read it.
    pub read_only: bool,
    /// How the volume holds it.
    pub format: DiskFormat,
    /// Where its content comes from.
    pub source: DiskSource,
}

/// Where the content of a disk comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskSource {
    /// An image whose entrypoint writes a raw disk to the path that is its one argument; lost with the Pod.
    ContainerDisk(Image),
    /// An image whose entrypoint writes a raw file system of this size to a path: both are its arguments; lost with the Pod.
    ContainerRootfs(Image, Bytes),
    /// The file `disk.img` in a claim's file system.
    ClaimFile(String),
    /// A claim's block device.
    ClaimDevice(String),
}

/// An image and when to pull it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its name.
    pub image: String,
    /// When to pull it; Kubernetes' own rule where absent.
    pub image_pull_policy: Option<String>,
}

#[derive(Deserialize)]
struct Rootfs {
    #[serde(flatten)]
    image: Image,
    size: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    claim_name: String,
    #[serde(default)]
    volume_mode: VolumeMode,
    #[serde(default)]
    hotpluggable: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum VolumeMode {
    #[default]
    Filesystem,
    Block,
}

/// Reads what a VM boots from, with everything that is wrong with it. What is wrong is left out.
pub(crate) fn devices(spec: &VirtualMachineSpec) -> (Devices, Vec<Violation>) {
    let mut found = Vec::new();
    refuse_unsupported(spec, &mut found);
    let kernel = spec.instance.kernel.clone();
    check_kernel(kernel.as_ref(), &mut found);
    let volumes = volumes(spec.volumes.as_deref().unwrap_or_default(), &mut found);
    let disks = disks(spec, &volumes, &mut found);
    (Devices { kernel, disks }, found)
}

/// Fields of ch-vmm's schema that Reef does not start yet, with what to do instead.
fn refuse_unsupported(spec: &VirtualMachineSpec, found: &mut Vec<Violation>) {
    let instance = &spec.instance;
    let fields = [
        ("spec.instance.interfaces", &instance.interfaces, "the guest gets no network yet"),
        ("spec.instance.fileSystems", &instance.file_systems, "file systems are not shared with guests yet"),
        ("spec.instance.gpus", &instance.gpus, "devices are not passed through yet"),
        ("spec.instance.pmem", &instance.pmem, "there is no persistent memory yet"),
        ("spec.networks", &spec.networks, "the guest gets no network yet"),
        ("spec.livenessProbe", &spec.liveness_probe, "probes reach the VMM's container and not the guest"),
        ("spec.readinessProbe", &spec.readiness_probe, "probes reach the VMM's container and not the guest"),
    ];
    for (path, value, limit) in fields {
        if value.as_ref().is_some_and(states_something) {
            let field = path.rsplit('.').next().unwrap_or(path);
            found.push(violation(path, "set", limit, format!("leave {field} out")));
        }
    }
}

fn states_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => true,
    }
}

fn check_kernel(kernel: Option<&Kernel>, found: &mut Vec<Violation>) {
    let Some(kernel) = kernel else { return };
    let initramfs = kernel.initramfs.as_ref().map(|initramfs| initramfs.image.as_str());
    if kernel.image.is_empty() || initramfs.is_some_and(str::is_empty) {
        found.push(violation(
            KERNEL,
            "without an image",
            "a kernel comes from an image",
            "name the image, or leave it out",
        ));
    }
    if kernel.cmdline.contains(|letter: char| letter.is_control()) {
        let cmdline = format!("{:?}", kernel.cmdline);
        found.push(violation(
            "spec.instance.kernel.cmdline",
            cmdline,
            "a command line is one line",
            "remove the control characters",
        ));
    }
}

/// Volumes that Reef can attach, in order.
fn volumes<'a>(stated: &'a [Volume], found: &mut Vec<Violation>) -> Vec<(&'a str, DiskSource)> {
    let mut names = BTreeSet::new();
    let mut read = Vec::new();
    for volume in stated {
        check_volume_name(&volume.name, names.insert(volume.name.as_str()), found);
        match source(volume) {
            Ok(source) => read.push((volume.name.as_str(), source)),
            Err((what, limit, remedy)) => {
                found.push(violation(VOLUMES, format!("{what} (volume {:?})", volume.name), limit, remedy));
            }
        }
    }
    read
}

fn check_volume_name(name: &str, first: bool, found: &mut Vec<Violation>) {
    let shown = format!("{name:?}");
    if dns1123_label(name).is_err() || name.len() > LONGEST_NAME {
        let limit = format!("a volume's name is a DNS label of at most {LONGEST_NAME} characters");
        found.push(violation(VOLUMES, shown, limit, "rename the volume"));
    } else if [VMM_VOLUME, KERNEL_VOLUME].contains(&name) {
        found.push(violation(VOLUMES, shown, "Reef's own volume has that name", "rename the volume"));
    } else if !first {
        found.push(violation(VOLUMES, shown, "two volumes have that name", "rename one of them"));
    }
}

type Refused = (String, &'static str, &'static str);

/// The kind of a volume, which is its one field beside the name.
fn source(volume: &Volume) -> Result<DiskSource, Refused> {
    let kinds: Vec<(&String, &Value)> = volume.kind.iter().filter(|(_, value)| !value.is_null()).collect();
    let [(kind, value)] = kinds.as_slice() else {
        let listed = kinds.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>().join(" and ");
        let what = if listed.is_empty() { "without a source".to_owned() } else { listed };
        return Err((what, "a volume has exactly one source", "state one source"));
    };
    let unreadable = |error: serde_json::Error| {
        (format!("{kind}, of which {error}"), "that cannot be read", "state the fields of its schema")
    };
    match kind.as_str() {
        "containerDisk" => image(value).map(DiskSource::ContainerDisk).map_err(unreadable),
        "containerRootfs" => {
            let rootfs = Rootfs::deserialize(*value).map_err(unreadable)?;
            Ok(DiskSource::ContainerRootfs(rootfs.image, rootfs.size))
        }
        "persistentVolumeClaim" => claim(Claim::deserialize(*value).map_err(unreadable)?),
        "dataVolume" | "virtualDisk" => {
            Err((kind.to_string(), "Reef reads claims only", "state the persistentVolumeClaim that it makes"))
        }
        "cloudInit" => {
            Err((kind.to_string(), "Reef makes no cloud-init disk yet", "put the seed on a disk of its own"))
        }
        _ => Err((kind.to_string(), "Reef does not start a VM from that", SOURCES)),
    }
}

const SOURCES: &str = "use containerDisk, containerRootfs or persistentVolumeClaim";

fn image(value: &Value) -> Result<Image, serde_json::Error> {
    Image::deserialize(value)
}

fn claim(claim: Claim) -> Result<DiskSource, Refused> {
    if claim.hotpluggable {
        let what = "persistentVolumeClaim.hotpluggable".to_owned();
        return Err((what, "Reef plugs no disk into a running VM", "leave hotpluggable out"));
    }
    Ok(match claim.volume_mode {
        VolumeMode::Filesystem => DiskSource::ClaimFile(claim.claim_name),
        VolumeMode::Block => DiskSource::ClaimDevice(claim.claim_name),
    })
}

fn disks(spec: &VirtualMachineSpec, volumes: &[(&str, DiskSource)], found: &mut Vec<Violation>) -> Vec<AttachedDisk> {
    let known: BTreeSet<&str> = spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    let mut names = BTreeSet::new();
    let mut attached = Vec::new();
    for disk in spec.instance.disks.iter().flatten() {
        let shown = format!("{:?}", disk.name);
        if !known.contains(disk.name.as_str()) {
            found.push(violation(DISKS, shown, "spec.volumes has no volume of that name", "add the volume"));
        } else if !names.insert(disk.name.as_str()) {
            found.push(violation(DISKS, shown, "two disks name that volume", "remove one of them"));
        } else if let Some((_, source)) = volumes.iter().find(|(name, _)| *name == disk.name) {
            attached.push(AttachedDisk {
                name: disk.name.clone(),
                read_only: disk.read_only.unwrap_or(false),
                format: disk.format.unwrap_or_default(),
                source: source.clone(),
            });
        }
    }
    attached
}
