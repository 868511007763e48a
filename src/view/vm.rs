//! One VM as people and programs see it: desired, granted, requested, actual, the Pod, and what it waits for.
//!
//! Made from the objects of the cluster alone, so that anybody who can read them can make it.

use jiff::Timestamp;
use reef_api::argocd::ApplicationRef;
use reef_api::condition::{READY, STALLED, find, is_true};
use reef_api::names::{ORIGIN_ANNOTATION, REVISION_ANNOTATION, SOURCE_ANNOTATION};
use reef_api::source::RemovedObject;
use reef_api::vm::{BootStatus, HistoryEntry, Used};
use reef_api::{EffectivePolicy, Phase, PodSize, Reason, Size, VirtualMachine, VirtualMachineStatus, defaulted};
use reef_reconciler::observe::{KeptPod, Kind, ObjectKey, Pods, tracked_by};
use serde::Serialize;

use super::hint::hint;
use super::source::SourceView;
use super::text::harmless;

/// A VM.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VmView {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Node that it runs on.
    pub node: Option<String>,
    /// Where it is in its life.
    pub phase: Phase,
    /// What its spec asks for.
    pub desired: Size,
    /// Who asks for it.
    pub asked_by: AskedBy,
    /// What its daemon may ask of the VMM.
    pub granted: Option<Size>,
    /// What the VMM was last asked for.
    pub requested: Option<Size>,
    /// What the guest has.
    pub actual: Option<Size>,
    /// What the guest uses, while a shrink waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
    /// Between which sizes it can be resized while it runs.
    pub limits: Option<BootStatus>,
    /// Its Pod.
    pub pod: Option<PodFacts>,
    /// Whether its source no longer states it; it is kept as it is.
    pub removed_from_git: bool,
    /// What it waits for; nothing where it is as its spec says.
    pub waiting: Option<Waiting>,
    /// The last sizes, the newest last.
    pub history: Vec<HistoryEntry>,
}

/// Where a size comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedBy {
    /// Commit that changed this VM last.
    pub commit: Option<String>,
    /// File and line in the repository, as `FILE:LINE`.
    pub origin: Option<String>,
    /// GitSource, as `NAMESPACE/NAME`.
    pub source: Option<String>,
    /// Application of Argo CD that has applied the VM, by its name, or as `NAMESPACE/NAME` outside the namespace of Argo CD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
}

/// A Pod's size: what its spec wishes, what the kubelet set aside, what is in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodFacts {
    /// Name.
    pub name: String,
    /// Spec.
    pub wish: PodSize,
    /// Set aside by the kubelet.
    pub allocated: Option<PodSize>,
    /// In effect.
    pub actual: Option<PodSize>,
}

/// What a VM waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The word for programs.
    pub reason: String,
    /// The sentence for people.
    pub message: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Whether it stays so until somebody does something.
    pub stuck: bool,
    /// What to do next.
    pub hint: Option<&'static str>,
}

impl VmView {
    /// Puts together what the cluster tells of a VM. Of `pods`, those of other VMs are passed over.
    pub fn of<'a>(vm: &VirtualMachine, pods: impl IntoIterator<Item = &'a KeptPod>) -> Self {
        let effective = defaulted(vm, &EffectivePolicy::default());
        let status = vm.status.clone().unwrap_or_default();
        let resize = status.resize.as_ref();
        let pod = pod_facts(vm, status.vm_pod_uid.as_deref(), pods);
        let report = status.vmm.as_ref().filter(|report| status.vm_pod_uid.as_ref() == Some(&report.pod_uid));
        Self {
            namespace: effective.key.namespace,
            name: effective.key.name,
            node: status.node_name.clone(),
            phase: status.phase.unwrap_or_default(),
            desired: effective.size,
            asked_by: asked_by(vm),
            granted: resize.and_then(|resize| resize.grant.as_ref()).map(|grant| grant.size()),
            requested: report.map(|report| report.requested()),
            actual: report.map(|report| report.actual()),
            used: report.and_then(|report| report.used),
            limits: report.map(|report| report.boot),
            pod,
            removed_from_git: false,
            waiting: waiting(vm),
            history: status.history,
        }
    }

    /// Adds what its source tells of it.
    #[must_use]
    pub fn beside(mut self, sources: &[SourceView]) -> Self {
        let named = |source: &&SourceView| {
            self.asked_by.source.as_ref().is_some_and(|name| *name == format!("{}/{}", source.namespace, source.name))
        };
        let left = |source: &SourceView| {
            let here = |entry: &RemovedObject| *entry.namespace.as_ref().unwrap_or(&source.namespace) == self.namespace;
            source.removed.iter().any(|entry| entry.kind == "VirtualMachine" && entry.name == self.name && here(entry))
        };
        self.removed_from_git = sources.iter().find(named).is_some_and(left);
        self
    }

    /// Whether everything is as the spec says.
    pub const fn settled(&self) -> bool {
        self.waiting.is_none()
    }
}

fn annotation(vm: &VirtualMachine, name: &str) -> Option<String> {
    vm.metadata.annotations.as_ref()?.get(name).map(|text| harmless(text))
}

fn asked_by(vm: &VirtualMachine) -> AskedBy {
    match application(vm) {
        // Annotations of a GitSource may be left over from before.
        Some(application) => AskedBy {
            commit: commit(vm).map(|commit| harmless(&commit)),
            application: Some(application.to_string()),
            ..AskedBy::default()
        },
        None => AskedBy {
            commit: commit(vm).map(|commit| harmless(&commit)),
            origin: annotation(vm, ORIGIN_ANNOTATION),
            source: annotation(vm, SOURCE_ANNOTATION),
            application: None,
        },
    }
}

/// The Application of Argo CD that has applied a VM.
fn application(vm: &VirtualMachine) -> Option<ApplicationRef> {
    let key = ObjectKey::new(vm.metadata.namespace.as_deref()?, vm.metadata.name.as_deref()?);
    tracked_by(Kind::Vm, &key, vm.metadata.annotations.as_ref())
}

/// The commit that changed a VM last: the one that its GitSource has applied, or that Argo CD had synced when its controller took the spec up.
pub fn commit(vm: &VirtualMachine) -> Option<String> {
    if application(vm).is_none() {
        return vm.metadata.annotations.as_ref()?.get(REVISION_ANNOTATION).cloned();
    }
    let resize = vm.status.as_ref()?.resize.as_ref()?;
    resize.revision.clone().filter(|_| Some(resize.generation) == vm.metadata.generation)
}

/// The Pod that the status names, else the newest of the VM.
fn pod_facts<'a>(
    vm: &VirtualMachine,
    named: Option<&str>,
    pods: impl IntoIterator<Item = &'a KeptPod>,
) -> Option<PodFacts> {
    let own = Pods::of(vm.metadata.uid.as_deref()?, pods).read;
    let pod = own.iter().find(|pod| Some(pod.uid.as_str()) == named).or(own.last())?;
    Some(PodFacts { name: pod.name.clone(), wish: pod.spec, allocated: pod.allocated, actual: pod.actual })
}

/// What `Ready` says while it is not True; a spec that nobody has looked at yet is waited for as well.
fn waiting(vm: &VirtualMachine) -> Option<Waiting> {
    let status = vm.status.as_ref();
    let ready = status.and_then(|status| find(&status.conditions, READY));
    let seen = ready.and_then(|ready| ready.observed_generation).unwrap_or(0);
    let Some(ready) = ready.filter(|_| seen >= vm.metadata.generation.unwrap_or(0)) else {
        return Some(unseen(vm));
    };
    if ready.status == "True" {
        return None;
    }
    let known: Option<Reason> = serde_json::from_value(ready.reason.clone().into()).ok();
    Some(Waiting {
        reason: harmless(&ready.reason),
        message: harmless(&ready.message),
        since: status.and_then(|status| resize_since(status, known)).or(Some(ready.last_transition_time.0)),
        stuck: status.is_some_and(|status| is_true(&status.conditions, STALLED)),
        hint: known.and_then(hint),
    })
}

/// Since when the resize is where it is, where that is what the VM waits for: `Ready` may tell of something else beside it.
fn resize_since(status: &VirtualMachineStatus, told: Option<Reason>) -> Option<Timestamp> {
    status.resize.as_ref().filter(|resize| told.is_some() && resize.reason == told)?.reason_since
}

fn unseen(vm: &VirtualMachine) -> Waiting {
    let generation = vm.metadata.generation.unwrap_or(0);
    Waiting {
        reason: "WaitingForController".to_owned(),
        message: format!("no controller has looked at generation {generation} of the VM yet"),
        since: None,
        stuck: false,
        hint: Some("if it stays so, see whether `reef controller` runs and is ready"),
    }
}
