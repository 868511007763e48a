//! A real Prometheus over roles as processes: it reads what they serve, and evaluates every alert.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::WEB;
use super::cluster::{Cluster, Process, http, size};

/// A Prometheus that ends with its value.
struct Prometheus {
    child: Child,
    address: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// None where it is not installed, which is told, and in CI is a failure.
    fn start(folder: &Path, targets: &[String]) -> Option<Self> {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/observability/rules.yaml");
        let config = serde_json::json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" }, "rule_files": [rules],
            "scrape_configs": [{ "job_name": "reef", "static_configs": [{ "targets": targets }] }]
        });
        std::fs::write(folder.join("prometheus.yaml"), config.to_string()).unwrap();
        // Below the ports that Linux gives away: one of those may be another's before it is asked for.
        let mut addresses = (19_000..20_000).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let free = addresses.find(|address| TcpListener::bind(address).is_ok()).unwrap();
        let mut command = Command::new("prometheus");
        command.arg("--config.file=prometheus.yaml").arg("--storage.tsdb.path=data").current_dir(folder);
        command.arg(format!("--web.listen-address={free}")).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self { child, address: free.to_string() }),
            Err(why) => {
                let install = format!("prometheus cannot be started ({why}): on Debian, apt-get install prometheus");
                assert!(std::env::var("CI").as_deref() != Ok("true"), "{install}");
                eprintln!("{install}");
                None
            }
        }
    }

    /// What its API answers; none while it begins.
    fn ask(&self, path: &str) -> Option<Value> {
        std::net::TcpStream::connect(&self.address).ok()?;
        let answer = http("GET", &self.address, &format!("/api/v1/{path}"), "");
        let body = answer.get(answer.find('{')?..=answer.rfind('}')?)?;
        serde_json::from_str::<Value>(body).ok().filter(|answer| answer["status"] == "success")
    }

    /// The value of a query that gives one.
    fn value(&self, query: &str) -> Option<String> {
        let answer = self.ask(&format!("query?query={query}"))?;
        answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
    }
}

#[test]
fn a_real_prometheus_reads_every_role_and_evaluates_every_alert() {
    let cluster = Cluster::start();
    let roles: Vec<Process> =
        std::iter::once(cluster.controller()).chain(["node-1", "node-2"].map(|node| cluster.daemon(node))).collect();
    cluster.until("all serve", || roles.iter().all(|role| role.address().is_some()).then_some(()));
    let targets: Vec<String> = roles.iter().filter_map(Process::address).collect();
    let folder = tempfile::tempdir().unwrap();
    let Some(prometheus) = Prometheus::start(folder.path(), &targets) else { return };
    cluster.until_settled("web-1", size(2, 2048));
    cluster.push_size(WEB, "web-1", size(4, 4096));
    cluster.until_settled("web-1", size(4, 4096));
    let grown = "sum(reef_resizes_total%7Bdirection=%22grow%22,outcome=%22Settled%22%7D)";
    cluster.until("the growth is told", || prometheus.value(grown).filter(|count| count == "1"));
    for query in ["count(reef_build_info)", "sum(up)", "sum(reef_ready)"] {
        cluster.until(query, || prometheus.value(query).filter(|count| count == "3"));
    }
    let quiet = || {
        let groups = prometheus.ask("rules")?["data"]["groups"].as_array()?.clone();
        let rules: Vec<Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect();
        let failed = rules.iter().find(|rule| rule["health"] == "err");
        assert!(failed.is_none(), "{failed:?}");
        rules.iter().all(|rule| rule["health"] == "ok" && rule["state"] == "inactive").then_some(rules.len())
    };
    assert!(cluster.until("every alert is evaluated, and silent", quiet) > 20);
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}
