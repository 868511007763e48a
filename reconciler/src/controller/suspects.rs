//! Writes whose outcome is unknown and that may yet arrive: while one of them can, nothing is done that it would contradict.
//!
//! A write carries the version that it was computed from, so of two writes to the same version of an object only one can land: writing to that
//! object again is safe, and is what ends the wait soonest. Anything else waits until the object has moved on, or the write is too old to come.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::observe::{Kind, ObjectKey, Version};

/// A request that was given up after its deadline may stand in a queue of the API server for a while.
const MAY_ARRIVE: Duration = Duration::from_secs(30);

/// The last write of unknown outcome for each VM.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    by_vm: BTreeMap<ObjectKey, Suspect>,
}

#[derive(Debug)]
struct Suspect {
    object: (Kind, ObjectKey),
    version: Version,
    until: Instant,
}

impl Suspects {
    /// Remembers a write to an object that was at `version`.
    pub(super) fn suspect(&mut self, vm: &ObjectKey, object: (Kind, ObjectKey), version: Version, now: Instant) {
        self.by_vm.insert(vm.clone(), Suspect { object, version, until: now + MAY_ARRIVE });
    }

    /// Until when a write about a VM to `object` has to wait.
    pub(super) fn holds(
        &mut self,
        vm: &ObjectKey,
        object: &(Kind, ObjectKey),
        version_of: impl FnOnce(&(Kind, ObjectKey)) -> Option<Version>,
        now: Instant,
    ) -> Option<Instant> {
        let suspect = self.by_vm.get(vm)?;
        if suspect.until <= now || version_of(&suspect.object) != Some(suspect.version) {
            self.by_vm.remove(vm);
            return None;
        }
        (suspect.object != *object).then_some(suspect.until)
    }

    /// Forgets all about a VM.
    pub(super) fn forget(&mut self, vm: &ObjectKey) {
        self.by_vm.remove(vm);
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
        let held = |object: &(Kind, ObjectKey), present: u64, after: u64| {
            let mut suspects = Suspects::default();
            suspects.suspect(&vm, pod.clone(), version(7), now);
            suspects.holds(&vm, object, |_| Some(version(present)), now + Duration::from_secs(after)).is_some()
        };
        assert!(held(&status, 7, 0), "a grant must wait for the Pod's patch");
        assert!(!held(&pod, 7, 0), "another patch of the Pod excludes the first one");
        assert!(!held(&status, 8, 0), "the Pod has moved on, so the first patch cannot land");
        assert!(held(&status, 7, 29) && !held(&status, 7, 30));
    }
}
