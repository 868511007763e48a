//! `reef reconcile`, `explain`, `history` and `diff` against a cluster, with a clone of the repository and without.

use std::path::Path;

use reef::demo::tour::changes::sized;
use serde_json::Value;

use crate::WEB;
use crate::cluster::{Cluster, size};
use crate::plans::git;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A clone in a folder of its own.
fn cloned(cluster: &Cluster) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["clone", "-q", &cluster.repository.url(), "."]);
    folder
}

fn edit(folder: &Path, file: &str, vm: &str, wanted: reef_api::Size) {
    let path = folder.join(file);
    let text = sized(file, &std::fs::read_to_string(&path).unwrap(), vm, wanted).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_size_is_followed_from_the_push_to_the_guest_and_explained_by_its_commit() {
    let cluster = Cluster::start();
    // Sizes that no status will remember.
    cluster.push_size(WEB, "web-1", size(3, 3072));
    cluster.push_size(WEB, "web-1", size(2, 2048));
    let _controller = cluster.controller();
    let _daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    let (folder, nowhere) = (cloned(&cluster), tempfile::tempdir().unwrap());
    let (code, out, err) = cluster.run(nowhere.path(), &["reconcile", "--timeout", "2m"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("is applied, and all of its 8 VMs have their sizes\n"), "{out}");
    let commit = cluster.push_size(WEB, "web-1", size(4, 4096));
    let (code, out, err) = cluster.run(nowhere.path(), &["reconcile", "default/own", "-o", "json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(
        (&json(&out)["commit"], &json(&out)["result"]),
        (&Value::from(commit.as_str()), &Value::from("settled"))
    );

    let (_, behind, _) = cluster.run(folder.path(), &["explain", "web-1"]);
    assert!(behind.contains("a commit is not in this clone: `git fetch` brings it"), "{behind}");
    let (_, outside, _) = cluster.run(nowhere.path(), &["explain", "default/web-1"]);
    assert!(outside.contains("no clone is at hand") && outside.contains(&commit), "{outside}");
    git(folder.path(), &["pull", "-q"]);
    let (code, explained, err) = cluster.run(folder.path(), &["explain", "web-1"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let short = commit.get(..7).unwrap();
    for told in [
        &format!("{short} by Platform Team, "),
        "Z: web-1: 4 vCPU, 4Gi",
        "teams/web/web-1.yaml:1 of GitSource default/own",
        "SizingPolicy ",
        "everything agrees",
    ] {
        assert!(explained.contains(told), "{told}: {explained}");
    }
    let (_, explained, _) =
        cluster.run(nowhere.path(), &["explain", "web-1", "-C", folder.path().to_str().unwrap(), "-o", "json"]);
    let explained = json(&explained);
    assert_eq!(explained["git"]["sizeSince"]["commit"]["id"], Value::from(commit.as_str()));
    assert_eq!((&explained["desired"], &explained["actual"]), (&explained["requested"], &explained["granted"]));

    let (_, history, _) = cluster.run(folder.path(), &["history", "web-1", "-o", "json"]);
    let history = json(&history);
    let told = |row: &Value| (row["from"].as_str().unwrap().to_owned(), row["size"]["vcpus"].as_u64().unwrap());
    let rows: Vec<(String, u64)> = history["sizes"].as_array().unwrap().iter().map(told).collect();
    let row = |from: &str, vcpus: u64| (from.to_owned(), vcpus);
    assert_eq!(rows, [row("cluster", 4), row("cluster", 2), row("git", 3), row("git", 2)], "{history}");
    let newest = &history["sizes"][0];
    assert_eq!(
        (&newest["commit"]["subject"], &newest["outcome"]),
        (&Value::from("web-1: 4 vCPU, 4Gi"), &Value::from("Settled"))
    );
    assert!(newest["tookSeconds"].as_f64().unwrap() > 0.0 && newest["grantedAt"].is_string(), "{newest}");
    let (_, text, _) = cluster.run(folder.path(), &["history", "web-1"]);
    assert!(text.contains("from Git: older than what the VM remembers"), "{text}");
    assert!(text.lines().any(|line| line.len() > 100), "no width is assumed where it is piped: {text}");
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn a_diff_shows_what_a_push_would_write_and_ends_as_kubectl_diff_does() {
    let cluster = Cluster::start();
    let _controller = cluster.controller();
    let folder = cloned(&cluster);
    let (code, ..) = cluster.run(folder.path(), &["reconcile", "own", "--timeout", "0s"]);
    assert_eq!(code, 4, "nothing is done within no time");
    let diff = |arguments: &[&str]| cluster.run(folder.path(), &[&["diff"], arguments].concat());
    cluster.until("all is applied", || (diff(&[]) == (0, String::new(), String::new())).then_some(()));
    edit(folder.path(), WEB, "web-1", size(4, 2048));
    let (code, out, err) = diff(&["--source", "default/own"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    let changed: Vec<&str> = out.lines().filter(|line| line.starts_with(['+', '-'])).collect();
    let heads =
        ["--- cluster: VirtualMachine default/web-1", "+++ teams/web/web-1.yaml:1: VirtualMachine default/web-1"];
    assert_eq!(changed, [heads[0], heads[1], "-      coresPerSocket: 2", "+      coresPerSocket: 4"], "{out}");
    assert_eq!(diff(&["--head", "HEAD"]).0, 0, "the tip itself is applied");
    let new = std::fs::read_to_string(folder.path().join(WEB)).unwrap().replace("web-1", "web-9");
    std::fs::write(folder.path().join("teams/web/web-9.yaml"), new).unwrap();
    std::fs::remove_file(folder.path().join("teams/ci/ci-2.yaml")).unwrap();
    let (code, out, err) = diff(&["--source", "default/own", "-o", "json"]);
    let told = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["change"].as_str().unwrap().to_owned());
    let rows: Vec<(String, String)> = json(&out).as_array().unwrap().iter().map(told).collect();
    let row = |name: &str, change: &str| (name.to_owned(), change.to_owned());
    assert_eq!((code, rows), (1, vec![row("ci-2", "kept"), row("web-1", "update"), row("web-9", "create")]));
    assert!(err.contains("VirtualMachine default/ci-2 (teams/ci/ci-2.yaml:2): it is no longer stated"), "{err}");
    std::fs::write(folder.path().join("broken.yaml"), "kind: VirtualMachine\n  a: [\n").unwrap();
    let (code, _, err) = diff(&[]);
    assert!(code == 2 && err.contains("broken.yaml:"), "{code} {err}");
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn a_reconcile_says_which_vm_has_not_its_size_and_which_file_cannot_be_used() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let reconcile = |arguments: &[&str]| cluster.run(folder.path(), &[&["reconcile"], arguments].concat());
    let (code, out, _) = reconcile(&["own", "--no-wait"]);
    assert_eq!((code, out.as_str()), (0, "GitSource default/own is asked to be read now\n"));
    let (code, out, _) = reconcile(&["--timeout", "1s"]);
    assert!(code == 4 && out.contains("the controller has not read the source yet"), "{code} {out}");
    let controller = cluster.controller();
    let _daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    assert_eq!(reconcile(&[]).0, 0);
    cluster.push_size("teams/batch/workers.yaml", "batch-1", size(24, 1024));
    let (code, out, _) = reconcile(&["own"]);
    assert_eq!(code, 3, "{out}");
    assert!(
        out.contains("7 of its 8 VMs have their sizes") && out.contains("  batch-1: asked for 24 vCPU, 1Gi"),
        "{out}"
    );
    assert!(out.contains("Infeasible: ") && out.contains("next: ask for a size that the node can hold"), "{out}");
    let broken = reef::demo::repository::Change::Write {
        path: "x.yaml".to_owned(),
        text: "kind: SizingPolicy\n  a: [\n".to_owned(),
    };
    cluster.repository.push("a mistake", &[broken]).unwrap();
    let (code, out, _) = reconcile(&["own", "-o", "json"]);
    assert_eq!((code, &json(&out)["problems"][0]["path"]), (3, &Value::from("x.yaml")), "{out}");
    let (code, _, err) = reconcile(&["nosuch"]);
    assert!(code == 1 && err.contains("GitSource default/nosuch cannot be asked"), "{code} {err}");
    let (code, _, err) = cluster.run(folder.path(), &["explain", "nosuch"]);
    assert!(code == 1 && err.contains("there is no VM nosuch in namespace default"), "{code} {err}");
    controller.kill();
    assert_eq!(reconcile(&["own", "--timeout", "1s"]).0, 4, "nobody reads it");
    assert_eq!(cluster.end(), Some(0));
}
