//! `reef snapshot`: what a plan needs to know of a cluster, kept in a file for places that may not reach it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use reef_api::facts::{ClusterSnapshot, SNAPSHOT_KIND};
use reef_api::names::reef_api_version;
use serde::Deserialize;
use serde_json::Value;

use super::args::ClusterArgs;
use super::print;
use super::progress::Progress;
use crate::wiring::clock::SystemClock;
use crate::wiring::facts;

/// Arguments of `reef snapshot`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File to write; standard output when absent. It is replaced as a whole.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Reads the cluster and writes the document.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let cluster = args.cluster.connect().await?;
    let progress = Progress::start("reading the cluster");
    let taken = facts::take(&cluster, &SystemClock).await?;
    drop(progress);
    match &args.file {
        Some(file) => written(file, &serde_json::to_string_pretty(&taken.snapshot)?)?,
        None => print::json(&taken.snapshot)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Written beside its place first, so that a reader never finds half of it.
fn written(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut name = file.file_name().context("--file names no file")?.to_owned();
    name.push(".part");
    let part = file.with_file_name(name);
    std::fs::write(&part, text).with_context(|| format!("{} cannot be written", part.display()))?;
    std::fs::rename(&part, file).with_context(|| format!("{} cannot be written", file.display()))
}

/// Reads a document that `reef snapshot` wrote.
pub fn read(file: &Path) -> anyhow::Result<ClusterSnapshot> {
    let shown = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("the snapshot {shown} cannot be read"))?;
    let envelope = match serde_json::from_slice::<Envelope>(&bytes) {
        Err(error) if error.is_data() => Envelope::default(),
        read => read.with_context(|| format!("the snapshot {shown} is no JSON"))?,
    };
    let (kind, version) = (said(&envelope.kind), said(&envelope.api_version));
    if kind != SNAPSHOT_KIND {
        bail!(
            "{shown} is no snapshot: its kind is {kind:?}, and not {SNAPSHOT_KIND}; make one with `reef snapshot --file FILE`"
        );
    }
    if version != reef_api_version() {
        bail!(
            "the snapshot {shown} has version {version:?}, and this Reef reads {}; take it anew with the same Reef",
            reef_api_version()
        );
    }
    serde_json::from_slice(&bytes).with_context(|| format!("the snapshot {shown} cannot be used; take it anew"))
}

/// What a document says that it is. It is read by itself, so that no tree is made of the whole.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Envelope {
    kind: Value,
    api_version: Value,
}

fn said(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
