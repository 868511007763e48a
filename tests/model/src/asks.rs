//! The daemon's decision: `decide::next` itself, and the report that goes with it, asked once for each view that can be told from another.
//!
//! A view is built as `vm_task` builds it. Refusals that are waited out are not among it: a wait is a move that is not made yet.

use crate::bounds::{Bounds, Guard, Limits, VcpuKind};
use crate::reports::Reports;
use crate::size::Level;
use crate::state::{Grant, Report, Start, Still};
use crate::statuses::pod_uid;
use crate::store::Table;
use reef_api::vm::{BootStatus, Process, VmmStatus};
use reef_api::{Bytes, MilliCpu, ShrinkGate, Vcpus};
use reef_daemon::decide::report::{Identity, Way, Worth, may_report, report, worth};
use reef_daemon::decide::{self, Accounting, Limit, MachineState, MemoryDevice, Moment, Pace, VcpuDevice, VmmAction};
use reef_daemon::decide::{VmmObserved, VmmStep};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What the daemon looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Look {
    /// The start whose VMM it looks after.
    pub start: Start,
    /// The grant of its view.
    pub grant: Option<Grant>,
    /// The report of its view.
    pub standing: Option<Report>,
    /// The grant that it has taken over.
    pub taken: Option<Grant>,
    /// The largest number that it ever acknowledged.
    pub pledged: u8,
    /// Whether a request may be unaccounted for.
    pub doubt: bool,
    /// Whether it has asked for vCPUs a moment ago.
    pub asked: bool,
    /// What has not moved for long.
    pub still: Still,
    /// What the VMM was asked for.
    pub requested: Level,
    /// What the guest has.
    pub actual: Level,
    /// The limits of the container.
    pub limits: Level,
    /// Whether the guest uses more than any smaller size has.
    pub pressed: bool,
}

/// What the daemon does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Rest,
    /// Writes a report.
    Report(Report),
    /// Takes its view's grant over by this report.
    Acknowledge(Report),
    /// Asks the VMM for vCPUs.
    Cpu(u8),
    /// Asks the VMM for memory.
    Memory(u8),
}

/// The decisions that were made.
#[derive(Debug)]
pub struct Asks {
    bounds: Bounds,
    made: Table<Look, Act>,
    panicked: bool,
}

/// Some time after the start of the process.
const NOW: Moment = Moment(Duration::from_secs(3600));
/// A moment that is longer ago than any wait.
const LONG_AGO: Moment = Moment(Duration::ZERO);
/// Memory that a guest uses which lets go of memory, and one that does not.
const USED: (Bytes, Bytes) = (Bytes(256 << 20), Bytes(64 << 30));

impl Asks {
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
    pub fn decide(&mut self, look: Look, reports: &mut Reports) -> Act {
        if let Some(made) = self.made.get(&look) {
            return *made;
        }
        let asked = catch_unwind(AssertUnwindSafe(|| self.ask(&look, reports)));
        self.panicked |= asked.is_err();
        let act = asked.unwrap_or(Act::Rest);
        self.made.insert(look, act);
        act
    }

    fn ask(&self, look: &Look, reports: &mut Reports) -> Act {
        let grant = look.grant.filter(|grant| grant.start == look.start).map(real);
        let observed = self.observed(look, grant.as_ref());
        let step = decide::next(grant.as_ref(), &observed, NOW);
        match step.action {
            VmmAction::SetVcpus(vcpus) => Act::Cpu(Level::cpu_of(vcpus).expect("one of the model's sizes")),
            VmmAction::SetMemory(memory) => Act::Memory(Level::memory_of(memory).expect("one of the model's sizes")),
            VmmAction::Acknowledge { .. } => Act::Acknowledge(reports.number(told(look.start, &observed, &step))),
            VmmAction::None => {
                let silent = look.doubt || !may_report(grant.as_ref(), observed.taken.as_ref());
                let report = (!silent).then(|| told(look.start, &observed, &step));
                let standing = look.standing.map(|standing| reports.get(standing));
                let standing = standing.filter(|standing| identity(look.start).matches(standing));
                let new =
                    |report: &VmmStatus| worth(report, Way::of(&step), standing.as_ref(), None, NOW) != Worth::Nothing;
                let news = report.filter(new);
                news.map_or(Act::Rest, |news| Act::Report(reports.number(news)))
            }
        }
    }

    fn observed(&self, look: &Look, grant: Option<&reef_api::vm::Grant>) -> VmmObserved {
        let own_ack = self.bounds.holds(Guard::OwnAck);
        let pledged = if own_ack && self.bounds.holds(Guard::Pledge) { look.pledged } else { 0 };
        let taken = if own_ack { look.taken.map(real) } else { grant.cloned() };
        let at = look.limits.pod();
        let limits = match self.bounds.limits {
            Limits::Looked => decide::Limits { cpu: Limit::At(at.cpu_limit), memory: Limit::At(at.memory) },
            Limits::Unknown => decide::Limits { cpu: Limit::<MilliCpu>::Unlimited, memory: Limit::Unlimited },
        };
        VmmObserved {
            taken,
            pledged: u64::from(pledged),
            accounting: if look.doubt { Accounting::DOUBT } else { Accounting::Clear },
            state: MachineState::Running,
            requested: look.requested.size(),
            actual: look.actual.size(),
            boot: boot(),
            vcpu_device: match self.bounds.vcpus {
                VcpuKind::Counted => VcpuDevice::Counted,
                VcpuKind::Slots => VcpuDevice::Slots,
            },
            memory_device: MemoryDevice::VirtioMem,
            limits,
            used: Some(if look.pressed { USED.1 } else { USED.0 }),
            guest: None,
            grown: Bytes::ZERO,
            risen: Some(Bytes::ZERO),
            pace: pace(look),
        }
    }
}

/// Its memory of how the guest moves. A nudge is left out: it was made just now, and asks for nothing new.
fn pace(look: &Look) -> Pace {
    let mut pace = Pace { vcpus_asked: look.asked.then_some(NOW), ..Pace::default() };
    let actual = look.actual.size();
    if look.still.cpu {
        pace.vcpus_track.seen(None, actual.vcpus, LONG_AGO);
    }
    if look.still.memory {
        pace.memory_track.seen(None, actual.memory, LONG_AGO);
        pace.memory_track.nudged(NOW);
    }
    pace
}

fn told(start: Start, observed: &VmmObserved, step: &VmmStep) -> VmmStatus {
    report(&identity(start), "v53.0", observed, step)
}

fn identity(start: Start) -> Identity {
    Identity { pod_uid: pod_uid(start), process: Process { pid: 40 + u32::from(start.0), start_time: 7 } }
}

fn real(grant: Grant) -> reef_api::vm::Grant {
    let size = grant.size.size();
    let (vcpus, memory) = (size.vcpus, size.memory);
    reef_api::vm::Grant {
        pod_uid: pod_uid(grant.start),
        seq: u64::from(grant.seq),
        vcpus,
        memory,
        gate: ShrinkGate::Guard,
    }
}

fn boot() -> BootStatus {
    let (least, most) = (Level::new(0, 0).size(), Level::new(7, 7).size());
    BootStatus { min_vcpus: Vcpus(1), max_vcpus: most.vcpus, min_memory: least.memory, max_memory: most.memory }
}
