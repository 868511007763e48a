//! What is to be looked at, and when: each key once, at the earliest of the times that were asked for. Ordered, so that a run can be repeated.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

/// Keys by the time at which they are due.
#[derive(Debug)]
pub struct Queue<K> {
    due: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// Asks for a key at a time. An earlier time that was asked for before stays.
    pub fn at(&mut self, key: K, time: Instant) {
        if let Some(before) = self.due.get(&key).copied() {
            if before <= time {
                return;
            }
            self.order.remove(&(before, key.clone()));
        }
        self.order.insert((time, key.clone()));
        self.due.insert(key, time);
    }

    /// Takes out the first key that is due.
    pub fn pop(&mut self, now: Instant) -> Option<K> {
        let (time, _) = self.order.first()?;
        if *time > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.due.remove(&key);
        Some(key)
    }

    /// Whether a key is asked for.
    pub fn has(&self, key: &K) -> bool {
        self.due.contains_key(key)
    }

    /// The keys that are due.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = &K> {
        self.order.iter().take_while(move |(time, _)| *time <= now).map(|(_, key)| key)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// When the next key is due.
    pub fn next(&self) -> Option<Instant> {
        self.order.first().map(|(time, _)| *time)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_due_once_at_the_earliest_time_asked_for() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        queue.at("b", later(5));
        queue.at("a", later(5));
        queue.at("b", later(9));
        queue.at("c", later(9));
        queue.at("c", later(1));
        assert_eq!((queue.pop(now), queue.next()), (None, Some(later(1))));
        let order: Vec<&str> = std::iter::from_fn(|| queue.pop(later(5))).collect();
        assert_eq!((order, queue.next()), (vec!["c", "a", "b"], None));
    }
}
