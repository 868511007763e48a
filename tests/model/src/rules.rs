//! The controller's decision: `pipeline::next` itself, asked once for each view that can be told from another.
//!
//! A view is built as `observe` builds it. What a guard would have kept out is put in here, where that guard is left out.

use crate::bounds::{Bounds, Guard};
use crate::size::Level;
use crate::state::{Pending, Pod, Progress, Refusal, Report, StatusId, Vm};
use crate::statuses::{NOW_GENERATION, OLDER_GENERATION, Statuses, TIMED, long_ago, now, pod_uid};
use crate::store::Table;
use crate::{reports::Reports, state::Start};
use reef_api::size::DEFAULT_OVERHEAD;
use reef_api::vm::{ResizeStatus, RunPolicy, VirtualMachineStatus, VmmKind};
use reef_api::{Bytes, Lease, Meanwhile, MilliCpu, Overcommit, Reason, ShrinkGate, VmKey};
use reef_reconciler::decide::action::{Action, ControllerStatus, Step};
use reef_reconciler::decide::asked::Asked;
use reef_reconciler::decide::observed as seen;
use reef_reconciler::decide::observed::{
    NodeObserved, PodObserved, PodPhase, Reads, ResizeInProgress, ResizePending, VmObserved,
};
use reef_reconciler::decide::pipeline;
use reef_reconciler::decide::target::{Placement, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the controller looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Look {
    want: Level,
    status: StatusId,
    report: Option<Report>,
    pod: Pod,
    refusal: Option<(Refusal, Level)>,
}

impl Look {
    /// Puts together what the controller's copies show.
    pub const fn new(vm: Vm, pod: Pod, refusal: Option<(Refusal, Level)>) -> Self {
        Self { want: vm.want, status: vm.status, report: vm.report, pod, refusal }
    }
}

/// What the controller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Rest,
    /// Writes its part of the status.
    Write(StatusId),
    /// Wishes another size for the Pod.
    Wish(Level),
}

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub act: Act,
    /// What the VM waits for.
    pub waiting: Option<Reason>,
}

/// The decisions that were made.
#[derive(Debug)]
pub struct Rules {
    bounds: Bounds,
    made: Table<Look, Decision>,
    panicked: bool,
}

impl Rules {
    /// Has decided nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, made: Table::default(), panicked: false }
    }

    /// How many different views were decided about.
    pub fn len(&self) -> usize {
        self.made.len()
    }

    /// Whether the function ever panicked.
    pub const fn panicked(&self) -> bool {
        self.panicked
    }

    /// Decides.
    pub fn decide(&mut self, look: Look, statuses: &mut Statuses, reports: &Reports) -> Decision {
        if let Some(made) = self.made.get(&look) {
            return *made;
        }
        let asked = catch_unwind(AssertUnwindSafe(|| self.ask(&look, statuses, reports)));
        self.panicked |= asked.is_err();
        let decision = asked.unwrap_or(Decision { act: Act::Rest, waiting: None });
        self.made.insert(look, decision);
        decision
    }

    fn ask(&self, look: &Look, statuses: &mut Statuses, reports: &Reports) -> Decision {
        let target = target(look.want);
        let observed = self.observed(look, statuses.get(look.status).status.clone(), reports);
        let decision = settle(&target, observed.clone(), look.status, statuses);
        let timed = statuses
            .get(look.status)
            .status
            .resize
            .as_ref()
            .is_some_and(|resize| resize.reason.is_some_and(|reason| TIMED.contains(&reason)));
        if !timed {
            let mut aged = observed;
            if let Some(resize) = aged.status.resize.as_mut() {
                resize.reason_since = Some(long_ago());
            }
            let later = settle(&target, aged, look.status, statuses);
            assert!(
                later == decision || only_told(look.status, decision, later, statuses),
                "the age of a reason makes a difference that the model does not know of: {look:?}: {later:?} and not {decision:?}"
            );
        }
        decision
    }

    fn observed(&self, look: &Look, status: ControllerStatus, reports: &Reports) -> VmObserved {
        let mut report = look.report.map(|report| reports.get(report));
        let last = status.resize.as_ref().and_then(|resize| resize.grant.as_ref()).map(|grant| grant.seq);
        if let Some(report) = report.as_mut() {
            if !self.bounds.holds(Guard::GrantsHeld) {
                report.ack_seq = report.ack_seq.max(last.unwrap_or(0) + 1);
            }
            if !self.bounds.holds(Guard::Incarnation) {
                report.pod_uid = pod_uid(look.pod.start);
            }
        }
        VmObserved {
            uid: "vm-uid".to_owned(),
            resource_version: "1".to_owned(),
            generation: NOW_GENERATION,
            deleting: false,
            status: with_report(status, report),
            pods: vec![self.pod(&look.pod)],
            leftovers: Vec::new(),
            node: Some(NodeObserved {
                name: NODE.to_owned(),
                ready: true,
                cpu: MilliCpu(64_000),
                memory: Bytes(256 << 30),
            }),
            refusal: look.refusal.map(|(refusal, wish)| refused(refusal, wish, look.pod.start)),
            neighbourhood: None,
            contest: None,
        }
    }

    fn pod(&self, pod: &Pod) -> PodObserved {
        let spec = pod.wish.pod();
        let limit = |size: reef_api::PodSize| reef_api::PodSize { cpu_limit: spec.cpu_limit, ..size };
        let mut observed = PodObserved {
            name: format!("web-1-{}", pod.start.0),
            uid: pod_uid(pod.start),
            resource_version: "1".to_owned(),
            phase: PodPhase::Running,
            deleting: false,
            node: Some(NODE.to_owned()),
            unschedulable: None,
            trouble: None,
            unbooted: false,
            made_for: None,
            restarted: None,
            generation: NOW_GENERATION,
            observed_generation: if pod.caught_up { NOW_GENERATION } else { OLDER_GENERATION },
            spec,
            allocated: Some(limit(pod.allocated.pod())),
            actual: Some(pod.actual.pod()),
            pending: pending(pod.pending),
            in_progress: progress(pod.progress),
            // The shell reads a second time before it raises: between the two reads other moves are made, and the second one is the view.
            reads: Reads::Twice,
        };
        if !self.bounds.holds(Guard::AllThree) {
            observed.observed_generation = NOW_GENERATION;
            (observed.allocated, observed.actual) = (Some(spec), Some(spec));
        }
        observed
    }
}

const NODE: &str = "node-a";

/// Whether a wait for the kubelet that has become long makes no difference but that people are told.
fn only_told(standing: StatusId, decision: Decision, later: Decision, statuses: &Statuses) -> bool {
    let resize = |decision: Decision| {
        let status = match decision.act {
            Act::Rest => standing,
            Act::Write(status) => status,
            Act::Wish(_) => return None,
        };
        let resize = statuses.get(status).status.resize.clone()?;
        Some(ResizeStatus { reason_since: None, ..resize })
    };
    let on_kubelet = matches!(later.waiting, Some(Reason::RaisingPod | Reason::LoweringPod));
    on_kubelet && later.waiting == decision.waiting && resize(later).is_some_and(|told| Some(told) == resize(decision))
}

/// Asks until the answer is no status that says in other words what stands there already.
fn settle(target: &Target, mut observed: VmObserved, standing: StatusId, statuses: &mut Statuses) -> Decision {
    for _ in 0..2 {
        let Step { action, waiting_on, .. } = pipeline::next(target, &observed, now());
        let act = match action {
            Action::Rest => Act::Rest,
            Action::ResizePod { wish, .. } => {
                Act::Wish(Level::of_pod(wish).expect("a wish for one of the model's sizes"))
            }
            Action::WriteStatus { status, .. } => {
                let number = statuses.number(&status);
                if number == standing {
                    observed.status = with_report(*status, observed.status.vmm.take());
                    continue;
                }
                Act::Write(number)
            }
            Action::ReadPod { .. } => panic!("the Pod was read twice: {waiting_on:?}"),
            Action::CreatePod(_) | Action::DeletePod { .. } => panic!("the Pod runs: {waiting_on:?}"),
        };
        return Decision { act, waiting: waiting_on };
    }
    panic!("a status is written again and again: {:?}", observed.status);
}

fn with_report(status: ControllerStatus, vmm: Option<reef_api::vm::VmmStatus>) -> VirtualMachineStatus {
    VirtualMachineStatus {
        phase: Some(status.phase),
        node_name: status.node_name,
        vm_pod_name: status.pod_name,
        vm_pod_uid: status.pod_uid,
        resize: status.resize,
        history: status.history,
        vmm,
        conditions: status.conditions,
    }
}

fn pending(pending: Pending) -> Option<ResizePending> {
    let reason = match pending {
        Pending::No => return None,
        Pending::Deferred => seen::PendingReason::Deferred,
        Pending::Infeasible => seen::PendingReason::Infeasible,
    };
    Some(ResizePending { reason, message: "Node didn't have enough resource".to_owned() })
}

fn progress(progress: Progress) -> Option<ResizeInProgress> {
    match progress {
        Progress::Done => None,
        Progress::Going => Some(ResizeInProgress { error: None }),
        Progress::Error => Some(ResizeInProgress { error: Some("below current usage".to_owned()) }),
    }
}

fn refused(refusal: Refusal, wish: Level, start: Start) -> seen::Refusal {
    let kind = match refusal {
        Refusal::NodeCapacity => seen::RefusalKind::NodeCapacity,
        Refusal::Quota => seen::RefusalKind::Quota,
    };
    let message = "refused".to_owned();
    seen::Refusal { generation: NOW_GENERATION, pod_uid: pod_uid(start), wishes: vec![wish.pod()], kind, message }
}

fn target(want: Level) -> Target {
    let vm = reef_api::Vm {
        key: VmKey::new("web", "web-1"),
        size: want.size(),
        floor: Level::new(0, 0).size(),
        ceiling: Level::new(7, 7).size(),
        vmm: VmmKind::CloudHypervisor,
        run_policy: RunPolicy::Always,
        overhead: DEFAULT_OVERHEAD,
        overcommit: Overcommit::NONE,
        stated: None,
        devices: reef_api::Devices::default(),
        shrink_gate: ShrinkGate::Guard,
        lease: Lease::USUAL,
        meanwhile: Meanwhile::Nothing,
    };
    Target {
        generation: NOW_GENERATION,
        revision: None,
        vm,
        problem: None,
        asked: Asked::default(),
        hold: None,
        placement: Placement::default(),
    }
}
