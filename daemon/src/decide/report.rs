//! What the daemon reports of a VM, and when it is worth a write.
//!
//! Pure. A report is written on change and at an acknowledgement, never because time went by.

use super::observed::{MachineState, MemoryDevice, VcpuDevice, VmmObserved};
use super::pace::Moment;
use super::step::{VmmAction, VmmStep, Wait};
use reef_api::vm::{Grant, Limitation, Process, Used, VmmStatus, VmmWaiting};
use reef_api::{Bytes, MEMORY_BLOCK};
use std::time::Duration;

/// Use is told in steps of this, rounded up, so that a guest that breathes is no reason to write.
const USE_STEP: Bytes = Bytes(32 << 20);
/// A guest that is on its way is reported at most this often; where it arrives is reported at once.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// The steps of a shrink are reported at most this often on the way: nobody acts on them, and what was told before is larger, which is on the safe side.
const STEPS_INTERVAL: Duration = Duration::from_secs(5);
/// What a waiting gate sees is reported at most this often.
const USE_INTERVAL: Duration = Duration::from_secs(10);

/// Pod and process that a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// UID of the Pod.
    pub pod_uid: String,
    /// The VMM's process.
    pub process: Process,
}

impl Identity {
    /// Whether a report is about this Pod and process.
    pub fn matches(&self, report: &VmmStatus) -> bool {
        self.pod_uid == report.pod_uid && self.process == report.process
    }
}

/// Builds the report of what was observed, for the step that was decided on it.
pub fn report(identity: &Identity, version: &str, observed: &VmmObserved, step: &VmmStep) -> VmmStatus {
    VmmStatus {
        pod_uid: identity.pod_uid.clone(),
        process: identity.process,
        ack_seq: ack_seq(observed, step),
        vcpus_requested: observed.requested.vcpus,
        vcpus_present: observed.actual.vcpus,
        memory_requested: observed.requested.memory,
        memory_actual: observed.actual.memory,
        used: used(observed, step),
        waiting: step.waiting_on.reported(),
        stuck: step.waiting_on.stuck(observed.actual),
        boot: observed.boot,
        limitations: limitations(observed),
        version: version.to_owned(),
        paused: observed.state == MachineState::Paused,
    }
}

/// What the VM's devices cannot do, as `vcpus` and `memory` decide by them.
fn limitations(observed: &VmmObserved) -> Vec<Limitation> {
    let vcpus = match observed.vcpu_device {
        VcpuDevice::Counted | VcpuDevice::Slots => None,
        VcpuDevice::SpentSlots => Some(Limitation::VcpusOnlyShrink),
    };
    let memory = match observed.memory_device {
        MemoryDevice::VirtioMem => None,
        MemoryDevice::VirtioMemEcho => Some(Limitation::MemoryEndUnseen),
        MemoryDevice::Acpi => Some(Limitation::MemoryByAcpi),
        MemoryDevice::Fixed => Some(Limitation::MemoryFixed),
    };
    vcpus.into_iter().chain(memory).collect()
}

/// The report of a VM that cannot be observed at present: the last numbers, which stay true until it is asked for
/// something else, and what is in the way.
pub fn troubled(last: &VmmStatus, waiting: VmmWaiting) -> VmmStatus {
    VmmStatus { waiting: Some(waiting), used: None, stuck: None, ..last.clone() }
}

fn ack_seq(observed: &VmmObserved, step: &VmmStep) -> u64 {
    match step.action {
        VmmAction::Acknowledge { seq, .. } => seq,
        VmmAction::None | VmmAction::SetVcpus(_) | VmmAction::SetMemory(_) => {
            observed.taken.as_ref().map_or(0, |taken| taken.seq)
        }
    }
}

fn used(observed: &VmmObserved, step: &VmmStep) -> Option<Used> {
    let gated = matches!(step.waiting_on.memory, Some(Wait::GuestPressure { .. }));
    let Used { bytes, source } = super::used::used(observed).filter(|_| gated)?;
    Some(Used { bytes: bytes.checked_next_multiple_of(USE_STEP).unwrap_or(bytes), source })
}

/// Whether a plain report may be written. While a grant stands that this process has not taken over, the first thing it
/// writes is the acknowledgement: until then it does not know which number would be true.
pub const fn may_report(grant: Option<&Grant>, taken: Option<&Grant>) -> bool {
    grant.is_none() || taken.is_some()
}

/// When a report is worth a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It says nothing new.
    Nothing,
    /// Now.
    Now,
    /// It is progress on the way: not before this moment.
    From(Moment),
}

/// Whether the VM is on its way to what was granted, so that the next look will show something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It has what was granted, or waits for something else than its guest.
    Rests,
    /// The guest is following.
    Moves,
}

impl Way {
    /// On which way a VM is after a decision.
    pub fn of(step: &VmmStep) -> Self {
        let waits = [&step.waiting_on.vcpus, &step.waiting_on.memory];
        if waits.into_iter().flatten().any(|wait| *wait == Wait::Guest) { Self::Moves } else { Self::Rests }
    }
}

/// Compares a report with the one that the cluster has.
pub fn worth(new: &VmmStatus, way: Way, standing: Option<&VmmStatus>, written: Option<Moment>, now: Moment) -> Worth {
    let Some(standing) = standing else { return Worth::Now };
    if new == standing || is_nudge(new, standing) {
        return Worth::Nothing;
    }
    let Some(interval) = interval(new, way, standing) else { return Worth::Now };
    match written.map(|written| written.after(interval)) {
        Some(from) if now < from => Worth::From(from),
        Some(_) | None => Worth::Now,
    }
}

/// Whether nothing but a nudge lies between two reports: the guest has more than both requests, so that neither says what the VM may hold.
fn is_nudge(new: &VmmStatus, standing: &VmmStatus) -> bool {
    let (requested, before) = (new.memory_requested, standing.memory_requested);
    let only_requested = VmmStatus { memory_requested: before, ..new.clone() } == *standing;
    let small = requested.0.abs_diff(before.0) < MEMORY_BLOCK.0;
    only_requested && small && new.memory_actual > requested.max(before)
}

/// How long a report can be held back: not at all where anything but progress or use has changed, or the guest has arrived.
fn interval(new: &VmmStatus, way: Way, standing: &VmmStatus) -> Option<Duration> {
    let only_use = VmmStatus { used: standing.used, ..new.clone() };
    if only_use == *standing {
        return (new.used.is_some() && standing.used.is_some()).then_some(USE_INTERVAL);
    }
    let actual = standing.actual();
    let only_progress = VmmStatus { vcpus_present: actual.vcpus, memory_actual: actual.memory, ..only_use };
    let moves = way == Way::Moves;
    if only_progress == *standing {
        return moves.then_some(PROGRESS_INTERVAL);
    }
    let asked = standing.requested();
    let only_steps = VmmStatus { vcpus_requested: asked.vcpus, memory_requested: asked.memory, ..only_progress };
    let lowered = new.requested() == new.requested().min(asked);
    (only_steps == *standing && lowered && moves).then_some(STEPS_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::vm::{BootStatus, UsedSource};
    use reef_api::{Reason, ShrinkGate, Vcpus};

    const GIB: u64 = 1 << 30;

    fn standing() -> VmmStatus {
        VmmStatus {
            pod_uid: "pod-1".to_owned(),
            process: Process { pid: 7, start_time: 9 },
            ack_seq: 3,
            vcpus_requested: Vcpus(4),
            vcpus_present: Vcpus(4),
            memory_requested: Bytes(4 * GIB),
            memory_actual: Bytes(GIB),
            used: None,
            waiting: None,
            stuck: None,
            boot: BootStatus {
                min_vcpus: Vcpus(1),
                max_vcpus: Vcpus(8),
                min_memory: Bytes(GIB),
                max_memory: Bytes(8 * GIB),
            },
            limitations: Vec::new(),
            version: "v53.0".to_owned(),
            paused: false,
        }
    }

    fn at(millis: u64) -> Moment {
        Moment(Duration::from_millis(millis))
    }

    #[test]
    fn the_same_report_is_not_written_again() {
        assert_eq!(worth(&standing(), Way::Rests, Some(&standing()), Some(at(0)), at(99_999)), Worth::Nothing);
    }

    #[test]
    fn a_guest_on_its_way_is_reported_once_a_second_and_its_arrival_at_once() {
        let underway = VmmStatus { memory_actual: Bytes(2 * GIB), ..standing() };
        assert_eq!(worth(&underway, Way::Moves, Some(&standing()), Some(at(0)), at(200)), Worth::From(at(1000)));
        assert_eq!(worth(&underway, Way::Moves, Some(&standing()), Some(at(0)), at(1000)), Worth::Now);
        let arrived = VmmStatus { memory_actual: Bytes(4 * GIB), ..standing() };
        assert_eq!(worth(&arrived, Way::Rests, Some(&standing()), Some(at(0)), at(200)), Worth::Now);
    }

    #[test]
    fn a_change_of_use_alone_waits_and_its_first_appearance_does_not() {
        let used = |mib: u64| Some(Used { bytes: Bytes(mib << 20), source: UsedSource::Cgroup });
        let gated = VmmStatus { used: used(512), ..standing() };
        assert_eq!(worth(&gated, Way::Rests, Some(&standing()), Some(at(0)), at(200)), Worth::Now);
        let more = VmmStatus { used: used(544), ..standing() };
        assert_eq!(worth(&more, Way::Rests, Some(&gated), Some(at(0)), at(200)), Worth::From(at(10_000)));
    }

    #[test]
    fn a_request_that_was_made_is_reported_at_once() {
        let asked = VmmStatus { vcpus_requested: Vcpus(6), ..standing() };
        assert_eq!(worth(&asked, Way::Moves, Some(&standing()), Some(at(0)), at(1)), Worth::Now);
    }

    #[test]
    fn the_steps_of_a_shrink_are_reported_every_few_seconds_and_its_end_at_once() {
        let resting = VmmStatus { memory_actual: Bytes(4 * GIB), ..standing() };
        let step = VmmStatus { memory_requested: Bytes(3 * GIB), memory_actual: Bytes(3 * GIB), ..standing() };
        assert_eq!(worth(&step, Way::Moves, Some(&resting), Some(at(0)), at(200)), Worth::From(at(5000)));
        assert_eq!(worth(&step, Way::Rests, Some(&resting), Some(at(0)), at(200)), Worth::Now);
        let more = VmmStatus { memory_requested: Bytes(5 * GIB), ..resting.clone() };
        assert_eq!(worth(&more, Way::Moves, Some(&resting), Some(at(0)), at(200)), Worth::Now);
    }

    #[test]
    fn a_nudge_is_no_news_while_the_guest_has_more() {
        let stalled = VmmStatus { memory_requested: Bytes(2 * GIB), memory_actual: Bytes(4 * GIB), ..standing() };
        let nudged = VmmStatus { memory_requested: Bytes(2 * GIB - (2 << 20)), ..stalled.clone() };
        assert_eq!(worth(&nudged, Way::Rests, Some(&stalled), Some(at(0)), at(99_999)), Worth::Nothing);
        let followed = VmmStatus { memory_actual: Bytes(2 * GIB), ..nudged };
        assert_eq!(worth(&followed, Way::Rests, Some(&stalled), Some(at(0)), at(99_999)), Worth::Now);
    }

    #[test]
    fn a_vm_that_cannot_be_seen_keeps_its_last_numbers() {
        let waiting = VmmWaiting { reason: Reason::VmmUnreachable, message: "gone".to_owned() };
        let expected = VmmStatus { waiting: Some(waiting.clone()), ..standing() };
        assert_eq!(troubled(&standing(), waiting), expected);
    }

    #[test]
    fn a_grant_that_is_not_taken_over_yet_keeps_plain_reports_back() {
        let grant =
            Grant { pod_uid: "pod-1".to_owned(), seq: 1, vcpus: Vcpus(1), memory: Bytes(GIB), gate: ShrinkGate::Guard };
        assert!(may_report(None, None));
        assert!(!may_report(Some(&grant), None));
        assert!(may_report(Some(&grant), Some(&grant)));
    }
}
