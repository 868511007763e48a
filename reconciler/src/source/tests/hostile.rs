//! Trees that were made to do harm.

use git2::Oid;

use crate::source::fixture::{Clones, Origin, pairs, texts};
use crate::source::*;

const FILE: &str = "100644";
const FOLDER: &str = "40000";

async fn read(origin: &Origin, tree: Oid) -> Result<std::sync::Arc<Snapshot>, FetchError> {
    read_with(origin, tree, Limits::default()).await
}

async fn read_with(origin: &Origin, tree: Oid, limits: Limits) -> Result<std::sync::Arc<Snapshot>, FetchError> {
    origin.commit_at(tree, None, "1");
    Clones::with(limits).fetch(&origin.location(), None).await
}

fn skipped(snapshot: &Snapshot) -> Vec<String> {
    snapshot.skipped.iter().map(|skipped| format!("{} {}", skipped.path, skipped.reason)).collect()
}

#[tokio::test]
async fn links_and_submodules_are_named_and_never_followed() {
    let origin = Origin::new();
    let (good, link) = (origin.blob("x: 1"), origin.blob("/etc/passwd"));
    let commit = origin.push(&[("other", "")]);
    let tree = origin.raw_tree(&[
        (FILE, b".gitmodules", origin.blob("[submodule \"m\"]\n\turl = --upload-pack=touch /tmp/owned\n")),
        (FILE, b"good.yaml", good),
        ("120000", b"link.yaml", link),
        ("160000", b"module", commit),
    ]);
    let snapshot = read(&origin, tree).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("good.yaml", "x: 1")]));
    assert_eq!(
        skipped(&snapshot),
        ["link.yaml is a symbolic link, which is never followed", "module is a submodule, which is never fetched"]
    );
}

#[tokio::test]
async fn a_linked_folder_is_no_folder_to_read() {
    let origin = Origin::new();
    let tree = origin.raw_tree(&[("120000", b"prod", origin.blob("/etc"))]);
    origin.commit_at(tree, None, "1");
    let location = origin.location().with_path("prod").unwrap();
    assert_eq!(Clones::new().fetch(&location, None).await.unwrap_err().category(), "PathMissing");
}

#[tokio::test]
async fn unreadable_and_reserved_names_are_skipped_with_their_escapes_and_others_are_read() {
    let origin = Origin::new();
    let good = origin.blob("x: 1");
    let inner = origin.raw_tree(&[(FILE, b"a.yaml", good)]);
    let tree = origin.raw_tree(&[
        (FOLDER, b"..", inner),
        (FOLDER, b".GIT", inner),
        (FOLDER, b".git", inner),
        (FILE, b"a\\b.yaml", good),
        (FILE, b"bad\xff.yaml", good),
        (FILE, b"good.yaml", good),
        (FILE, b"line\n.yaml", good),
        (FILE, "rtl\u{202e}lmay.yaml".as_bytes(), good),
    ]);
    let snapshot = read(&origin, tree).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("good.yaml", "x: 1")]));
    let names: Vec<&str> = snapshot.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    let wanted = ["..", ".GIT", ".git", "a\\b.yaml", "bad\\xff.yaml", "line\\n.yaml", "rtl\\u{202e}lmay.yaml"];
    assert_eq!(names, wanted);
    assert!(snapshot.skipped.iter().all(|skipped| skipped.reason == SkipReason::Name));
}

#[tokio::test]
async fn names_that_differ_only_in_case_are_all_refused() {
    let origin = Origin::new();
    let (good, folder) = (origin.blob("x: 1"), origin.tree(&[("a.yaml", "1")]));
    let tree = origin.raw_tree(&[
        (FOLDER, b"Team", folder),
        (FILE, b"VM.yaml", good),
        (FOLDER, b"team", folder),
        (FILE, b"vm.yaml", good),
        (FILE, b"web.yaml", good),
    ]);
    let snapshot = read(&origin, tree).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("web.yaml", "x: 1")]));
    let collision = |path: &str, other: &str| Skipped {
        path: path.to_owned(),
        reason: SkipReason::CaseCollision { other: other.to_owned() },
    };
    let wanted = [
        collision("Team", "team"),
        collision("VM.yaml", "vm.yaml"),
        collision("team", "Team"),
        collision("vm.yaml", "VM.yaml"),
    ];
    assert_eq!(snapshot.skipped, wanted);
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_skipped_with_its_size() {
    let origin = Origin::new();
    let limits = Limits { file_bytes: 10, ..Limits::default() };
    let tree = origin.tree(&[("big.yaml", "12345678901"), ("fits.yaml", "1234567890")]);
    let snapshot = read_with(&origin, tree, limits).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("fits.yaml", "1234567890")]));
    assert_eq!(skipped(&snapshot), ["big.yaml has 11 bytes, and 10 are allowed"]);
}

#[tokio::test]
async fn filters_and_large_file_pointers_stay_text() {
    let origin = Origin::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    let tree =
        origin.tree(&[("big.yaml", pointer), (".gitattributes", "*.yaml filter=lfs diff=lfs text=auto eol=crlf\n")]);
    assert_eq!(texts(&read(&origin, tree).await.unwrap()), pairs(&[("big.yaml", pointer)]));
}

#[tokio::test]
async fn a_tree_of_ten_thousand_levels_is_cut_at_the_limit() {
    let origin = Origin::new();
    let leaf = origin.tree(&[("a.yaml", "1")]);
    let deep = (0..10_000).fold(leaf, |inner, _| origin.raw_tree(&[(FOLDER, b"d", inner)]));
    let tree = origin.raw_tree(&[(FILE, b"a.yaml", origin.blob("2")), (FOLDER, b"d", deep)]);
    let snapshot = read(&origin, tree).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("a.yaml", "2")]));
    assert_eq!(
        snapshot.skipped.iter().map(|skipped| &skipped.reason).collect::<Vec<_>>(),
        [&SkipReason::TooDeep { limit: 32 }]
    );
}

#[tokio::test]
async fn a_small_tree_that_unfolds_without_end_is_too_large() {
    let origin = Origin::new();
    let leaf = origin.tree(&[("a.yaml", "1"), ("b.yaml", "1")]);
    let names: Vec<String> = (0..10).map(|n| format!("d{n}")).collect();
    let tree = (0..9).fold(leaf, |inner, _| {
        origin.raw_tree(&names.iter().map(|name| (FOLDER, name.as_bytes(), inner)).collect::<Vec<_>>())
    });
    let error = read(&origin, tree).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("TooLarge", Retry::AfterChange), "{error}");
}

#[tokio::test]
async fn ten_thousand_files_are_read_and_more_than_the_limit_are_refused() {
    let origin = Origin::new();
    let good = origin.blob("x: 1");
    let names: Vec<String> = (0..10_000).map(|n| format!("vm{n:05}.yaml")).collect();
    let tree = origin.raw_tree(&names.iter().map(|name| (FILE, name.as_bytes(), good)).collect::<Vec<_>>());
    assert_eq!(read(&origin, tree).await.unwrap().files.len(), 10_000);
    let limits = Limits { files: 9_999, ..Limits::default() };
    let refused = read_with(&origin, tree, limits).await.map(|snapshot| snapshot.files.len());
    assert_eq!(refused.map_err(|error| error.category()), Err("TooLarge"));
}

#[tokio::test]
async fn an_entry_that_is_not_what_its_mode_says_is_skipped() {
    let origin = Origin::new();
    let folder = origin.tree(&[("a.yaml", "1")]);
    let tree = origin.raw_tree(&[(FILE, b"folder.yaml", folder), (FILE, b"good.yaml", origin.blob("1"))]);
    let snapshot = read(&origin, tree).await.unwrap();
    assert_eq!(skipped(&snapshot), ["folder.yaml is no file, though the tree says so"]);
}
