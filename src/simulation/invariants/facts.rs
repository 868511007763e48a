//! What an object of the cluster says, read from its JSON by pointers: as far as the invariants need it.
//!
//! Nothing of Reef's own reading is used, so that a mistake in it cannot hide itself. What cannot be read counts as absent.

use reef_api::names::{VM_LABEL, VMM_CONTAINER};
use reef_api::{Bytes, MilliCpu, Size, Vcpus};
use reef_sim::store::At;
use serde_json::Value;

/// CPU and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) cpu: MilliCpu,
    pub(super) memory: Bytes,
}

impl Amounts {
    /// Whether it is at least `other` in each.
    pub(super) fn covers(self, other: Self) -> bool {
        self.cpu >= other.cpu && self.memory >= other.memory
    }

    fn read(list: Option<&Value>) -> Option<Self> {
        let list = list?;
        let text = |name: &str| list.get(name).and_then(Value::as_str);
        Some(Self { cpu: text("cpu")?.parse().ok()?, memory: text("memory")?.parse().ok()? })
    }
}

/// A Pod.
#[derive(Clone, Debug, Default)]
pub(super) struct PodFacts {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) version: String,
    pub(super) vm: Option<String>,
    pub(super) node: String,
    pub(super) phase: String,
    pub(super) deleting: bool,
    pub(super) generation: i64,
    pub(super) limits: Option<Amounts>,
    pub(super) requests: Option<Amounts>,
    pub(super) allocated: Option<Amounts>,
    pub(super) in_effect: Option<Amounts>,
    pub(super) conditions: Vec<String>,
    pub(super) ended_by: String,
    /// The request for a new start that it was made for.
    pub(super) restart: Option<String>,
}

impl PodFacts {
    pub(super) fn read(pod: &Value) -> Self {
        let container = of_vmm(pod.at("/spec/containers"));
        let status = of_vmm(pod.at("/status/containerStatuses"));
        Self {
            name: text(pod, "/metadata/name"),
            uid: text(pod, "/metadata/uid"),
            version: text(pod, "/metadata/resourceVersion"),
            vm: pod.at("/metadata/labels").and_then(|labels| Some(labels.get(VM_LABEL)?.as_str()?.to_owned())),
            node: text(pod, "/spec/nodeName"),
            phase: text(pod, "/status/phase"),
            deleting: pod.at("/metadata/deletionTimestamp").is_some(),
            generation: pod.at("/metadata/generation").and_then(Value::as_i64).unwrap_or(0),
            limits: Amounts::read(container.and_then(|it| it.at("/resources/limits"))),
            requests: Amounts::read(container.and_then(|it| it.at("/resources/requests"))),
            allocated: Amounts::read(status.and_then(|it| it.get("allocatedResources"))),
            in_effect: Amounts::read(status.and_then(|it| it.at("/resources/limits"))),
            conditions: resize_conditions(pod),
            restart: annotation(pod, "reef.dev/restart-requested-at"),
            ended_by: status.map(|it| text(it, "/state/terminated/reason")).unwrap_or_default(),
        }
    }

    /// Whether its container may run.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

fn of_vmm(list: Option<&Value>) -> Option<&Value> {
    let its = |it: &&Value| it.get("name").and_then(Value::as_str) == Some(VMM_CONTAINER);
    list?.as_array()?.iter().find(its)
}

fn resize_conditions(pod: &Value) -> Vec<String> {
    let all = pod.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let ours = all.filter(|it| text(it, "/type").starts_with("PodResize"));
    ours.map(|it| format!("{} {}", text(it, "/type"), text(it, "/reason"))).collect()
}

/// A permission to ask a VMM for a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GrantFacts {
    pub(super) pod_uid: String,
    pub(super) seq: u64,
    pub(super) size: Size,
}

/// The daemon's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReportFacts {
    pub(super) pod_uid: String,
    pub(super) ack: u64,
    pub(super) requested: Size,
    pub(super) actual: Size,
    pub(super) waiting: String,
}

/// The condition `Ready`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadyFacts {
    pub(super) holds: bool,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) generation: i64,
}

/// A VM.
#[derive(Clone, Debug, Default)]
pub(super) struct VmFacts {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) generation: i64,
    pub(super) deleting: bool,
    pub(super) revision: Option<String>,
    pub(super) size: Option<Size>,
    pub(super) run_policy: String,
    pub(super) phase: String,
    pub(super) pod_uid: Option<String>,
    pub(super) target: Option<Size>,
    pub(super) aim: Option<Size>,
    pub(super) grant: Option<GrantFacts>,
    pub(super) outstanding: Vec<GrantFacts>,
    pub(super) report: Option<ReportFacts>,
    pub(super) ready: Option<ReadyFacts>,
    pub(super) stuck: bool,
    /// A growth that was given up, or never plugged, is being tried again.
    pub(super) tries_again: bool,
    /// The last request for a new start.
    pub(super) restart: Option<String>,
}

impl VmFacts {
    pub(super) fn read(vm: &Value) -> Self {
        let resize = vm.at("/status/resize");
        let conditions = || vm.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let holds = |it: &Value| text(it, "/status") == "True";
        let ready = conditions().find(|it| text(it, "/type") == "Ready").map(|it| ReadyFacts {
            holds: holds(it),
            reason: text(it, "/reason"),
            message: text(it, "/message"),
            generation: it.get("observedGeneration").and_then(Value::as_i64).unwrap_or(0),
        });
        let outstanding = resize.and_then(|it| it.get("outstanding")).and_then(Value::as_array);
        Self {
            name: text(vm, "/metadata/name"),
            uid: text(vm, "/metadata/uid"),
            generation: vm.at("/metadata/generation").and_then(Value::as_i64).unwrap_or(0),
            deleting: vm.at("/metadata/deletionTimestamp").is_some(),
            revision: annotation(vm, "reef.dev/revision"),
            size: stated_size(vm),
            run_policy: text(vm, "/spec/runPolicy"),
            phase: text(vm, "/status/phase"),
            pod_uid: vm.at("/status/vmPodUID").and_then(Value::as_str).map(str::to_owned),
            target: resize.and_then(|it| size(it.get("target")?)),
            aim: resize.and_then(|it| size(it.get("aim")?)),
            grant: resize.and_then(|it| grant(it.get("grant")?)),
            outstanding: outstanding.into_iter().flatten().filter_map(grant).collect(),
            report: vm.at("/status/vmm").and_then(report),
            ready,
            restart: annotation(vm, "reef.dev/restart-requested-at"),
            stuck: conditions().any(|it| text(it, "/type") == "Stalled" && holds(it)),
            tries_again: resize.is_some_and(|resize| {
                ["/refused/retriedAt", "/partial/retriedAt"].iter().any(|time| resize.at(time).is_some())
            }),
        }
    }

    /// Whether it is to be stopped.
    pub(super) fn is_halted(&self) -> bool {
        self.run_policy == "Halted" || self.deleting
    }
}

/// An annotation of an object.
pub(super) fn annotation(object: &Value, name: &str) -> Option<String> {
    Some(object.at("/metadata/annotations")?.get(name)?.as_str()?.to_owned())
}

/// The text at a pointer; empty where there is none.
pub(super) fn text(object: &Value, pointer: &str) -> String {
    object.at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn stated_size(vm: &Value) -> Option<Size> {
    let number = |pointer: &str| vm.at(pointer).map_or(Some(1), Value::as_u64);
    let vcpus = number("/spec/instance/cpu/sockets")?.checked_mul(number("/spec/instance/cpu/coresPerSocket")?)?;
    let memory = bytes(vm.at("/spec/instance/memory/size")?)?;
    Some(Size::new(Vcpus(u32::try_from(vcpus).ok()?), memory))
}

fn bytes(value: &Value) -> Option<Bytes> {
    value.as_u64().map(Bytes).or_else(|| value.as_str()?.parse().ok())
}

fn vcpus(value: &Value) -> Option<Vcpus> {
    value.as_u64().and_then(|count| u32::try_from(count).ok()).map(Vcpus)
}

fn size(value: &Value) -> Option<Size> {
    Some(Size::new(vcpus(value.get("vcpus")?)?, bytes(value.get("memory")?)?))
}

fn grant(value: &Value) -> Option<GrantFacts> {
    Some(GrantFacts { pod_uid: text(value, "/podUID"), seq: value.get("seq")?.as_u64()?, size: size(value)? })
}

fn report(value: &Value) -> Option<ReportFacts> {
    let pair = |cpu: &str, memory: &str| Some(Size::new(vcpus(value.get(cpu)?)?, bytes(value.get(memory)?)?));
    Some(ReportFacts {
        pod_uid: text(value, "/podUID"),
        ack: value.get("ackSeq")?.as_u64()?,
        requested: pair("vcpusRequested", "memoryRequested")?,
        actual: pair("vcpusPresent", "memoryActual")?,
        waiting: text(value, "/waiting/reason"),
    })
}
