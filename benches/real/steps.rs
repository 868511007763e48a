//! What is measured, step by step, on one cluster of one size.

use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use reef::demo::repository::{Change, Repository};
use reef::wiring::clock::SystemClock;
use reef::wiring::crds;
use reef_api::condition::READY;
use reef_api::names::REQUESTED_AT_ANNOTATION;
use reef_api::{Clock, GitSource, GitSourceSpec};
use reef_real::{Cluster, Options, Party, Shape};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::audit::{Audit, Call};
use crate::controller::Controllers;
use crate::parties::{self, Fleet};
use crate::report::{Report, millis};
use crate::role::Role;
use crate::server::Server;
use crate::{fleet, kubectl, machine, review};

const NAMESPACE: &str = "fleet";
const SOURCE: &str = "fleet";
/// Long enough that no look at the repository happens by itself while something else is measured.
const RARELY: &str = "6h";
/// As often as a source may look.
const OFTEN: &str = "5s";
/// Changes of one VM.
const CHANGES: usize = 9;
/// Nothing has been asked for so long: everything that was started is done.
const QUIET: Duration = Duration::from_secs(2);
/// How long nothing may change while passes that change nothing are watched.
const IDLE: Duration = Duration::from_secs(30);
/// Until something counts as stuck, for each thousand VMs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Everything of one run.
struct Bench {
    vms: usize,
    cluster: Cluster,
    client: Client,
    audit: Audit,
    controllers: Controllers,
    repository: Repository,
    fleet: watch::Receiver<Fleet>,
    _server: Server,
    folder: tempfile::TempDir,
    /// When the controller was told of the repository last.
    told: usize,
}

/// Measures all of it with so many VMs.
pub async fn measure(vms: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut bench = Bench::start(vms).await?;
    let mut controller = bench.controllers.start()?;
    bench.source_ready().await?;
    report.add(bench.section("memory"), "controller, no VM", "MiB", None, vec![machine::resident(controller.pid)?]);
    let applied = bench.first_apply(&controller, report).await?;
    bench.nothing(&controller, report).await?;
    controller = bench.restart(controller, report).await?;
    bench.changes(&controller, report).await?;
    report.add(
        bench.section("memory"),
        "controller, after the changes",
        "MiB",
        None,
        vec![machine::resident(controller.pid)?],
    );
    report.add(
        bench.section("memory"),
        "controller, most ever since its restart",
        "MiB",
        None,
        vec![machine::peak(controller.pid)?],
    );
    controller.stop().await?;
    bench.beside(applied, report).await
}

impl Bench {
    async fn start(vms: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (audit, flags) = Audit::of_controller(folder.path())?;
        let mut options = Options { name: Some(format!("bench-{vms}")), ..Options::of(Shape::ControlPlane) };
        options.flags.insert(Party::ApiServer, flags);
        let cluster = Cluster::start(options).await?;
        let client = cluster.client().await?;
        define(&client).await?;
        for namespace in [NAMESPACE, "kubectl"] {
            let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } }))?;
            Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        }
        parties::create_nodes(&client, vms).await?;
        let repository = Repository::create(&folder.path().join("vms.git"), &[])?;
        repository.push("a repository", &[note("It holds VMs.")])?;
        let server = Server::start(folder.path()).await?;
        let controllers = Controllers::prepare(&client, cluster.kubeconfig(), folder.path()).await?;
        let (sender, seen) = watch::channel(Fleet::default());
        tokio::spawn(parties::play(client.clone(), NAMESPACE.to_owned(), sender, None));
        let url = server.url("vms.git");
        let spec = GitSourceSpec { url, interval: Some(RARELY.to_owned()), ..GitSourceSpec::default() };
        let source = GitSource::new(SOURCE, spec);
        Api::<GitSource>::namespaced(client.clone(), NAMESPACE).create(&PostParams::default(), &source).await?;
        Ok(Self { vms, cluster, client, audit, controllers, repository, fleet: seen, _server: server, folder, told: 0 })
    }

    fn section(&self, of: &str) -> &'static str {
        // A handful of names, which live as long as the report.
        Box::leak(format!("{} VMs, {of}", self.vms).into_boxed_str())
    }

    async fn first_apply(&mut self, controller: &Role, report: &mut Report) -> anyhow::Result<Duration> {
        let section = self.section("first apply");
        let files: Vec<Change> = (0..self.vms).map(|number| fleet::file(&fleet::name(number), 2)).collect();
        self.repository.push("all VMs", &files)?;
        let (cpu, before) = (controller.cpu()?, self.audit.calls()?.len());
        let begun = Instant::now();
        self.tell().await?;
        let vms = self.vms;
        self.until("all VMs are applied", |fleet| fleet.vms.len() == vms).await?;
        let applied = begun.elapsed();
        report.add(section, "told to all applied", "s", None, vec![applied.as_secs_f64()]);
        report.add(
            section,
            "CPU of the controller until applied",
            "s",
            None,
            vec![(controller.cpu()? - cpu).as_secs_f64()],
        );
        self.until("all VMs are settled", |fleet| fleet.settled() == vms).await?;
        self.quiet().await?;
        report.add(
            section,
            "CPU of the controller until settled",
            "s",
            None,
            vec![(controller.cpu()? - cpu).as_secs_f64()],
        );
        let calls = count(self.audit.calls()?.len() - before) / count(self.vms);
        report.add(section, "calls for each VM until settled, events included", "", None, vec![calls]);
        let memory = self.section("memory");
        report.add(memory, "controller, all VMs run", "MiB", None, vec![machine::resident(controller.pid)?]);
        report.add(memory, "controller, most ever until then", "MiB", None, vec![machine::peak(controller.pid)?]);
        Ok(applied)
    }

    /// Looks at a repository that does not change, every few seconds.
    async fn nothing(&mut self, controller: &Role, report: &mut Report) -> anyhow::Result<()> {
        let section = self.section("nothing changes");
        self.interval(OFTEN).await?;
        self.quiet().await?;
        let (cpu, before) = (controller.cpu()?, self.audit.calls()?.len());
        tokio::time::sleep(IDLE).await;
        let calls = self.audit.calls()?.len() - before;
        let used = (controller.cpu()? - cpu).as_secs_f64() * 1000.0 * 5.0 / IDLE.as_secs_f64();
        report.add(section, "API calls in 30 s of fetches every 5 s", "", Some("0"), vec![count(calls)]);
        report.add(section, "CPU of the controller for each fetch", "ms", None, vec![used]);
        self.interval(RARELY).await?;
        self.quiet().await
    }

    /// A full pass: everything is listed, read and compared anew.
    async fn restart(&mut self, controller: Role, report: &mut Report) -> anyhow::Result<Role> {
        let section = self.section("a full pass, by a restart");
        controller.stop().await?;
        let before = self.audit.calls()?.len();
        let controller = self.controllers.start()?;
        let began = Instant::now();
        while self.audit.calls()?.len() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let end = self.quiet_since(began).await?;
        let calls = self.audit.calls()?;
        let since = calls.get(before..).unwrap_or_default();
        let writes = since.iter().filter(|call| call.writes()).count();
        report.add(section, "writes", "", Some("0"), vec![count(writes)]);
        report.add(section, "reads, each of a hundred objects at most", "", None, vec![count(since.len() - writes)]);
        report.add(section, "start to the end of the lists", "s", None, vec![end.as_secs_f64()]);
        report.add(section, "CPU of the controller, start to rest", "s", None, vec![controller.cpu()?.as_secs_f64()]);
        report.add(
            self.section("memory"),
            "controller, after a restart",
            "MiB",
            None,
            vec![machine::resident(controller.pid)?],
        );
        Ok(controller)
    }

    /// One VM among all grows, time and again.
    async fn changes(&mut self, controller: &Role, report: &mut Report) -> anyhow::Result<()> {
        let section = self.section("one VM changes");
        let [mut applied, mut settled, mut calls, mut all, mut cpu] = [const { Vec::new() }; 5];
        for number in 0..CHANGES {
            let name = fleet::name((number * 389 + 7) % self.vms);
            self.quiet().await?;
            let (before, used) = (self.audit.calls()?.len(), controller.cpu()?);
            self.repository.push("one grows", &[fleet::file(&name, 4)])?;
            let (begun, at) = (Instant::now(), SystemClock.now());
            self.tell().await?;
            self.until("the VM is applied", |fleet| fleet.vms.get(&name).is_some_and(|vm| vm.gib == 4)).await?;
            let seen = begun.elapsed();
            self.until("the VM is settled", |fleet| fleet.vms.get(&name).is_some_and(|vm| vm.gib == 4 && vm.settled))
                .await?;
            settled.push(millis(begun.elapsed()));
            self.quiet().await?;
            let log = self.audit.calls()?;
            let since = log.get(before..).unwrap_or_default();
            let apply = since.iter().find(|call| call.applies(&name)).context("the log has no apply")?;
            applied.push(millis(seen.min(Duration::try_from(apply.stage_timestamp.duration_since(at))?)));
            calls.push(count(until(since, apply)));
            all.push(count(since.len()));
            cpu.push(millis(controller.cpu()? - used));
        }
        report.add(section, "told to applied", "ms", Some("200"), applied);
        report.add(section, "API calls until applied", "", Some("3 or fewer"), calls);
        report.add(section, "told to settled, the other parties being instant", "ms", None, settled);
        report.add(section, "API calls until settled and told, events included", "", None, all);
        report.add(section, "CPU of the controller until settled", "ms", None, cpu);
        Ok(())
    }

    /// `kubectl` with the same objects, in a namespace of its own, while no controller runs.
    async fn beside(&self, reef: Duration, report: &mut Report) -> anyhow::Result<()> {
        let section = self.section("kubectl beside it");
        let folder = self.folder.path().join("manifests");
        fleet::write(&folder, self.vms, 2)?;
        let run = |verb: &str| tokio::task::block_in_place(|| kubectl::run(&self.cluster, verb, &folder));
        let first = run("apply")?.as_secs_f64();
        let diff = run("diff")?.as_secs_f64();
        let again = run("apply")?.as_secs_f64();
        report.add(section, "apply --server-side, first", "s", None, vec![first]);
        report.add(section, "diff --server-side, nothing differs", "s", None, vec![diff]);
        report.add(section, "apply --server-side, nothing differs", "s", None, vec![again]);
        report.add(section, "first apply, Reef divided by kubectl", "", None, vec![reef.as_secs_f64() / first]);
        let section = self.section("reviewed, kubectl beside it");
        let measure = || review::measure(&self.cluster, self.folder.path(), self.vms, section, report);
        tokio::task::block_in_place(measure)
    }

    /// Tells the controller that something was pushed, as the receiver of a forge's webhook does.
    async fn tell(&mut self) -> anyhow::Result<()> {
        self.told += 1;
        let word = format!("push {}", self.told);
        self.edit(&json!({ "metadata": { "annotations": { REQUESTED_AT_ANNOTATION: word } } })).await
    }

    async fn interval(&self, interval: &str) -> anyhow::Result<()> {
        self.edit(&json!({ "spec": { "interval": interval } })).await
    }

    async fn edit(&self, patch: &serde_json::Value) -> anyhow::Result<()> {
        let api: Api<GitSource> = Api::namespaced(self.client.clone(), NAMESPACE);
        api.patch(SOURCE, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Waits until the source says that the empty repository is applied.
    async fn source_ready(&self) -> anyhow::Result<()> {
        let (begun, api) = (Instant::now(), Api::<GitSource>::namespaced(self.client.clone(), NAMESPACE));
        while begun.elapsed() < PATIENCE {
            let status = api.get(SOURCE).await?.status.unwrap_or_default();
            if status.conditions.iter().any(|found| found.type_ == READY && found.status == "True") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the source does not get ready")
    }

    async fn until(&mut self, what: &str, mut so: impl FnMut(&Fleet) -> bool) -> anyhow::Result<()> {
        let patience = self.patience();
        let reached = tokio::time::timeout(patience, self.fleet.wait_for(|fleet| so(fleet))).await;
        reached.with_context(|| format!("not within {} s: {what}", patience.as_secs()))??;
        Ok(())
    }

    fn patience(&self) -> Duration {
        PATIENCE.saturating_mul(u32::try_from(self.vms / 1000).unwrap_or(u32::MAX).max(1))
    }

    async fn quiet(&self) -> anyhow::Result<()> {
        self.quiet_since(Instant::now()).await.map(|_| ())
    }

    /// Waits until the controller asks for nothing any more, and tells when it asked for the last thing.
    async fn quiet_since(&self, begun: Instant) -> anyhow::Result<Duration> {
        let (mut calls, mut last) = (self.audit.calls()?.len(), Instant::now());
        while last.elapsed() < QUIET {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.audit.calls()?.len();
            if now != calls {
                (calls, last) = (now, Instant::now());
            }
        }
        Ok(last.duration_since(begun))
    }
}

/// How many requests had come in when one of them was answered.
fn until(calls: &[Call], last: &Call) -> usize {
    calls.iter().filter(|call| call.request_received_timestamp <= last.stage_timestamp).count()
}

/// Installs Reef's kinds.
pub async fn define(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in crds::all() {
        api.create(&PostParams::default(), &definition).await?;
        let established = kube::runtime::wait::conditions::is_crd_established();
        kube::runtime::wait::await_condition(api.clone(), &definition.name_any(), established).await?;
    }
    Ok(())
}

/// A change of a file that defines nothing.
fn note(text: &str) -> Change {
    Change::Write { path: "README.md".to_owned(), text: text.to_owned() }
}

/// A number as a figure.
pub fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
