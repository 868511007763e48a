//! `reef lint`: everything at once, with places and snippets, and nothing where nothing is wrong.

use std::path::Path;

use crate::repository::{Repository, vm};
use crate::{code, json, out, reef};

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let made = Repository::of_vms();
    made.edit("teams/web.yaml", "size: 2Gi", "size: 48Gi");
    made.edit("teams/db.yaml", "coresPerSocket", "coresPerSoket");
    made.write("twice.yaml", &vm("web-2", 2, "8Gi", ""));
    made.write("broken.yaml", "kind: [\n");
    made.write("policies/other.yaml", &crate::repository::POLICY.replace("name: default", "name: other"));
    let output = reef(made.path(), "lint", &[]);
    assert_eq!(code(&output), 1);
    insta::assert_snapshot!(out(&output));
    let document = json(&reef(made.path(), "lint", &["-o", "json"]));
    assert_eq!(document["problems"].as_array().map(Vec::len), Some(5));
    let sarif = json(&reef(made.path(), "lint", &["-o", "sarif"]));
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(5));
    let lines = out(&reef(made.path(), "lint", &["-o", "github"]));
    assert_eq!(lines.lines().filter(|line| line.starts_with("::error file=")).count(), 5);
}

#[test]
fn warnings_fail_only_where_that_is_asked_for_and_a_commit_can_be_looked_at() {
    let made = Repository::of_vms();
    assert_eq!(code(&reef(made.path(), "lint", &["--strict"])), 0);
    made.edit("teams/db.yaml", "  instance:", "  colour: blue\n  instance:");
    assert_eq!(code(&reef(made.path(), "lint", &[])), 0);
    assert_eq!(code(&reef(made.path(), "lint", &["--strict"])), 1);
    assert_eq!(code(&reef(made.path(), "lint", &["--strict", "--head", "HEAD"])), 0);
}

#[test]
fn nothing_is_wrong_with_the_example_repository() {
    let made = Repository::of_vms();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/repo");
    let status = std::process::Command::new("cp").arg("-r").arg(&example).arg(made.path().join("example")).status();
    assert!(status.unwrap().success());
    let output = reef(made.path(), "lint", &["--strict", "--path", "example"]);
    assert_eq!(
        (code(&output), out(&output).as_str()),
        (0, "8 VMs and 2 policies in the working tree: 0 problems, 0 warnings\n")
    );
}
