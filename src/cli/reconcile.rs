//! `reef reconcile [SOURCE]`: asks for a source to be read now, and stands by until its VMs have their sizes or say why not.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use reef_api::names::{CLI_MANAGER, REQUESTED_AT_ANNOTATION, SOURCE_ANNOTATION, VM_LABEL};
use reef_api::{Clock, GitSource, VirtualMachine, VmKey};
use reef_reconciler::observe::KeptPod;
use serde_json::json;
use tokio::time::Instant;

use super::args::{ClusterArgs, OutputFormat};
use super::progress::Progress;
use super::vm;
use crate::view::VmView;
use crate::view::settling::{Ending, Reconciled, Standing, standing, text};
use crate::wiring::clock::SystemClock;
use crate::wiring::kubeconfig::Cluster;
use crate::wiring::objects::{list, named};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// A file cannot be used, or a VM says why it does not have its size.
const INCOMPLETE: u8 = 3;
/// It still goes on.
const TIMED_OUT: u8 = 4;

/// Arguments of `reef reconcile`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 applied and every VM has its size (or it was asked for, with --no-wait), 1 error or the repository cannot be read, \
                  3 read, and a file cannot be used or a VM says why it does not have its size, 4 not done within the time.\n\
                  It needs the right to patch gitsources.reef.dev; everything else that it does is reading."
)]
pub struct Args {
    /// GitSource, as NAME or NAMESPACE/NAME; the only one of the namespace when absent.
    source: Option<String>,
    /// Namespace of the source; that of the context when absent.
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Ask, and do not stand by.
    #[arg(long)]
    no_wait: bool,
    /// How long to stand by, as 30s, 5m or 1h.
    #[arg(long, value_name = "TIME", default_value = "5m", conflicts_with = "no_wait")]
    timeout: SignedDuration,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Asks, stands by, and tells the outcome by the exit code.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let cluster = args.cluster.connect().await?;
    let source = source(args, &cluster).await?;
    let request = SystemClock.now().to_string();
    let asked = ask(&cluster, &source, &request).await?;
    let done = if args.no_wait {
        Reconciled::of(&asked, Ending::Asked, &[])
    } else {
        followed(&cluster, &source, &request, args.timeout.unsigned_abs()).await?
    };
    args.output.print(&done, || text(&done))?;
    Ok(match done.result {
        Ending::Settled | Ending::Asked => ExitCode::SUCCESS,
        Ending::Failed => ExitCode::FAILURE,
        Ending::Incomplete => ExitCode::from(INCOMPLETE),
        Ending::TimedOut => ExitCode::from(TIMED_OUT),
    })
}

/// The source that is named, or the only one there is.
async fn source(args: &Args, cluster: &Cluster) -> anyhow::Result<VmKey> {
    let namespace = args.namespace.as_deref().unwrap_or(&cluster.namespace);
    if let Some(text) = &args.source {
        return vm::key(text, args.namespace.as_deref(), namespace);
    }
    let found: Vec<GitSource> = list(cluster, Some(namespace), &ListParams::default()).await?;
    let names: Vec<String> = found.into_iter().filter_map(|source| source.metadata.name).collect();
    match names.as_slice() {
        [name] => Ok(VmKey::new(namespace, name)),
        [] => bail!(
            "there is no GitSource in namespace {namespace}; name another one with -n (`reef status -A` lists all)"
        ),
        several => bail!("namespace {namespace} has {} GitSources; name one: {}", several.len(), several.join(", ")),
    }
}

async fn ask(cluster: &Cluster, source: &VmKey, request: &str) -> anyhow::Result<GitSource> {
    let api: Api<GitSource> = Api::namespaced(cluster.requests.clone(), &source.namespace);
    let patch = json!({ "metadata": { "annotations": { REQUESTED_AT_ANNOTATION: request } } });
    let params = PatchParams { field_manager: Some(CLI_MANAGER.to_owned()), ..PatchParams::default() };
    let answer = api.patch(&source.name, &params, &Patch::Merge(&patch)).await;
    answer.map_err(|error| {
        let advice = match &error {
            kube::Error::Api(status) if status.code == 403 => {
                "; your account needs the right to patch gitsources.reef.dev there, which reef-reader does not give (docs/after.md has the rule)"
            }
            kube::Error::Api(status) if status.code == 404 => "; `reef status -A` lists all",
            _ => "",
        };
        anyhow::Error::new(error).context(format!("GitSource {source} cannot be asked to be read{advice}"))
    })
}

async fn followed(cluster: &Cluster, key: &VmKey, request: &str, time: Duration) -> anyhow::Result<Reconciled> {
    let deadline = Instant::now().checked_add(time);
    let progress = Progress::start(format!("GitSource {key} is asked to be read"));
    loop {
        let source: Option<GitSource> = named(cluster, &key.namespace, &key.name).await?;
        let source = source.with_context(|| format!("GitSource {key} was deleted meanwhile"))?;
        let vms = applied(cluster, key).await?;
        match standing(&source, request, &vms, SystemClock.now()) {
            Standing::Ended(ending) => return Ok(Reconciled::of(&source, ending, &vms)),
            Standing::Moving(text) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                let done = Reconciled::of(&source, Ending::TimedOut, &vms);
                return Ok(Reconciled { message: Some(text), ..done });
            }
            Standing::Moving(text) => progress.say(text),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The VMs that the source has applied.
async fn applied(cluster: &Cluster, source: &VmKey) -> anyhow::Result<Vec<VmView>> {
    let namespace = Some(source.namespace.as_str());
    let name = source.to_string();
    let ours = |vm: &VirtualMachine| {
        vm.metadata.annotations.as_ref().and_then(|found| found.get(SOURCE_ANNOTATION)) == Some(&name)
    };
    let vms: Vec<VirtualMachine> = list(cluster, namespace, &ListParams::default()).await?;
    let pods: Vec<Pod> = list(cluster, namespace, &ListParams::default().labels(VM_LABEL)).await?;
    let pods: Vec<KeptPod> = pods.iter().map(KeptPod::from).collect();
    Ok(vms.iter().filter(|vm| ours(vm)).map(|vm| VmView::of(vm, &pods)).collect())
}
