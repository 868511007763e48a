//! How soon a refused request is made again.
//!
//! Kept in memory only: losing it at a restart costs one more refusal and nothing else. Refusals of vCPUs and of memory
//! are kept apart, so that neither slows the other; a migration stops both.

use super::classify::{RefusalKind, Retry};
use super::observed::MachineState;
use super::track::Track;
use reef_api::{Bytes, Size, Vcpus};
use std::time::Duration;

/// The wait after the first refusal.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait: a guest may take minutes to eject a vCPU, and asking disturbs nobody at this rate.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a guest may say nothing about the removal of a vCPU before it is asked again: one that was asked while it
/// booted has not heard it.
const UNHEARD_AFTER: Duration = Duration::from_secs(30);
/// Doublings that lead from the first wait beyond the longest.
const DOUBLINGS: u32 = 6;

/// A point in monotonic time, counted from the start of this process. Not a wall clock: those jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    /// The moment that is `wait` later.
    #[must_use]
    pub const fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

/// The last refusal of a request for one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<T> {
    /// The size that was refused.
    pub size: T,
    /// Why.
    pub kind: RefusalKind,
    /// What the VMM said, for people.
    pub message: String,
    /// Refusals in a row.
    pub count: u32,
    /// When it may be asked for again; `None` when not for this size.
    pub not_before: Option<Moment>,
}

impl<T: PartialEq> Refusal<T> {
    /// Whether it forbids asking for `size` at `now`. Another size is another request, but a pending removal refuses every size.
    pub fn forbids(&self, size: &T, now: Moment) -> bool {
        let concerned = self.size == *size || self.kind.retry() == Retry::Backoff;
        concerned && self.not_before.is_none_or(|not_before| now < not_before)
    }
}

/// The refusals of a VM that still count, and how it moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Of a number of vCPUs.
    pub vcpus: Option<Refusal<Vcpus>>,
    /// Of a size of memory.
    pub memory: Option<Refusal<Bytes>>,
    /// When a number of vCPUs was accepted last.
    pub vcpus_asked: Option<Moment>,
    /// How the vCPUs move.
    pub vcpus_track: Track<Vcpus>,
    /// How the memory moves.
    pub memory_track: Track<Bytes>,
}

/// Whether a request was only to make the guest go on with what it was asked for before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// It was.
    Yes,
    /// It asked for something new.
    No,
}

impl Pace {
    /// Takes in what a look has shown of both resources, and what is granted by now. A guest that does not run cannot follow.
    pub fn seen(&mut self, granted: Option<Size>, actual: Size, state: MachineState, now: Moment) {
        self.vcpus_track.seen(granted.map(|size| size.vcpus), actual.vcpus, now);
        self.memory_track.seen(granted.map(|size| size.memory), actual.memory, now);
        match state {
            MachineState::Running => {}
            MachineState::Paused | MachineState::NotRunning => {
                self.vcpus_track.held(now);
                self.memory_track.held(now);
            }
        }
    }

    /// Remembers that a size of memory was accepted.
    pub fn memory_accepted(&mut self, size: Bytes, nudge: Nudge, now: Moment) {
        self.memory = None;
        match nudge {
            Nudge::Yes => self.memory_track.nudged(now),
            Nudge::No => self.memory_track.asked(size, now),
        }
    }

    /// Until when the VM is taken to be moving to another host.
    pub fn migrating_until(&self, now: Moment) -> Option<Moment> {
        let until = |kind, until: Option<Moment>| until.filter(|until| kind == RefusalKind::Migrating && now < *until);
        let vcpus = self.vcpus.as_ref().and_then(|it| until(it.kind, it.not_before));
        vcpus.max(self.memory.as_ref().and_then(|it| until(it.kind, it.not_before)))
    }

    /// Remembers that a number of vCPUs was accepted. Where the guest has refused just that, the count of its refusals
    /// stands: it is to be asked ever more rarely.
    pub fn vcpus_accepted(&mut self, size: Vcpus, now: Moment) {
        let by_guest = |refusal: &Refusal<Vcpus>| refusal.size == size && refusal.kind == RefusalKind::RemovalPending;
        self.vcpus = self.vcpus.take().filter(by_guest);
        self.vcpus_asked = Some(now);
        self.vcpus_track.asked(size, now);
    }

    /// Whether a removal that was accepted has had no effect for so long that the guest cannot have heard of it.
    pub fn removal_is_unheard(&self, now: Moment) -> bool {
        self.vcpus_asked.is_none_or(|asked| now >= asked.after(UNHEARD_AFTER))
    }

    /// Remembers that a number of vCPUs was refused.
    pub fn vcpus_refused(&mut self, size: Vcpus, kind: RefusalKind, message: String, now: Moment) {
        self.vcpus = refused(self.vcpus.take(), size, kind, message, now);
    }

    /// Remembers that a size of memory was refused.
    pub fn memory_refused(&mut self, size: Bytes, kind: RefusalKind, message: String, now: Moment) {
        self.memory = refused(self.memory.take(), size, kind, message, now);
    }

    /// The next moment at which a refusal ends.
    pub fn next_end(&self, now: Moment) -> Option<Moment> {
        let ends =
            [self.vcpus.as_ref().and_then(|it| it.not_before), self.memory.as_ref().and_then(|it| it.not_before)];
        ends.into_iter().flatten().filter(|end| *end > now).min()
    }
}

fn refused<T: PartialEq>(
    before: Option<Refusal<T>>,
    size: T,
    kind: RefusalKind,
    message: String,
    now: Moment,
) -> Option<Refusal<T>> {
    let in_a_row = before.filter(|before| before.kind == kind).map_or(0, |before| before.count);
    let not_before = match kind.retry() {
        Retry::Reread => return None,
        Retry::Backoff => Some(now.after(wait(in_a_row))),
        Retry::Never => None,
    };
    Some(Refusal { size, kind, message, count: in_a_row.saturating_add(1), not_before })
}

/// The wait after so many refusals in a row: doubled each time, up to the longest.
pub fn wait(in_a_row: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << in_a_row.min(DOUBLINGS)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    #[test]
    fn a_removal_that_is_pending_forbids_every_size_for_a_while() {
        let mut pace = Pace::default();
        pace.vcpus_refused(Vcpus(4), RefusalKind::RemovalPending, "Too Many Requests".to_owned(), at(1));
        let refusal = pace.vcpus.unwrap();
        assert!(refusal.forbids(&Vcpus(4), at(1)));
        assert!(refusal.forbids(&Vcpus(8), at(1)));
        assert!(!refusal.forbids(&Vcpus(8), at(2)));
    }

    #[test]
    fn a_guest_that_refuses_each_time_is_asked_ever_more_rarely() {
        let mut pace = Pace::default();
        for (asked, again) in [(1000, 1500), (1500, 2500), (2500, 4500)] {
            let now = Moment(Duration::from_millis(asked));
            pace.vcpus_accepted(Vcpus(2), now);
            pace.vcpus_refused(Vcpus(2), RefusalKind::RemovalPending, String::new(), now);
            let not_before = pace.vcpus.as_ref().and_then(|refusal| refusal.not_before);
            assert_eq!(not_before, Some(Moment(Duration::from_millis(again))));
        }
        pace.vcpus_accepted(Vcpus(3), at(9));
        assert_eq!((pace.vcpus, pace.vcpus_asked), (None, Some(at(9))));
    }

    #[test]
    fn a_removal_counts_as_unheard_after_half_a_minute() {
        let mut pace = Pace::default();
        assert!(pace.removal_is_unheard(at(1)));
        pace.vcpus_accepted(Vcpus(2), at(1));
        assert!(!pace.removal_is_unheard(at(30)));
        assert!(pace.removal_is_unheard(at(31)));
    }

    #[test]
    fn a_size_out_of_range_is_not_asked_for_again_and_another_size_is() {
        let mut pace = Pace::default();
        pace.memory_refused(Bytes(7), RefusalKind::OutOfRange, String::new(), at(1));
        let refusal = pace.memory.unwrap();
        assert!(refusal.forbids(&Bytes(7), at(1_000_000)));
        assert!(!refusal.forbids(&Bytes(8), at(1)));
    }

    #[test]
    fn the_wait_doubles_from_half_a_second_to_half_a_minute() {
        let waits: Vec<u64> = (0..9).map(wait).map(|wait| u64::try_from(wait.as_millis()).unwrap()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    }

    #[test]
    fn what_was_already_requested_leaves_nothing_behind() {
        let mut pace = Pace::default();
        pace.memory_refused(Bytes(7), RefusalKind::AlreadyRequested, String::new(), at(1));
        assert_eq!(pace, Pace::default());
    }

    #[test]
    fn a_migration_is_remembered_whichever_request_met_it() {
        let mut pace = Pace::default();
        pace.memory_refused(Bytes(7), RefusalKind::Migrating, String::new(), at(1));
        assert_eq!(pace.migrating_until(at(1)), Some(Moment(Duration::from_millis(1500))));
        assert_eq!(pace.migrating_until(at(2)), None);
    }
}
