//! A whole installation at rest: every role by its own account and rights, a thousand VMs that have what they are to have, and nothing to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use reef::demo::repository::{Change, Repository};
use reef_api::{GitSource, GitSourceSpec};
use reef_real::stage::accounts::{self, Account};
use reef_real::{Cluster, Options, Party, Shape};
use serde_json::json;
use tokio::sync::watch;

use crate::audit::{Audit, Call};
use crate::parties::{self, Fleet, PODS};
use crate::report::Report;
use crate::role::Role;
use crate::server::Server;
use crate::steps::{count, define};
use crate::vmms::Vmms;
use crate::{fleet, machine};

const NAMESPACE: &str = "fleet";
const VMS: usize = 1_000;
/// After everything has settled nothing is measured for so long.
const CALM: Duration = Duration::from_secs(45);
/// How long rest is measured.
const REST: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(600);
const SECTION: &str = "1,000 VMs at rest, all roles";

/// The roles of an installation, each with how many run.
struct Roles {
    controllers: Vec<Role>,
    webhooks: Vec<Role>,
    daemons: Vec<Role>,
}

/// Measures all of it.
pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (audit, flags) = Audit::of_installation(folder.path())?;
    let mut options = Options { name: Some("bench-rest".to_owned()), ..Options::of(Shape::ControlPlane) };
    options.flags.insert(Party::ApiServer, flags);
    let cluster = Cluster::start(options).await?;
    let client = cluster.client().await?;
    define(&client).await?;
    accounts::install(&cluster)?;
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    parties::create_nodes(&client, VMS).await?;
    let nodes: Vec<String> = (0..VMS / PODS).map(|number| format!("node-{number}")).collect();
    let vmms = Vmms::on(folder.path().join("nodes"), &nodes)?;
    let (sender, seen) = watch::channel(Fleet::default());
    tokio::spawn(parties::play(client.clone(), NAMESPACE.to_owned(), sender, Some(vmms)));
    let repository = Repository::create(&folder.path().join("vms.git"), &[])?;
    let files: Vec<Change> = (0..VMS).map(|number| fleet::file(&fleet::name(number), 2)).collect();
    repository.push("all VMs", &files)?;
    let server = Server::start(folder.path()).await?;
    let source = GitSource::new("fleet", GitSourceSpec { url: server.url("vms.git"), ..GitSourceSpec::default() });
    Api::<GitSource>::namespaced(client, NAMESPACE).create(&PostParams::default(), &source).await?;
    let roles = Roles::start(&cluster, folder.path(), &nodes).await?;
    settled(seen).await?;
    tokio::time::sleep(CALM).await;
    roles.rest(&audit, report).await
}

async fn settled(mut fleet: watch::Receiver<Fleet>) -> anyhow::Result<()> {
    let reached = tokio::time::timeout(PATIENCE, fleet.wait_for(|fleet| fleet.settled() == VMS)).await.map(drop);
    if reached.is_err() {
        bail!("{} of {VMS} VMs are settled after {} s", fleet.borrow().settled(), PATIENCE.as_secs());
    }
    Ok(())
}

impl Roles {
    async fn start(cluster: &Cluster, folder: &Path, nodes: &[String]) -> anyhow::Result<Self> {
        let mut started = Self { controllers: Vec::new(), webhooks: Vec::new(), daemons: Vec::new() };
        let (controller, webhook, daemon) = (
            Account::of(cluster, "controller").await?,
            Account::of(cluster, "webhook").await?,
            Account::of(cluster, "daemon").await?,
        );
        let log = |role: &str| folder.join(format!("{role}.log"));
        for number in 0..2 {
            let cache = folder.join(format!("cache-{number}")).display().to_string();
            let arguments = ["controller", "--leader-elect", "--vmm-image", "reef", "--cache-dir", &cache];
            started.controllers.push(Role::start(&arguments, &controller.kubeconfig, &log("controller"))?);
            let arguments = ["webhook", "--listen", "127.0.0.1:0", "--tls-host", "127.0.0.1"];
            started.webhooks.push(Role::start(&arguments, &webhook.kubeconfig, &log("webhook"))?);
        }
        for node in nodes {
            let root = folder.join("nodes").join(node).display().to_string();
            let arguments = ["daemon", "--node", node, "--unverified-sockets", "--host-root", &root];
            started.daemons.push(Role::start(&arguments, &daemon.kubeconfig, &log("daemon"))?);
        }
        Ok(started)
    }

    async fn rest(&self, audit: &Audit, report: &mut Report) -> anyhow::Result<()> {
        let roles = [("controller", &self.controllers), ("webhook", &self.webhooks), ("daemon", &self.daemons)];
        let used = |of: &[Role]| -> anyhow::Result<Duration> { of.iter().map(Role::cpu).sum() };
        let before = roles.map(|(_, of)| used(of));
        let known = audit.calls()?.len();
        tokio::time::sleep(REST).await;
        let calls = audit.calls()?;
        let since = calls.get(known..).context("the log has become shorter")?;
        for ((role, of), before) in roles.into_iter().zip(before) {
            let cpu = used(of)? - before?;
            let each = f64::from(u32::try_from(of.len())?);
            let share = cpu.as_secs_f64() / REST.as_secs_f64() / each * 1000.0;
            report.add(SECTION, format!("{role}: CPU of each, thousandths of a core"), "", None, vec![share]);
            let memory = of.iter().map(|role| machine::resident(role.pid)).collect::<Result<_, _>>()?;
            report.add(SECTION, format!("{role}: memory of each"), "MiB", None, memory);
            let mine: Vec<&Call> = since.iter().filter(|call| call.is_by(&format!("reef-{role}"))).collect();
            let minutes = REST.as_secs_f64() / 60.0;
            let leases = mine.iter().filter(|call| call.renews()).count();
            let reads = mine.iter().filter(|call| !call.renews() && !call.writes()).count();
            let writes = mine.len() - leases - reads;
            let a_minute = |number: usize| vec![count(number) / minutes];
            report.add(SECTION, format!("{role}: lease renewals a minute, all together"), "", None, a_minute(leases));
            report.add(SECTION, format!("{role}: reads a minute, all together"), "", None, a_minute(reads));
            report.add(SECTION, format!("{role}: writes in all"), "", Some("0"), vec![count(writes)]);
        }
        let all = count(since.len()) / REST.as_secs_f64();
        report.add(SECTION, "requests of all roles", "a second", Some("below 1"), vec![all]);
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for call in since {
            *kinds.entry(call.told()).or_default() += 1;
        }
        eprintln!("  in {} s: {kinds:?}", REST.as_secs());
        Ok(())
    }
}
