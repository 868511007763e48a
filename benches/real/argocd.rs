//! Argo CD beside Reef's own source: the same VMs of the same repository, in a namespace for each way, told of each push one after the other.
//!
//! Both ways end at the same controller; what differs is who brings a commit to the API server. Settings and sample are those of `argocd/`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use reef::demo::repository::{Change, Repository};
use reef_api::argocd::{ARGOCD_GROUP, ARGOCD_VERSION};
use reef_api::names::REQUESTED_AT_ANNOTATION;
use reef_api::{GitSource, GitSourceSpec};
use reef_real::stage::argocd::{self, ArgoCd, NAMESPACE, Part};
use reef_real::{Cluster, Options, Shape};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::controller::Controllers;
use crate::parties::{self, Fleet};
use crate::report::{Report, millis};
use crate::server::Server;
use crate::steps::define;
use crate::{fleet, machine};

/// The namespace of Reef's own source, and the one of the Application; both are their names as well.
const OWN: &str = "own";
const SYNCED: &str = "synced";
/// Long enough that nobody looks at the repository by itself.
const RARELY: &str = "6h";
/// Changes of one VM, by each way.
const CHANGES: usize = 9;
/// Between two changes.
const QUIET: Duration = Duration::from_secs(3);
/// Until something counts as stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// Both ways, and what is told of a push.
struct Beside {
    cluster: Cluster,
    client: Client,
    repository: Repository,
    own: watch::Receiver<Fleet>,
    synced: watch::Receiver<Fleet>,
    told: usize,
    server: Server,
    _folder: tempfile::TempDir,
}

/// What changes took, in milliseconds.
#[derive(Default)]
struct Took {
    applied: Vec<f64>,
    settled: Vec<f64>,
}

/// Measures both ways with so many VMs in each.
pub async fn measure(vms: usize, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options { name: Some(format!("bench-argocd-{vms}")), ..Options::of(Shape::ControlPlane) };
    let mut cluster = Cluster::start(options).await?;
    let client = cluster.client().await?;
    define(&client).await?;
    parties::create_nodes(&client, vms * 2).await?;
    ArgoCd::start(&mut cluster).await?;
    argocd::configure(&cluster, &file("argocd-cm.yaml"))?;
    let controllers = Controllers::prepare(&client, cluster.kubeconfig(), folder.path()).await?;
    let controller = controllers.start()?;
    let mut beside = Beside::start(cluster, client, folder).await?;
    let section: &'static str = Box::leak(format!("{vms} VMs, Argo CD beside Reef's own source").into_boxed_str());
    let [own, synced] = beside.first(vms).await?;
    report.add(section, "first apply and settled, own source", "s", None, vec![own.as_secs_f64()]);
    report.add(section, "first apply and settled, Argo CD", "s", None, vec![synced.as_secs_f64()]);
    let [own, synced] = beside.changes(vms).await?;
    report.add(section, "told to applied, own source", "ms", None, own.applied);
    report.add(section, "told to applied, Argo CD", "ms", None, synced.applied);
    report.add(section, "told to settled, own source", "ms", None, own.settled);
    report.add(section, "told to settled, Argo CD", "ms", None, synced.settled);
    report.add(section, "memory of Reef's controller", "MiB", None, vec![machine::resident(controller.pid)?]);
    for part in [Part::ApplicationController, Part::RepoServer, Part::Redis] {
        let mebibytes = f64::from(u32::try_from(beside.cluster.memory_kib(part.name()).await?)?) / 1024.0;
        let what: &'static str = Box::leak(format!("memory of {}", part.name()).into_boxed_str());
        report.add(section, what, "MiB", None, vec![mebibytes]);
    }
    controller.stop().await
}

/// A file of `argocd/`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("argocd").join(name)
}

impl Beside {
    async fn start(cluster: Cluster, client: Client, folder: tempfile::TempDir) -> anyhow::Result<Self> {
        let repository = Repository::create(&folder.path().join("vms.git"), &[])?;
        let server = Server::start(folder.path()).await?;
        let (own, synced) = (namespace(&client, OWN).await?, namespace(&client, SYNCED).await?);
        Ok(Self { cluster, client, repository, own, synced, told: 0, server, _folder: folder })
    }

    /// Pushes all VMs, and has them applied by each way; how long each took until all were settled.
    async fn first(&mut self, vms: usize) -> anyhow::Result<[Duration; 2]> {
        let files: Vec<Change> = (0..vms).map(|number| fleet::file(&fleet::name(number), 2)).collect();
        self.repository.push("all VMs", &files)?;
        let url = self.server.url("vms.git");
        let begun = Instant::now();
        let spec = GitSourceSpec { url: url.clone(), interval: Some(RARELY.to_owned()), ..GitSourceSpec::default() };
        let sources = Api::<GitSource>::namespaced(self.client.clone(), OWN);
        sources.create(&PostParams::default(), &GitSource::new(OWN, spec)).await?;
        until(&mut self.own, "all VMs of the source are settled", |fleet| fleet.settled() == vms).await?;
        let own = begun.elapsed();
        tokio::time::sleep(QUIET).await;
        let begun = Instant::now();
        self.applications().create(&PostParams::default(), &application(&url)?).await?;
        until(&mut self.synced, "all VMs of the Application are settled", |fleet| fleet.settled() == vms).await?;
        Ok([own, begun.elapsed()])
    }

    /// One VM among all grows, time and again; each way is told of it when the other has done with it, and which is first changes.
    async fn changes(&mut self, vms: usize) -> anyhow::Result<[Took; 2]> {
        let mut took = [Took::default(), Took::default()];
        for number in 0..CHANGES {
            let name = fleet::name((number * 389 + 7) % vms);
            let gib = if vms > CHANGES || number % 2 == 0 { 4 } else { 2 };
            self.repository.push("one changes", &[fleet::file(&name, gib)])?;
            for turn in [number % 2, (number + 1) % 2] {
                tokio::time::sleep(QUIET).await;
                // Argo CD looks by itself every two or three minutes, and was faster then.
                let way = if turn == 0 { &self.own } else { &self.synced };
                if way.borrow().vms.get(&name).is_some_and(|vm| vm.gib == gib) {
                    continue;
                }
                let begun = Instant::now();
                let seen = match turn {
                    0 => self.tell_source().await.map(|()| &mut self.own)?,
                    _ => self.tell_application().await.map(|()| &mut self.synced)?,
                };
                let took = took.get_mut(turn).context("two ways")?;
                until(seen, "the VM is applied", |fleet| fleet.vms.get(&name).is_some_and(|vm| vm.gib == gib)).await?;
                took.applied.push(millis(begun.elapsed()));
                let there = |fleet: &Fleet| fleet.vms.get(&name).is_some_and(|vm| vm.gib == gib && vm.settled);
                until(seen, "the VM is settled", there).await?;
                took.settled.push(millis(begun.elapsed()));
            }
        }
        Ok(took)
    }

    /// As the receiver of a forge's webhook does.
    async fn tell_source(&mut self) -> anyhow::Result<()> {
        self.told += 1;
        let word = format!("push {}", self.told);
        let patch = json!({ "metadata": { "annotations": { REQUESTED_AT_ANNOTATION: word } } });
        let sources = Api::<GitSource>::namespaced(self.client.clone(), OWN);
        sources.patch(OWN, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// As Argo CD's own receiver of a forge's webhook does.
    async fn tell_application(&self) -> anyhow::Result<()> {
        let patch = json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "normal" } } });
        self.applications().patch(SYNCED, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    fn applications(&self) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(ARGOCD_GROUP, ARGOCD_VERSION, "Application"));
        Api::namespaced_with(self.client.clone(), NAMESPACE, &kind)
    }
}

/// A namespace in which the parties of its VMs are played, and how far its VMs are.
async fn namespace(client: &Client, name: &str) -> anyhow::Result<watch::Receiver<Fleet>> {
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    let (sender, receiver) = watch::channel(Fleet::default());
    tokio::spawn(parties::play(client.clone(), name.to_owned(), sender, None));
    Ok(receiver)
}

/// The sample, of this repository and namespace.
fn application(url: &str) -> anyhow::Result<DynamicObject> {
    let mut object: Value = serde_yaml::from_str(&std::fs::read_to_string(file("application.yaml"))?)?;
    let place = |object: &mut Value, path: &str, text: &str| -> anyhow::Result<()> {
        *object.pointer_mut(path).with_context(|| format!("argocd/application.yaml has no {path}"))? = json!(text);
        Ok(())
    };
    place(&mut object, "/metadata/name", SYNCED)?;
    place(&mut object, "/spec/source/repoURL", url)?;
    place(&mut object, "/spec/destination/namespace", SYNCED)?;
    Ok(serde_json::from_value(object)?)
}

async fn until(
    seen: &mut watch::Receiver<Fleet>,
    what: &str,
    mut so: impl FnMut(&Fleet) -> bool,
) -> anyhow::Result<()> {
    let reached = tokio::time::timeout(PATIENCE, seen.wait_for(|fleet| so(fleet))).await;
    reached.with_context(|| format!("not within {} s: {what}", PATIENCE.as_secs()))??;
    Ok(())
}
