//! Writes whose outcome is unknown and that may yet arrive: while one of them can, nothing is done that it would contradict.
//!
//! A write carries the version that it was computed from, so of two writes to the same version of an object only one can land: writing to that
//! object again is safe, and is what ends the wait soonest. Anything else waits until the object has moved on, or the write is too old to come.
//! Then it may have come without having been seen, by a watch that lags: the object is read again first.
//!
//! What the process of before has sent is not known at all. It was computed from a version that was there when this one began; so for as long, an
//! object that has not moved since then is taken as one that may be written to by that process, where a decision depends on it.
//!
//! A creation carries no version. What keeps it from landing late is that its name is taken, and a Pod that was deleted meanwhile has freed it. So
//! while one may arrive no Pod of another name is created for its VM: two would write to one disk.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::observe::{Kind, ObjectKey, Version};

/// A request that was given up after its deadline may stand in a queue of the API server for a while.
const MAY_ARRIVE: Duration = Duration::from_secs(30);

/// The last write of unknown outcome for each VM, and how long one of another process may arrive.
#[derive(Debug)]
pub(super) struct Suspects {
    by_vm: BTreeMap<ObjectKey, Suspect>,
    creations: BTreeMap<ObjectKey, Creation>,
    inherited_until: Instant,
}

/// A Pod that may yet come to be.
#[derive(Debug)]
struct Creation {
    pod: ObjectKey,
    until: Instant,
}

#[derive(Debug)]
struct Suspect {
    object: (Kind, ObjectKey),
    version: Version,
    until: Instant,
}

/// Whether a write has to wait for one that may still arrive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It does not.
    Free,
    /// Until then.
    Until(Instant),
    /// What has not arrived never will; whether it has is told by a read of its object.
    Read((Kind, ObjectKey)),
}

impl Suspects {
    /// None yet, for a process that begins now.
    pub(super) fn beginning(now: Instant) -> Self {
        Self { by_vm: BTreeMap::new(), creations: BTreeMap::new(), inherited_until: now + MAY_ARRIVE }
    }

    /// What holds up a decision that depends on an object which is still as it was when this process began.
    pub(super) fn inherited(&self, object: (Kind, ObjectKey), now: Instant) -> Hold {
        if self.inherited_until <= now { Hold::Read(object) } else { Hold::Until(self.inherited_until) }
    }

    /// Remembers a write to an object that was at `version`.
    pub(super) fn suspect(&mut self, vm: &ObjectKey, object: (Kind, ObjectKey), version: Version, now: Instant) {
        self.by_vm.insert(vm.clone(), Suspect { object, version, until: now + MAY_ARRIVE });
    }

    /// Remembers that a Pod was to be created for a VM, and that nobody knows whether it was.
    pub(super) fn suspect_creation(&mut self, vm: &ObjectKey, pod: ObjectKey, now: Instant) {
        self.creations.insert(vm.clone(), Creation { pod, until: now + MAY_ARRIVE });
    }

    /// What holds up the creation of a Pod after `last`, which the process of before may have asked for.
    pub(super) fn holds_creation(
        &mut self,
        vm: &ObjectKey,
        pod: &ObjectKey,
        last: Option<ObjectKey>,
        now: Instant,
    ) -> Hold {
        if let Some(pod) = last.filter(|_| now < self.inherited_until) {
            let until = self.inherited_until;
            self.creations.entry(vm.clone()).or_insert(Creation { pod, until });
        }
        if self.creations.get(vm).is_some_and(|creation| creation.pod == *pod) {
            return Hold::Free;
        }
        self.comes(vm, now)
    }

    /// Takes in that a read of an object was answered, by the object or by its absence. A Pod that may yet come to be is asked for until then.
    pub(super) fn answered(&mut self, vm: &ObjectKey, object: (Kind, &ObjectKey), now: Instant) {
        let asked = |creation: &Creation| object == (Kind::Pod, &creation.pod) && creation.until <= now;
        if self.creations.get(vm).is_some_and(asked) {
            self.creations.remove(vm);
        }
    }

    /// Until when a Pod of a VM may yet come to be, or that it has to be looked for.
    fn comes(&self, vm: &ObjectKey, now: Instant) -> Hold {
        match self.creations.get(vm) {
            Some(Creation { until, .. }) if now < *until => Hold::Until(*until),
            Some(Creation { pod, .. }) => Hold::Read((Kind::Pod, pod.clone())),
            None => Hold::Free,
        }
    }

    /// What holds up a write about a VM to `object`.
    pub(super) fn holds(
        &mut self,
        vm: &ObjectKey,
        object: &(Kind, ObjectKey),
        version_of: impl FnOnce(&(Kind, ObjectKey)) -> Option<Version>,
        now: Instant,
    ) -> Hold {
        let Some(suspect) = self.by_vm.get(vm) else { return Hold::Free };
        let hold = if version_of(&suspect.object) != Some(suspect.version) {
            Hold::Free
        } else if suspect.until <= now {
            Hold::Read(suspect.object.clone())
        } else if suspect.object != *object {
            return Hold::Until(suspect.until);
        } else {
            return Hold::Free;
        };
        self.by_vm.remove(vm);
        hold
    }

    /// Forgets all about a VM but the Pod that may yet come to be, beside which another VM of its name would run. Tells what that one waits for.
    pub(super) fn forget(&mut self, vm: &ObjectKey, now: Instant) -> Hold {
        self.by_vm.remove(vm);
        self.comes(vm, now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::Object;

    fn version(number: u64) -> Version {
        let object = json!({"metadata": {"name": "x", "resourceVersion": number.to_string()}});
        Version::of(&serde_json::from_value::<Object>(object).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_write_may_arrive_only_the_same_object_is_written_to() {
        let (now, vm) = (Instant::now(), ObjectKey::new("team", "web"));
        let (pod, status) = ((Kind::Pod, ObjectKey::new("team", "web-0")), (Kind::Vm, vm.clone()));
        let holds = |object: &(Kind, ObjectKey), present: u64, after: u64| {
            let mut suspects = Suspects::beginning(now);
            suspects.suspect(&vm, pod.clone(), version(7), now);
            suspects.holds(&vm, object, |_| Some(version(present)), now + Duration::from_secs(after))
        };
        let until = Hold::Until(now + MAY_ARRIVE);
        assert_eq!(holds(&status, 7, 0), until, "a grant must wait for the Pod's patch");
        assert_eq!(holds(&pod, 7, 0), Hold::Free, "another patch of the Pod excludes the first one");
        assert_eq!(holds(&status, 8, 0), Hold::Free, "the Pod has moved on, so the first patch cannot land");
        assert_eq!(holds(&status, 7, 29), until);
        assert_eq!(holds(&status, 7, 30), Hold::Read(pod.clone()), "it may have landed unseen");
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_creation_may_arrive_no_pod_of_another_name_is_created() {
        let (start, vm) = (Instant::now(), ObjectKey::new("team", "web"));
        let (asked, next) = (ObjectKey::new("team", "web-0"), ObjectKey::new("team", "web-1"));
        let mut suspects = Suspects::beginning(start);
        let now = start + 2 * MAY_ARRIVE;
        assert_eq!(suspects.holds_creation(&vm, &next, Some(asked.clone()), now), Hold::Free);
        suspects.suspect_creation(&vm, asked.clone(), now);
        assert_eq!(suspects.holds_creation(&vm, &asked, None, now), Hold::Free, "the same name meets itself");
        let later = now + MAY_ARRIVE;
        assert_eq!(suspects.forget(&vm, now), Hold::Until(later), "another VM of this name would run beside it");
        assert_eq!(suspects.holds_creation(&vm, &next, None, now), Hold::Until(later));
        suspects.answered(&vm, (Kind::Pod, &asked), now);
        let look = Hold::Read((Kind::Pod, asked.clone()));
        assert_eq!(suspects.holds_creation(&vm, &next, None, later), look);
        assert_eq!(suspects.forget(&vm, later), look, "a read that was not answered is repeated");
        suspects.answered(&vm, (Kind::Pod, &next), later);
        assert_eq!(suspects.holds_creation(&vm, &next, None, later), look);
        suspects.answered(&vm, (Kind::Pod, &asked), later);
        assert_eq!(suspects.holds_creation(&vm, &next, None, later), Hold::Free);
        assert_eq!(suspects.forget(&vm, later), Hold::Free);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_begins_makes_a_first_pod_at_once_and_waits_with_any_other() {
        let (start, vm) = (Instant::now(), ObjectKey::new("team", "web"));
        let (last, next) = (ObjectKey::new("team", "web-0"), ObjectKey::new("team", "web-1"));
        let mut suspects = Suspects::beginning(start);
        assert_eq!(suspects.holds_creation(&vm, &last, None, start), Hold::Free);
        let until = start + MAY_ARRIVE;
        assert_eq!(suspects.holds_creation(&vm, &next, Some(last.clone()), start), Hold::Until(until));
        assert_eq!(
            suspects.holds_creation(&vm, &next, Some(last.clone()), until),
            Hold::Read((Kind::Pod, last.clone()))
        );
        suspects.answered(&vm, (Kind::Pod, &last), until);
        assert_eq!(suspects.holds_creation(&vm, &next, Some(last), until), Hold::Free);
    }
}
