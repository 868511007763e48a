//! `reef explain VM`: why a VM has the size that it has, who asked, which rules decide, what it waits for, and what would help.

use std::process::ExitCode;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use reef_api::names::VM_LABEL;
use reef_api::{Clock, EffectivePolicy, GitSource, PolicyConflict, SizingPolicy, VirtualMachine};
use reef_reconciler::observe::KeptPod;

use super::args::{ClusterArgs, OutputFormat};
use super::progress::Progress;
use super::vm::VmArgs;
use super::{past, print};
use crate::view::explain::{self, Explained};
use crate::view::{SourceView, VmView};
use crate::wiring::clock::SystemClock;
use crate::wiring::kubeconfig::Cluster;
use crate::wiring::objects::{list, unless_forbidden};

/// Arguments of `reef explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    vm: VmArgs,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Reads, and prints what it comes to.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let cluster = args.cluster.connect().await?;
    let clone = args.vm.clone_at_hand()?;
    let progress = Progress::start("reading the cluster");
    let vm = args.vm.find(&cluster).await?;
    let view = view(&cluster, &vm).await?;
    let policy = policy(&cluster, &vm).await?;
    progress.say("reading the repository's past");
    let past = past::read(clone.as_ref(), &vm)?;
    drop(progress);
    let now = SystemClock.now();
    let explained = Explained::of(&vm, view, &policy, &past, now);
    args.output.print(&explained, || explain::text(&explained, &past, now, print::paint(), print::width()))?;
    Ok(ExitCode::SUCCESS)
}

/// The VM as `reef status` shows it. What its source says of it is left out where sources may not be read.
async fn view(cluster: &Cluster, vm: &VirtualMachine) -> anyhow::Result<VmView> {
    let namespace = vm.metadata.namespace.as_deref();
    let name = vm.metadata.name.as_deref().unwrap_or_default();
    let labelled = ListParams::default().labels(&format!("{VM_LABEL}={name}"));
    let pods: Vec<Pod> = list(cluster, namespace, &labelled).await?;
    let pods: Vec<KeptPod> = pods.iter().map(KeptPod::from).collect();
    let sources = unless_forbidden(list::<GitSource>(cluster, namespace, &ListParams::default()).await)?;
    let sources: Vec<SourceView> = sources.unwrap_or_default().iter().map(SourceView::of).collect();
    Ok(VmView::of(vm, &pods).beside(&sources))
}

async fn policy(cluster: &Cluster, vm: &VirtualMachine) -> anyhow::Result<Result<EffectivePolicy, PolicyConflict>> {
    let policies: Vec<SizingPolicy> = list(cluster, vm.metadata.namespace.as_deref(), &ListParams::default()).await?;
    let named = policies.iter().map(|policy| (policy.metadata.name.as_deref().unwrap_or_default(), &policy.spec));
    Ok(EffectivePolicy::select(named, vm.metadata.labels.as_ref().unwrap_or(&Default::default())))
}
