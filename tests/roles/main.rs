//! Controller and daemons as processes of their own: the same end states as in one process, also when they are killed on the way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod after;
#[path = "../cluster/mod.rs"]
mod cluster;
#[cfg(feature = "otlp")]
mod collector;
mod metrics;
mod plans;
mod prometheus;
mod reader;
mod secrets;
mod suspensions;

use cluster::{Cluster, size};
use serde_json::Value;
use std::path::PathBuf;

/// The program.
fn reef() -> PathBuf {
    env!("CARGO_BIN_EXE_reef").into()
}

const WEB: &str = "teams/web/web-1.yaml";

#[test]
fn three_processes_and_a_repository_of_ones_own_resize_a_vm_and_stop_when_told() {
    let cluster = Cluster::start();
    let controller = cluster.controller();
    let daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until_settled("web-1", size(2, 2048));
    let commit = cluster.push_size(WEB, "web-1", size(4, 4096));
    let vm = cluster.until_settled("web-1", size(4, 4096));
    assert_eq!(vm["askedBy"]["commit"], Value::from(commit));
    assert_eq!(vm["askedBy"]["origin"], "teams/web/web-1.yaml:1");
    cluster.push_size(WEB, "web-1", size(1, 1024));
    let vm = cluster.until_settled("web-1", size(1, 1024));
    assert_eq!(vm["history"].as_array().unwrap().len(), 3);
    let refused = cluster.push_size("teams/batch/workers.yaml", "batch-1", size(24, 1024));
    let vm = cluster
        .until("batch-1 is refused", || cluster.vm("batch-1").filter(|vm| vm["waiting"]["reason"] == "Infeasible"));
    assert_eq!((&vm["actual"]["vcpus"], &vm["askedBy"]["commit"]), (&Value::from(1), &Value::from(refused)));
    for role in std::iter::once(&controller).chain(&daemons) {
        assert_eq!((role.health("/readyz").as_str(), role.health("/livez").as_str()), ("200 ok", "200 ok"));
        let all_json = role.told().lines().all(|line| serde_json::from_str::<Value>(line).is_ok());
        assert!(all_json, "logs are JSON where nobody reads them: {}", role.told());
    }
    for role in std::iter::once(controller).chain(daemons) {
        assert_eq!(role.terminate(), Some(0));
    }
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}

#[test]
fn a_controller_and_a_daemon_that_are_killed_in_the_middle_go_on_where_the_world_stands() {
    let cluster = Cluster::start();
    let mut controller = cluster.controller();
    let mut daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until_settled("web-1", size(2, 2048));
    for (cut, victims, target) in ROUNDS {
        cluster.push_size(WEB, "web-1", target);
        cluster.until("the resize has begun", || begun(&cluster, cut, target));
        if victims != Victims::Daemons {
            controller.kill();
            controller = cluster.controller();
        }
        if victims != Victims::Controller {
            daemons.into_iter().for_each(cluster::Process::kill);
            daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
        }
        cluster.until_settled("web-1", target);
    }
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}

#[test]
fn roles_that_are_told_to_stop_in_the_middle_of_a_resize_end_well_and_the_next_ones_go_on() {
    let cluster = Cluster::start();
    let (mut controller, mut daemons) = (cluster.controller(), ["node-1", "node-2"].map(|node| cluster.daemon(node)));
    cluster.until_settled("web-1", size(2, 2048));
    for (cut, target) in [("phase", size(6, 12_288)), ("requested", size(1, 1024)), ("granted", size(4, 6144))] {
        cluster.push_size(WEB, "web-1", target);
        cluster.until("the resize has begun", || begun(&cluster, cut, target));
        assert_eq!(controller.terminate(), Some(0), "cut at {cut}");
        daemons.into_iter().for_each(|daemon| assert_eq!(daemon.terminate(), Some(0), "cut at {cut}"));
        (controller, daemons) = (cluster.controller(), ["node-1", "node-2"].map(|node| cluster.daemon(node)));
        cluster.until_settled("web-1", target);
    }
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}

/// Who is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victims {
    Controller,
    Daemons,
    All,
}

/// Growths and shrinks, each cut at another point of its way.
const ROUNDS: [(&str, Victims, reef_api::Size); 5] = [
    ("phase", Victims::All, size(6, 12_288)),
    ("requested", Victims::All, size(2, 2048)),
    ("granted", Victims::Controller, size(5, 8192)),
    ("requested", Victims::Daemons, size(6, 10_240)),
    ("granted", Victims::Daemons, size(1, 1024)),
];

fn begun(cluster: &Cluster, cut: &str, target: reef_api::Size) -> Option<()> {
    let vm = cluster.vm("web-1")?;
    let wanted = serde_json::to_value(target).unwrap();
    let begun = match cut {
        "phase" => vm["desired"] == wanted && vm["phase"] != "Running",
        part => vm[part] == wanted,
    };
    begun.then_some(())
}

#[test]
fn a_cluster_without_the_definitions_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || server.incoming().flatten().for_each(|stream| not_found(&stream)));
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, reef_sim::api::kubeconfig(address)).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_reef"))
        .args(["daemon", "--node", "n", "--health-addr", "127.0.0.1:0", "--kubeconfig", kubeconfig.to_str().unwrap()])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("virtualmachines.cloudhypervisor.quill.today is not installed"), "{told}");
    assert!(told.contains("reef manifests --crds | kubectl apply -f -"), "{told}");
}

/// Answers as an API server does that does not know the kind.
fn not_found(mut stream: &std::net::TcpStream) {
    use std::io::{Read, Write};
    let _ = stream.read(&mut [0; 4096]);
    let body = "404 page not found\n";
    let _ =
        write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
}
