//! Who is on this node: what the watches have seen, and which VM is to be looked after in which Pod.
//!
//! Pure values. A VM and a Pod belong together only when the controller names the Pod by its UID, the Pod names the VM,
//! and both are on this node.

use crate::host::PodRef;
use crate::view::{Past, PodView, VmView};
use crate::watch::Change;
use reef_api::VmKey;
use std::collections::{BTreeMap, BTreeSet};

/// What one watch has seen, by namespace and name.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    seen: BTreeMap<VmKey, T>,
    listing: Option<BTreeMap<VmKey, T>>,
    synced: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { seen: BTreeMap::new(), listing: None, synced: false }
    }
}

impl<T: Clone> Kept<T> {
    /// Takes in a change. A list replaces what was seen only when it is complete: absence is never concluded from a part.
    pub(crate) fn apply(&mut self, change: Change<T>) {
        match change {
            Change::Restarted => self.listing = Some(BTreeMap::new()),
            Change::Listed(key, item) => {
                let item = item.or_else(|| self.seen.get(&key).cloned());
                if let Some((listing, item)) = self.listing.as_mut().zip(item) {
                    listing.insert(key, item);
                }
            }
            Change::Synced => {
                self.seen = self.listing.take().unwrap_or_default();
                self.synced = true;
            }
            Change::Seen(key, Some(item)) => {
                self.seen.insert(key, item);
            }
            Change::Seen(_, None) => {}
            Change::Gone(key) => {
                self.seen.remove(&key);
            }
            Change::Restored => {
                self.listing = None;
                self.synced = false;
            }
        }
    }
}

impl Kept<VmView> {
    /// Whether the list that ends names an object at an earlier version than this watch has seen before: time went back. A restore that makes sure
    /// that versions grow (`etcdutl snapshot restore --bump-revision`) shows in nothing else.
    fn went_back(&self) -> bool {
        let older = |(key, now): (&VmKey, &VmView)| {
            self.seen.get(key).is_some_and(|seen| seen.resource_version.is_newer_than(&now.resource_version))
        };
        self.listing.iter().flatten().any(older)
    }
}

/// A VM to be looked after, and the Pod that it runs in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment<'r> {
    /// The VM.
    pub(crate) vm: &'r VmView,
    /// Its Pod.
    pub(crate) pod: PodRef,
    /// Of which past they are.
    pub(crate) past: Past,
}

/// The VMs that a change may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// These.
    Vms(BTreeSet<VmKey>),
    /// Any of them.
    All,
}

impl Touched {
    /// None.
    pub(crate) const NONE: Self = Self::Vms(BTreeSet::new());
}

/// Everything that the watches have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    vms: Kept<VmView>,
    pods: Kept<PodView>,
    /// Pods by UID: a node with many VMs must not be searched for each of them.
    by_uid: BTreeMap<String, VmKey>,
    past: Past,
}

impl Roster {
    /// Takes in a change of a VM.
    pub(crate) fn vm_changed(&mut self, change: Change<VmView>) -> Touched {
        let touched = touched(&change);
        if matches!(change, Change::Synced) && self.vms.went_back() {
            self.past = self.past.next();
        }
        if matches!(change, Change::Restored) {
            self.restored();
        } else {
            self.vms.apply(change);
        }
        touched
    }

    /// Takes in a change of a Pod: of the VM that it named before, and of the one that it names now.
    pub(crate) fn pod_changed(&mut self, change: Change<PodView>) -> Touched {
        let key = match &change {
            Change::Seen(key, _) | Change::Gone(key) => key.clone(),
            Change::Synced => {
                self.pods.apply(change);
                self.by_uid = self.pods.seen.values().map(|pod| (pod.uid.clone(), pod.key.clone())).collect();
                return Touched::All;
            }
            Change::Restored => {
                self.restored();
                return Touched::NONE;
            }
            Change::Restarted | Change::Listed(..) => {
                self.pods.apply(change);
                return Touched::NONE;
            }
        };
        let before = self.pods.seen.get(&key).map(|pod| (pod.uid.clone(), pod.vm.clone()));
        self.pods.apply(change);
        let after = self.pods.seen.get(&key).map(|pod| (pod.uid.clone(), pod.vm.clone()));
        if let Some((uid, _)) = &before {
            self.by_uid.remove(uid);
        }
        if let Some((uid, _)) = &after {
            self.by_uid.insert(uid.clone(), key);
        }
        Touched::Vms([before, after].into_iter().flatten().map(|(_, vm)| vm).collect())
    }

    /// The cluster was restored from a backup: what one watch has found is true for the other.
    fn restored(&mut self) {
        self.past = self.past.next();
        self.vms.apply(Change::Restored);
        self.pods.apply(Change::Restored);
    }

    /// The past that is known of. Once it is another one the watches have to begin anew.
    pub(crate) const fn past(&self) -> Past {
        self.past
    }

    /// Whether both watches have seen everything once.
    pub(crate) const fn is_synced(&self) -> bool {
        self.vms.synced && self.pods.synced
    }

    /// The VMs that are known.
    pub(crate) fn keys(&self) -> BTreeSet<VmKey> {
        self.vms.seen.keys().cloned().collect()
    }

    /// What is to be done about a VM: `None` when it is not, or no longer, one of this node.
    pub(crate) fn assignment(&self, key: &VmKey, node: &str) -> Option<Assignment<'_>> {
        let vm = self.vms.seen.get(key).filter(|vm| is_ours(vm, node))?;
        let pod = self.pods.seen.get(self.by_uid.get(vm.pod_uid.as_ref()?)?).filter(|pod| pod.vm == *key)?;
        Some(Assignment { vm, pod: pod.on(node)?, past: self.past })
    }
}

/// A list may be about any VM, and only once it is complete.
fn touched(change: &Change<VmView>) -> Touched {
    match change {
        Change::Seen(key, _) | Change::Gone(key) => Touched::Vms(BTreeSet::from([key.clone()])),
        Change::Synced => Touched::All,
        Change::Restarted | Change::Listed(..) | Change::Restored => Touched::NONE,
    }
}

fn is_ours(vm: &VmView, node: &str) -> bool {
    !vm.deleting && vm.node.as_deref() == Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::ResourceVersion;

    fn key() -> VmKey {
        VmKey::new("shop", "web")
    }

    fn vm() -> VmView {
        VmView {
            key: key(),
            uid: "vm-1".to_owned(),
            resource_version: ResourceVersion("1".to_owned()),
            deleting: false,
            node: Some("n1".to_owned()),
            pod_uid: Some("pod-1".to_owned()),
            grant: None,
            revision: None,
            reported: None,
        }
    }

    fn pod(uid: &str, vm: VmKey) -> PodView {
        PodView {
            key: VmKey::new("shop", format!("web-{uid}")),
            vm,
            uid: uid.to_owned(),
            node: Some("n1".to_owned()),
            container_id: Some("abc".to_owned()),
            deleting: false,
        }
    }

    fn roster(vm: VmView, pods: Vec<PodView>) -> Roster {
        let mut roster = Roster::default();
        roster.vm_changed(Change::Seen(vm.key.clone(), Some(vm)));
        for pod in pods {
            roster.pod_changed(Change::Seen(pod.key.clone(), Some(pod)));
        }
        roster
    }

    #[test]
    fn a_vm_is_looked_after_in_the_pod_that_the_controller_names() {
        let roster = roster(vm(), vec![pod("pod-0", key()), pod("pod-1", key())]);
        let pod = PodRef { pod_uid: "pod-1".to_owned(), container_id: "abc".to_owned() };
        assert_eq!(roster.assignment(&key(), "n1"), Some(Assignment { vm: &vm(), pod, past: Past::default() }));
    }

    #[test]
    fn a_pod_that_names_another_vm_or_a_vm_of_another_node_is_none_of_ours() {
        let foreign = pod("pod-1", VmKey::new("shop", "other"));
        assert_eq!(roster(vm(), vec![foreign]).assignment(&key(), "n1"), None);
        assert_eq!(roster(vm(), vec![pod("pod-1", key())]).assignment(&key(), "n2"), None);
        let moved = VmView { node: Some("n2".to_owned()), ..vm() };
        assert_eq!(roster(moved, vec![pod("pod-1", key())]).assignment(&key(), "n1"), None);
    }

    #[test]
    fn a_vm_that_is_deleted_is_left_alone() {
        let deleting = VmView { deleting: true, ..vm() };
        assert_eq!(roster(deleting, vec![pod("pod-1", key())]).assignment(&key(), "n1"), None);
    }

    fn seen(pod: PodView) -> Change<PodView> {
        Change::Seen(pod.key.clone(), Some(pod))
    }

    fn vms(keys: &[VmKey]) -> Touched {
        Touched::Vms(keys.iter().cloned().collect())
    }

    #[test]
    fn a_change_touches_the_vms_that_it_is_about_and_a_complete_list_all() {
        let (mut roster, other) = (roster(vm(), vec![pod("pod-1", key())]), VmKey::new("shop", "other"));
        assert_eq!(roster.vm_changed(Change::Seen(key(), None)), vms(&[key()]));
        assert_eq!(roster.vm_changed(Change::Gone(other.clone())), vms(std::slice::from_ref(&other)));
        let moved = pod("pod-1", other.clone());
        assert_eq!(roster.pod_changed(seen(moved.clone())), vms(&[key(), other.clone()]));
        assert_eq!(roster.pod_changed(Change::Gone(moved.key.clone())), vms(std::slice::from_ref(&other)));
        assert_eq!(roster.pod_changed(Change::Gone(moved.key.clone())), Touched::NONE);
        assert_eq!(roster.pod_changed(Change::Restarted), Touched::NONE);
        assert_eq!(roster.pod_changed(Change::Listed(moved.key.clone(), Some(moved))), Touched::NONE);
        assert_eq!(roster.pod_changed(Change::Synced), Touched::All);
    }

    #[test]
    fn a_pod_is_found_by_the_uid_that_it_has_now() {
        let mut roster = roster(vm(), vec![pod("pod-1", key())]);
        let renewed = PodView { uid: "pod-2".to_owned(), ..pod("pod-1", key()) };
        roster.pod_changed(seen(renewed));
        assert_eq!(roster.assignment(&key(), "n1"), None);
        roster.vm_changed(Change::Seen(key(), Some(VmView { pod_uid: Some("pod-2".to_owned()), ..vm() })));
        assert!(roster.assignment(&key(), "n1").is_some());
        roster.pod_changed(Change::Restarted);
        roster.pod_changed(Change::Synced);
        assert_eq!(roster.assignment(&key(), "n1"), None);
    }

    fn past(number: usize) -> Past {
        (0..number).fold(Past::default(), |past, _| past.next())
    }

    fn at(version: u32) -> VmView {
        VmView { resource_version: ResourceVersion(version.to_string()), ..vm() }
    }

    #[test]
    fn a_restore_begins_another_past_and_nothing_is_assigned_before_both_have_listed() {
        let mut roster = Roster::default();
        roster.vm_changed(Change::Synced);
        roster.pod_changed(Change::Synced);
        assert!(roster.is_synced());
        for (number, of_vms) in [(1, true), (2, false)] {
            let touched =
                if of_vms { roster.vm_changed(Change::Restored) } else { roster.pod_changed(Change::Restored) };
            assert_eq!((touched, roster.past(), roster.is_synced()), (Touched::NONE, past(number), false));
            roster.vm_changed(Change::Restarted);
            roster.vm_changed(Change::Synced);
            assert!(!roster.is_synced());
            roster.pod_changed(Change::Restarted);
            roster.pod_changed(Change::Synced);
            assert!(roster.is_synced());
        }
    }

    #[test]
    fn a_list_that_names_an_earlier_version_is_of_another_past() {
        for (before, listed, expected) in [(7, 7, past(0)), (7, 8, past(0)), (7, 6, past(1))] {
            let mut roster = roster(at(before), Vec::new());
            roster.vm_changed(Change::Restarted);
            roster.vm_changed(Change::Listed(key(), Some(at(listed))));
            assert_eq!(roster.past(), past(0), "a list counts when it is complete");
            roster.vm_changed(Change::Synced);
            assert_eq!(roster.past(), expected, "{before} and then {listed}");
        }
    }

    #[test]
    fn a_list_takes_effect_only_when_it_is_complete_and_an_odd_object_keeps_what_is_known() {
        let mut kept = Kept::default();
        let other = VmKey::new("shop", "other");
        kept.apply(Change::Seen(key(), Some(1)));
        kept.apply(Change::Seen(other.clone(), Some(2)));
        kept.apply(Change::Seen(key(), None));
        kept.apply(Change::Restarted);
        kept.apply(Change::Listed(key(), None));
        assert_eq!(kept.seen.len(), 2);
        assert!(!kept.synced);
        kept.apply(Change::Synced);
        assert_eq!(kept.seen, BTreeMap::from([(key(), 1)]));
        assert!(kept.synced);
        kept.apply(Change::Gone(key()));
        assert!(kept.seen.is_empty());
    }
}
