//! Refusals of the API server, remembered in memory so that a wish is not repeated at once. Losing them costs one more refusal for each wish.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::decide::observed::{Refusal, RefusalKind};
use crate::observe::ObjectKey;

/// A first refusal that others can end unseen (a quota, a right, a webhook) is tried again after this.
const FIRST: Duration = Duration::from_secs(30);
/// And at last every so often.
const MOST: Duration = Duration::from_secs(600);

/// The last refusal of each VM.
#[derive(Debug, Default)]
pub struct Refusals {
    by_vm: BTreeMap<ObjectKey, Remembered>,
}

#[derive(Debug)]
struct Remembered {
    refusal: Refusal,
    until: Instant,
    pause: Duration,
}

impl Refusals {
    /// Remembers a refusal. One that still holds for the same Pod and generation stays what it is, and is about one more wish.
    pub fn remember(&mut self, vm: &ObjectKey, refusal: Refusal, now: Instant) {
        let holding = |held: &&mut Remembered| held.until > now && same_object(&held.refusal, &refusal);
        if let Some(held) = self.by_vm.get_mut(vm).filter(holding) {
            held.refusal.wishes.extend(refusal.wishes);
            return;
        }
        let again = self.by_vm.get(vm).filter(|before| same(&before.refusal, &refusal)).map(|before| before.pause);
        let pause = match refusal.kind {
            RefusalKind::Quota | RefusalKind::Admission | RefusalKind::Forbidden => {
                again.map_or(FIRST, |before| before.saturating_mul(2).min(MOST))
            }
            // What is in the way of a new Pod is nothing about its VM: another Pod of its name, a node that is full.
            _ if refusal.pod_uid.is_empty() => again.map_or(FIRST, |before| before.saturating_mul(2).min(MOST)),
            RefusalKind::NodeCapacity | RefusalKind::Unsupported | RefusalKind::Invalid => MOST,
        };
        self.by_vm.insert(vm.clone(), Remembered { refusal, until: now + pause, pause });
    }

    /// The refusal that still holds for a VM, and until when.
    pub fn of(&self, vm: &ObjectKey, now: Instant) -> Option<(Refusal, Instant)> {
        self.by_vm.get(vm).filter(|held| held.until > now).map(|held| (held.refusal.clone(), held.until))
    }

    /// Forgets all about a VM.
    pub fn forget(&mut self, vm: &ObjectKey) {
        self.by_vm.remove(vm);
    }

    /// Forgets a refusal that another generation or Pod has made void, or that the VM's status remembers better.
    pub fn review(&mut self, vm: &ObjectKey, generation: i64, pod_uid: &str, in_status: bool) {
        let void = self.by_vm.get(vm).is_some_and(|held| {
            let refusal = &held.refusal;
            let told = in_status && refusal.kind == RefusalKind::NodeCapacity;
            refusal.generation != generation || refusal.pod_uid != pod_uid || told
        });
        if void {
            self.forget(vm);
        }
    }
}

fn same(one: &Refusal, other: &Refusal) -> bool {
    same_object(one, other) && one.kind == other.kind
}

fn same_object(one: &Refusal, other: &Refusal) -> bool {
    (one.generation, &one.pod_uid) == (other.generation, &other.pod_uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::{Bytes, MilliCpu, PodSize};

    fn refusal(kind: RefusalKind) -> Refusal {
        let wishes = vec![PodSize { cpu_request: MilliCpu(1000), cpu_limit: MilliCpu(1000), memory: Bytes(1 << 30) }];
        Refusal { generation: 2, pod_uid: "p".to_owned(), wishes, kind, message: "no".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quota_is_tried_again_less_and_less_often() {
        let (vm, mut now) = (ObjectKey::new("team", "web"), Instant::now());
        let mut refusals = Refusals::default();
        let mut pause = || {
            refusals.remember(&vm, refusal(RefusalKind::Quota), now);
            let (_, until) = refusals.of(&vm, now).unwrap();
            assert!(refusals.of(&vm, until - Duration::from_secs(1)).is_some());
            assert_eq!(refusals.of(&vm, until), None);
            let pause = until.duration_since(now).as_secs();
            now = until;
            pause
        };
        assert_eq!([pause(), pause(), pause(), pause(), pause(), pause()], [30, 60, 120, 240, 480, 600]);
    }

    #[tokio::test(start_paused = true)]
    async fn wishes_that_are_refused_one_after_the_other_pause_together() {
        let (vm, now) = (ObjectKey::new("team", "web"), Instant::now());
        let mut refusals = Refusals::default();
        let (first, mut other) = (refusal(RefusalKind::Quota), refusal(RefusalKind::Forbidden));
        other.wishes[0].memory = Bytes(2 << 30);
        let wishes = [first.wishes[0], other.wishes[0]];
        refusals.remember(&vm, first, now);
        refusals.remember(&vm, other, now + Duration::from_secs(1));
        let (held, until) = refusals.of(&vm, now).unwrap();
        assert_eq!((held.kind, held.wishes, until), (RefusalKind::Quota, wishes.to_vec(), now + FIRST));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_void_for_another_generation_or_pod_or_when_the_status_has_it() {
        let (vm, now) = (ObjectKey::new("team", "web"), Instant::now());
        let held = |kind, generation, pod: &str, in_status| {
            let mut refusals = Refusals::default();
            refusals.remember(&vm, refusal(kind), now);
            refusals.review(&vm, generation, pod, in_status);
            refusals.of(&vm, now).is_some()
        };
        assert!(held(RefusalKind::NodeCapacity, 2, "p", false));
        assert!(!held(RefusalKind::NodeCapacity, 2, "p", true));
        assert!(held(RefusalKind::Quota, 2, "p", true));
        assert!(!held(RefusalKind::Quota, 3, "p", false));
        assert!(!held(RefusalKind::Quota, 2, "q", false));
    }
}
