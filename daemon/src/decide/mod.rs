//! The pure middle of the daemon: what to ask of a VMM next, and what to report. Rule 3 of the protocol lives here.
//!
//! No I/O, no clock, no environment, no randomness, nothing async. `now` is an argument. What was observed comes in as
//! a value, and one action goes out as a value; whoever executes it has no choice left to make.
//!
//! ```text
//! grant (controller) ──►┐
//!                       ├─► next ──► Acknowledge ──► SetVcpus / SetMemory ──► None
//! VMM, host ──► observed┘     (each step is found anew from what is observed; no step number is kept)
//! ```

pub mod accounting;
pub mod classify;
pub mod devices;
mod gate;
pub mod launch;
pub mod memory;
pub mod observed;
pub mod pace;
pub mod poll;
pub mod report;
pub mod rise;
mod sentence;
pub mod stall;
pub mod step;
pub mod steps;
pub mod track;
pub mod used;
mod vcpus;

#[cfg(test)]
mod tests;

pub use accounting::Accounting;
pub use observed::{GuestMemory, Limit, Limits, MachineState, MemoryDevice, VcpuDevice, VmmObserved};
pub use pace::{Moment, Pace};
pub use step::{VmmAction, VmmStep, Wait, WaitingOn};

use reef_api::vm::Grant;
use step::Ask;

/// Finds the one next thing to do for a VM, given the grant that the controller has written for this Pod.
///
/// Guarantees, whatever is handed in: nothing is asked of the VMM but the size of a grant that is acknowledged and still
/// stands; nothing is acknowledged or asked while a request is unaccounted for; a resource that waits never holds up
/// the other one.
pub fn next(grant: Option<&Grant>, observed: &VmmObserved, now: Moment) -> VmmStep {
    let Some(grant) = grant else { return VmmStep::hold(Wait::NoGrant) };
    if let Some(wait) = held_up(observed, now) {
        return VmmStep::hold(wait);
    }
    if grant.seq < observed.pledged {
        return VmmStep::hold(Wait::StaleGrant { seq: grant.seq, pledged: observed.pledged });
    }
    match observed.taken.as_ref() {
        Some(taken) if taken == grant => resize(grant, observed, now),
        Some(_) | None => VmmStep::acknowledge(grant, observed),
    }
}

/// What stops everything about this VM, acknowledgements included: an ack says that no request of before is left, and
/// what it carries must have been true of a machine that runs.
fn held_up(observed: &VmmObserved, now: Moment) -> Option<Wait> {
    match observed.state {
        MachineState::Running | MachineState::Paused => {}
        MachineState::NotRunning => return Some(Wait::NotRunning),
    }
    if !observed.accounting.is_clear() {
        return Some(Wait::Unaccounted);
    }
    observed.pace.migrating_until(now).map(|_| Wait::Migrating)
}

/// Asks for the vCPUs first and for the memory in a later step: two requests, because the VMM rolls nothing back.
fn resize(grant: &Grant, observed: &VmmObserved, now: Moment) -> VmmStep {
    let vcpus = vcpus::next(grant.vcpus, observed, now);
    let memory = memory::next(grant, observed, now);
    let action = match (&vcpus, &memory) {
        (Ask::For(vcpus), _) => VmmAction::SetVcpus(*vcpus),
        (_, Ask::For(memory)) => VmmAction::SetMemory(*memory),
        (_, _) => VmmAction::None,
    };
    VmmStep { action, waiting_on: WaitingOn { vcpus: vcpus.wait(), memory: memory.wait() } }
}
