//! All objects of one kind, in the order of their keys. An older view never replaces a newer one, whichever way it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::held::{Held, Version};
use super::keep::{Keep, KeptVm};
use super::kind::ObjectKey;
use super::object::Object;

/// Deleted names whose last version is remembered; beyond it the lowest names are forgotten first.
const GRAVES: usize = 4096;

/// Objects of one kind as last seen.
#[derive(Debug)]
pub struct Shelf<T> {
    held: BTreeMap<ObjectKey, Held<T>>,
    /// Versions at which objects were deleted, so that a late answer does not bring them back.
    graves: BTreeMap<ObjectKey, Version>,
    /// Keys that the list under way has not named yet and that were there when it began.
    unlisted: Option<BTreeSet<ObjectKey>>,
    synced: bool,
    /// The last number that was given to what Git can state of an object.
    stated: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), graves: BTreeMap::new(), unlisted: None, synced: false, stated: 0 }
    }
}

impl<T: Keep> Shelf<T> {
    /// Takes in a view of an object, from a watch or from the answer to a write. Tells whether it was news.
    ///
    /// It never ends a doubt: that the object has changed does not say whether our own write is in it. Only a read does.
    pub fn put(&mut self, key: &ObjectKey, raw: Object) -> bool {
        self.listed(key);
        let version = Version::of(&raw);
        if self.is_buried(key, version) {
            return false;
        }
        if let Some(held) = self.held.get(key)
            && !version.may_follow(held.version)
        {
            return false;
        }
        let doubtful = self.held.get(key).is_some_and(|held| held.doubtful);
        self.replace(key, raw, doubtful);
        true
    }

    /// Whether a view is of an object that is known to be gone since. The answer to a deletion that took effect at once carries the very
    /// version of the deletion; an object that is made anew has a later one.
    fn is_buried(&self, key: &ObjectKey, version: Version) -> bool {
        self.graves.get(key).is_some_and(|grave| !version.may_follow(*grave))
    }

    /// Takes in the answer to a read that was sent when the shelf held `before`.
    ///
    /// Such an answer is newer than anything known when it was asked for, even if its number is lower: a cluster that was restored
    /// from a backup counts from an earlier number.
    pub fn put_read(&mut self, key: &ObjectKey, raw: Object, before: Option<Version>) -> bool {
        self.listed(key);
        let now = self.held.get(key).map(|held| held.version);
        let version = Version::of(&raw);
        if now != before && now.is_some_and(|now| version.older_than(now)) {
            return self.settle(key);
        }
        if before.is_some() && now.is_none() && self.is_buried(key, version) {
            return false;
        }
        self.replace(key, raw, false);
        true
    }

    fn replace(&mut self, key: &ObjectKey, raw: Object, doubtful: bool) {
        self.graves.remove(key);
        let mut held = Held { doubtful, ..Held::read(raw) };
        let before = self.held.get(key);
        held.inherited = before.is_some_and(|before| before.inherited && before.version == held.version);
        held.stated = match before.filter(|before| held.states_the_same(before)) {
            Some(before) => before.stated,
            None => {
                self.stated = self.stated.saturating_add(1);
                self.stated
            }
        };
        if let Err(error) = &held.object {
            tracing::warn!(object = %key, %error, "an object has an unexpected shape and is left alone");
        }
        self.held.insert(key.clone(), held);
    }

    /// Takes in that an object is gone since `version`; none when a read found nothing.
    pub fn remove(&mut self, key: &ObjectKey, version: Option<Version>) -> Option<Held<T>> {
        let held = self.held.get(key)?;
        if version.is_some_and(|version| version.older_than(held.version)) {
            return None;
        }
        self.graves.insert(key.clone(), version.unwrap_or(held.version));
        if self.graves.len() > GRAVES {
            self.graves.pop_first();
        }
        self.held.remove(key)
    }

    /// A newer view came while the read was on its way, and it holds whatever our write did before the read.
    fn settle(&mut self, key: &ObjectKey) -> bool {
        if let Some(held) = self.held.get_mut(key) {
            held.doubtful = false;
        }
        false
    }

    /// Marks that the outcome of a write to this object is not known.
    pub fn doubt(&mut self, key: &ObjectKey) {
        if let Some(held) = self.held.get_mut(key) {
            held.doubtful = true;
        }
    }

    /// The cluster was restored from a backup: until the next list has ended, what is held is only what was there once.
    pub fn forget_past(&mut self) {
        self.graves.clear();
        self.unlisted = None;
        self.synced = false;
        self.held.values_mut().for_each(|held| held.version = Version::OF_ANOTHER_PAST);
    }

    /// A list begins. What it will not name, and was there before, is doubted at its end.
    pub fn begin_list(&mut self) {
        self.unlisted = Some(self.held.keys().cloned().collect());
    }

    /// A list named an object. One that is older than what is known of it becomes doubtful: time may have gone back.
    pub fn put_listed(&mut self, key: &ObjectKey, raw: Object) -> bool {
        let back = self.held.get(key).is_some_and(|held| Version::of(&raw).older_than(held.version));
        if back {
            self.listed(key);
            // Between a restore and this list an answer of before it may have come in.
            if self.synced {
                self.doubt(key)
            } else {
                self.replace(key, raw, true)
            }
            return true;
        }
        if self.graves.get(key).is_some_and(|grave| Version::of(&raw).older_than(*grave)) {
            self.replace(key, raw, true);
            return true;
        }
        let news = self.put(key, raw);
        if let Some(held) = self.held.get_mut(key).filter(|_| news && !self.synced) {
            held.inherited = true;
        }
        news
    }

    /// Nothing that another process has sent can change the object any more without being seen.
    pub fn own(&mut self, key: &ObjectKey) {
        if let Some(held) = self.held.get_mut(key) {
            held.inherited = false;
        }
    }

    /// A list ended. Returns what it did not name, each now doubtful: a stale list must not make an object vanish.
    pub fn end_list(&mut self) -> BTreeSet<ObjectKey> {
        self.synced = true;
        let missing = self.unlisted.take().unwrap_or_default();
        for key in &missing {
            self.doubt(key);
        }
        missing
    }

    fn listed(&mut self, key: &ObjectKey) {
        if let Some(unlisted) = &mut self.unlisted {
            unlisted.remove(key);
        }
    }
}

impl Shelf<KeptVm> {
    /// Lets go of the typed form of a VM.
    pub fn pack(&mut self, key: &ObjectKey) {
        let held = self.held.get_mut(key).and_then(|held| held.object.as_mut().ok());
        if let Some(vm) = held.and_then(Arc::get_mut) {
            vm.pack();
        }
    }
}

impl<T> Shelf<T> {
    /// What is kept of the object, where it is there and can be read.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<T>> {
        self.held.get(key)?.object.as_ref().ok()
    }

    /// What is held of an object.
    pub fn held(&self, key: &ObjectKey) -> Option<&Held<T>> {
        self.held.get(key)
    }

    /// Everything, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Held<T>)> {
        self.held.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.held.len()
    }

    /// What comes after a key, in their order; everything after none.
    pub fn after(&self, key: Option<&ObjectKey>) -> impl Iterator<Item = (&ObjectKey, &Held<T>)> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.held.range((from, Bound::Unbounded))
    }

    /// The objects of one namespace, in the order of their names.
    pub fn within<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a ObjectKey, &'a Held<T>)> {
        let from = ObjectKey::new(namespace, "");
        self.held.range(from..).take_while(move |(key, _)| key.namespace == namespace)
    }

    /// Whether a whole list has been seen since the start.
    pub fn synced(&self) -> bool {
        self.synced
    }
}
