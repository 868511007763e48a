//! The parts of a VM's Pod that bring its kernel and its disks.
//!
//! As ch-vmm does it: an image of a kernel or a disk brings its own copy command, and an init container runs it with the path to fill. The
//! init containers are tiny, because a Pod's request is at least that of its largest init container and stays so however small the VM becomes.

use super::resources;
use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, PersistentVolumeClaimVolumeSource, Volume, VolumeDevice, VolumeMount,
};
use reef_api::boot::mount_path;
use reef_api::devices::{AttachedDisk, DiskSource, Image};
use reef_api::names::{INITRAMFS_FILE, KERNEL_FILE, KERNEL_VOLUME};
use reef_api::{Bytes, MilliCpu, PodSize, Vcpus, Vm};

/// CPU of an init container, where the smallest size of the VM has that much.
const FILLER_CPU: MilliCpu = MilliCpu(250);
/// Memory of an init container: less than any Pod of a VM has.
const FILLER_MEMORY: Bytes = Bytes(128 << 20);

/// What a Pod needs for the devices of its VM.
#[derive(Default)]
pub(super) struct Parts {
    /// Volumes of the Pod.
    pub(super) volumes: Vec<Volume>,
    /// Where the VMM's container sees them.
    pub(super) mounts: Vec<VolumeMount>,
    /// Block devices of the VMM's container.
    pub(super) devices: Vec<VolumeDevice>,
    /// Init containers that fill volumes from images.
    pub(super) fillers: Vec<Container>,
}

/// The parts for the devices of a VM.
pub(super) fn parts(vm: &Vm) -> Parts {
    let mut parts = Parts::default();
    let size = filler_size(vm);
    if let Some(kernel) = &vm.devices.kernel {
        parts.empty(KERNEL_VOLUME, true);
        let image = Image { image: kernel.image.clone(), image_pull_policy: kernel.image_pull_policy.clone() };
        let path = format!("{}/{KERNEL_FILE}", mount_path(KERNEL_VOLUME));
        parts.fill("init-kernel", KERNEL_VOLUME, &image, vec![path], size);
        if let Some(initramfs) = &kernel.initramfs {
            let pull = initramfs.image_pull_policy.clone();
            let image = Image { image: initramfs.image.clone(), image_pull_policy: pull };
            let path = format!("{}/{INITRAMFS_FILE}", mount_path(KERNEL_VOLUME));
            parts.fill("init-initramfs", KERNEL_VOLUME, &image, vec![path], size);
        }
    }
    for disk in &vm.devices.disks {
        parts.attach(disk, size);
    }
    parts
}

/// Both requests and limits, so that the Pod's QoS class is that of the VMM's container.
fn filler_size(vm: &Vm) -> PodSize {
    let cpu_limit = FILLER_CPU.min(MilliCpu::from(Vcpus(1)).divided_by(vm.overcommit));
    PodSize { cpu_request: cpu_limit, cpu_limit, memory: FILLER_MEMORY }
}

impl Parts {
    fn attach(&mut self, disk: &AttachedDisk, size: PodSize) {
        let filler = format!("init-volume-{}", disk.name);
        match &disk.source {
            DiskSource::ContainerDisk(image) => {
                self.empty(&disk.name, false);
                self.fill(&filler, &disk.name, image, vec![disk.path()], size);
            }
            DiskSource::ContainerRootfs(image, bytes) => {
                self.empty(&disk.name, false);
                self.fill(&filler, &disk.name, image, vec![disk.path(), bytes.get().to_string()], size);
            }
            DiskSource::ClaimFile(claim) => {
                self.claim(disk, claim);
                self.mounts.push(mount(&disk.name, disk.read_only));
            }
            DiskSource::ClaimDevice(claim) => {
                self.claim(disk, claim);
                self.devices.push(VolumeDevice { name: disk.name.clone(), device_path: disk.path() });
            }
        }
    }

    fn empty(&mut self, name: &str, read_only: bool) {
        self.volumes.push(Volume {
            name: name.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        });
        self.mounts.push(mount(name, read_only));
    }

    fn claim(&mut self, disk: &AttachedDisk, claim: &str) {
        self.volumes.push(Volume {
            name: disk.name.clone(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: claim.to_owned(),
                read_only: disk.read_only.then_some(true),
            }),
            ..Volume::default()
        });
    }

    fn fill(&mut self, name: &str, volume: &str, image: &Image, args: Vec<String>, size: PodSize) {
        self.fillers.push(Container {
            name: name.to_owned(),
            image: Some(image.image.clone()),
            image_pull_policy: image.image_pull_policy.clone(),
            args: Some(args),
            resources: Some(resources(size)),
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            volume_mounts: Some(vec![mount(volume, false)]),
            ..Container::default()
        });
    }
}

fn mount(volume: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: mount_path(volume),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}
