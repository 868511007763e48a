//! Roles in narrow places: a root that cannot be written, a socket that may not be used, a disk that is full.
//!
//! The kernel is the real one, in namespaces of the roles' own, which needs root; the cluster is the embedded one. A disk that fills, and a root
//! that nobody may write, cannot be had otherwise.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../../cluster/mod.rs"]
mod cluster;

use std::path::PathBuf;
use std::process::Command;

use cluster::{Cluster, size};
use reef::demo::repository::Change;
use reef_real::stage::beside;
use serde_json::Value;

/// The program.
fn reef() -> PathBuf {
    beside("reef").unwrap()
}

const WEB: &str = "teams/web/web-1.yaml";

/// Makes every mount read-only; what could be written all the same ends it.
const READ_ONLY: &str = r#"
while read -r _ place _; do mount -o remount,bind,ro "$place"; done </proc/self/mounts 2>/dev/null
for place in / /tmp /run /dev/shm /var/tmp "$(dirname "$KUBECONFIG")"; do
    touch "$place/reef-probe" 2>/dev/null && exit 99
done
exec "$@"
"#;

#[test]
fn a_daemon_whose_root_cannot_be_written_resizes_as_ever() {
    let cluster = Cluster::start();
    let _controller = cluster.controller();
    let by = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh"];
    let daemons = ["node-1", "node-2"].map(|node| cluster.daemon_by(node, &by));
    for target in [size(2, 2048), size(4, 4096), size(1, 1024)] {
        cluster.push_size(WEB, "web-1", target);
        cluster.until_settled("web-1", target);
    }
    for daemon in daemons {
        assert_eq!(daemon.terminate(), Some(0), "it ran on");
    }
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}

#[test]
fn a_daemon_that_may_not_use_a_socket_says_whose_it_is_and_goes_on_when_it_may() {
    let cluster = Cluster::start();
    let _controller = cluster.controller();
    let daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until_settled("web-1", size(2, 2048));
    daemons.into_iter().for_each(cluster::Process::kill);
    // It may read everything, as root may, and write to nothing that is not its own.
    let (user, rights) = ("65534", "-all,+dac_read_search");
    let by =
        ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps", rights, "--ambient-caps", rights];
    let daemons = ["node-1", "node-2"].map(|node| cluster.daemon_by(node, &by));
    cluster.push_size(WEB, "web-1", size(1, 1024));
    // A VM that waits for its grant to be taken over says that first; one that waits for nothing else says this.
    let vm = cluster
        .until("the socket is told of", || cluster.vm("db-1").filter(|vm| vm["waiting"]["reason"] == "VmmUnreachable"));
    let told = vm["waiting"]["message"].as_str().unwrap();
    assert!(told.contains("belongs to uid 0 and gid 0 with mode 0700") && told.contains("run the daemon as"), "{told}");
    let actual = || cluster.vm("web-1").unwrap()["actual"].clone();
    assert_eq!(actual(), serde_json::to_value(size(2, 2048)).unwrap(), "nothing was asked of it");
    daemons.into_iter().for_each(cluster::Process::kill);
    let _daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until_settled("web-1", size(1, 1024));
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}

fn ready(cluster: &Cluster) -> (Value, String) {
    let told = cluster.reef(&["status", "-o", "json"]).unwrap();
    let source = &told["sources"][0];
    (source["ready"].clone(), source["message"].as_str().unwrap_or_default().to_owned())
}

/// What no compression makes smaller, as lines of text.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ seed;
    let mut text = String::new();
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text += &format!("# {state:016x}{:016x}\n", state.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    text
}

#[test]
fn a_cache_that_is_full_is_told_costs_no_vm_anything_and_is_used_again_when_there_is_room() {
    let cluster = Cluster::start();
    std::fs::create_dir_all(cluster.cache()).unwrap();
    let mount = format!("mount -t tmpfs -o size=4m reef {} && exec \"$@\"", cluster.cache().display());
    let controller = cluster.controller_by(&["unshare", "--mount", "sh", "-c", &mount, "sh"]);
    let _daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until_settled("web-1", size(2, 2048));
    let tip = git(&cluster, &["rev-parse", "refs/heads/main"]);
    let files =
        (0..20).map(|number| Change::Write { path: format!("noise/{number}.txt"), text: noise(number, 900_000) });
    cluster.repository.push("more than the cache has room for", &files.collect::<Vec<_>>()).unwrap();
    let told = cluster.until("the source is not ready", || {
        let (ready, message) = ready(&cluster);
        (ready == Value::Bool(false) && !message.contains("is being applied")).then_some(message)
    });
    assert!(told.to_lowercase().contains("space") || told.contains("cache"), "{told}");
    let vm = cluster.vm("web-1").unwrap();
    assert_eq!((&vm["actual"]["vcpus"], vm["waiting"].is_null()), (&Value::from(2), true));
    assert_eq!(controller.health("/livez"), "200 ok");
    git(&cluster, &["update-ref", "refs/heads/main", &tip]);
    cluster.push_size(WEB, "web-1", size(3, 3072));
    cluster.until_settled("web-1", size(3, 3072));
    assert_eq!(controller.terminate(), Some(0), "it is still the first one");
}

/// What git says in the repository.
fn git(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(cluster.repository.path()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
