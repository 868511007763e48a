//! One node with a thousand VMs: what `reef daemon`, as a process of its own, takes of CPU, memory and descriptors, what it
//! writes when nothing happens, and how soon it has taken over a thousand grants.
//!
//! The grants are written here, in the controller's place, so that no controller is measured along.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use kube::Api;
use kube::api::PostParams;
use reef::wiring::clock::SystemClock;
use reef::wiring::embedded::Embedded;
use reef::wiring::git;
use reef::wiring::kubeconfig::Cluster as Connection;
use reef::wiring::roles::{Controller, ControllerOptions};
use reef_api::names::CONTROLLER_MANAGER;
use reef_api::vm::Grant;
use reef_api::{Bytes, GIB, MilliCpu, Size, VirtualMachine};
use reef_daemon::host::take_all_descriptors;
use reef_reconciler::source::FileUrls;
use reef_sim::api::{Fault, RequestFacts};
use reef_sim::cluster::{ClusterOptions, ClusterTimings};
use reef_sim::node::NodeOptions;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fleet::{self, manifest, size};
use crate::machine;
use crate::report::{Report, millis};
use crate::stages::{self, NAMESPACE};

const SECTION: &str = "one daemon";
/// Numbers of VMs for which memory is told.
const FLEETS: [usize; 3] = [0, 10, 1000];
/// The simulated parties are so many times faster than measured: booting a thousand guests is not what is measured.
const SPEED: u32 = 10;
/// For everything that was started to come to rest.
const QUIET: Duration = Duration::from_secs(15);
/// For an idle daemon.
const IDLE: Duration = Duration::from_secs(60);
/// Between two questions whether it is alive.
const PULSE: Duration = Duration::from_millis(50);
/// Until a thousand VMs run.
const PATIENCE: Duration = Duration::from_secs(900);
/// The size that all VMs begin with.
const BEFORE: Size = size(2, 2);
/// The size that the second grants lead to.
const AFTER: Size = size(1, 2);

/// Measures all of it on one cluster.
pub fn measure(git: git::Made, report: &mut Report) -> anyhow::Result<()> {
    // The VMMs of this process listen on a thousand sockets.
    take_all_descriptors()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let node = Node::start(git).await?;
        for fleet in FLEETS {
            node.grow_to(fleet).await?;
            tokio::time::sleep(QUIET).await;
            let held = machine::resident(node.pid)?;
            report.add(SECTION, format!("memory, {fleet} VMs"), "MiB", None, vec![held]);
        }
        let descriptors = descriptors(node.pid)?;
        report.add(SECTION, "open files, 1,000 VMs", "", None, vec![descriptors]);
        node.idle(report).await?;
        node.grants(report).await?;
        report.add(SECTION, "memory, 1,000 VMs, most ever", "MiB", None, vec![machine::peak(node.pid)?]);
        node.stop.cancel();
        Ok(())
    })
}

/// A cluster of one large node, and its daemon.
struct Node {
    embedded: Embedded,
    stop: CancellationToken,
    git: git::Made,
    pid: u32,
    health: u16,
    writes: Arc<AtomicU64>,
    dir: tempfile::TempDir,
    _daemon: Child,
}

impl Node {
    async fn start(git: git::Made) -> anyhow::Result<Self> {
        let (dir, stop, writes) = (tempfile::tempdir()?, CancellationToken::new(), Arc::<AtomicU64>::default());
        let mut options = ClusterOptions::two_nodes(1, Arc::new(SystemClock));
        options.nodes = vec![NodeOptions::new("node-1", MilliCpu(8_000_000), Bytes(16_384 * GIB.get()))];
        options.timings = ClusterTimings::default().scaled(1, SPEED);
        let counted = Arc::clone(&writes);
        options.api.faults = Some(Arc::new(move |request: &RequestFacts| {
            if !request.method.is_safe() && request.query.get("fieldManager").is_some_and(|by| by == "reef-daemon") {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Fault::default()
        }));
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let embedded = Embedded::serve(options, listen, dir.path(), &TaskTracker::new(), &stop).await?;
        let health = std::net::TcpListener::bind(listen)?.local_addr()?.port();
        let daemon = daemon(&embedded, health, &dir.path().join("daemon.log"))?;
        let pid = daemon.id().context("the daemon has ended")?;
        Ok(Self { embedded, stop, git, pid, health, writes, dir, _daemon: daemon })
    }

    /// Lets a controller create VMs and settle them, and stops it.
    async fn grow_to(&self, count: usize) -> anyhow::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let stop = self.stop.child_token();
        let connection = Connection::find(Some(&self.embedded.kubeconfig), None).await?;
        let options = ControllerOptions {
            cache_dir: self.dir.path().join("cache"),
            file_urls: FileUrls::Allowed,
            vmm_image: "reef".to_owned(),
            vm_devices: BTreeSet::new(),
            argocd_namespace: reef_api::argocd::ARGOCD_NAMESPACE.to_owned(),
        };
        let controller = Controller::new(&connection, options, self.git).await?;
        let until = stop.clone();
        let running = tokio::spawn(async move { controller.run(until).await });
        let vms: Api<VirtualMachine> = Api::namespaced(connection.requests.clone(), NAMESPACE);
        for number in 0..count {
            let vm: VirtualMachine = serde_yaml::from_str(&manifest(&fleet::name(number), BEFORE))?;
            if vms.get_opt(&fleet::name(number)).await?.is_none() {
                vms.create(&PostParams::default(), &vm).await?;
            }
        }
        stages::all_settled(&self.embedded.cluster, count, PATIENCE).await?;
        stop.cancel();
        Ok(running.await??)
    }

    /// A minute in which nothing happens.
    async fn idle(&self, report: &mut Report) -> anyhow::Result<()> {
        let (cpu, writes) = (machine::cpu(self.pid)?, self.writes.load(Ordering::Relaxed));
        let pulses = self.pulses(IDLE).await?;
        let used = machine::cpu(self.pid)? - cpu;
        let written = self.writes.load(Ordering::Relaxed) - writes;
        report.add(SECTION, "idle, 1,000 VMs: CPU of a minute", "s", None, vec![used.as_secs_f64()]);
        report.add(SECTION, "idle, 1,000 VMs: writes in a minute", "", Some("0"), vec![count(written)]);
        report.add(SECTION, "idle, 1,000 VMs: /livez", "ms", None, pulses);
        Ok(())
    }

    /// A thousand grants at once: first of what the VMs have, then of a vCPU less.
    async fn grants(&self, report: &mut Report) -> anyhow::Result<()> {
        for (seq, what, size) in [(1, "of the same size", BEFORE), (2, "of a vCPU less", AFTER)] {
            let (cpu, begun) = (machine::cpu(self.pid)?, Instant::now());
            self.grant(seq, size)?;
            let took_over = |vmm: &Value| vmm["ackSeq"].as_u64() == Some(seq);
            let followed =
                |vmm: &Value| took_over(vmm) && vmm["vcpusPresent"].as_u64() == Some(u64::from(size.vcpus.0));
            let (acknowledged, settled, pulses) = tokio::try_join!(
                self.until(begun, took_over),
                self.until(begun, followed),
                self.pulses(Duration::from_secs(3))
            )?;
            let used = machine::cpu(self.pid)? - cpu;
            let mut add = |name: &str, unit, samples| {
                report.add(SECTION, format!("1,000 grants {what}: {name}"), unit, None, samples);
            };
            add("to all acknowledged", "s", vec![acknowledged.as_secs_f64()]);
            add("to all followed", "s", vec![settled.as_secs_f64()]);
            add("CPU", "s", vec![used.as_secs_f64()]);
            add("/livez meanwhile", "ms", pulses);
            tokio::time::sleep(QUIET).await;
        }
        Ok(())
    }

    /// Writes a grant for each VM, as the controller does.
    fn grant(&self, seq: u64, size: Size) -> anyhow::Result<()> {
        for number in 0..most() {
            let key = stages::vm_key(&fleet::name(number));
            let vm = self.embedded.cluster.store().get(&key).with_context(|| format!("there is no {key}"))?;
            let pod_uid = vm.pointer("/status/vmPodUID").and_then(Value::as_str);
            let pod_uid = pod_uid.with_context(|| format!("{key} has no Pod"))?.to_owned();
            let generation = vm.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
            let grant = Grant {
                pod_uid: pod_uid.clone(),
                seq,
                vcpus: size.vcpus,
                memory: size.memory,
                gate: reef_api::ShrinkGate::default(),
            };
            let resize = json!({
                "podUID": pod_uid, "generation": generation, "target": size, "aim": size, "grant": grant,
            });
            let change = |vm: &mut Value| {
                if let Some(status) = vm.get_mut("status").and_then(Value::as_object_mut) {
                    status.insert("resize".to_owned(), resize);
                }
            };
            self.embedded.cluster.store().update(&key, Some("status"), CONTROLLER_MANAGER, change)?;
        }
        Ok(())
    }

    /// Waits until something holds of what is reported of every VM, and returns how long that took.
    async fn until(&self, begun: Instant, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Duration> {
        let mut open: Vec<(usize, Option<Arc<Value>>)> = (0..most()).map(|number| (number, None)).collect();
        while begun.elapsed() < PATIENCE {
            open.retain_mut(|(number, known)| {
                let Some(newest) = self.embedded.cluster.store().get(&stages::vm_key(&fleet::name(*number))) else {
                    return true;
                };
                if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &newest)) {
                    return true;
                }
                let holds = newest.pointer("/status/vmm").is_some_and(&holds);
                *known = Some(newest);
                !holds
            });
            if open.is_empty() {
                return Ok(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("{} VMs were not served within {} s", open.len(), PATIENCE.as_secs())
    }

    /// How long the daemon takes to say that it is alive, asked again and again: what blocks its threads shows here.
    async fn pulses(&self, during: Duration) -> anyhow::Result<Vec<f64>> {
        let (begun, mut pulses) = (Instant::now(), Vec::new());
        while begun.elapsed() < during {
            let asked = Instant::now();
            let mut stream = TcpStream::connect(("127.0.0.1", self.health)).await?;
            stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            if !answer.starts_with(b"HTTP/1.1 200") {
                bail!("the daemon is not alive: {}", answer.escape_ascii());
            }
            pulses.push(millis(asked.elapsed()));
            tokio::time::sleep(PULSE).await;
        }
        Ok(pulses)
    }
}

/// VMs of the largest fleet.
fn most() -> usize {
    FLEETS.into_iter().max().unwrap_or_default()
}

fn daemon(embedded: &Embedded, health: u16, log: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reef"));
    command.args(["daemon", "--node", "node-1", "--unverified-sockets", "--health-addr"]);
    command.arg(format!("127.0.0.1:{health}")).arg("--host-root").arg(embedded.host_root("node-1"));
    command.arg("--kubeconfig").arg(&embedded.kubeconfig);
    let log = std::fs::File::create(log)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.spawn().context("the daemon cannot be started")
}

fn count(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// Files that a process has open.
fn descriptors(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/fd");
    let open = std::fs::read_dir(&path).with_context(|| format!("{path} cannot be read"))?;
    Ok(open.fold(0.0, |count, _| count + 1.0))
}
