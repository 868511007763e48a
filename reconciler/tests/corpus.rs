//! Hostile files of a repository: the corpus of the fuzz target, and what is near to it.

#[path = "../../fuzz/src/manifest.rs"]
mod manifest;
#[path = "../../fuzz/src/plain.rs"]
mod plain;
#[path = "../../fuzz/src/replay.rs"]
mod replay;

#[test]
fn files_are_read_or_refused_the_same_way_each_time() {
    replay::replay("manifest", manifest::manifest);
}
