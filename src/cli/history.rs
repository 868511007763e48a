//! `reef history VM`: the sizes that a VM was asked for, when and by whom, how long each took and what became of it.

use std::process::ExitCode;

use super::args::{ClusterArgs, OutputFormat};
use super::progress::Progress;
use super::vm::VmArgs;
use super::{past, print};
use crate::view::history::{self, History};

/// Arguments of `reef history`.
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

/// Reads, and prints the sizes.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let cluster = args.cluster.connect().await?;
    let clone = args.vm.clone_at_hand()?;
    let progress = Progress::start("reading the cluster");
    let vm = args.vm.find(&cluster).await?;
    progress.say("reading the repository's past");
    let past = past::read(clone.as_ref(), &vm)?;
    drop(progress);
    let history = History::of(&vm, &past);
    args.output.print(&history, || history::text(&history, &past, print::paint(), print::width()))?;
    Ok(ExitCode::SUCCESS)
}
