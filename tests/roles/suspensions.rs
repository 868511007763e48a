//! `reef suspend` and `reef resume` as people call them, beside roles that are processes of their own.

use serde_json::Value;

use crate::WEB;
use crate::cluster::{Cluster, size};

/// The source's row of `reef status`.
fn source(cluster: &Cluster) -> Option<Value> {
    Some(cluster.reef(&["status", "-o", "json"])?["sources"][0].clone())
}

#[test]
fn a_vm_and_a_source_are_suspended_and_resumed_from_the_command_line_and_a_short_suspension_ends_by_itself() {
    let cluster = Cluster::start();
    let _controller = cluster.controller();
    let _daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until_settled("web-1", size(2, 2048));
    let (code, told) = cluster.told(&["suspend", "web-1", "--reason", "a leak", "--by", "ops", "--forever"]);
    assert_eq!((code, told.lines().count()), (0, 2), "{told}");
    assert!(
        told.starts_with("VirtualMachine default/web-1 is suspended by ops until it is resumed: a leak.\n"),
        "{told}"
    );
    assert!(told.ends_with("It goes on only with `reef resume vm/web-1 -n default`.\n"), "{told}");
    let (code, told) = cluster.told(&["suspend", "vm/web-1", "--reason", "another", "--for", "1h"]);
    assert_eq!(code, 1);
    assert!(
        told.contains("is already suspended by ops until it is resumed: a leak; --replace takes its place"),
        "{told}"
    );
    let commit = cluster.push_size(WEB, "web-1", size(4, 4096));
    let waiting = cluster.until("the commit waits", || {
        let waiting = cluster.vm("web-1")?["waiting"].clone();
        waiting["message"].as_str()?.contains(&commit).then_some(waiting)
    });
    assert_eq!(waiting["reason"], "Suspended");
    assert!(waiting["message"].as_str().unwrap().contains("suspended by ops until it is resumed: a leak"), "{waiting}");
    let (code, told) = cluster.told(&["resume", "vm/web-1"]);
    assert_eq!((code, told.contains("is resumed: what Git states is applied again")), (0, true), "{told}");
    cluster.until_settled("web-1", size(4, 4096));
    let (code, told) = cluster.told(&["resume", "vm/web-1"]);
    assert_eq!((code, told.as_str()), (0, "VirtualMachine default/web-1 is not suspended.\n"));

    let (code, told) = cluster.told(&["suspend", "gitsource/own", "--reason", "a freeze", "--for", "15s"]);
    assert_eq!((code, told.contains("It goes on by itself in ")), (0, true), "{told}");
    let commit = cluster.push_size(WEB, "web-1", size(1, 1024));
    cluster
        .until("the commit is read", || source(&cluster).filter(|source| source["observedCommit"] == commit.as_str()));
    let waits = cluster.until("it says so", || source(&cluster).filter(|source| source["reason"] == "Suspended"));
    assert_ne!(waits["appliedCommit"], commit.as_str());
    cluster.until_settled("web-1", size(1, 1024));
    cluster.until("it is applied", || source(&cluster).filter(|source| source["appliedCommit"] == commit.as_str()));
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}

#[test]
fn what_cannot_be_suspended_is_told_with_what_to_write() {
    let cluster = Cluster::start();
    let told = |arguments: &[&str]| cluster.told(&[&["suspend"], arguments, &["--reason", "a test"]].concat());
    let (code, text) = told(&["nothing"]);
    assert_eq!(code, 1);
    assert!(text.contains("there is no GitSource or VirtualMachine nothing in namespace default"), "{text}");
    let (code, text) = told(&["own", "--until", "2001-01-01T00:00:00Z"]);
    assert_eq!(code, 1);
    assert!(text.contains("--until 2001-01-01T00:00:00Z has passed"), "{text}");
    let (code, text) = told(&["deployment/own"]);
    assert_eq!(code, 2);
    assert!(text.contains("the kind \"deployment\" is not known here: write gitsource/NAME or vm/NAME"), "{text}");
    let (code, text) = told(&["own", "--for", "soon"]);
    assert_eq!(code, 2);
    assert!(text.contains("write a time of at least a second, as 30m, 2h or 3d"), "{text}");
    let (code, text) = told(&["own", "--for", "1h", "--forever"]);
    assert_eq!(code, 2, "{text}");
    assert_eq!(cluster.end(), Some(0));
}
