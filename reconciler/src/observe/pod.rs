//! A Pod of the API as the value that the pipeline reads.
//!
//! Pure. A Pod that cannot be read is an error that says why, never a Pod of size zero.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use reef_api::launch::LaunchFailure;
use reef_api::names::{GENERATION_ANNOTATION, RESTART_ANNOTATION, VMM_CONTAINER};
use reef_api::{Bytes, MilliCpu, PodSize};

use crate::decide::observed::{PendingReason, PodObserved, PodPhase, Reads, ResizeInProgress, ResizePending};

/// CPU requests come back from the runtime by way of cgroup weights, whose steps are up to 26m wide.
const CPU_REQUEST_ROUNDING: MilliCpu = MilliCpu(30);

/// A longer text of the kubelet or scheduler is cut here, in characters.
const TEXT_LIMIT: usize = 500;

/// Why a Pod cannot be read as a VM's Pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PodOdd {
    /// A Pod of the API always has these.
    #[error("Pod {name:?} has no metadata.{field}")]
    Unnamed {
        /// Name, as far as there is one.
        name: String,
        /// The missing field.
        field: &'static str,
    },
    /// Somebody else's Pod carries the label.
    #[error("Pod {name} has no container `{VMM_CONTAINER}`; remove its label `reef.dev/vm` or delete it")]
    NoContainer {
        /// Name of the Pod.
        name: String,
    },
    /// A resize could only change the QoS class, which Kubernetes refuses.
    #[error("Pod {name}: container `{VMM_CONTAINER}` has no {resource} limit, so it cannot be resized; delete the Pod")]
    NoLimit {
        /// Name of the Pod.
        name: String,
        /// `cpu` or `memory`.
        resource: &'static str,
    },
    /// Not a quantity.
    #[error("Pod {name}: {resource} {text:?} of container `{VMM_CONTAINER}` cannot be read")]
    Quantity {
        /// Name of the Pod.
        name: String,
        /// `cpu` or `memory`.
        resource: &'static str,
        /// The text found.
        text: String,
    },
}

/// Reads a Pod.
///
/// # Errors
/// When it lacks what every Pod of a VM has.
pub fn pod_observed(pod: &Pod) -> Result<PodObserved, PodOdd> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let missing = |field| PodOdd::Unnamed { name: name.clone(), field };
    let uid = pod.metadata.uid.clone().ok_or_else(|| missing("uid"))?;
    let resource_version = pod.metadata.resource_version.clone().ok_or_else(|| missing("resourceVersion"))?;
    let generation = pod.metadata.generation.unwrap_or(0);
    let reader = Reader { name: &name };
    let spec = reader.spec(pod)?;
    let status = pod.status.as_ref();
    let container = status.and_then(vm_container);
    let allocated = container.map(|found| reader.allocated(found, spec)).transpose()?.flatten();
    let actual = container.map(|found| reader.actual(found, allocated.unwrap_or(spec))).transpose()?.flatten();
    Ok(PodObserved {
        uid,
        resource_version,
        phase: phase(status),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        unschedulable: status.and_then(unschedulable),
        trouble: status.and_then(trouble),
        unbooted: status.is_some_and(unbooted),
        made_for: made_for(pod),
        restarted: pod.metadata.annotations.as_ref().and_then(|found| found.get(RESTART_ANNOTATION)).cloned(),
        generation,
        observed_generation: status.and_then(|status| status.observed_generation).unwrap_or(0),
        spec,
        allocated,
        actual,
        pending: status.and_then(|status| pending(status, generation)),
        in_progress: status.and_then(in_progress),
        reads: Reads::Once,
        name,
    })
}

fn made_for(pod: &Pod) -> Option<i64> {
    pod.metadata.annotations.as_ref()?.get(GENERATION_ANNOTATION)?.parse().ok()
}

/// UID of the VirtualMachine that controls a Pod.
pub fn owner_uid(pod: &Pod) -> Option<&str> {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true) && owner.kind == "VirtualMachine")?;
    Some(owner.uid.as_str())
}

/// Whether a Pod that carries the mark of a VM and is not its own runs a VMM of an earlier VM: one whose owner is another one, or was orphaned.
pub fn is_leftover(pod: &Pod) -> bool {
    let ended = matches!(phase(pod.status.as_ref()), PodPhase::Succeeded | PodPhase::Failed);
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let orphaned = owners.iter().all(|owner| owner.controller != Some(true));
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let runs_vmm = containers.iter().any(|container| container.name == VMM_CONTAINER);
    !ended && runs_vmm && (orphaned || owner_uid(pod).is_some())
}

type Quantities = Option<BTreeMap<String, Quantity>>;

/// Reads quantities for one Pod, so that an error can name it.
struct Reader<'a> {
    name: &'a str,
}

impl Reader<'_> {
    fn spec(&self, pod: &Pod) -> Result<PodSize, PodOdd> {
        let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let container = containers.iter().find(|container| container.name == VMM_CONTAINER);
        let container = container.ok_or_else(|| PodOdd::NoContainer { name: self.name.to_owned() })?;
        let empty = ResourceRequirements::default();
        let resources = container.resources.as_ref().unwrap_or(&empty);
        let no_limit = |resource| PodOdd::NoLimit { name: self.name.to_owned(), resource };
        let cpu_limit = self.cpu(&resources.limits)?.ok_or_else(|| no_limit("cpu"))?;
        let limit = self.memory(&resources.limits)?.ok_or_else(|| no_limit("memory"))?;
        // A request that another hand has set apart from the limit must be seen as not as wished, and holds no more than the smaller.
        let memory = self.memory(&resources.requests)?.map_or(limit, |request| request.min(limit));
        let cpu_request = self.cpu(&resources.requests)?.unwrap_or(cpu_limit);
        Ok(PodSize { cpu_request, cpu_limit, memory })
    }

    fn allocated(&self, container: &ContainerStatus, spec: PodSize) -> Result<Option<PodSize>, PodOdd> {
        let cpu = self.cpu(&container.allocated_resources)?;
        let memory = self.memory(&container.allocated_resources)?;
        let size = |(cpu_request, memory)| PodSize { cpu_request, cpu_limit: spec.cpu_limit, memory };
        Ok(cpu.zip(memory).map(size))
    }

    fn actual(&self, container: &ContainerStatus, wished: PodSize) -> Result<Option<PodSize>, PodOdd> {
        let Some(resources) = container.resources.as_ref() else { return Ok(None) };
        let cpu_limit = self.cpu(&resources.limits)?;
        let memory = self.memory(&resources.limits)?;
        let request = self.cpu(&resources.requests)?.or(cpu_limit);
        let size = |((cpu_limit, memory), request)| PodSize {
            cpu_request: unrounded(request, wished.cpu_request),
            cpu_limit,
            memory,
        };
        Ok(cpu_limit.zip(memory).zip(request).map(size))
    }

    fn cpu(&self, from: &Quantities) -> Result<Option<MilliCpu>, PodOdd> {
        self.read(from, "cpu")
    }

    fn memory(&self, from: &Quantities) -> Result<Option<Bytes>, PodOdd> {
        self.read(from, "memory")
    }

    fn read<T: std::str::FromStr>(&self, from: &Quantities, resource: &'static str) -> Result<Option<T>, PodOdd> {
        let Some(found) = from.as_ref().and_then(|from| from.get(resource)) else { return Ok(None) };
        let odd = |_| PodOdd::Quantity { name: self.name.to_owned(), resource, text: cut(&found.0) };
        found.0.parse().map(Some).map_err(odd)
    }
}

/// What the runtime tells of a request, with its rounding taken back where that can be all of the difference.
fn unrounded(told: MilliCpu, wished: MilliCpu) -> MilliCpu {
    let difference = told.0.abs_diff(wished.0);
    if difference <= CPU_REQUEST_ROUNDING.0 { wished } else { told }
}

fn vm_container(status: &PodStatus) -> Option<&ContainerStatus> {
    status.container_statuses.as_deref()?.iter().find(|container| container.name == VMM_CONTAINER)
}

fn phase(status: Option<&PodStatus>) -> PodPhase {
    match status.and_then(|status| status.phase.as_deref()) {
        None | Some("Pending") => PodPhase::Pending,
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some(_) => PodPhase::Unknown,
    }
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status.conditions.as_deref()?.iter().find(|condition| condition.type_ == kind)
}

fn unschedulable(status: &PodStatus) -> Option<String> {
    let scheduled = condition(status, "PodScheduled").filter(|condition| condition.status == "False")?;
    let text = scheduled.message.as_deref().filter(|text| !text.is_empty());
    Some(cut(text.or(scheduled.reason.as_deref()).unwrap_or("no node has been found")))
}

/// The Pod's own reason (`Evicted`, `NodeLost`) says more than its container's, and an init container's trouble is why the container waits.
fn trouble(status: &PodStatus) -> Option<String> {
    if let Some(reason) = status.reason.as_deref().filter(|reason| !reason.is_empty()) {
        return Some(worded(reason, status.message.as_deref()));
    }
    let of_init = |init: &ContainerStatus| Some(cut(&format!("{}: {}", init.name, init_trouble(init)?)));
    let inits = status.init_container_statuses.as_deref().unwrap_or_default();
    inits.iter().find_map(of_init).or_else(|| state_trouble(vm_container(status)?))
}

/// An init container that ended well is no trouble.
fn init_trouble(init: &ContainerStatus) -> Option<String> {
    let ended = init.state.as_ref().and_then(|state| state.terminated.as_ref());
    if ended.is_some_and(|ended| ended.exit_code == 0) { None } else { state_trouble(init) }
}

fn state_trouble(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(ended) = state.terminated.as_ref() {
        let exit = format!("exit code {}", ended.exit_code);
        let message = ended.message.as_deref().filter(|text| !text.is_empty()).unwrap_or(&exit);
        return Some(worded(ended.reason.as_deref().unwrap_or("Terminated"), Some(message)));
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let usual = matches!(reason, "" | "ContainerCreating" | "PodInitializing");
    (!usual).then(|| worded(reason, waiting.message.as_deref()))
}

/// What a container runtime says about a container that it could not start.
const UNSTARTED: [&str; 2] = ["StartError", "ContainerCannotRun"];

/// Whether a Pod that failed did so before its VM ran. One that was evicted or lost says so itself.
fn unbooted(status: &PodStatus) -> bool {
    if phase(Some(status)) != PodPhase::Failed || status.reason.as_deref().is_some_and(|reason| !reason.is_empty()) {
        return false;
    }
    let ended = vm_container(status).and_then(|container| container.state.as_ref()?.terminated.as_ref());
    match ended {
        Some(ended) => {
            let unstarted = ended.reason.as_deref().is_some_and(|reason| UNSTARTED.contains(&reason));
            unstarted || LaunchFailure::of_code(ended.exit_code).is_some()
        }
        None => status.init_container_statuses.iter().flatten().any(|init| init_trouble(init).is_some()),
    }
}

fn worded(reason: &str, message: Option<&str>) -> String {
    match message.filter(|message| !message.is_empty()) {
        Some(message) => cut(&format!("{reason}: {message}")),
        None => cut(reason),
    }
}

/// A condition that names an older generation is about a wish that has been replaced since.
fn pending(status: &PodStatus, generation: i64) -> Option<ResizePending> {
    let found = condition(status, "PodResizePending").filter(|condition| condition.status == "True")?;
    if found.observed_generation.is_some_and(|observed| observed < generation) {
        return None;
    }
    let reason = match found.reason.as_deref() {
        Some("Infeasible") => PendingReason::Infeasible,
        _ => PendingReason::Deferred,
    };
    let message = cut(found.message.as_deref().unwrap_or_default());
    Some(ResizePending { reason, message })
}

fn in_progress(status: &PodStatus) -> Option<ResizeInProgress> {
    let found = condition(status, "PodResizeInProgress").filter(|condition| condition.status == "True")?;
    let failed = found.reason.as_deref() == Some("Error");
    Some(ResizeInProgress { error: failed.then(|| cut(found.message.as_deref().unwrap_or_default())) })
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_LIMIT).collect()
}
