//! `reef status [VM]`: reads VMs, Pods and sources once and prints what they say.

use std::process::ExitCode;

use anyhow::bail;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use reef_api::names::VM_LABEL;
use reef_api::{Clock, GitSource, VirtualMachine};
use reef_reconciler::observe::KeptPod;
use serde::Serialize;

use super::args::{ClusterArgs, OutputFormat, ScopeArgs};
use super::{print, vm};
use crate::view::source::sources;
use crate::view::table::{LEGEND, Namespaces, vms};
use crate::view::{SourceView, VmView, detail};
use crate::wiring::clock::SystemClock;
use crate::wiring::kubeconfig::Cluster;
use crate::wiring::objects::list;

/// Arguments of `reef status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// VM to show in full, as NAME or NAMESPACE/NAME; all VMs and sources in a table when absent.
    vm: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Serialize)]
struct All {
    vms: Vec<VmView>,
    sources: Vec<SourceView>,
}

/// Prints what the cluster says.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let cluster = args.cluster.connect().await?;
    let namespace = args.scope.namespace.as_ref().unwrap_or(&cluster.namespace);
    match &args.vm {
        Some(_) if args.scope.all_namespaces => bail!("name a namespace with -n: a VM is in one"),
        Some(name) => one(args, &cluster, namespace, name).await?,
        None => all(args, &cluster, namespace).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(args: &Args, cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<()> {
    let key = vm::key(name, args.scope.namespace.as_deref(), namespace)?;
    let vm = vm::find(cluster, &key).await?;
    let labelled = ListParams::default().labels(&format!("{VM_LABEL}={}", key.name));
    let namespace = key.namespace.as_str();
    let pods: Vec<Pod> = list(cluster, Some(namespace), &labelled).await?;
    let found: Vec<GitSource> = list(cluster, Some(namespace), &ListParams::default()).await?;
    let sources: Vec<SourceView> = found.iter().map(SourceView::of).collect();
    let pods: Vec<KeptPod> = pods.iter().map(KeptPod::from).collect();
    let view = VmView::of(&vm, &pods).beside(&sources);
    args.output.print(&view, || detail::vm(&view, SystemClock.now(), print::paint(), print::width()))
}

async fn all(args: &Args, cluster: &Cluster, namespace: &str) -> anyhow::Result<()> {
    let namespace = (!args.scope.all_namespaces).then_some(namespace);
    let found: Vec<VirtualMachine> = list(cluster, namespace, &ListParams::default()).await?;
    let pods: Vec<Pod> = list(cluster, namespace, &ListParams::default().labels(VM_LABEL)).await?;
    let pods: Vec<KeptPod> = pods.iter().map(KeptPod::from).collect();
    let found_sources: Vec<GitSource> = list(cluster, namespace, &ListParams::default()).await?;
    let sources: Vec<SourceView> = found_sources.iter().map(SourceView::of).collect();
    let all = All { vms: found.iter().map(|vm| VmView::of(vm, &pods).beside(&sources)).collect(), sources };
    args.output.print(&all, || text(&all, namespace))
}

fn text(all: &All, namespace: Option<&str>) -> String {
    let paint = print::paint();
    let mut text = if all.vms.is_empty() {
        let place = namespace.map_or_else(|| "the cluster".to_owned(), |name| format!("namespace {name}"));
        format!("There is no VM in {place}.\n")
    } else {
        let namespaces = if namespace.is_some() { Namespaces::Hidden } else { Namespaces::Shown };
        vms(&all.vms, namespaces, paint, print::width()) + LEGEND
    };
    if !all.sources.is_empty() {
        text += "\n";
        text += &sources(&all.sources, paint, print::width());
    }
    text
}
