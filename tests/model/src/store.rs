//! What a search remembers: a mark of each state, and for each the state before it and the move between the two.
//!
//! States themselves are not kept but those of the present and the next depth. Two different states with one mark would be taken for one: of `n`
//! states that happens with a chance of about `n² / 2⁶⁵`, which is one in ten thousand for sixty million.

use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A table that is looked up and never iterated, so that the order of its places makes no difference.
#[allow(clippy::disallowed_types, reason = "never iterated")]
pub(crate) type Table<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Folding>>;

/// A mark of a state: 64 bits that hardly any other state has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// Finds the mark of a state.
pub(crate) fn mark(state: &impl Hash) -> Mark {
    let mut hasher = Folding::default();
    state.hash(&mut hasher);
    Mark(fold(hasher.0, 0x9e37_79b9_7f4a_7c15).max(1))
}

/// A hash by folded multiplication: every bit of the input reaches every bit of the output.
#[derive(Debug)]
pub(crate) struct Folding(u64);

impl Default for Folding {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }
}

fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let (low, high) = (product & u128::from(u64::MAX), product >> 64);
    u64::try_from(low ^ high).unwrap_or(0)
}

impl Folding {
    fn add(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word ^ 0xa409_3822_299f_31d0, 0xd6e8_feb8_6659_fd93).rotate_left(23) ^ word;
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            self.add(chunk.iter().fold(1, |word, byte| (word << 8) | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.add(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.add(word.unsigned_abs() as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A set of marks: open addressing, eight bytes a place.
#[derive(Debug)]
pub(crate) struct Seen {
    places: Vec<u64>,
    count: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self { places: vec![0; 64], count: 0 }
    }
}

impl Seen {
    /// How many marks there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Bytes that the set takes.
    pub(crate) const fn bytes(&self) -> usize {
        self.places.len() * size_of::<u64>()
    }

    /// Whether a mark is not there yet.
    pub(crate) fn is_new(&self, mark: Mark) -> bool {
        self.places[self.place(mark)] == 0
    }

    /// Adds a mark; whether it was new.
    pub(crate) fn add(&mut self, mark: Mark) -> bool {
        let place = self.place(mark);
        if self.places[place] != 0 {
            return false;
        }
        self.places[place] = mark.0;
        self.count += 1;
        if self.count * 4 > self.places.len() * 3 {
            self.grow();
        }
        true
    }

    /// Hands out every mark.
    pub(crate) fn each(&self, mut take: impl FnMut(Mark)) {
        self.places.iter().filter(|mark| **mark != 0).for_each(|mark| take(Mark(*mark)));
    }

    fn place(&self, mark: Mark) -> usize {
        let last = self.places.len() - 1;
        let mut place = usize::try_from(mark.0 >> 7).unwrap_or(0) & last;
        while self.places[place] != 0 && self.places[place] != mark.0 {
            place = (place + 1) & last;
        }
        place
    }

    fn grow(&mut self) {
        let larger = vec![0; self.places.len() * 2];
        let before = std::mem::replace(&mut self.places, larger);
        for mark in before.into_iter().filter(|mark| *mark != 0) {
            let place = self.place(Mark(mark));
            self.places[place] = mark;
        }
    }
}

/// For each state the one before it, and the move between the two, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    before: Vec<u32>,
    by: Vec<u8>,
}

impl Ways {
    /// Adds a state; its number.
    pub(crate) fn add(&mut self, before: u32, by: u8) -> u32 {
        let number = u32::try_from(self.by.len()).expect("fewer than 2^32 states");
        self.before.push(before);
        self.by.push(by);
        number
    }

    /// The moves that lead from the first state to this one.
    pub(crate) fn to(&self, number: u32) -> Vec<u8> {
        let mut way = Vec::new();
        let mut number = number as usize;
        while number != 0 {
            way.push(self.by[number]);
            number = self.before[number] as usize;
        }
        way.reverse();
        way
    }

    /// Bytes that the ways take.
    pub(crate) fn bytes(&self) -> usize {
        self.before.capacity() * size_of::<u32>() + self.by.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_tells_new_marks_from_old_ones_while_it_grows() {
        let mut seen = Seen::default();
        let marks: Vec<Mark> = (0..10_000_u32).map(|number| mark(&number)).collect();
        assert!(marks.iter().all(|mark| seen.add(*mark)));
        assert!(marks.iter().all(|mark| !seen.add(*mark) && !seen.is_new(*mark)));
        assert_eq!(seen.len(), 10_000);
    }

    #[test]
    fn the_way_to_a_state_is_told_from_the_first_one_on() {
        let mut ways = Ways::default();
        let root = ways.add(0, 0);
        let one = ways.add(root, 7);
        let other = ways.add(one, 9);
        ways.add(root, 8);
        assert_eq!(ways.to(other), [7, 9]);
    }
}
