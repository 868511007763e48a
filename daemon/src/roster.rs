//! Who is on this node: what the watches have seen, and which VM is to be looked after in which Pod.
//!
//! Pure values. A VM and a Pod belong together only when the controller names the Pod by its UID, the Pod names the VM,
//! and both are on this node.

use crate::host::PodRef;
use crate::view::{PodView, VmView};
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

/// What may be otherwise after a change.
#[derive(Clone, Debug, PartialEq)]
enum News<T> {
    /// Nothing.
    None,
    /// One object: as it was, and as it is.
    One(VmKey, [Option<T>; 2]),
    /// Every object.
    All,
}

impl<T: Clone> Kept<T> {
    /// Takes in a change. A list replaces what was seen only when it is complete: absence is never concluded from a part.
    fn apply(&mut self, change: Change<T>) -> News<T> {
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
                return News::All;
            }
            Change::Seen(key, Some(item)) => {
                let before = self.seen.insert(key.clone(), item.clone());
                return News::One(key, [before, Some(item)]);
            }
            Change::Seen(_, None) => {}
            Change::Gone(key) => {
                let before = self.seen.remove(&key);
                return News::One(key, [before, None]);
            }
        }
        News::None
    }
}

/// The VMs that a change concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// These.
    Some(BTreeSet<VmKey>),
    /// All that are known.
    All,
}

impl Touched {
    /// No VM.
    pub(crate) const fn none() -> Self {
        Self::Some(BTreeSet::new())
    }
}

/// A VM to be looked after, and the Pod that it runs in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    /// The VM.
    pub(crate) vm: VmView,
    /// Its Pod.
    pub(crate) pod: PodRef,
}

/// Everything that the watches have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    vms: Kept<VmView>,
    pods: Kept<PodView>,
}

impl Roster {
    /// Takes in a change of a VM.
    pub(crate) fn see_vm(&mut self, change: Change<VmView>) -> Touched {
        match self.vms.apply(change) {
            News::None => Touched::none(),
            News::One(key, _) => Touched::Some(BTreeSet::from([key])),
            News::All => Touched::All,
        }
    }

    /// Takes in a change of a Pod: it concerns the VM that it named before, and the one that it names now.
    pub(crate) fn see_pod(&mut self, change: Change<PodView>) -> Touched {
        match self.pods.apply(change) {
            News::None => Touched::none(),
            News::One(_, views) => Touched::Some(views.into_iter().flatten().map(|pod| pod.vm).collect()),
            News::All => Touched::All,
        }
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
    pub(crate) fn assignment(&self, key: &VmKey, node: &str) -> Option<Assignment> {
        let vm = self.vms.seen.get(key).filter(|vm| is_ours(vm, node))?;
        let pod_uid = vm.pod_uid.as_ref()?;
        let pod = self.pods.seen.values().find(|pod| pod.uid == *pod_uid && pod.vm == *key)?;
        Some(Assignment { vm: vm.clone(), pod: pod.on(node)? })
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
        roster.see_vm(Change::Seen(vm.key.clone(), Some(vm)));
        for pod in pods {
            roster.see_pod(Change::Seen(pod.key.clone(), Some(pod)));
        }
        roster
    }

    #[test]
    fn a_vm_is_looked_after_in_the_pod_that_the_controller_names() {
        let roster = roster(vm(), vec![pod("pod-0", key()), pod("pod-1", key())]);
        let pod = PodRef { pod_uid: "pod-1".to_owned(), container_id: "abc".to_owned() };
        assert_eq!(roster.assignment(&key(), "n1"), Some(Assignment { vm: vm(), pod }));
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
    fn a_change_concerns_one_vm_and_that_of_a_pod_the_one_that_it_named_before_too() {
        let mut roster = roster(vm(), vec![pod("pod-1", key())]);
        let other = VmKey::new("shop", "other");
        let both = Touched::Some(BTreeSet::from([key(), other.clone()]));
        let moved = PodView { vm: other.clone(), ..pod("pod-1", key()) };
        assert_eq!(roster.see_pod(Change::Seen(moved.key.clone(), Some(moved.clone()))), both);
        assert_eq!(roster.see_pod(Change::Gone(moved.key)), Touched::Some(BTreeSet::from([other])));
        assert_eq!(roster.see_vm(Change::Gone(key())), Touched::Some(BTreeSet::from([key()])));
        assert_eq!(roster.see_vm(Change::Restarted), Touched::none());
        assert_eq!(roster.see_vm(Change::Synced), Touched::All);
    }

    #[test]
    fn a_vm_that_is_deleted_is_left_alone() {
        let deleting = VmView { deleting: true, ..vm() };
        assert_eq!(roster(deleting, vec![pod("pod-1", key())]).assignment(&key(), "n1"), None);
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
