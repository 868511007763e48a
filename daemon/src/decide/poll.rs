//! How soon a VM is looked at again.
//!
//! Quickly while something is expected to move, then ever more slowly, and rarely once it is settled: a guest can change
//! by itself, and a person can change the VMM by hand. The node is read, never the API server. Pure.

use super::observed::VmmObserved;
use super::pace::Moment;
use super::step::{VmmStep, Wait};
use std::time::Duration;

/// How often a VM is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Just after something moved.
    pub quick: Duration,
    /// At most, while something is expected to move.
    pub patient: Duration,
    /// When nothing is, at first.
    pub settled: Duration,
    /// When nothing has been for long.
    pub rare: Duration,
}

impl Default for Cadence {
    fn default() -> Self {
        Self {
            quick: Duration::from_millis(50),
            patient: Duration::from_secs(5),
            settled: Duration::from_secs(10),
            rare: Duration::from_secs(60),
        }
    }
}

impl Cadence {
    /// The next wait after `previous`, while nothing has moved. A quarter more each time, so that the end of a wait is
    /// seen within a quarter of its length.
    #[must_use]
    pub fn slower(&self, previous: Duration) -> Duration {
        previous.saturating_add(previous / 4).clamp(self.quick, self.patient)
    }

    /// The wait after a look that led to `step`. Whatever ends at `until` is looked at then.
    pub fn after(&self, step: &VmmStep, observed: &VmmObserved, previous: Option<Duration>, now: Moment) -> Duration {
        if !moves(step, observed) {
            let before = previous.filter(|previous| *previous >= self.settled);
            return before.map_or(self.settled, |before| before.saturating_add(before / 4).min(self.rare));
        }
        let wait = previous.map_or(self.quick, |previous| self.slower(previous));
        let end = observed.pace.next_end(now).map(|end| end.0.saturating_sub(now.0));
        end.map_or(wait, |end| wait.min(end.max(self.quick)))
    }
}

/// Whether the VM, its container or its guest is expected to change.
fn moves(step: &VmmStep, observed: &VmmObserved) -> bool {
    if !observed.accounting.is_clear() || observed.requested != observed.actual {
        return true;
    }
    let still = |wait: &Wait| matches!(wait, Wait::NoGrant | Wait::StaleGrant { .. });
    [&step.waiting_on.vcpus, &step.waiting_on.memory].into_iter().flatten().any(|wait| !still(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_a_quarter_up_to_the_patient_one() {
        let cadence = Cadence::default();
        assert_eq!(cadence.slower(Duration::from_millis(400)), Duration::from_millis(500));
        assert_eq!(cadence.slower(Duration::from_secs(100)), cadence.patient);
        assert_eq!(cadence.slower(Duration::ZERO), cadence.quick);
    }
}
