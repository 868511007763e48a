//! What VMs take of their nodes, and which of them wait for room there: so that those are looked at when there may be some.
//!
//! In memory only, and made anew as each VM is looked at. Whose turn it is, is decided elsewhere.

use std::collections::BTreeMap;

use crate::decide::room::{Claim, Neighbourhood, Waiter};
use crate::observe::{KeptPod, ObjectKey, Store};

/// A VM's place: its node, and what its Pod takes there.
type Place = (String, Claim);

/// What was seen of each VM last.
#[derive(Debug, Default)]
pub struct Neighbours {
    places: BTreeMap<ObjectKey, Place>,
    waiters: BTreeMap<ObjectKey, (String, Waiter)>,
}

impl Neighbours {
    /// Takes in where a VM is and whether it waits for room. Returns the waiting VMs to which that makes a difference.
    pub fn note(&mut self, vm: &ObjectKey, place: Option<Place>, waiter: Option<Waiter>) -> Vec<ObjectKey> {
        let tries = |waiter: Option<&Waiter>| waiter.is_some_and(|waiter| waiter.trying.is_some());
        let tried = tries(self.waiters.get(vm).map(|(_, waiter)| waiter));
        let gave_up = tried && !tries(waiter.as_ref());
        let before = match &place {
            Some(place) => self.places.insert(vm.clone(), place.clone()),
            None => self.places.remove(vm),
        };
        let nodes: Vec<&str> = [&before, &place].into_iter().flatten().map(|(node, _)| node.as_str()).collect();
        let changed = before != place || gave_up;
        let others = self.waiters.iter().filter(|(key, (node, _))| *key != vm && nodes.contains(&node.as_str()));
        let woken = if changed { others.map(|(key, _)| key.clone()).collect() } else { Vec::new() };
        match place.zip(waiter) {
            Some(((node, _), waiter)) => self.waiters.insert(vm.clone(), (node, waiter)),
            None => self.waiters.remove(vm),
        };
        woken
    }

    /// Everything that VMs take of a node, and those of them that wait.
    pub fn of(&self, node: &str, store: &Store) -> Neighbourhood {
        let claim = |pod: &KeptPod| {
            let pod = pod.observed.as_ref().ok()?;
            let here = pod.alive() && pod.node.as_deref() == Some(node);
            here.then(|| pod.claim())
        };
        let claims = store.pods.iter().filter_map(|(_, held)| claim(held.object.as_deref().ok()?));
        let all = claims.fold(Claim::default(), Claim::plus);
        let waiters = self.waiters.values().filter(|(its, _)| its == node).map(|(_, waiter)| waiter.clone()).collect();
        Neighbourhood { all, waiters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use reef_api::vm::NodeRoom;
    use reef_api::{Bytes, MilliCpu, VmKey};

    fn place(node: &str, millis: u64) -> Option<Place> {
        Some((node.to_owned(), Claim { cpu: MilliCpu(millis), memory: Bytes(0) }))
    }

    fn waiter(name: &str, trying: Option<Timestamp>) -> Option<Waiter> {
        Some(Waiter {
            key: VmKey::new("web", name),
            has: Claim::default(),
            asks: Claim::default(),
            room: NodeRoom::default(),
            since: Timestamp::UNIX_EPOCH,
            due: Timestamp::UNIX_EPOCH,
            trying,
        })
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("web", name)
    }

    #[test]
    fn those_who_wait_are_woken_when_another_vm_of_their_node_takes_something_else_or_leaves() {
        let mut neighbours = Neighbours::default();
        neighbours.note(&key("waits"), place("a", 1000), waiter("waits", None));
        neighbours.note(&key("elsewhere"), place("b", 1000), waiter("elsewhere", None));
        assert_eq!(neighbours.note(&key("other"), place("a", 2000), None), [key("waits")]);
        assert_eq!(neighbours.note(&key("other"), place("a", 2000), None), []);
        assert_eq!(neighbours.note(&key("other"), place("a", 1000), None), [key("waits")]);
        assert_eq!(neighbours.note(&key("other"), place("b", 1000), None), [key("elsewhere"), key("waits")]);
        assert_eq!(neighbours.note(&key("other"), None, None), [key("elsewhere")]);
        assert_eq!(neighbours.note(&key("waits"), place("a", 3000), None), [], "nobody else waits there");
    }

    #[test]
    fn those_who_wait_are_woken_when_one_that_tried_has_ended_its_attempt() {
        let mut neighbours = Neighbours::default();
        neighbours.note(&key("waits"), place("a", 1000), waiter("waits", None));
        neighbours.note(&key("tries"), place("a", 1000), waiter("tries", Some(Timestamp::UNIX_EPOCH)));
        assert_eq!(neighbours.note(&key("tries"), place("a", 1000), waiter("tries", None)), [key("waits")]);
    }
}
