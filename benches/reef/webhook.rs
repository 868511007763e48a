//! The webhook as a process of its own, asked over TLS on loopback: how long an answer takes, and how much memory it needs.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use rcgen::generate_simple_self_signed;
use reef::wiring::embedded::{Embedded, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::Client;
use crate::report::{Report, millis};

const SECTION: &str = "webhook";
/// Reviews in all, for each number of clients.
const REVIEWS: usize = 12_800;
const CLIENTS: [usize; 2] = [1, 64];
/// Connections of those who say nothing.
const FLOOD: usize = 10_000;
/// Between two attempts of a client.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Asks one client, then many, for verdicts on a VM with a policy that has a rule in CEL.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    reef_daemon::host::take_all_descriptors()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(asked(report))
}

async fn asked(report: &mut Report) -> anyhow::Result<()> {
    let (folder, stop) = (tempfile::tempdir()?, CancellationToken::new());
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = Options { listen, nodes: 1, dir: folder.path().to_owned(), seed: 1, speed: 1 };
    let embedded = Embedded::start(&options, &TaskTracker::new(), &stop).await?;
    policy(&embedded).await?;
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone())?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_reef"));
    command
        .args(["webhook", "--listen", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--tls-cert"])
        .arg(&certificate);
    command.arg("--tls-key").arg(&key).env("KUBECONFIG", &embedded.kubeconfig);
    let (child, address) = started(command).await?;
    let stand = Stand { address, tls: connector(roots)? };
    stand.ready().await?;
    for clients in CLIENTS {
        let times = stand.times(clients).await?;
        let part = |share: usize| times.get(times.len() * share / 100).copied().into_iter().collect::<Vec<_>>();
        let whose = if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
        report.add(SECTION, format!("a verdict, {whose}: p50"), "ms", None, part(50));
        report.add(SECTION, format!("a verdict, {whose}: p99"), "ms", None, part(99));
    }
    report.add(SECTION, "memory after them", "MiB", None, vec![resident(&child)?]);
    stand.flood(report).await?;
    report.add(SECTION, "memory after 10,000 connections", "MiB", None, vec![resident(&child)?]);
    stop.cancel();
    Ok(())
}

async fn policy(embedded: &Embedded) -> anyhow::Result<()> {
    let policy: reef_api::SizingPolicy = serde_json::from_value(json!({
        "apiVersion": "reef.dev/v1alpha1", "kind": "SizingPolicy", "metadata": { "name": "all", "namespace": "default" },
        "spec": {
            "bounds": { "max": { "vcpus": 16, "memory": "64Gi" } },
            "rules": [{ "expression": "old == null || change.memory <= memory('8Gi')", "message": "step by step" }],
        },
    }))?;
    let api = kube::Api::<reef_api::SizingPolicy>::namespaced(embedded.connection.requests.clone(), "default");
    api.create(&kube::api::PostParams::default(), &policy).await.context("a policy is made")?;
    Ok(())
}

async fn started(mut command: Command) -> anyhow::Result<(Child, SocketAddr)> {
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stderr.take().context("its log")?).lines();
    let address = loop {
        let line = lines.next_line().await?.context("the webhook ended")?;
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        if line.get("message").is_some_and(|message| message == "webhook started") {
            break line.get("address").and_then(Value::as_str).context("an address")?.parse()?;
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, address))
}

fn connector(roots: RootCertStore) -> anyhow::Result<TlsConnector> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

/// Where the webhook is.
struct Stand {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Stand {
    async fn client(&self) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Client::new(self.tls.connect(self.address.ip().into(), stream).await?))
    }

    /// Waits until a new client is answered.
    async fn ready(&self) -> anyhow::Result<()> {
        loop {
            if let Ok(mut client) = self.client().await
                && client.post("/validate", &review()).await.status == 200
            {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Thousands connect and say nothing: what becomes of a client that was there before, and of one that comes after.
    async fn flood(&self, report: &mut Report) -> anyhow::Result<()> {
        let mut before = self.client().await?;
        anyhow::ensure!(before.post("/validate", &review()).await.status == 200, "it answers before the flood");
        let mut silent = Vec::new();
        for _ in 0..FLOOD {
            silent.push(TcpStream::connect(self.address).await.context("ten thousand connections: raise `ulimit -n`")?);
        }
        let (begun, mut times) = (Instant::now(), Vec::new());
        for _ in 0..200 {
            let asked = Instant::now();
            anyhow::ensure!(before.post("/validate", &review()).await.status == 200, "it answers amid the flood");
            times.push(millis(asked.elapsed()));
        }
        report.add(SECTION, "10,000 silent connections: a client from before", "ms", None, times);
        loop {
            let stream = TcpStream::connect(self.address).await?;
            if let Ok(stream) = self.tls.connect(self.address.ip().into(), stream).await {
                anyhow::ensure!(
                    Client::new(stream).post("/validate", &review()).await.status == 200,
                    "it answers anew"
                );
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let waited = vec![begun.elapsed().as_secs_f64()];
        report.add(SECTION, "10,000 silent connections: until a new client is answered", "s", None, waited);
        drop(silent);
        Ok(())
    }

    /// How long each review took, in milliseconds and order.
    async fn times(&self, clients: usize) -> anyhow::Result<Vec<f64>> {
        let each = (0..clients).map(|_| async {
            let mut client = self.client().await?;
            let mut times = Vec::new();
            // The first few are of a connection and a webhook that are still cold.
            for number in 0..REVIEWS / clients + 10 {
                let begun = Instant::now();
                let answer = client.post("/validate", &review()).await;
                anyhow::ensure!(answer.status == 200 || number < 10, "{}: {}", answer.status, answer.body);
                if number >= 10 {
                    times.push(millis(begun.elapsed()));
                }
            }
            Ok(times)
        });
        let mut all = futures::future::try_join_all(each).await?.concat();
        all.sort_by(f64::total_cmp);
        Ok(all)
    }
}

fn review() -> Value {
    let group = "cloudhypervisor.quill.today";
    let vm = |memory: &str| {
        json!({
            "apiVersion": format!("{group}/v1beta1"), "kind": "VirtualMachine",
            "metadata": { "name": "web-1", "namespace": "default", "labels": { "team": "web" } },
            "spec": { "runPolicy": "Always", "instance": { "cpu": { "coresPerSocket": 2 }, "memory": { "size": memory } } },
        })
    };
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "name": "web-1", "namespace": "default", "operation": "UPDATE", "dryRun": false,
            "kind": { "group": group, "version": "v1beta1", "kind": "VirtualMachine" },
            "resource": { "group": group, "version": "v1beta1", "resource": "virtualmachines" },
            "userInfo": { "username": "somebody" }, "object": vm("4Gi"), "oldObject": vm("2Gi"),
        },
    })
}

/// What the process has in memory, in MiB.
fn resident(child: &Child) -> anyhow::Result<f64> {
    let id = child.id().context("it runs")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: u32 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(f64::from(kib) / 1024.0)
}
