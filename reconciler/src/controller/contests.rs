//! Other writers that undo what Reef wishes for a VM's Pod: after a few undone wishes the VM holds for a while, ever longer.
//!
//! ```text
//! wish written ─► undone ─ fewer than PATIENCE ─► written again
//!                    └─► held for a while ─► tried again ─► undone ─► held for twice as long ...
//!                                                  └─ stands ─► forgotten
//! ```
//! In memory only: after a restart it is known from the VM's status that there was another writer, and the first undone wish is enough.

use std::collections::BTreeMap;
use std::time::Duration;

use reef_api::PodSize;
use tokio::time::Instant;

use crate::decide::observed::{Contest, PodObserved, VmObserved};
use crate::observe::ObjectKey;

/// So many undone wishes, one after the other, are another's will and no accident.
const PATIENCE: u32 = 5;
/// A wish that was there for so long is not undone by what comes later. An autoscaler of Pods acts every minute.
const STANDS: Duration = Duration::from_secs(600);
/// How long a VM holds at first.
const FIRST: Duration = Duration::from_secs(60);
/// And at last.
const MOST: Duration = Duration::from_secs(1800);

/// The writers that others contend with, by VM.
#[derive(Debug, Default)]
pub struct Contests {
    by_vm: BTreeMap<ObjectKey, Fight>,
}

#[derive(Debug)]
struct Fight {
    pod_uid: String,
    generation: i64,
    /// The wish that was written last, and when.
    wrote: Option<(PodSize, Instant)>,
    undone: u32,
    last: Instant,
    pause: Duration,
    held: Option<(Contest, Instant)>,
}

impl Fight {
    fn new(pod_uid: &str, generation: i64, undone: u32, now: Instant) -> Self {
        let pod_uid = pod_uid.to_owned();
        Self { pod_uid, generation, wrote: None, undone, last: now, pause: Duration::ZERO, held: None }
    }

    fn holds(&self, now: Instant) -> bool {
        self.held.as_ref().is_some_and(|(_, until)| *until > now)
    }

    /// The wish that was undone, where the Pod is not as it was written, and that did not stand for long.
    fn undone(&mut self, pod: &PodObserved, now: Instant) -> Option<PodSize> {
        let (wish, at) = self.wrote.take_if(|(wish, _)| *wish != pod.spec)?;
        (now.duration_since(at) < STANDS).then_some(wish)
    }

    /// Counts an undone wish. How long to hold, where it was one too many.
    fn count(&mut self, now: Instant) -> Option<Duration> {
        if now.duration_since(self.last) >= self.pause + STANDS {
            (self.undone, self.pause) = (0, Duration::ZERO);
        }
        (self.undone, self.last) = (self.undone.saturating_add(1), now);
        if self.undone < PATIENCE {
            return None;
        }
        self.pause = self.pause.saturating_mul(2).clamp(FIRST, MOST);
        Some(self.pause)
    }
}

impl Contests {
    /// A wish of ours for a VM's Pod was written; none where that is not known.
    pub fn wrote(&mut self, vm: &ObjectKey, pod_uid: &str, generation: i64, wish: Option<PodSize>, now: Instant) {
        let fresh = || Fight::new(pod_uid, generation, 0, now);
        let fight = self.by_vm.entry(vm.clone()).or_insert_with(fresh);
        if fight.pod_uid != pod_uid || fight.generation != generation {
            *fight = fresh();
        }
        // What is raised while the VM holds keeps it alive, and is no new attempt.
        fight.wrote = wish.filter(|_| !fight.holds(now)).map(|wish| (wish, now));
    }

    /// Looks at a view of a VM, whose Pod `writer` has resized last beside Reef. For whom the VM holds, and until when.
    pub fn review(
        &mut self,
        vm: &ObjectKey,
        observed: &VmObserved,
        writer: Option<&str>,
        now: Instant,
    ) -> Option<(Contest, Instant)> {
        let pod = observed.pod()?;
        if told(observed, pod) {
            let known = || Fight::new(&pod.uid, observed.generation, PATIENCE - 1, now);
            self.by_vm.entry(vm.clone()).or_insert_with(known);
        }
        let fight = self.by_vm.get_mut(vm)?;
        if fight.pod_uid != pod.uid || fight.generation != observed.generation {
            self.by_vm.remove(vm);
            return None;
        }
        if !fight.holds(now) {
            fight.held = None;
            let ours = fight.undone(pod, now)?;
            let pause = fight.count(now)?;
            let writer = writer.map(str::to_owned);
            tracing::warn!(%vm, ?writer, theirs = %pod.spec, %ours, ?pause, "another writer undoes every resize of a VM's Pod; holding");
            let contest =
                Contest { pod_uid: pod.uid.clone(), generation: observed.generation, writer, theirs: pod.spec, ours };
            fight.held = Some((contest, now + pause));
        }
        fight.held.clone()
    }

    /// Forgets all about a VM.
    pub fn forget(&mut self, vm: &ObjectKey) {
        self.by_vm.remove(vm);
    }
}

/// Whether the VM's status says that it holds for another writer: the process of before has counted.
fn told(observed: &VmObserved, pod: &PodObserved) -> bool {
    observed.status.resize.as_ref().is_some_and(|resize| {
        resize.reason == Some(reef_api::Reason::PodConflict)
            && resize.generation == observed.generation
            && resize.pod_uid == pod.uid
    })
}

#[cfg(test)]
mod tests {
    use super::super::sightings::tests::pod;
    use super::*;
    use reef_api::vm::{ResizeStatus, VirtualMachineStatus};
    use reef_api::{Bytes, MilliCpu, Reason, Size, Vcpus};

    fn size(millis: u64) -> PodSize {
        PodSize { cpu_request: MilliCpu(millis), cpu_limit: MilliCpu(millis), memory: Bytes(1 << 30) }
    }

    const OURS: u64 = 2000;
    const THEIRS: u64 = 3000;

    fn view(generation: i64, millis: u64) -> VmObserved {
        let pod = PodObserved { spec: size(millis), ..pod("1", OURS) };
        VmObserved {
            uid: "vm".to_owned(),
            resource_version: "1".to_owned(),
            generation,
            deleting: false,
            status: VirtualMachineStatus::default(),
            pods: vec![pod],
            leftovers: Vec::new(),
            node: None,
            refusal: None,
            neighbourhood: None,
            contest: None,
        }
    }

    /// A VM whose wishes somebody undoes.
    struct Undone {
        contests: Contests,
        vm: ObjectKey,
        now: Instant,
    }

    impl Undone {
        fn begin() -> Self {
            Self { contests: Contests::default(), vm: ObjectKey::new("team", "web"), now: Instant::now() }
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }

        fn wrote(&mut self) {
            self.contests.wrote(&self.vm, "p", 1, Some(size(OURS)), self.now);
        }

        fn sees(&mut self, view: &VmObserved) -> Option<(Contest, u64)> {
            let (contest, until) = self.contests.review(&self.vm, view, Some("vpa"), self.now)?;
            Some((contest, until.duration_since(self.now).as_secs()))
        }

        /// A wish is written, seen, and undone after a second: for how long the VM holds.
        fn undone(&mut self) -> Option<u64> {
            self.wrote();
            assert_eq!(self.sees(&view(1, OURS)), None);
            self.pass(1);
            self.sees(&view(1, THEIRS)).map(|(_, seconds)| seconds)
        }

        /// As often as it takes.
        fn hold(&mut self) {
            while self.undone().is_none() {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_fifth_undone_wish_is_one_too_many_and_pauses_double_up_to_half_an_hour() {
        let mut case = Undone::begin();
        let first: Vec<_> = (0..5).map(|_| case.undone()).collect();
        assert_eq!(first, [None, None, None, None, Some(60)]);
        let (contest, _) = case.sees(&view(1, THEIRS)).unwrap();
        let (writer, theirs, ours) = (Some("vpa".to_owned()), size(THEIRS), size(OURS));
        assert_eq!(contest, Contest { generation: 1, pod_uid: "p".to_owned(), writer, theirs, ours });
        let mut pauses = Vec::new();
        let mut pause = 60;
        for _ in 0..6 {
            case.pass(pause);
            pause = case.undone().unwrap();
            pauses.push(pause);
        }
        assert_eq!(pauses, [120, 240, 480, 960, 1800, 1800]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stood_for_long_or_was_undone_long_ago_is_no_contest() {
        let mut case = Undone::begin();
        for _ in 0..10 {
            case.wrote();
            case.pass(600);
            assert_eq!(case.sees(&view(1, THEIRS)), None, "it stood");
        }
        for _ in 0..10 {
            assert_eq!(case.undone(), None, "the one before is long ago");
            case.pass(600);
        }
        case.hold();
        case.pass(60);
        case.wrote();
        case.pass(900);
        assert_eq!((case.sees(&view(1, OURS)), case.undone()), (None, None), "the other writer was gone");
    }

    #[tokio::test(start_paused = true)]
    async fn another_generation_or_pod_ends_the_hold_and_begins_anew() {
        let mut other = view(1, THEIRS);
        other.pods[0].uid = "q".to_owned();
        for view in [view(2, THEIRS), other] {
            let mut case = Undone::begin();
            case.hold();
            assert_eq!(case.sees(&view), None);
            assert_eq!(case.undone(), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_keeps_a_vm_alive_while_it_holds_is_no_new_attempt() {
        let mut case = Undone::begin();
        case.hold();
        case.pass(30);
        case.wrote();
        assert_eq!(case.sees(&view(1, THEIRS)).map(|(_, seconds)| seconds), Some(30));
        case.pass(30);
        assert_eq!(case.sees(&view(1, THEIRS)), None, "it is tried again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_of_unknown_outcome_is_undone_by_nobody() {
        let mut case = Undone::begin();
        for _ in 0..10 {
            case.wrote();
            case.contests.wrote(&case.vm, "p", 1, None, case.now);
            assert_eq!(case.sees(&view(1, THEIRS)), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_restart_the_first_undone_wish_is_enough() {
        let mut case = Undone::begin();
        let mut held = view(1, THEIRS);
        held.status.resize = Some(ResizeStatus {
            pod_uid: "p".to_owned(),
            generation: 1,
            revision: None,
            target: Size::new(Vcpus(2), Bytes(0)),
            aim: Size::new(Vcpus(2), Bytes(0)),
            grant: None,
            outstanding: Vec::new(),
            reason: Some(Reason::PodConflict),
            started_at: None,
            reason_since: None,
            refused: None,
            stalled: None,
            partial: None,
            retry_handled: None,
            settle_handled: None,
        });
        assert_eq!(case.sees(&held), None, "it is tried at once");
        assert_eq!(case.undone(), Some(60));
    }
}
