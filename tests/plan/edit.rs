//! `reef edit`: one or two values of one file, the plan of that, and what of Git it touches.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::repository::{Repository, snapshot, vm};
use crate::{code, err, json, out, reef};

fn edit(path: &Path, arguments: &[&str]) -> Output {
    reef(path, "edit", &[&["--offline"], arguments].concat())
}

/// The repository, with somebody who commits.
fn made() -> Repository {
    let made = Repository::of_vms();
    made.git(&["config", "user.name", "Reef"]);
    made.git(&["config", "user.email", "reef@example.com"]);
    made
}

fn text(made: &Repository, file: &str) -> String {
    std::fs::read_to_string(made.path().join(file)).unwrap()
}

/// The lines that differ, behind their signs.
fn lines(diff: &str) -> Vec<&str> {
    let differs = |line: &&str| line.starts_with(['-', '+']) && !line.starts_with("---") && !line.starts_with("+++");
    diff.lines().filter(differs).collect()
}

const TWO: [&str; 4] = ["-      coresPerSocket: 2", "+      coresPerSocket: 4", "-      size: 2Gi", "+      size: 4Gi"];
const SIZE: [&str; 5] = ["web-1", "--cpu", "4", "--memory", "4Gi"];

#[test]
fn two_lines_change_and_the_plan_of_the_working_tree_is_shown() {
    let made = made();
    let file = made.path().join("teams/web.yaml");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    let output = edit(made.path(), &[&SIZE[..], &["-o", "json"]].concat());
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert_eq!(lines(&made.git(&["diff"])), TWO);
    assert_eq!(made.git(&["status", "--porcelain"]), " M teams/web.yaml\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(err(&output), "reef: teams/web.yaml is changed: web-1: 2 vCPU, 2Gi -> 4 vCPU, 4Gi\n");
    let plan = json(&output);
    assert_eq!(plan["head"]["name"], "the working tree");
    assert_eq!(plan, json(&crate::plan(made.path(), &["--offline", "-o", "json"])), "the same as `reef plan` says");
    let again = edit(made.path(), &SIZE);
    assert_eq!((code(&again), out(&again).as_str()), (0, ""));
    assert_eq!(
        err(&again),
        "reef: teams/web.yaml:1: VirtualMachine vms/web-1 has 4 vCPU, 4Gi already; nothing to change\n"
    );
}

#[test]
fn a_dry_run_shows_the_change_and_its_plan_and_writes_nothing() {
    let made = made();
    let before = (made.git(&["rev-parse", "HEAD"]), text(&made, "teams/web.yaml"));
    for way in [&["--dry-run"][..], &["--dry-run", "--commit"], &["--dry-run", "--branch", "larger"]] {
        let output = edit(made.path(), &[&SIZE[..], way].concat());
        assert_eq!(code(&output), 2, "{}", err(&output));
        let told = out(&output);
        let (diff, plan) = told.split_once("\n\n").unwrap();
        assert!(diff.starts_with("--- a/teams/web.yaml\n+++ b/teams/web.yaml\n"), "{told}");
        assert_eq!(lines(diff), TWO);
        assert!(plan.contains("2 vCPU, 2Gi -> 4 vCPU, 4Gi"), "{told}");
        assert_eq!((made.git(&["rev-parse", "HEAD"]), text(&made, "teams/web.yaml")), before);
        assert_eq!(
            (made.git(&["status", "--porcelain"]), made.git(&["branch"])),
            (String::new(), "* main\n".to_owned())
        );
    }
    let output = edit(made.path(), &[&SIZE[..], &["--dry-run", "-o", "json"]].concat());
    assert_eq!(json(&output)["changes"][0]["name"], "web-1");
    assert!(err(&output).contains("nothing is written; it would be\n--- a/teams/web.yaml"), "{}", err(&output));
}

#[test]
fn a_commit_holds_the_one_file_and_leaves_what_is_staged_and_changed() {
    let made = made();
    made.edit("teams/db.yaml", "size: 8Gi", "size: 4Gi");
    made.write("new.yaml", &vm("new-1", 1, "1Gi", ""));
    made.git(&["add", "-A"]);
    made.edit("policy.yaml", "32Gi", "48Gi");
    let output = edit(made.path(), &[&SIZE[..], &["--commit", "-o", "json"]].concat());
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert_eq!(
        made.git(&["log", "-1", "--format=%an %ae %s"]),
        "Reef reef@example.com web-1: 2 vCPU, 2Gi -> 4 vCPU, 4Gi\n"
    );
    assert_eq!(made.git(&["show", "--format=", "--name-status"]), "M\tteams/web.yaml\n");
    assert_eq!(lines(&made.git(&["show", "--format="])), TWO);
    assert_eq!(made.git(&["status", "--porcelain"]), "A  new.yaml\n M policy.yaml\nM  teams/db.yaml\n");
    let changes = json(&output)["changes"].clone();
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "the plan is that of the commit: {changes}");
    let output = edit(made.path(), &["web-1", "--cpu", "2", "--commit", "-m", "smaller\n\nfor now"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert_eq!(made.git(&["log", "-1", "--format=%B"]).trim_end(), "smaller\n\nfor now");
}

#[test]
fn a_branch_gets_the_commit_and_what_is_checked_out_stays() {
    let made = made();
    made.edit("teams/web.yaml", "size: 8Gi", "size: 9Gi");
    let head = made.git(&["rev-parse", "HEAD"]);
    let output = edit(made.path(), &[&SIZE[..], &["--branch", "web/larger"]].concat());
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert_eq!(lines(&made.git(&["diff", "main", "web/larger"])), TWO);
    assert_eq!(made.git(&["rev-parse", "HEAD", "web/larger~1"]), head.repeat(2));
    assert_eq!(made.git(&["status", "--porcelain", "--branch"]), "## main\n M teams/web.yaml\n");
    let output = edit(made.path(), &[&SIZE[..], &["--branch", "web/larger"]].concat());
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("there is a branch `web/larger` already"), "{}", err(&output));
    let output = edit(made.path(), &[&SIZE[..], &["--branch", "a..b"]].concat());
    assert!(err(&output).contains("`a..b` cannot be the name of a branch"), "{}", err(&output));
}

#[test]
fn a_bare_repository_takes_a_branch_and_nothing_else() {
    let made = made();
    let bare = tempfile::tempdir().unwrap();
    made.git(&["clone", "-q", "--bare", ".", bare.path().to_str().unwrap()]);
    for (key, value) in [("user.name", "Reef"), ("user.email", "reef@example.com")] {
        made.git(&["-C", bare.path().to_str().unwrap(), "config", key, value]);
    }
    let output = edit(bare.path(), &SIZE);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("name a new branch with --branch"), "{}", err(&output));
    let output = edit(bare.path(), &[&SIZE[..], &["--branch", "larger"]].concat());
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert_eq!(lines(&made.git(&["-C", bare.path().to_str().unwrap(), "diff", "main", "larger"])), TWO);
}

#[test]
fn a_commit_is_refused_where_it_would_hold_more_or_nobody_makes_it() {
    let made = made();
    let refused = |expected: &str| {
        let before = text(&made, "teams/web.yaml");
        let output = edit(made.path(), &[&SIZE[..], &["--commit"]].concat());
        assert_eq!(code(&output), 1, "{}", err(&output));
        assert!(err(&output).contains(expected), "{}", err(&output));
        assert_eq!(text(&made, "teams/web.yaml"), before);
    };
    made.git(&["config", "user.name", ""]);
    refused("Git does not know who commits: set `git config user.name NAME`");
    made.git(&["config", "user.name", "Reef"]);
    made.edit("teams/web.yaml", "size: 8Gi", "size: 9Gi");
    refused("teams/web.yaml differs from what HEAD has");
    made.git(&["add", "-A"]);
    made.edit("teams/web.yaml", "size: 9Gi", "size: 8Gi");
    refused("of teams/web.yaml something else is staged");
    made.git(&["reset", "-q"]);
    std::fs::write(made.path().join(".git/MERGE_HEAD"), made.git(&["rev-parse", "HEAD"])).unwrap();
    refused("is in the middle of something (Merge)");
    std::fs::remove_file(made.path().join(".git/MERGE_HEAD")).unwrap();
    made.git(&["rm", "-q", "--cached", "teams/web.yaml"]);
    made.git(&["commit", "-q", "-m", "without"]);
    refused("teams/web.yaml is in no commit yet");
}

#[test]
fn a_name_is_found_or_what_is_near_it_or_what_it_may_be() {
    let made = made();
    let told = |name: &str| {
        let output = edit(made.path(), &[name, "--cpu", "3"]);
        assert_eq!((code(&output), out(&output).as_str()), (1, ""));
        err(&output)
    };
    assert_eq!(told("weeb-1"), "reef: no file states a VM `weeb-1`; did you mean `web-1`?\n");
    assert_eq!(told("vm/web-1"), "reef: no file states a VM `vm/web-1`; did you mean `vms/web-1`?\n");
    made.write("more/web.yaml", &format!("---\n{}", vm("web-1", 1, "1Gi", "").replace("vms", "more")));
    assert_eq!(
        told("web-1"),
        "reef: `web-1` may be more/web-1 (more/web.yaml:2) or vms/web-1 (teams/web.yaml:1); name one of them as NAMESPACE/NAME\n"
    );
    let output = edit(made.path(), &["more/web-1", "--cpu", "3"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert_eq!(made.git(&["diff"]), "");
    made.remove("more/web.yaml");
    std::os::unix::fs::symlink(made.path().join("teams/web.yaml"), made.path().join("link.yaml")).unwrap();
    made.write("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    let told = told("far-away");
    assert!(
        told.contains("list.yaml:1:1: lists are not read") && told.contains("`link.yaml` is a symbolic link"),
        "{told}"
    );
}

#[test]
fn what_cannot_be_changed_by_one_value_is_refused_with_its_place() {
    let made = made();
    let told = |file: &str, arguments: &[&str]| {
        let before = text(&made, file);
        let output = edit(made.path(), arguments);
        assert_eq!((code(&output), out(&output).as_str()), (1, ""));
        assert_eq!(text(&made, file), before);
        err(&output)
    };
    made.edit("teams/db.yaml", "      size: 8Gi", "      size: &size 8Gi");
    let found = told("teams/db.yaml", &["db-1", "--memory", "4Gi"]);
    assert!(
        found.contains("teams/db.yaml:13")
            && found.contains("anchors and aliases are not accepted; write the value out"),
        "{found}"
    );
    let found = told("teams/web.yaml", &["web-1", "--memory", "128Gi"]);
    assert!(found.contains("teams/web.yaml:12:13: with this size the manifest would not be valid"), "{found}");
    made.write("odd.yaml", &vm("odd-1", 2, "2Gi", "").replace("    cpu:\n", "    cpu:\n      sockets: 2\n"));
    let found = told("odd.yaml", &["odd-1", "--cpu", "3"]);
    assert!(found.contains("odd.yaml:8:5: with 2 sockets of 2 cores, no single number yields 3 vCPUs"), "{found}");
    made.write(
        "bare.yaml",
        &vm("bare-1", 2, "2Gi", "").replace("    cpu:\n      coresPerSocket: 2\n      max: 16\n", ""),
    );
    let found = told("bare.yaml", &["bare-1", "--cpu", "3"]);
    assert!(found.contains("write `cpu: { coresPerSocket: 3 }` below `spec.instance`"), "{found}");
    made.edit("odd.yaml", "      size: 2Gi\n", "");
    let output = edit(made.path(), &["odd-1", "--memory", "3Gi"]);
    assert_eq!(code(&output), 1, "db-1 is still broken, and the plan says so");
    assert!(err(&output).contains("`reef edit vms/odd-1 --cpu 4 --memory 1Gi` takes it back"), "{}", err(&output));
    assert!(
        text(&made, "odd.yaml").contains("    memory:\n      size: 3Gi\n      min: 1Gi\n"),
        "an absent field is added"
    );
}

#[test]
fn what_a_rule_forbids_is_written_and_said_and_the_code_is_that_of_the_plan() {
    let made = made();
    let file = made.snapshot(&snapshot());
    let file = file.to_str().unwrap();
    let run = |arguments: &[&str]| reef(made.path(), "edit", &[&["--snapshot", file], arguments].concat());
    let output = run(&["web-1", "--memory", "48Gi", "--branch", "too-much"]);
    assert_eq!(code(&output), 3, "{}{}", out(&output), err(&output));
    assert!(
        err(&output).contains("a rule forbids something") && err(&output).contains("`git branch -D too-much`"),
        "{}",
        err(&output)
    );
    let output = run(&["web-2", "--cpu", "12", "--commit"]);
    assert!(code(&output) > 1, "{}{}", out(&output), err(&output));
    let output = run(&["web-1", "--cpu", "3", "--exit-code-style", "plain"]);
    assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
    let nobody = reef(made.path(), "edit", &["web-1", "--cpu", "5"]);
    assert_eq!(code(&nobody), 1);
    assert!(err(&nobody).contains("or say --offline"), "{}", err(&nobody));
    assert!(
        text(&made, "teams/web.yaml").contains("coresPerSocket: 3\n"),
        "nothing is written where nothing can be planned"
    );
}

#[test]
fn what_is_used_wrongly_is_told_before_anything_is_looked_at() {
    let made = made();
    for wrong in [
        &["web-1"][..],
        &["web-1", "--cpu", "0"],
        &["web-1", "--memory", "lots"],
        &["web-1", "--cpu", "3", "-m", "x"],
        &["web-1", "--cpu", "3", "--commit", "-m", " "],
    ] {
        let output = edit(made.path(), wrong);
        assert_eq!(code(&output), 2, "{wrong:?}: {}", err(&output));
        assert!(err(&output).starts_with("error: "), "{}", err(&output));
    }
    std::fs::set_permissions(made.path().join("teams/web.yaml"), PermissionsExt::from_mode(0o444)).unwrap();
    let output = edit(made.path(), &SIZE);
    assert!(err(&output).contains("teams/web.yaml is write-protected"), "{}", err(&output));
}
