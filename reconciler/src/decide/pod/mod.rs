//! The Pod of a VM.
//!
//! A manifest and nothing else: which Pod is created when is decided in `life`. The Pod carries its boot layout as an argument, so that launching
//! needs no other source of truth.

use crate::decide::observed::VmObserved;
use crate::decide::target::Target;
use k8s_openapi::api::core::v1::{
    Container, ContainerResizePolicy, EmptyDirVolumeSource, Pod, PodSpec, ResourceRequirements, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use reef_api::launch::GRACE_SECONDS;
use reef_api::names::{
    GENERATION_ANNOTATION, RESTART_ANNOTATION, VM_GROUP, VM_LABEL, VM_VERSION, VMM_CONTAINER, VMM_MOUNT, VMM_VOLUME,
};
use reef_api::{NodeDevice, PodSize, boot_layout};
use std::collections::{BTreeMap, BTreeSet};

mod devices;

/// Builds the next Pod of a VM.
pub fn pod(target: &Target, observed: &VmObserved) -> Pod {
    let key = &target.vm.key;
    // The kubelet replaces `$(NAME)` in arguments, and reads a doubled `$` as one.
    let layout = serde_json::to_string(&boot_layout(&target.vm)).unwrap_or_default().replace('$', "$$");
    let devices = devices::parts(&target.vm);
    let socket =
        Volume { name: VMM_VOLUME.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() };
    Pod {
        metadata: ObjectMeta {
            name: Some(pod_name(&key.name, &observed.uid, observed.status.vm_pod_uid.as_deref())),
            namespace: Some(key.namespace.clone()),
            labels: Some([(VM_LABEL.to_owned(), key.name.clone())].into()),
            annotations: Some(annotations(target)),
            owner_references: Some(vec![owner(&key.name, &observed.uid)]),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            restart_policy: Some("Never".to_owned()),
            node_selector: target.placement.node_selector.clone(),
            affinity: target.placement.affinity.clone(),
            tolerations: target.placement.tolerations.clone(),
            automount_service_account_token: Some(false),
            termination_grace_period_seconds: Some(i64::from(GRACE_SECONDS)),
            init_containers: (!devices.fillers.is_empty()).then_some(devices.fillers),
            containers: vec![Container {
                volume_devices: (!devices.devices.is_empty()).then_some(devices.devices),
                ..container(target, layout, devices.mounts)
            }],
            volumes: Some(std::iter::once(socket).chain(devices.volumes).collect()),
            ..PodSpec::default()
        }),
        status: None,
    }
}

/// What the Pod was made for.
fn annotations(target: &Target) -> BTreeMap<String, String> {
    let restart = target.asked.restart.as_ref().map(|asked| (RESTART_ANNOTATION.to_owned(), asked.clone()));
    restart.into_iter().chain([(GENERATION_ANNOTATION.to_owned(), target.generation.to_string())]).collect()
}

fn container(target: &Target, layout: String, mounts: Vec<VolumeMount>) -> Container {
    let socket =
        VolumeMount { name: VMM_VOLUME.to_owned(), mount_path: VMM_MOUNT.to_owned(), ..VolumeMount::default() };
    Container {
        name: VMM_CONTAINER.to_owned(),
        image: Some(target.placement.image.clone()),
        args: Some(vec!["launch".to_owned(), "--layout".to_owned(), layout]),
        resources: Some(with_devices(resources(target.vm.pod_size(target.vm.size)), &target.placement.devices)),
        resize_policy: Some(
            ["cpu", "memory"]
                .map(|name| ContainerResizePolicy {
                    resource_name: name.to_owned(),
                    restart_policy: "NotRequired".to_owned(),
                })
                .to_vec(),
        ),
        // What ends without a message of its own is told by the end of its log.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(std::iter::once(socket).chain(mounts).collect()),
        ..Container::default()
    }
}

/// Requests and limits of a Pod size, in the form of a manifest.
pub fn resources(size: PodSize) -> ResourceRequirements {
    let values = |cpu: String| -> BTreeMap<String, Quantity> {
        [("cpu".to_owned(), Quantity(cpu)), ("memory".to_owned(), Quantity(size.memory.to_string()))].into()
    };
    ResourceRequirements {
        requests: Some(values(size.cpu_request.to_string())),
        limits: Some(values(size.cpu_limit.to_string())),
        claims: None,
    }
}

/// One of each device: what Kubernetes counts whole has one number, for request and limit alike.
fn with_devices(mut resources: ResourceRequirements, devices: &BTreeSet<NodeDevice>) -> ResourceRequirements {
    for values in [&mut resources.requests, &mut resources.limits].into_iter().flatten() {
        values.extend(devices.iter().map(|device| (device.resource(), Quantity("1".to_owned()))));
    }
    resources
}

fn owner(name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: format!("{VM_GROUP}/{VM_VERSION}"),
        kind: "VirtualMachine".to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The name of a VM's next Pod: a function of the VM and of its last Pod, so that a creation that is repeated after a crash meets itself.
pub fn pod_name(vm: &str, vm_uid: &str, last_pod_uid: Option<&str>) -> String {
    let seed = format!("{vm_uid}/{}", last_pod_uid.unwrap_or_default());
    format!("{vm}-{:08x}", fnv1a(seed.as_bytes()))
}

/// FNV-1a, 32 bits: stable across releases, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
