//! The life of a VM's Pod by run policy, as the pipeline decides it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;
#[path = "support/vm.rs"]
mod vm;

use jiff::{SignedDuration, Timestamp};
use reef_api::devices::{AttachedDisk, DiskSource, Image};
use reef_api::vm::{DiskFormat, Initramfs, Kernel, RunPolicy, VirtualMachineStatus};
use reef_api::{Bytes, Devices, NodeDevice, Overcommit, Phase, PodSize, Reason, Size, Vcpus, Vm, condition};
use reef_reconciler::decide::action::{Action, ControllerStatus, Step};
use reef_reconciler::decide::asked::Asked;
use reef_reconciler::decide::observed::{PodObserved, PodPhase, Refusal, RefusalKind, VmObserved};
use reef_reconciler::decide::pipeline::next;
use reef_reconciler::decide::target::{Placement, Target, TargetProblem};
use serde_json::json;
use support::settled_pod;
use vm::{OVERHEAD, vm};

const GIB: u64 = 1024 * 1024 * 1024;
const SIZE: Size = Size::new(Vcpus(2), Bytes(2 * GIB));

fn target(run_policy: RunPolicy) -> Target {
    let vm = Vm { run_policy, ..vm("web-1", SIZE) };
    let placement = Placement { image: "reef:test".to_owned(), ..Placement::default() };
    Target {
        generation: 3,
        revision: Some("c0ffee".to_owned()),
        vm,
        problem: None,
        asked: Asked::default(),
        hold: None,
        placement,
    }
}

fn observed(pods: Vec<PodObserved>) -> VmObserved {
    VmObserved {
        uid: "vm-uid".to_owned(),
        resource_version: "10".to_owned(),
        generation: 3,
        deleting: false,
        status: VirtualMachineStatus::default(),
        pods,
        leftovers: Vec::new(),
        node: None,
        refusal: None,
        neighbourhood: None,
        contest: None,
    }
}

fn pod(uid: &str, phase: PodPhase) -> PodObserved {
    PodObserved { phase, ..settled_pod(uid, PodSize::carrying(SIZE, OVERHEAD, Overcommit::NONE)) }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

/// Writes statuses until the step asks for something else; that step, and the view with its status.
fn settle(target: &Target, mut view: VmObserved, now: Timestamp) -> (Step, VmObserved) {
    for _ in 0..5 {
        let step = next(target, &view, now);
        let Action::WriteStatus { status, .. } = step.action else { return (step, view) };
        write(&mut view.status, *status);
    }
    panic!("the status never comes to rest: {:?}", view.status)
}

fn write(status: &mut VirtualMachineStatus, written: ControllerStatus) {
    status.phase = Some(written.phase);
    (status.node_name, status.vm_pod_name, status.vm_pod_uid) = (written.node_name, written.pod_name, written.pod_uid);
    (status.resize, status.history, status.conditions) = (written.resize, written.history, written.conditions);
}

fn ready(view: &VmObserved) -> (String, String) {
    let ready = condition::find(&view.status.conditions, condition::READY).unwrap();
    (ready.status.clone(), ready.reason.clone())
}

#[test]
fn a_vm_that_is_to_run_gets_a_pod_that_carries_it() {
    let (step, view) = settle(&target(RunPolicy::Always), observed(vec![]), at(0));
    let Action::CreatePod(pod) = step.action else { panic!("{:?}", step.action) };
    let pod = serde_json::to_value(&*pod).unwrap();
    let container = pod.pointer("/spec/containers/0").unwrap();
    let layout = r#"{"vmm":"CloudHypervisor","name":"web/web-1","vcpus":2,"minVcpus":1,"maxVcpus":8,"memory":"2Gi","minMemory":"1Gi","maxMemory":"16Gi"}"#;
    assert_eq!(container.pointer("/args/2").unwrap(), layout);
    let values = serde_json::json!({"cpu": "2", "memory": "2304Mi"});
    assert_eq!(container.pointer("/resources").unwrap(), &serde_json::json!({"limits": values, "requests": values}));
    assert_eq!(pod.pointer("/spec/restartPolicy").unwrap(), "Never");
    assert_eq!(pod.pointer("/metadata/ownerReferences/0/uid").unwrap(), "vm-uid");
    assert_eq!(ready(&view), ("False".to_owned(), "CreatingPod".to_owned()));
}

#[test]
fn a_creation_that_is_repeated_has_the_same_name_and_the_next_boot_another() {
    let name = |view: VmObserved| match settle(&target(RunPolicy::Always), view, at(0)).0.action {
        Action::CreatePod(pod) => pod.metadata.name.unwrap(),
        other => panic!("{other:?}"),
    };
    let mut second = observed(vec![]);
    second.status.vm_pod_uid = Some("first".to_owned());
    assert_eq!(name(observed(vec![])), name(observed(vec![])));
    assert_ne!(name(observed(vec![])), name(second));
}

#[test]
fn nothing_is_started_while_a_pod_of_before_can_still_run() {
    let mut old = pod("old", PodPhase::Running);
    old.deleting = true;
    let (step, _) = settle(&target(RunPolicy::Always), observed(vec![old]), at(0));
    assert_eq!((step.action, step.waiting_on), (Action::Rest, Some(Reason::Stopping)));
}

#[test]
fn nothing_is_started_while_the_pod_of_an_earlier_vm_of_this_name_can_still_run() {
    let mut view = observed(vec![]);
    view.leftovers = vec!["web-1-old".to_owned()];
    let (step, mut view) = settle(&target(RunPolicy::Always), view, at(0));
    assert_eq!((step.action, step.waiting_on), (Action::Rest, Some(Reason::Stopping)));
    view.leftovers.clear();
    let (step, _) = settle(&target(RunPolicy::Always), view, at(1));
    assert!(matches!(step.action, Action::CreatePod(_)), "{:?}", step.action);
}

#[test]
fn a_halted_vm_loses_its_pod_and_is_ready_without_it() {
    let (step, _) = settle(&target(RunPolicy::Halted), observed(vec![pod("a", PodPhase::Running)]), at(0));
    assert_eq!(
        step.action,
        Action::DeletePod { name: "web-1-a".to_owned(), uid: "a".to_owned(), resource_version: None }
    );
    let (step, view) = settle(&target(RunPolicy::Halted), observed(vec![]), at(0));
    assert_eq!(step.action, Action::Rest);
    assert_eq!(ready(&view), ("True".to_owned(), "Halted".to_owned()));
}

/// A Pod that has found no node, made for a generation of the spec.
fn unplaced(uid: &str, made_for: Option<i64>) -> PodObserved {
    PodObserved { node: None, made_for, allocated: None, actual: None, ..pod(uid, PodPhase::Pending) }
}

#[test]
fn a_pod_without_a_node_is_made_anew_for_another_spec_and_only_if_it_is_still_without_one() {
    for policy in [RunPolicy::Always, RunPolicy::RerunOnFailure, RunPolicy::Once] {
        let (step, mut view) = settle(&target(policy), observed(vec![unplaced("a", Some(2))]), at(0));
        let resource_version = Some("1".to_owned());
        let deletion = Action::DeletePod { name: "web-1-a".to_owned(), uid: "a".to_owned(), resource_version };
        assert_eq!((step.action, ready(&view).1.as_str()), (deletion, "CreatingPod"), "{policy:?}");
        view.pods.clear();
        let (step, _) = settle(&target(policy), view, at(1));
        assert!(matches!(step.action, Action::CreatePod(_)), "{policy:?}: {:?}", step.action);
    }
}

#[test]
fn a_pod_without_a_node_stays_where_nothing_would_be_better() {
    let rests = |target: &Target, pod: PodObserved| settle(target, observed(vec![pod]), at(0)).0.action == Action::Rest;
    let always = target(RunPolicy::Always);
    assert!(rests(&always, unplaced("a", Some(3))), "made for this spec");
    assert!(rests(&always, unplaced("a", None)), "nothing is known of what it was made for");
    assert!(rests(&target(RunPolicy::Manual), unplaced("a", Some(2))), "nothing would be started");
    let problem = TargetProblem { reason: Reason::Invalid, message: "no".to_owned() };
    assert!(rests(&Target { problem: Some(problem), ..always }, unplaced("a", Some(2))), "no usable size");
}

#[test]
fn a_vm_of_one_start_whose_pod_somebody_deletes_before_it_found_a_node_is_at_its_end() {
    let once = target(RunPolicy::Once);
    let (_, mut view) = settle(&once, observed(vec![unplaced("a", Some(3))]), at(0));
    view.pods.clear();
    let (step, view) = settle(&once, view, at(1));
    assert_eq!((step.action, ready(&view).1.as_str()), (Action::Rest, "Ended"));
}

#[test]
fn a_vm_that_always_runs_is_started_again_after_a_while() {
    let ended = || observed(vec![pod("a", PodPhase::Failed)]);
    let (step, view) = settle(&target(RunPolicy::Always), ended(), at(0));
    assert_eq!(step.action, Action::Rest);
    assert!(step.look_again.is_some());
    let (step, _) = settle(&target(RunPolicy::Always), view, at(0) + SignedDuration::from_secs(11));
    assert_eq!(
        step.action,
        Action::DeletePod { name: "web-1-a".to_owned(), uid: "a".to_owned(), resource_version: None }
    );
}

#[test]
fn a_clock_that_steps_back_makes_a_pause_before_a_start_no_longer_than_another_one() {
    let (always, back) = (target(RunPolicy::Always), SignedDuration::from_hours(1));
    let (_, view) = settle(&always, observed(vec![pod("a", PodPhase::Failed)]), at(9));
    let (step, view) = settle(&always, view, at(9) - back);
    assert_eq!(step.action, Action::Rest);
    let (step, _) = settle(&always, view, at(20) - back);
    assert_eq!(
        step.action,
        Action::DeletePod { name: "web-1-a".to_owned(), uid: "a".to_owned(), resource_version: None }
    );
}

#[test]
fn a_vm_that_fails_again_and_again_is_left_down_for_a_while_each_time() {
    let always = target(RunPolicy::Always);
    let (_, mut view) = settle(&always, observed(vec![pod("a", PodPhase::Failed)]), at(0));
    view.pods.clear();
    let (_, mut view) = settle(&always, view, at(11));
    view.pods = vec![pod("b", PodPhase::Pending)];
    let (_, mut view) = settle(&always, view, at(12));
    assert_eq!(ready(&view).1, "Starting");
    view.pods = vec![pod("b", PodPhase::Failed)];
    let (step, view) = settle(&always, view, at(60));
    assert_eq!(step.action, Action::Rest, "it has only just ended, though it has not been ready for long");
    let (step, _) = settle(&always, view, at(71));
    assert_eq!(
        step.action,
        Action::DeletePod { name: "web-1-b".to_owned(), uid: "b".to_owned(), resource_version: None }
    );
}

fn unbooted(uid: &str) -> PodObserved {
    let trouble = Some("Error: disk root (/mnt/root/disk.img) cannot be opened".to_owned());
    PodObserved { unbooted: true, trouble, ..pod(uid, PodPhase::Failed) }
}

#[test]
fn a_vm_that_could_not_be_booted_says_why_and_is_tried_again_after_pauses_that_double() {
    let always = target(RunPolicy::Always);
    let (mut view, mut now, mut pauses) = (observed(vec![]), 0, Vec::new());
    for attempt in 0..8 {
        let uid = format!("attempt-{attempt}");
        view.pods = vec![pod(&uid, PodPhase::Pending)];
        view = settle(&always, view, at(now)).1;
        view.pods = vec![unbooted(&uid)];
        let failed = now + 4;
        now = failed;
        while settle(&always, view.clone(), at(now)).0.action == Action::Rest {
            view = settle(&always, view, at(now)).1;
            assert_eq!(ready(&view), ("False".to_owned(), "BootFailed".to_owned()));
            now += 1;
        }
        pauses.push(now - failed);
    }
    assert_eq!(pauses, [10, 18, 40, 84, 172, 300, 300, 300]);
    let ready = condition::find(&view.status.conditions, condition::READY).unwrap();
    assert_eq!(
        ready.message,
        "Pod web-1-attempt-7 could not boot the VM: Error: disk root (/mnt/root/disk.img) cannot be opened"
    );
}

#[test]
fn a_vm_that_runs_once_and_could_not_be_booted_rests_with_the_reason() {
    let (step, view) = settle(&target(RunPolicy::Once), observed(vec![unbooted("a")]), at(0));
    assert_eq!((step.action, step.look_again), (Action::Rest, None));
    assert_eq!((ready(&view).1.as_str(), view.status.phase), ("BootFailed", Some(Phase::Failed)));
    assert!(condition::is_true(&view.status.conditions, condition::STALLED));
}

#[test]
fn kernel_and_disks_are_brought_by_init_containers_that_are_smaller_than_any_vm() {
    let image = |image: &str| Image { image: image.to_owned(), image_pull_policy: Some("Never".to_owned()) };
    let disk =
        |name: &str, source| AttachedDisk { name: name.to_owned(), read_only: false, format: DiskFormat::Raw, source };
    let mut target = target(RunPolicy::Always);
    target.vm.devices = Devices {
        kernel: Some(Kernel {
            image: "kernel:6".to_owned(),
            cmdline: "quiet root=$(DISK)".to_owned(),
            image_pull_policy: None,
            initramfs: Some(Initramfs { image: "initrd:6".to_owned(), image_pull_policy: None }),
        }),
        disks: vec![
            disk("root", DiskSource::ContainerRootfs(image("root:1"), Bytes(GIB))),
            disk("data", DiskSource::ClaimFile("data-1".to_owned())),
            AttachedDisk { read_only: true, ..disk("raw", DiskSource::ClaimDevice("raw-1".to_owned())) },
        ],
    };
    let (step, _) = settle(&target, observed(vec![]), at(0));
    let Action::CreatePod(pod) = step.action else { panic!("{:?}", step.action) };
    insta::assert_snapshot!(serde_json::to_string_pretty(&pod.spec).unwrap());
}

#[test]
fn a_pod_asks_for_one_of_each_device_that_vms_are_to_have_and_is_left_alone_when_that_changes() {
    let resources = |devices: &[NodeDevice]| {
        let mut target = target(RunPolicy::Always);
        target.placement.devices = devices.iter().copied().collect();
        let Action::CreatePod(pod) = settle(&target, observed(vec![]), at(0)).0.action else { panic!("no Pod") };
        serde_json::to_value(&pod.spec.unwrap().containers[0].resources).unwrap()
    };
    let plain = json!({"cpu": "2", "memory": "2304Mi"});
    let with = json!({"cpu": "2", "memory": "2304Mi", "devices.reef.dev/kvm": "1", "devices.reef.dev/tun": "1"});
    assert_eq!(resources(&[]), json!({"requests": plain, "limits": plain}));
    assert_eq!(resources(&[NodeDevice::Tun, NodeDevice::Kvm]), json!({"requests": with, "limits": with}));

    let (resting, view) = settle(&target(RunPolicy::Always), observed(vec![pod("a", PodPhase::Running)]), at(0));
    let mut changed = target(RunPolicy::Always);
    changed.placement.devices = NodeDevice::ALL.iter().copied().collect();
    assert_eq!(settle(&changed, view.clone(), at(0)), (resting, view));
}

#[test]
fn run_policies_decide_what_an_end_means() {
    let phase = |policy, phase| {
        let (step, view) = settle(&target(policy), observed(vec![pod("a", phase)]), at(0));
        (step.look_again.is_some(), view.status.phase.unwrap())
    };
    assert_eq!(phase(RunPolicy::Once, PodPhase::Succeeded), (false, Phase::Succeeded));
    assert_eq!(phase(RunPolicy::Once, PodPhase::Failed), (false, Phase::Failed));
    assert_eq!(phase(RunPolicy::RerunOnFailure, PodPhase::Succeeded), (false, Phase::Succeeded));
    assert_eq!(phase(RunPolicy::RerunOnFailure, PodPhase::Failed), (true, Phase::Failed));
}

#[test]
fn a_vm_that_runs_once_is_not_started_again_when_its_pod_is_deleted() {
    let mut view = observed(vec![]);
    view.status.vm_pod_uid = Some("gone".to_owned());
    let (step, view) = settle(&target(RunPolicy::Once), view, at(0));
    assert_eq!((step.action, view.status.phase), (Action::Rest, Some(Phase::Failed)));
    assert_eq!(ready(&view).1, "Ended");
}

#[test]
fn an_invalid_spec_starts_nothing_and_says_why() {
    let mut bad = target(RunPolicy::Always);
    bad.problem = Some(TargetProblem { reason: Reason::Invalid, message: "memory is 0".to_owned() });
    let (step, view) = settle(&bad, observed(vec![]), at(0));
    assert_eq!(step.action, Action::Rest);
    assert_eq!(ready(&view), ("False".to_owned(), "Invalid".to_owned()));
}

#[test]
fn a_pod_that_the_api_server_does_not_take_is_told_also_while_it_is_tried_again() {
    let mut view = observed(vec![]);
    let message = "exceeded quota: team".to_owned();
    let refusal =
        Refusal { generation: 3, pod_uid: String::new(), wishes: Vec::new(), kind: RefusalKind::Quota, message };
    view.refusal = Some(refusal);
    let (step, mut view) = settle(&target(RunPolicy::Always), view, at(0));
    assert_eq!((step.action, step.waiting_on), (Action::Rest, Some(Reason::QuotaExceeded)));
    assert_eq!(ready(&view), ("False".to_owned(), "QuotaExceeded".to_owned()));
    view.refusal = None;
    let step = next(&target(RunPolicy::Always), &view, at(30));
    assert!(matches!(step.action, Action::CreatePod(_)), "{:?}", step.action);
}
