//! `reef plan` by a cluster, by a snapshot of it, and against what the cluster has.

use std::path::Path;
use std::process::Command;

use reef::demo::tour::changes::sized;
use serde_json::Value;

use crate::cluster::{Cluster, size};

pub fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    assert!(command.status().unwrap().success(), "git {arguments:?}");
}

#[test]
fn a_plan_is_the_same_by_the_cluster_and_by_a_snapshot_and_nothing_differs_from_what_was_applied() {
    let cluster = Cluster::start();
    let _controller = cluster.controller();
    let _daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until("all VMs rest", || {
        let vms = cluster.reef(&["status", "-o", "json"])?["vms"].as_array()?.clone();
        (vms.len() == 8 && vms.iter().all(|vm| vm["waiting"].is_null())).then_some(())
    });
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["clone", "-q", &cluster.repository.url(), "."]);
    let file = folder.path().join(".git/snapshot.json");
    let file = file.to_str().unwrap();
    let plan = |arguments: &[&str]| {
        let (code, document) = cluster.plan(folder.path(), arguments);
        (code, document["changes"].clone(), document["nodes"].clone(), document["facts"]["from"].clone())
    };
    let (code, changes, ..) = plan(&["--live", "--source", "default/own"]);
    assert_eq!((code, changes), (0, Value::Array(Vec::new())));
    let web = folder.path().join("teams/web/web-1.yaml");
    let text = sized("web-1.yaml", &std::fs::read_to_string(&web).unwrap(), "web-1", size(4, 4096)).unwrap();
    std::fs::write(&web, text).unwrap();
    let (code, changes, nodes, from) = plan(&[]);
    assert_eq!((code, from), (2, "cluster".into()));
    assert_eq!((&changes[0]["name"], &changes[0]["mode"]), (&Value::from("web-1"), &Value::from("live")));
    assert!(cluster.reef(&["snapshot", "--file", file]).is_some());
    assert_eq!(plan(&["--snapshot", file]), (2, changes.clone(), nodes.clone(), "snapshot".into()));
    let (code, live, ..) = plan(&["--live", "--source", "default/own"]);
    assert_eq!((code, &live[0]["size"], &live[0]["why"]), (2, &changes[0]["size"], &changes[0]["why"]));
    std::fs::remove_file(&web).unwrap();
    let (code, gone, ..) = plan(&["--live", "--source", "default/own"]);
    assert_eq!((code, &gone[0]["action"]), (2, &Value::from("remove")));
    assert_eq!(cluster.end(), Some(0));
}
