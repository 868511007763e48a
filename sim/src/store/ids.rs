//! UIDs and name suffixes from a seed: the same seed gives the same ones in the same order.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The letters that the real server uses for generated names: no vowels, nothing that looks alike.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

#[derive(Debug)]
pub(super) struct Ids(ChaCha8Rng);

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Ids(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A UUID of version 4.
    pub(super) fn uid(&mut self) -> String {
        let high = self.0.next_u64();
        let low = self.0.next_u64();
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0x0fff,
            ((low >> 48) & 0x3fff) | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    /// Five letters to end a generated name with.
    pub(super) fn suffix(&mut self) -> String {
        let count = LETTERS.len() as u64;
        let mut rest = self.0.next_u64();
        let mut out = String::new();
        while out.len() < 5 {
            let index = usize::try_from(rest % count).unwrap_or(0);
            out.extend(LETTERS.get(index).map(|byte| char::from(*byte)));
            rest /= count;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let draw = |seed| {
            let mut ids = Ids::new(seed);
            (ids.uid(), ids.uid(), ids.suffix())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let (uid, _, suffix) = draw(7);
        assert_eq!(uid.len(), 36);
        assert_eq!(uid.as_bytes()[14], b'4');
        assert_eq!(suffix.len(), 5);
    }
}
