//! Seeds of the simulation: scripts that once broke something, the smallest that did, and small worlds played twice.
//!
//! What a seed is, and how many more of them are played, is said by `reef sim --help` and `make seeds`. Nothing here is random.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use reef::simulation::invariants::Recording;
use reef::simulation::{Keep, Play, Scale, Script, play};
use std::fs;
use std::path::Path;

const TRACED: Play = Play { recording: Recording::Off, trace: Keep::Text };

/// The kept scripts, by name.
fn kept() -> Vec<(String, Script)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let script = fs::read_to_string(file).unwrap().parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, script)
    };
    files.iter().map(read).collect()
}

#[test]
fn what_once_broke_something_breaks_nothing_any_more() {
    let kept = kept();
    assert!(!kept.is_empty(), "no script is kept");
    for (name, script) in kept {
        let outcome = play(&script, Play::BARE).unwrap();
        if let Some(failure) = outcome.failure {
            panic!("{name}: {failure}");
        }
    }
}

#[test]
fn twenty_seeds_played_twice_give_the_same_traces_byte_for_byte() {
    for seed in 0..20 {
        let script = Script::of(seed, Scale::TINY);
        let (first, second) = (play(&script, TRACED).unwrap(), play(&script, TRACED).unwrap());
        if let Some((one, other)) = first.trace.lines().zip(second.trace.lines()).find(|(one, other)| one != other) {
            panic!("seed {seed} differs:\n{one}\n{other}");
        }
        assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
        assert!(first.changes > 50, "seed {seed} did next to nothing: {} changes", first.changes);
    }
}
