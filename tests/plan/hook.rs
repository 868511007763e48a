//! The hook of Git, run by `git commit` itself: what is staged is looked at, and nothing else.

use std::path::Path;
use std::process::{Command, Output};

use crate::repository::{POLICY, Repository, vm};
use crate::{code, err, out, reef};

const HOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.githooks");

/// A repository whose commits go through the hook.
fn hooked() -> Repository {
    let made = Repository::of_vms();
    made.git(&["config", "core.hooksPath", HOOK]);
    made
}

/// Commits as a person does, with `reef` on the path.
fn commit(made: &Repository, arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_reef")).parent().unwrap().display();
    Command::new("git")
        .args(["-c", "user.name=Reef", "-c", "user.email=reef@example.com", "commit", "-q", "-m", "a change"])
        .args(arguments)
        .current_dir(made.path())
        .env_clear()
        .env("PATH", format!("{program}:{}", std::env::var("PATH").unwrap()))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap()
}

fn commits(made: &Repository) -> usize {
    made.git(&["rev-list", "HEAD"]).lines().count()
}

#[test]
fn a_broken_vm_that_is_staged_is_refused_with_file_and_line() {
    let made = hooked();
    made.edit("teams/web.yaml", "size: 2Gi", "size: 48Gi");
    made.git(&["add", "teams/web.yaml"]);
    let refused = commit(&made, &[]);
    assert_eq!((code(&refused), commits(&made)), (1, 1), "{}", err(&refused));
    assert!(err(&refused).contains("teams/web.yaml:12"), "{}", err(&refused));
    made.edit("teams/web.yaml", "size: 48Gi", "size: 4Gi");
    assert_eq!(code(&commit(&made, &[])), 1, "mended in the working tree alone");
    made.git(&["add", "teams/web.yaml"]);
    let taken = commit(&made, &[]);
    assert_eq!((code(&taken), commits(&made)), (0, 2), "{}", err(&taken));
}

#[test]
fn what_is_not_staged_does_not_matter() {
    let made = hooked();
    made.edit("teams/web.yaml", "size: 2Gi", "size: 4Gi");
    made.git(&["add", "-A"]);
    made.edit("teams/web.yaml", "size: 4Gi", "size: 4GB");
    made.write("garbage.yaml", "kind: VirtualMachine\n  a: [\n");
    made.remove("teams/db.yaml");
    let taken = commit(&made, &[]);
    assert_eq!((code(&taken), commits(&made)), (0, 2), "{}", err(&taken));
    assert_eq!(made.git(&["show", "--stat", "--format=", "HEAD"]).lines().count(), 2, "one file");
}

/// `git commit -a` and `git commit FILE` make the commit from an index that is not the repository's own.
#[test]
fn the_index_of_the_commit_is_looked_at_where_it_is_another_than_the_repositorys() {
    let made = hooked();
    made.edit("teams/web.yaml", "size: 2Gi", "size: 48Gi");
    made.edit("teams/db.yaml", "size: 8Gi", "size: 9Gi");
    assert_eq!((code(&commit(&made, &["-a"])), commits(&made)), (1, 1));
    assert_eq!((code(&commit(&made, &["teams/web.yaml"])), commits(&made)), (1, 1));
    let taken = commit(&made, &["teams/db.yaml"]);
    assert_eq!((code(&taken), commits(&made)), (0, 2), "{}", err(&taken));
}

#[test]
fn the_hook_takes_a_folder_and_says_where_reef_is_missing() {
    let made = hooked();
    made.write("elsewhere/broken.yaml", "kind: VirtualMachine\n  a: [\n");
    made.git(&["config", "reef.lint", "--path teams --namespace vms"]);
    made.git(&["add", "-A"]);
    let taken = commit(&made, &[]);
    assert_eq!((code(&taken), commits(&made)), (0, 2), "{}", err(&taken));
    let without =
        Command::new("/bin/sh").arg(Path::new(HOOK).join("pre-commit")).env("PATH", "/nowhere").output().unwrap();
    assert!(code(&without) == 1 && err(&without).contains("reef is not on the PATH"), "{}", err(&without));
}

/// Objects of the repository, in any form.
fn objects(made: &Repository) -> String {
    made.git(&["cat-file", "--batch-check", "--batch-all-objects"])
}

#[test]
fn what_is_staged_is_read_by_the_rules_of_a_commit_and_nothing_is_written() {
    let made = Repository::of_vms();
    made.write("new/deep/vm.yaml", &vm("new-1", 2, "2Gi", ""));
    made.write("other.yaml", &POLICY.replace("name: default", "name: other"));
    std::os::unix::fs::symlink("/etc/passwd", made.path().join("link.yaml")).unwrap();
    made.git(&["add", "-A"]);
    made.write("later.yaml", "not there yet");
    made.git(&["add", "--intent-to-add", "later.yaml"]);
    let before = objects(&made);
    let output = reef(made.path(), "lint", &["--staged"]);
    let told = out(&output);
    assert!(told.contains("`link.yaml` is a symbolic link"), "{told}{}", err(&output));
    assert!(told.contains("4 VMs and 2 policies in what is staged"), "{told}");
    assert_eq!(objects(&made), before);
    let missing = reef(made.path(), "lint", &["--staged", "--path", "nosuch"]);
    assert!(
        err(&missing).contains("the index of ") && err(&missing).contains("has no folder `nosuch`"),
        "{}",
        err(&missing)
    );
}

#[test]
fn a_merge_that_is_not_resolved_is_told_by_its_file() {
    let made = Repository::of_vms();
    made.git(&["checkout", "-q", "-b", "other"]);
    made.edit("teams/web.yaml", "size: 2Gi", "size: 3Gi");
    made.commit("one side");
    made.git(&["checkout", "-q", "main"]);
    made.edit("teams/web.yaml", "size: 2Gi", "size: 4Gi");
    made.commit("the other");
    let merged = Command::new("git").args(["merge", "-q", "other"]).current_dir(made.path()).output().unwrap();
    assert!(!merged.status.success());
    let output = reef(made.path(), "lint", &["--staged"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("teams/web.yaml of ") && err(&output).contains("git add"), "{}", err(&output));
}
