//! Replays the corpus of a target through its function, as it is and bent in many ways: a short run without the fuzzer.
//!
//! The crates' tests include this file beside the functions; `make fuzz` looks for more.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a finding panics")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// How often each file is bent.
const BENT: u64 = 40;
/// No file of the corpus is larger, and no target has fewer.
const LARGEST: usize = 4 << 10;
const FEWEST: usize = 5;

/// Runs every input of a target's corpus, and inputs near to them.
pub fn replay(target: &str, entry: fn(&[u8])) {
    let files = files(target);
    assert!(files.len() >= FEWEST, "{target} has {} files", files.len());
    for (name, bytes) in &files {
        assert!(bytes.len() <= LARGEST, "{target}: {name} is too large");
        run(target, entry, name, bytes);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, bytes) in &files {
        for _ in 0..BENT {
            let other = &files[random.below(files.len())].1;
            run(target, entry, name, &bend(&mut random, bytes, other));
        }
    }
}

/// The files of one target, in the order of their names.
fn files(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder).unwrap().map(read).collect();
    files.sort();
    files
}

/// Runs one input, and says which it was where it is a finding.
fn run(target: &str, entry: fn(&[u8]), name: &str, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| entry(bytes))).is_err() {
        panic!("{target}: {name} is a finding: {}", bytes.escape_ascii());
    }
}

/// A few bytes are changed, repeated, taken away, or exchanged for some of another file.
fn bend(random: &mut Random, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bent = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bent.len() + 1);
        let end = (at + random.below(16)).min(bent.len());
        match random.below(5) {
            0 => bent.insert(at, random.byte()),
            1 => drop(bent.drain(at..end)),
            2 => {
                let part = bent[at..end].to_vec();
                bent.splice(at..at, part);
            }
            3 => {
                let from = random.below(other.len() + 1);
                let until = (from + random.below(32)).min(other.len());
                bent.splice(at..end, other[from..until].iter().copied());
            }
            _ => {
                if let Some(byte) = bent.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bent
}

/// Numbers that are the same in each run: Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }
}

#[test]
fn a_finding_is_found() {
    assert!(catch_unwind(|| run("none", |bytes| assert!(bytes.is_empty()), "a", b"x")).is_err());
}
