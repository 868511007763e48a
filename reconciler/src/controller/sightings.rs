//! Pods that are about to carry a raise, and whether their numbers were read twice.
//!
//! A kubelet may tell that a resize is done, then once more the numbers of before, then that it is done. So a raise is granted on two views that
//! agree: two versions of the object with the same numbers, or one version that was read again a moment later. The second costs one read, and
//! does not wait for an event that may never come. In memory only: losing it costs that read once more.

use std::collections::BTreeMap;
use std::time::Duration;

use reef_api::PodSize;
use tokio::time::Instant;

use crate::decide::observed::{PodObserved, Reads};
use crate::observe::ObjectKey;

/// How long after the first view a Pod is read again: a kubelet writes what it told by mistake anew within some tens of milliseconds.
pub const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The numbers of a Pod that a raise depends on.
#[derive(Clone, Debug, PartialEq)]
struct Numbers {
    uid: String,
    spec: PodSize,
    allocated: Option<PodSize>,
    actual: Option<PodSize>,
}

impl From<&PodObserved> for Numbers {
    fn from(pod: &PodObserved) -> Self {
        Self { uid: pod.uid.clone(), spec: pod.spec, allocated: pod.allocated, actual: pod.actual }
    }
}

#[derive(Debug)]
struct Sighting {
    numbers: Numbers,
    version: String,
    since: Instant,
    reads: Reads,
}

/// What was seen of the Pods that matter, by VM.
#[derive(Debug, Default)]
pub struct Sightings {
    by_vm: BTreeMap<ObjectKey, Sighting>,
}

impl Sightings {
    /// Begins with a view of a Pod, where there is none with its numbers. When it is to be read again.
    pub fn begin(&mut self, vm: &ObjectKey, pod: &PodObserved, now: Instant) -> Instant {
        let numbers = Numbers::from(pod);
        let known = self.by_vm.get(vm).filter(|known| known.numbers == numbers);
        let since = known.map_or(now, |known| known.since);
        if known.is_none() {
            let version = pod.resource_version.clone();
            self.by_vm.insert(vm.clone(), Sighting { numbers, version, since, reads: Reads::Once });
        }
        since + READ_AGAIN_AFTER
    }

    /// How often the numbers of this view were read. Other numbers end what was seen before.
    pub fn reads(&mut self, vm: &ObjectKey, pod: &PodObserved) -> Reads {
        let Some(known) = self.by_vm.get_mut(vm) else { return Reads::Once };
        if known.numbers != Numbers::from(pod) {
            self.by_vm.remove(vm);
            return Reads::Once;
        }
        if known.version != pod.resource_version {
            known.reads = Reads::Twice;
        }
        known.reads
    }

    /// A Pod of the VM was read, and the store has what was found.
    pub fn read(&mut self, vm: &ObjectKey, now: Instant) {
        if let Some(known) = self.by_vm.get_mut(vm).filter(|known| now >= known.since + READ_AGAIN_AFTER) {
            known.reads = Reads::Twice;
        }
    }

    /// Forgets all about a VM.
    pub fn forget(&mut self, vm: &ObjectKey) {
        self.by_vm.remove(vm);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decide::observed::PodPhase;
    use reef_api::{Bytes, MilliCpu};

    /// The Pod of a VM, whose numbers but the actual ones are those of 2 CPUs.
    pub fn pod(version: &str, actual: u64) -> PodObserved {
        let size =
            |millis| PodSize { cpu_request: MilliCpu(millis), cpu_limit: MilliCpu(millis), memory: Bytes(1 << 30) };
        PodObserved {
            name: "web-1".to_owned(),
            uid: "p".to_owned(),
            resource_version: version.to_owned(),
            phase: PodPhase::Running,
            deleting: false,
            node: None,
            unschedulable: None,
            trouble: None,
            unbooted: false,
            made_for: None,
            restarted: None,
            generation: 1,
            observed_generation: 1,
            spec: size(2000),
            allocated: Some(size(2000)),
            actual: Some(size(actual)),
            pending: None,
            in_progress: None,
            reads: Reads::Once,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_version_counts_twice_only_after_it_was_read_again_a_moment_later() {
        let (vm, now) = (ObjectKey::new("web", "web-1"), Instant::now());
        let mut sightings = Sightings::default();
        let again = sightings.begin(&vm, &pod("1", 2000), now);
        assert_eq!(again, now + READ_AGAIN_AFTER);
        sightings.read(&vm, now);
        assert_eq!(sightings.reads(&vm, &pod("1", 2000)), Reads::Once, "that read was on its way before");
        assert_eq!(sightings.begin(&vm, &pod("1", 2000), now + READ_AGAIN_AFTER), again, "it is the same sighting");
        sightings.read(&vm, again);
        assert_eq!(sightings.reads(&vm, &pod("1", 2000)), Reads::Twice);
    }

    #[tokio::test(start_paused = true)]
    async fn another_version_with_the_same_numbers_is_a_second_read() {
        let (vm, now) = (ObjectKey::new("web", "web-1"), Instant::now());
        let mut sightings = Sightings::default();
        sightings.begin(&vm, &pod("1", 2000), now);
        assert_eq!(sightings.reads(&vm, &pod("2", 2000)), Reads::Twice);
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_that_flap_begin_anew() {
        let (vm, now) = (ObjectKey::new("web", "web-1"), Instant::now());
        let mut sightings = Sightings::default();
        sightings.begin(&vm, &pod("1", 2000), now);
        assert_eq!(sightings.reads(&vm, &pod("2", 1000)), Reads::Once);
        assert_eq!(sightings.reads(&vm, &pod("3", 2000)), Reads::Once);
        sightings.begin(&vm, &pod("3", 2000), now);
        assert_eq!(sightings.reads(&vm, &pod("3", 2000)), Reads::Once);
        assert_eq!(sightings.reads(&vm, &pod("4", 2000)), Reads::Twice);
    }
}
