//! `reef status [VM]`: reads VMs, Pods and sources once and prints what they say.

use std::process::ExitCode;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use reef_api::names::VM_LABEL;
use reef_api::{Clock, GitSource, VirtualMachine};
use reef_reconciler::observe::KeptPod;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::{ClusterArgs, OutputFormat, ScopeArgs};
use super::print;
use crate::view::source::sources;
use crate::view::table::{LEGEND, Namespaces, vms};
use crate::view::{SourceView, VmView, detail};
use crate::wiring::clock::SystemClock;
use crate::wiring::kubeconfig::Cluster;

/// Arguments of `reef status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// VM to show in full; all VMs and sources in a table when absent.
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
    let cluster = Cluster::find(args.cluster.kubeconfig.as_deref(), args.cluster.context.as_deref()).await?;
    let namespace = args.scope.namespace.as_ref().unwrap_or(&cluster.namespace);
    match &args.vm {
        Some(_) if args.scope.all_namespaces => bail!("name a namespace with -n: a VM is in one"),
        Some(name) => one(args, &cluster, namespace, name).await?,
        None => all(args, &cluster, namespace).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(args: &Args, cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<()> {
    let api: Api<VirtualMachine> = Api::namespaced(cluster.requests.clone(), namespace);
    let found = api.get_opt(name).await.with_context(|| unreadable::<VirtualMachine>(cluster))?;
    let Some(vm) = found else { bail!("there is no VM {name} in namespace {namespace}; `reef status -A` lists all") };
    let labelled = ListParams::default().labels(&format!("{VM_LABEL}={name}"));
    let pods: Api<Pod> = Api::namespaced(cluster.requests.clone(), namespace);
    let pods = pods.list(&labelled).await.with_context(|| unreadable::<Pod>(cluster))?;
    let found: Vec<GitSource> = list(cluster, Some(namespace), &ListParams::default()).await?;
    let sources: Vec<SourceView> = found.iter().map(SourceView::of).collect();
    let pods: Vec<KeptPod> = pods.iter().map(KeptPod::from).collect();
    let view = VmView::of(&vm, &pods).beside(&sources);
    match args.output {
        OutputFormat::Text => print::text(&detail::vm(&view, SystemClock.now(), print::paint())),
        OutputFormat::Json => print::json(&view),
        OutputFormat::Yaml => print::yaml(&view),
    }
}

async fn all(args: &Args, cluster: &Cluster, namespace: &str) -> anyhow::Result<()> {
    let namespace = (!args.scope.all_namespaces).then_some(namespace);
    let found: Vec<VirtualMachine> = list(cluster, namespace, &ListParams::default()).await?;
    let pods: Vec<Pod> = list(cluster, namespace, &ListParams::default().labels(VM_LABEL)).await?;
    let pods: Vec<KeptPod> = pods.iter().map(KeptPod::from).collect();
    let found_sources: Vec<GitSource> = list(cluster, namespace, &ListParams::default()).await?;
    let sources: Vec<SourceView> = found_sources.iter().map(SourceView::of).collect();
    let all = All { vms: found.iter().map(|vm| VmView::of(vm, &pods).beside(&sources)).collect(), sources };
    match args.output {
        OutputFormat::Text => print::text(&text(&all, namespace)),
        OutputFormat::Json => print::json(&all),
        OutputFormat::Yaml => print::yaml(&all),
    }
}

fn text(all: &All, namespace: Option<&str>) -> String {
    let paint = print::paint();
    let mut text = if all.vms.is_empty() {
        let place = namespace.map_or_else(|| "the cluster".to_owned(), |name| format!("namespace {name}"));
        format!("There is no VM in {place}.\n")
    } else {
        let namespaces = if namespace.is_some() { Namespaces::Hidden } else { Namespaces::Shown };
        vms(&all.vms, namespaces, paint) + LEGEND
    };
    if !all.sources.is_empty() {
        text += "\n";
        text += &sources(&all.sources, paint);
    }
    text
}

async fn list<K>(cluster: &Cluster, namespace: Option<&str>, params: &ListParams) -> anyhow::Result<Vec<K>>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let client: Client = cluster.requests.clone();
    let api: Api<K> = match namespace {
        Some(name) => Api::namespaced(client, name),
        None => Api::all(client),
    };
    Ok(api.list(params).await.with_context(|| unreadable::<K>(cluster))?.items)
}

fn unreadable<K: kube::Resource<DynamicType = ()>>(cluster: &Cluster) -> String {
    format!("{} cannot be read from {}", K::plural(&()), cluster.server)
}
