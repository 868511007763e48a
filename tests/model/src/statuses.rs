//! The controller's statuses by number, and what may be changed about one without making a difference.
//!
//! Two statuses count as one where `pipeline::next` cannot tell them apart. Why that is so:
//! - *Generations* are only compared with the one of the view. So the view's own is called [`NOW_GENERATION`], and every older one
//!   [`OLDER_GENERATION`]: generations only grow, so an older one never becomes the present one again.
//! - *Numbers of grants* are only compared with one another, and a new one is one more than the largest. So they are named by their order. Zero,
//!   which stands for none, stays zero.
//! - *Times* are only compared with the present. So each is either now or long ago, where it is read at all: `reasonSince` only where the reason is
//!   one of [`TIMED`] (`Rules` checks at each decision that no other age makes a difference), and those of what stands still, was given up, or was
//!   refused. Pauses that double from one attempt to the next are of one length, which is as good: either has passed or has not.
//! - *Sentences* decide whether a status is worth a write, and nothing else. `Rules` writes none for a sentence alone.
//! - Of the *history* the last entry and the last that settled are read, and none before.

use crate::size::Level;
use crate::state::{Grant, Start, StatusId};
use crate::store::Table;
use jiff::{SignedDuration, Timestamp};
use reef_api::Reason;
use reef_api::vm::{HistoryEntry, Outcome, ResizeStatus};
use reef_reconciler::decide::action::ControllerStatus;

/// The generation of a view, whatever its number.
pub const NOW_GENERATION: i64 = 2;
/// Any generation before it.
pub const OLDER_GENERATION: i64 = 1;
/// Reasons whose age ends something.
pub const TIMED: [Reason; 2] = [Reason::Starting, Reason::Deferred];

/// The present moment, whenever it is.
pub fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365)
}

/// A moment that is longer ago than any wait.
pub fn long_ago() -> Timestamp {
    now() - SignedDuration::from_hours(24)
}

/// The UID of the Pod of a start.
pub fn pod_uid(start: Start) -> String {
    format!("pod-{}", start.0)
}

/// The start that a Pod is of.
pub fn start_of(uid: &str) -> Start {
    Start(uid.strip_prefix("pod-").and_then(|number| number.parse().ok()).unwrap_or(u8::MAX))
}

/// New numbers of grants, by the old ones: four bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Renaming(u128);

impl Renaming {
    /// Names the numbers that are set in `present` by their order. `None` where they have those names already.
    pub fn by_order(present: u32) -> Option<Self> {
        let present = present & !1;
        if ((present >> 1) & ((present >> 1) + 1)) == 0 {
            return None;
        }
        let (mut map, mut name) = (0, 0);
        for seq in (1..32).filter(|seq| present & (1 << seq) != 0) {
            name += 1;
            assert!(name < 16, "more grants are spoken of than the model has names for");
            map |= name << (4 * seq);
        }
        Some(Self(map))
    }

    /// The new name.
    pub fn of(self, seq: u8) -> u8 {
        u8::try_from((self.0 >> (4 * u32::from(seq))) & 15).expect("four bits")
    }
}

/// A status, with what the model reads of it.
#[derive(Debug)]
pub struct Entry {
    /// The status, sentences as they were when it was first seen.
    pub status: ControllerStatus,
    /// The numbers of grants in it, as bits.
    pub seqs: u32,
    /// The grant that holds.
    pub grant: Option<Grant>,
    /// The start whose Pod it names.
    pub start: Option<Start>,
    /// Whether it remembers a refusal of the present generation.
    pub refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Change {
    Rename(Renaming),
    Supersede,
    Age,
    Due,
}

/// All statuses that were seen.
#[derive(Debug, Default)]
pub struct Statuses {
    entries: Vec<Entry>,
    numbers: Table<String, StatusId>,
    changed: Table<(StatusId, Change), StatusId>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Change")
    }
}

impl Statuses {
    /// What stands under a number.
    pub fn get(&self, id: StatusId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of a status, after everything that makes no difference was taken out of it.
    pub fn number(&mut self, status: &ControllerStatus) -> StatusId {
        let status = normal(status);
        let form = format!("{:?}", without_sentences(&status));
        let next = StatusId(u32::try_from(self.entries.len()).expect("fewer than 2^32 statuses"));
        let id = *self.numbers.entry(form).or_insert(next);
        if id == next {
            self.entries.push(entry(status));
        }
        id
    }

    /// The status with its grants renamed.
    pub fn renamed(&mut self, id: StatusId, renaming: Renaming) -> StatusId {
        let seqs = self.get(id).seqs;
        let same = (1..32).filter(|seq| seqs & (1 << seq) != 0).all(|seq| renaming.of(seq) == seq);
        if same { id } else { self.change(id, Change::Rename(renaming)) }
    }

    /// The status beside a spec of a later generation.
    pub fn superseded(&mut self, id: StatusId) -> StatusId {
        self.change(id, Change::Supersede)
    }

    /// The status after a long time.
    pub fn aged(&mut self, id: StatusId) -> StatusId {
        self.change(id, Change::Age)
    }

    /// The status when what was given up is due to be tried again.
    pub fn due(&mut self, id: StatusId) -> StatusId {
        self.change(id, Change::Due)
    }

    fn change(&mut self, id: StatusId, change: Change) -> StatusId {
        if let Some(known) = self.changed.get(&(id, change)) {
            return *known;
        }
        let mut status = self.get(id).status.clone();
        match change {
            Change::Rename(renaming) => rename(&mut status, renaming),
            Change::Supersede => each_generation(&mut status, |generation| *generation = OLDER_GENERATION),
            Change::Age => age(&mut status),
            Change::Due => become_due(&mut status),
        }
        let changed = self.number(&status);
        self.changed.insert((id, change), changed);
        changed
    }
}

fn entry(status: ControllerStatus) -> Entry {
    let resize = status.resize.as_ref();
    let grants = resize.into_iter().flat_map(|resize| resize.outstanding.iter().chain(&resize.grant));
    let seqs = grants.map(|grant| 1 << grant.seq).fold(0, |all, one| all | one);
    let grant = resize.and_then(|resize| resize.grant.as_ref()).map(|grant| Grant {
        seq: u8::try_from(grant.seq).expect("a number that was renamed"),
        start: start_of(&grant.pod_uid),
        size: Level::of(grant.size()).expect("a grant of one of the model's sizes"),
    });
    let refused = resize.and_then(|resize| resize.refused.as_ref());
    let refused = refused.is_some_and(|refused| refused.generation == NOW_GENERATION);
    Entry { seqs, grant, start: status.pod_uid.as_deref().map(start_of), refused, status }
}

fn normal(status: &ControllerStatus) -> ControllerStatus {
    let mut status = status.clone();
    let renamed = |generation: &mut i64| {
        *generation = if *generation == NOW_GENERATION { NOW_GENERATION } else { OLDER_GENERATION };
    };
    each_generation(&mut status, renamed);
    if let Some(resize) = status.resize.as_mut() {
        let timed = resize.reason.is_some_and(|reason| TIMED.contains(&reason));
        let old = timed && resize.reason_since == Some(long_ago());
        resize.reason_since = Some(if old { long_ago() } else { now() });
        resize.started_at = Some(now());
        each_wait(resize, |at| *at = either(*at));
        each_pause(resize, |at, first_at| {
            *at = either(*at);
            *first_at = *at;
        });
    }
    for condition in &mut status.conditions {
        condition.last_transition_time.0 = now();
    }
    status.history = remembered(&status.history);
    status
}

/// Now or long ago.
fn either(at: Timestamp) -> Timestamp {
    if at == long_ago() { at } else { now() }
}

/// When what is waited for began: what stands still, and what is tried again.
fn each_wait(resize: &mut ResizeStatus, mut change: impl FnMut(&mut Timestamp)) {
    if let Some(stalled) = resize.stalled.as_mut() {
        stalled.vcpus_since.iter_mut().chain(&mut stalled.memory_since).for_each(&mut change);
    }
    if let Some(partial) = resize.partial.as_mut() {
        // Whether it is tried again is read, and not since when.
        partial.retried_at = partial.retried_at.map(|_| now());
    }
    if let Some(refused) = resize.refused.as_mut() {
        refused.retried_at.iter_mut().for_each(&mut change);
    }
}

/// When something was given up, and for the first time.
fn each_pause(resize: &mut ResizeStatus, mut change: impl FnMut(&mut Timestamp, &mut Timestamp)) {
    if let Some(partial) = resize.partial.as_mut() {
        change(&mut partial.at, &mut partial.first_at);
    }
    if let Some(refused) = resize.refused.as_mut() {
        let at = refused.at.get_or_insert_with(now);
        change(at, refused.first_at.get_or_insert_with(now));
    }
}

fn remembered(history: &[HistoryEntry]) -> Vec<HistoryEntry> {
    let settled = history.iter().rposition(|entry| entry.outcome == Outcome::Settled);
    let last = history.len().checked_sub(1);
    let kept = settled.filter(|settled| Some(*settled) != last).into_iter().chain(last);
    let kept = kept.map(|place| {
        let mut entry = history[place].clone();
        if Some(place) != last {
            entry.generation = OLDER_GENERATION;
        }
        entry.started_at = now();
        entry.granted_at = entry.granted_at.map(|_| now());
        entry.finished_at = entry.finished_at.map(|_| now());
        entry
    });
    kept.collect()
}

fn without_sentences(status: &ControllerStatus) -> ControllerStatus {
    let mut status = status.clone();
    for condition in &mut status.conditions {
        condition.message.clear();
    }
    if let Some(refused) = status.resize.as_mut().and_then(|resize| resize.refused.as_mut()) {
        refused.message.clear();
    }
    if let Some(partial) = status.resize.as_mut().and_then(|resize| resize.partial.as_mut()) {
        partial.message.clear();
    }
    status
}

fn each_generation(status: &mut ControllerStatus, mut change: impl FnMut(&mut i64)) {
    if let Some(resize) = status.resize.as_mut() {
        change(&mut resize.generation);
        if let Some(refused) = resize.refused.as_mut() {
            change(&mut refused.generation);
        }
        if let Some(partial) = resize.partial.as_mut() {
            change(&mut partial.generation);
        }
    }
    for entry in &mut status.history {
        change(&mut entry.generation);
    }
    for condition in &mut status.conditions {
        if let Some(generation) = condition.observed_generation.as_mut() {
            change(generation);
        }
    }
}

fn rename(status: &mut ControllerStatus, renaming: Renaming) {
    let Some(resize) = status.resize.as_mut() else { return };
    for grant in resize.outstanding.iter_mut().chain(&mut resize.grant) {
        let seq = u8::try_from(grant.seq).expect("a number that was named before");
        grant.seq = u64::from(renaming.of(seq));
    }
}

fn age(status: &mut ControllerStatus) {
    if let Some(resize) = status.resize.as_mut() {
        resize.reason_since = Some(long_ago());
        each_wait(resize, |at| *at = long_ago());
    }
}

fn become_due(status: &mut ControllerStatus) {
    if let Some(resize) = status.resize.as_mut() {
        each_pause(resize, |at, first_at| (*at, *first_at) = (long_ago(), long_ago()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_named_by_their_order_and_zero_stays() {
        assert_eq!(Renaming::by_order(0b1111), None);
        assert_eq!(Renaming::by_order(0), None);
        let renaming = Renaming::by_order(0b1010_0101).unwrap();
        assert_eq!([0, 2, 5, 7].map(|seq| renaming.of(seq)), [0, 1, 2, 3]);
    }

    #[test]
    fn an_old_reason_is_told_from_a_new_one_only_where_its_age_counts() {
        let mut statuses = Statuses::default();
        let mut status = ControllerStatus::default();
        let young = statuses.number(&status);
        assert_eq!(statuses.aged(young), young);
        status.phase = reef_api::Phase::Running;
        assert_ne!(statuses.number(&status), young);
    }
}
