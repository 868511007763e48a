//! What is compared with what: bases, heads, the working tree, files that move, clones that are shallow.

use std::process::Command;

use serde_json::Value;

use crate::repository::{Repository, vm};
use crate::{code, err, json, out, plan};

fn changes(made: &Repository, arguments: &[&str]) -> Vec<(String, String)> {
    let output = plan(made.path(), &[&["--offline", "-o", "json"], arguments].concat());
    let document = json(&output);
    let changes = document["changes"].as_array().unwrap().clone();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    changes.iter().map(|change| (word(&change["name"]), word(&change["action"]))).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, action)| ((*name).to_owned(), (*action).to_owned())).collect()
}

#[test]
fn without_a_head_the_working_tree_is_planned_committed_or_not() {
    let made = Repository::of_vms();
    assert_eq!(changes(&made, &[]), []);
    made.edit("teams/web.yaml", "size: 2Gi", "size: 4Gi");
    made.write("untracked.yaml", &vm("new-1", 1, "1Gi", ""));
    made.write(".gitignore", "scratch\n");
    made.write("scratch/ignored.yaml", &vm("ignored", 1, "1Gi", ""));
    assert_eq!(changes(&made, &[]), pairs(&[("new-1", "create"), ("web-1", "resize")]));
    made.commit("more");
    assert_eq!(changes(&made, &[]), []);
    assert_eq!(changes(&made, &["--base", "HEAD~1"]), pairs(&[("new-1", "create"), ("web-1", "resize")]));
}

#[test]
fn a_branch_is_compared_with_where_it_left_the_base() {
    let made = Repository::of_vms();
    made.git(&["checkout", "-q", "-b", "topic"]);
    made.edit("teams/web.yaml", "size: 2Gi", "size: 4Gi");
    made.commit("topic");
    made.git(&["checkout", "-q", "main"]);
    made.edit("teams/db.yaml", "size: 8Gi", "size: 4Gi");
    made.commit("meanwhile");
    let both = ["--base", "main", "--head", "topic"];
    assert_eq!(changes(&made, &both), pairs(&[("web-1", "resize")]));
    let exact = [&both[..], &["--no-merge-base"]].concat();
    assert_eq!(changes(&made, &exact), pairs(&[("db-1", "resize"), ("web-1", "resize")]));
    made.git(&["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    assert_eq!(
        changes(&made, &["--base", "HEAD^1", "--head", "HEAD"]),
        pairs(&[("web-1", "resize")]),
        "a merge commit"
    );
    made.git(&["checkout", "-q", "--detach", "HEAD"]);
    assert_eq!(changes(&made, &["--base", "main~1"]), pairs(&[("web-1", "resize")]), "a detached head");
}

#[test]
fn a_vm_that_moves_is_neither_removed_nor_created() {
    let made = Repository::of_vms();
    made.git(&["mv", "teams/db.yaml", "teams/databases.yaml"]);
    assert_eq!(changes(&made, &[]), pairs(&[("db-1", "move")]));
    made.edit("teams/databases.yaml", "size: 8Gi", "size: 4Gi");
    let output = plan(made.path(), &["--offline", "-o", "json"]);
    let change = &json(&output)["changes"][0];
    assert_eq!((change["action"].as_str(), change["movedFrom"].as_str()), (Some("resize"), Some("teams/db.yaml")));
    made.remove("teams/databases.yaml");
    assert_eq!(changes(&made, &[]), pairs(&[("db-1", "remove")]));
}

#[test]
fn the_line_is_that_of_the_field_in_its_document_whatever_ends_lines() {
    let made = Repository::of_vms();
    made.edit("teams/web.yaml", "size: 8Gi", "size: 4Gi");
    let line = || json(&plan(made.path(), &["--offline", "-o", "json"]))["changes"][0]["place"]["line"].as_u64();
    assert_eq!(line(), Some(27));
    let text = std::fs::read_to_string(made.path().join("teams/web.yaml")).unwrap();
    made.write("teams/web.yaml", &format!("\u{feff}{}", text.replace('\n', "\r\n")));
    assert_eq!(line(), Some(27), "with a byte order mark and CRLF");
}

#[test]
fn a_folder_and_a_namespace_can_be_named() {
    let made = Repository::of_vms();
    made.write("plain.yaml", &vm("plain-1", 1, "1Gi", "").replace("  namespace: vms\n", ""));
    let of = |arguments: &[&str]| {
        let output = plan(made.path(), &[&["--offline", "-o", "json"], arguments].concat());
        json(&output)["changes"][0]["namespace"].as_str().map(str::to_owned)
    };
    assert_eq!(of(&[]).as_deref(), Some("default"));
    assert_eq!(of(&["-n", "team"]).as_deref(), Some("team"));
    assert_eq!(of(&["--path", "teams"]), None);
    let output = plan(made.path(), &["--offline", "--path", "nosuch", "--head", "HEAD", "--base", "HEAD"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("has no folder `nosuch`"), "{}", err(&output));
}

#[test]
fn a_shallow_clone_says_how_to_deepen_it() {
    let made = Repository::of_vms();
    made.edit("teams/web.yaml", "size: 2Gi", "size: 4Gi");
    made.commit("second");
    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", made.path().display());
    let status =
        Command::new("git").args(["clone", "-q", "--depth", "1", &from, "."]).current_dir(clone.path()).status();
    assert!(status.unwrap().success());
    let output = plan(clone.path(), &["--offline", "--base", "HEAD~1", "--head", "HEAD"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("the clone is shallow") && err(&output).contains("--unshallow"), "{}", err(&output));
}

#[test]
fn histories_that_share_nothing_are_told_and_can_be_compared_as_they_are() {
    let made = Repository::of_vms();
    made.git(&["checkout", "-q", "--orphan", "other"]);
    made.edit("teams/web.yaml", "size: 2Gi", "size: 4Gi");
    made.commit("another beginning");
    let output = plan(made.path(), &["--offline", "--base", "main", "--head", "other"]);
    assert!(
        err(&output).contains("no common ancestor") && err(&output).contains("--no-merge-base"),
        "{}",
        err(&output)
    );
    let exact = changes(&made, &["--base", "main", "--head", "other", "--no-merge-base"]);
    assert_eq!(exact, pairs(&[("web-1", "resize")]));
}

#[test]
fn outside_of_a_repository_it_says_so_and_links_are_not_followed() {
    let empty = tempfile::tempdir().unwrap();
    let output = plan(empty.path(), &["--offline"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("is in no Git repository"), "{}", err(&output));
    let made = Repository::of_vms();
    std::os::unix::fs::symlink("/etc/passwd", made.path().join("link.yaml")).unwrap();
    let output = plan(made.path(), &["--offline"]);
    assert!(out(&output).contains("`link.yaml` is a symbolic link, which is never followed"), "{}", out(&output));
}

#[test]
fn a_broken_document_keeps_what_the_base_has_and_is_told_once() {
    let made = Repository::of_vms();
    made.edit("teams/db.yaml", "      size: 8Gi", "      size: 8GB");
    let output = plan(made.path(), &["--offline", "-o", "json"]);
    let document = json(&output);
    assert_eq!((code(&output), document["changes"].as_array().map(Vec::len)), (1, Some(0)));
    assert_eq!(document["problems"][0]["place"]["line"].as_u64(), Some(13));
    made.commit("broken already");
    let output = plan(made.path(), &["--offline"]);
    assert_eq!(code(&output), 0, "what is broken in the base is no matter of the head: {}", out(&output));
}
