//! Branches that move, vanish, and start anew.

use std::sync::Arc;

use futures::StreamExt;

use crate::source::fixture::{Clones, Origin, pairs, texts};
use crate::source::*;

#[tokio::test]
async fn the_manifests_of_the_default_branch_are_read() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let id = origin.push(&[
        ("README.md", "no"),
        ("a/b/vm.yaml", "x: 1"),
        ("p.yml", ""),
        ("q.JSON", "{}"),
        (".github/ci.yaml", "no"),
    ]);
    let snapshot = clones.fetch(&origin.location(), None).await.unwrap();
    let commit = Commit {
        id: id.to_string(),
        subject: "grow \\u{1b}[31mvm".to_owned(),
        author: "Ann".to_owned(),
        time: jiff::Timestamp::from_second(1_700_000_000).unwrap(),
    };
    assert_eq!(snapshot.commit, commit);
    assert_eq!(texts(&snapshot), pairs(&[("a/b/vm.yaml", "x: 1"), ("p.yml", ""), ("q.JSON", "{}")]));
    assert_eq!((snapshot.blobs_read, snapshot.descent, snapshot.skipped.as_slice()), (3, Descent::First, &[][..]));
}

#[tokio::test]
async fn only_changed_blobs_are_read_again() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1"), ("b.yaml", "2"), ("c/d.yaml", "3")]);
    let first = clones.fetch(&origin.location(), None).await.unwrap();
    let same = clones.fetch(&origin.location(), Some(&first)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &same));
    origin.push(&[("a.yaml", "1"), ("b.yaml", "changed"), ("c/d.yaml", "3")]);
    let second = clones.fetch(&origin.location(), Some(&first)).await.unwrap();
    assert_eq!(texts(&second), pairs(&[("a.yaml", "1"), ("b.yaml", "changed"), ("c/d.yaml", "3")]));
    assert_eq!((second.blobs_read, second.descent), (1, Descent::Descends));
}

#[tokio::test]
async fn a_force_push_is_followed_and_told() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let base = origin.push(&[("a.yaml", "1")]);
    origin.push(&[("a.yaml", "2")]);
    let first = clones.fetch(&origin.location(), None).await.unwrap();
    origin.commit_tree("refs/heads/main", origin.tree(&[("a.yaml", "3")]), &[base], 0);
    let second = clones.fetch(&origin.location(), Some(&first)).await.unwrap();
    assert_eq!((texts(&second), second.descent), (pairs(&[("a.yaml", "3")]), Descent::Rewritten));
}

#[tokio::test]
async fn a_branch_that_was_set_back_is_the_tip() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let old = origin.push(&[("a.yaml", "1")]);
    origin.push(&[("a.yaml", "2")]);
    let first = clones.fetch(&origin.location(), None).await.unwrap();
    origin.repo.reference("refs/heads/main", old, true, "reset").unwrap();
    let second = clones.fetch(&origin.location(), Some(&first)).await.unwrap();
    assert_eq!((second.commit.id.clone(), second.descent), (old.to_string(), Descent::Rewritten));
    assert_eq!(texts(&second), pairs(&[("a.yaml", "1")]));
}

#[tokio::test]
async fn a_deleted_branch_is_missing_and_not_empty() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let tip = origin.push(&[("a.yaml", "1")]);
    origin.repo.reference("refs/heads/prod", tip, true, "push").unwrap();
    let location = origin.location().with_reference(Some("prod")).unwrap();
    clones.fetch(&location, None).await.unwrap();
    origin.repo.find_reference("refs/heads/prod").unwrap().delete().unwrap();
    let error = clones.fetch(&location, None).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("BranchMissing", Retry::AfterChange));
    assert!(error.to_string().ends_with("has no branch or tag `prod`"), "{error}");
}

#[tokio::test]
async fn an_empty_repository_is_empty() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let location = origin.location();
    assert_eq!(clones.fetch(&location, None).await, Err(FetchError::Empty { url: location.shown().clone() }));
    origin.push(&[("a.yaml", "1")]);
    assert!(clones.fetch(&location, None).await.is_ok());
}

#[tokio::test]
async fn a_repository_that_is_gone_is_unreachable_until_it_is_back() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let location = origin.location();
    let first = clones.fetch(&location, None).await.unwrap();
    let aside = origin.path().with_extension("aside");
    std::fs::rename(origin.path(), &aside).unwrap();
    let error = clones.fetch(&location, Some(&first)).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("Unreachable", Retry::Backoff), "{error}");
    std::fs::rename(&aside, origin.path()).unwrap();
    assert!(Arc::ptr_eq(&first, &clones.fetch(&location, Some(&first)).await.unwrap()));
}

#[tokio::test]
async fn tags_and_full_references_are_followed_and_a_branch_wins_over_a_tag() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let old = origin.push(&[("a.yaml", "1")]);
    let object = origin.repo.find_object(old, None).unwrap();
    let who = git2::Signature::now("Ann", "ann@example.com").unwrap();
    origin.repo.tag("v1", &object, &who, "first", false).unwrap();
    origin.repo.tag_lightweight("main", &object, false).unwrap();
    origin.push(&[("a.yaml", "2")]);
    for (reference, text) in
        [("v1", "1"), ("refs/tags/v1", "1"), ("refs/tags/main", "1"), ("main", "2"), ("refs/heads/main", "2")]
    {
        let location = origin.location().with_reference(Some(reference)).unwrap();
        let snapshot = clones.fetch(&location, None).await.unwrap();
        assert_eq!(texts(&snapshot), pairs(&[("a.yaml", text)]), "{reference}");
    }
}

#[tokio::test]
async fn a_tag_of_a_file_is_no_commit() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let blob = origin.repo.find_object(origin.blob("1"), None).unwrap();
    origin.repo.tag_lightweight("blob", &blob, false).unwrap();
    let location = origin.location().with_reference(Some("blob")).unwrap();
    assert_eq!(clones.fetch(&location, None).await.unwrap_err().category(), "NotACommit");
}

#[tokio::test]
async fn a_missing_or_renamed_folder_is_an_error_and_not_an_empty_snapshot() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("prod/a.yaml", "1"), ("test/b.yaml", "2"), ("file", "")]);
    let location = origin.location().with_path("prod").unwrap();
    let snapshot = clones.fetch(&location, None).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("prod/a.yaml", "1")]));
    let tip = origin.push(&[("production/a.yaml", "1")]);
    let error = clones.fetch(&location, Some(&snapshot)).await.unwrap_err();
    let (url, path) = (location.shown().clone(), "prod".to_owned());
    assert_eq!(error, FetchError::PathMissing { url, of: format!("commit {tip}"), path });
    let file = origin.location().with_path("file").unwrap();
    assert_eq!(clones.fetch(&file, None).await.unwrap_err().category(), "PathMissing");
}

#[tokio::test]
async fn the_times_of_commits_order_nothing() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let mut last: Option<Arc<Snapshot>> = None;
    let mut parent = None;
    let times = [("4102444800", 4_102_444_800), ("-86400", -86_400), ("9223372036854775807", 0), ("17", 17)];
    for (text, seconds) in times {
        parent = Some(origin.commit_at(origin.tree(&[("a.yaml", text)]), parent, text));
        let snapshot = clones.fetch(&origin.location(), last.as_ref()).await.unwrap();
        assert_eq!(texts(&snapshot), pairs(&[("a.yaml", text)]));
        assert_eq!((snapshot.commit.time.as_second(), snapshot.commit.author.as_str()), (seconds, "Ann\\u{202e}"));
        assert_eq!(snapshot.descent, if last.is_some() { Descent::Descends } else { Descent::First });
        last = Some(snapshot);
    }
}

#[tokio::test]
async fn a_push_during_a_fetch_never_mixes_commits() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let mut last = None;
    for round in 0..20 {
        let text = round.to_string();
        origin.push(&[("a.yaml", &text), ("b.yaml", &text)]);
        let fetching = clones.repositories.fetch(&origin.location(), last.clone());
        let fetching = tokio::spawn(fetching);
        origin.push(&[("a.yaml", "later"), ("b.yaml", "later")]);
        let snapshot = fetching.await.unwrap().unwrap();
        let seen = texts(&snapshot);
        assert_eq!(seen.first().map(|file| &file.1), seen.last().map(|file| &file.1));
        last = Some(snapshot);
    }
}

#[tokio::test]
async fn a_push_to_a_local_repository_is_noticed_and_a_burst_is_one_change() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let mut changes = clones.repositories.changes(&origin.location());
    let polled = futures::poll!(changes.next());
    assert!(polled.is_pending());
    for text in ["2", "3", "4"] {
        origin.push(&[("a.yaml", text)]);
    }
    let patience = std::time::Duration::from_secs(5);
    assert_eq!(tokio::time::timeout(patience, changes.next()).await, Ok(Some(())));
    clones.fetch(&origin.location(), None).await.unwrap();
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(300), changes.next()).await;
    assert!(quiet.is_err(), "reading a repository is no change of it");
}

#[tokio::test]
async fn a_folder_that_cannot_be_watched_never_tells_of_changes() {
    let (origin, clones) = (Origin::new(), Clones::new());
    std::fs::remove_dir_all(origin.path()).unwrap();
    let mut changes = clones.repositories.changes(&origin.location());
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(50), changes.next()).await;
    assert!(quiet.is_err());
}

#[tokio::test]
async fn a_commit_is_read_by_its_name_beside_the_tip() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let old = origin.push(&[("a.yaml", "1")]);
    origin.push(&[("a.yaml", "2")]);
    let tip = clones.fetch(&origin.location(), None).await.unwrap();
    let at = origin.location().at_commit(&old.to_string().to_uppercase()).unwrap();
    let past = clones.fetch(&at, Some(&tip)).await.unwrap();
    assert_eq!((past.commit.id.clone(), texts(&past)), (old.to_string(), pairs(&[("a.yaml", "1")])));
    assert!(Arc::ptr_eq(&tip, &clones.fetch(&origin.location(), Some(&tip)).await.unwrap()));
    let nowhere = origin.location().at_commit(&"7".repeat(40)).unwrap();
    assert_eq!(clones.fetch(&nowhere, None).await.unwrap_err().category(), "CommitMissing");
    assert!(origin.location().at_commit("main").is_err() && origin.location().at_commit("1f0c2e9").is_err());
}
