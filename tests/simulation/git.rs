//! Repositories that cannot be read, are empty, rewritten or partly broken: nothing is deleted, nothing shrinks, and it is told.

use crate::fleet::{manifest, size};
use crate::story::{Story, message, reason};
use reef::simulation::deterministic;
use reef_reconciler::source::{FetchError, Redacted};
use serde_json::Value;
use std::collections::BTreeMap;

fn named(detail: &str) -> String {
    detail.to_owned()
}

fn unreachable(url: Redacted) -> FetchError {
    FetchError::Unreachable { url, detail: named("connection refused") }
}

fn auth(url: Redacted) -> FetchError {
    FetchError::Auth { url, detail: named("401") }
}

fn branch_missing(url: Redacted) -> FetchError {
    FetchError::BranchMissing { url, reference: named("main") }
}

fn empty(url: Redacted) -> FetchError {
    FetchError::Empty { url }
}

fn problems(story: &Story) -> Vec<String> {
    let status = story.source_object()["status"]["problems"].as_array().cloned().unwrap_or_default();
    let told =
        |problem: &Value| format!("{}: {}", problem["path"].as_str().unwrap(), problem["message"].as_str().unwrap());
    status.iter().map(told).collect()
}

fn commit(story: &Story, field: &str) -> String {
    story.source_object()["status"][field].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_repository_that_cannot_be_read_is_told_changes_no_vm_and_is_found_again() {
    type Failure = fn(Redacted) -> FetchError;
    let failures: [(&str, Failure); 4] = [
        ("Unreachable", unreachable),
        ("AuthFailed", auth),
        ("BranchMissing", branch_missing),
        ("EmptyRepository", empty),
    ];
    for (word, failure) in failures {
        deterministic(async {
            let mut story = Story::of(1, 2).await;
            let before = story.masked();
            story.world.fail_git(failure).unwrap();
            story.source_says(word, 60).await;
            assert_eq!((story.source().0.as_str(), story.masked()), ("False", before));
            let fetches = story.world.metrics.counts().fetches;
            story.rests().await;
            let fetched = story.world.metrics.counts().fetches - fetches;
            assert!(fetched <= 20, "{word}: {fetched} fetches in three minutes");
            story.resize("web-1", size(4, 4));
            story.settles(120).await;
            story.source_says("Applied", 30).await;
        })
        .unwrap();
    }
}

#[test]
fn what_git_stated_last_is_restored_though_the_repository_is_away() {
    deterministic(async {
        let story = Story::of(2, 1).await;
        story.world.fail_git(unreachable).unwrap();
        story.source_says("Unreachable", 60).await;
        let spec = story.vm("web-1").spec;
        story.kubectl("web-1", &serde_json::json!({"spec": {"instance": {"memory": {"min": null}}}})).await;
        story.wait(10).await;
        assert_eq!(story.vm("web-1").spec, spec);
        story.settles(60).await;
    })
    .unwrap();
}

#[test]
fn a_bad_file_is_told_with_its_place_and_every_other_file_is_applied() {
    deterministic(async {
        let mut story = Story::of(3, 3).await;
        story.state("web-2", size(3, 3));
        story.files.insert("web-1.yaml".to_owned(), manifest("web-1", size(4, 4)).replace("cpu:", "cpuss:"));
        story.files.insert("web-3.yaml".to_owned(), "kind: [".to_owned());
        story.push("two bad files");
        story.source_says("Problems", 30).await;
        story.has("web-2", size(3, 3), 60).await;
        assert_eq!(["web-1", "web-3"].map(|name| story.vm(name).actual()), [Some(size(2, 2)); 2]);
        let told = problems(&story).join("\n");
        assert!(told.contains("web-1.yaml") && told.contains("cpuss") && told.contains("web-3.yaml"), "{told}");
        assert!(told.contains("did you mean `cpu`"), "the nearest is named: {told}");
        story.rests().await;
        story.state("web-3", size(1, 1));
        story.resize("web-1", size(4, 4));
        story.settles(60).await;
        story.source_says("Applied", 30).await;
        assert_eq!(problems(&story), Vec::<String>::new());
    })
    .unwrap();
}

#[test]
fn an_empty_file_or_one_of_comments_deletes_nothing() {
    for text in ["", "# nothing yet\n", "null\n", "---\n---\n"] {
        deterministic(async {
            let mut story = Story::of(4, 2).await;
            let before = story.masked();
            story.files.insert("web-1.yaml".to_owned(), text.to_owned());
            story.push("an empty file");
            story.wait(20).await;
            assert_eq!(story.masked(), before, "{text:?}");
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_vm_that_is_removed_from_git_is_kept_told_once_and_taken_up_again() {
    deterministic(async {
        let mut story = Story::of(5, 2).await;
        let file = story.files.remove("web-1.yaml").unwrap();
        let commit_id = story.push("without web-1");
        story.wait(20).await;
        let removed = story.source_object()["status"]["removed"].as_array().map_or(0, Vec::len);
        assert_eq!((removed, story.told("web-1", "VMRemovedFromGit")), (1, 1));
        assert_eq!(commit(&story, "appliedCommit"), commit_id);
        story.world.start_controller();
        story.rests().await;
        assert_eq!((story.vm("web-1").metadata.deletion_timestamp, story.told("web-1", "VMRemovedFromGit")), (None, 1));
        story.files.insert("web-1.yaml".to_owned(), file);
        story.resize("web-1", size(4, 4));
        story.settles(60).await;
    })
    .unwrap();
}

#[test]
fn a_renamed_folder_that_is_watched_removes_nothing() {
    deterministic(async {
        let mut story = Story::of(6, 0).await;
        story.source_edit(&serde_json::json!({"spec": {"path": "vms"}})).await;
        story.files.insert("vms/web-1.yaml".to_owned(), manifest("web-1", size(2, 2)));
        story.sizes.insert("web-1".to_owned(), size(2, 2));
        story.push("a folder");
        story.settles(60).await;
        let before = story.masked();
        story.files = BTreeMap::from([("machines/web-1.yaml".to_owned(), manifest("web-1", size(1, 1)))]);
        story.push("renamed");
        story.source_says("PathMissing", 60).await;
        assert!(story.source().2.contains("vms"), "{:?}", story.source());
        assert_eq!(story.masked(), before);
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_revert_is_a_size_like_any_other() {
    deterministic(async {
        let mut story = Story::of(7, 1).await;
        let before = story.pod_sizes("web-1");
        story.resize("web-1", size(4, 4));
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        story.resize("web-1", size(2, 2));
        story.settles(120).await;
        assert_eq!(story.pod_sizes("web-1"), before);
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn rewritten_history_is_adopted_as_it_is() {
    deterministic(async {
        let mut story = Story::of(8, 2).await;
        story.resize("web-1", size(4, 4));
        story.settles(60).await;
        story.world.drop_last_commit().unwrap();
        story.state("web-1", size(2, 2));
        story.state("web-2", size(3, 3));
        let commit_id = story.push("forced");
        story.settles(120).await;
        story.source_says("Applied", 30).await;
        assert_eq!(commit(&story, "appliedCommit"), commit_id);
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_vm_in_two_files_keeps_what_it_has_and_both_files_are_named() {
    deterministic(async {
        let mut story = Story::of(9, 2).await;
        story.files.insert("again.yaml".to_owned(), manifest("web-1", size(4, 4)));
        story.resize("web-2", size(3, 3));
        story.has("web-2", size(3, 3), 60).await;
        assert_eq!((story.vm("web-1").actual(), reason(&story.vm("web-1")).as_str()), (Some(size(2, 2)), "Problems"));
        let told = problems(&story).join("\n");
        assert!(told.contains("again.yaml") && told.contains("web-1.yaml"), "{told}");
        story.rests().await;
        story.files.remove("again.yaml");
        story.resize("web-1", size(4, 4));
        story.settles(60).await;
    })
    .unwrap();
}

#[test]
fn a_storm_of_pushes_costs_a_few_fetches_and_the_last_one_counts() {
    deterministic(async {
        let mut story = Story::of(10, 2).await;
        let (fetches, parsed) = (story.world.metrics.counts().fetches, story.world.metrics.counts().files_parsed);
        for number in 0..200_u32 {
            story.state("web-1", size(1 + number % 4, 1 + u64::from(number % 3)));
            story.push(&format!("push {number}"));
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        story.settles(180).await;
        let counts = story.world.metrics.counts();
        assert!(counts.fetches - fetches <= 20, "{} fetches", counts.fetches - fetches);
        assert!(counts.files_parsed - parsed <= 20, "{} files", counts.files_parsed - parsed);
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_size_that_cannot_be_is_refused_with_its_limit_and_the_vm_keeps_what_it_has() {
    for (wrong, right) in
        [("coresPerSocket: 9", "8"), ("size: 16Gi", "8Gi"), ("size: 0", "size"), ("size: 1500M", "block")]
    {
        deterministic(async {
            let mut story = Story::of(11, 1).await;
            let before = story.pod_sizes("web-1");
            let what = wrong.split(':').next().unwrap();
            let good = manifest("web-1", size(2, 2));
            let line = good.lines().find(|line| line.trim_start().starts_with(what)).unwrap().trim().to_owned();
            story.files.insert("web-1.yaml".to_owned(), good.replace(&line, wrong));
            story.push("a wrong size");
            story.wait(30).await;
            let (vm, told) = (story.vm("web-1"), problems(&story).join("\n"));
            assert!(
                told.contains(right) || message(&vm).contains(right),
                "{wrong}: {told} {} {}",
                reason(&vm),
                message(&vm)
            );
            assert_eq!(story.pod_sizes("web-1"), before, "{wrong}");
            story.rests().await;
            story.resize("web-1", size(3, 3));
            story.settles(60).await;
        })
        .unwrap();
    }
}
