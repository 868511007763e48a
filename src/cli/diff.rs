//! `reef diff`: what a repository states against what the cluster has, as `kubectl diff` shows it and with its exit codes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::Context;
use reef_api::{SizingPolicy, VirtualMachine};
use reef_reconciler::desired::{Desired, Kind, ObjectName, ParseCache, read_within};
use reef_reconciler::review::drifts;
use serde_json::Value;

use super::args::{ClusterArgs, OutputFormat, RepositoryArgs};
use super::print;
use super::progress::Progress;
use crate::view::drift::{DriftView, text};
use crate::wiring::kubeconfig::Cluster;
use crate::wiring::objects::raw;

/// Objects differ.
const DIFFERENT: u8 = 1;
/// Something went wrong, or a file cannot be used.
const FAILED: u8 = 2;

/// Arguments of `reef diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes, as those of kubectl diff: 0 nothing differs, 1 something does, 2 something cannot be read."
)]
pub struct Args {
    /// Commit, branch or tag to compare. The working tree when absent, whether committed or not.
    #[arg(long, value_name = "REF")]
    head: Option<String>,
    #[command(flatten)]
    repository: RepositoryArgs,
    /// GitSource that applies the repository, as NAMESPACE/NAME: objects of another one are not compared, and what it no longer states is told.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Compares, prints, and tells the outcome by the exit code.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match compared(args).await {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => {
            print::failure(&error);
            Ok(ExitCode::from(FAILED))
        }
    }
}

async fn compared(args: &Args) -> anyhow::Result<u8> {
    let progress = Progress::start("reading the repository");
    let desired = desired(args)?;
    progress.say("reading the cluster");
    let cluster = args.cluster.connect().await?;
    let live = live(&cluster, &desired, args.source.as_deref()).await?;
    drop(progress);
    let found: Vec<DriftView> = drifts(&desired, &live, args.source.as_deref()).iter().map(DriftView::of).collect();
    args.output.print(&found, || text(&found, print::paint()))?;
    found.iter().filter_map(DriftView::remark).for_each(|remark| print::warning(&remark));
    for problem in &desired.problems {
        print::note(&problem.to_string());
    }
    Ok(if !desired.problems.is_empty() {
        FAILED
    } else if found.iter().any(DriftView::differs) {
        DIFFERENT
    } else {
        0
    })
}

fn desired(args: &Args) -> anyhow::Result<Desired> {
    let repository = args.repository.open()?;
    let files = match &args.head {
        Some(name) => repository.at(repository.commit(name)?, None)?,
        None => repository.working_tree()?,
    };
    Ok(read_within(&files, &Desired::default(), args.repository.scope(), &mut ParseCache::default()))
}

/// The objects of the namespaces that the repository states something of, and of that of its source.
async fn live(
    cluster: &Cluster,
    desired: &Desired,
    source: Option<&str>,
) -> anyhow::Result<BTreeMap<ObjectName, Value>> {
    let mut namespaces: BTreeSet<&str> =
        desired.vms.keys().chain(desired.policies.keys()).map(|key| key.namespace.as_str()).collect();
    if let Some(source) = source {
        let (namespace, _) = source.split_once('/').context("--source is NAMESPACE/NAME of a GitSource")?;
        namespaces.insert(namespace);
    }
    let mut live = BTreeMap::new();
    for namespace in namespaces {
        let vms = raw::<VirtualMachine>(cluster, namespace).await?;
        let policies = raw::<SizingPolicy>(cluster, namespace).await?;
        let named = |kind, object: Value| {
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            (ObjectName { kind, namespace: namespace.to_owned(), name }, object)
        };
        live.extend(vms.into_iter().map(|object| named(Kind::VirtualMachine, object)));
        live.extend(policies.into_iter().map(|object| named(Kind::SizingPolicy, object)));
    }
    Ok(live)
}
