//! `reef demo`: everything at once, as a live table or as a tour.

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::print;
use crate::demo::forecast::Forecaster;
use crate::demo::live;
use crate::demo::observer::Observer;
use crate::demo::tour::guide::{Guide, Verdict};
use crate::demo::tour::record::Happened;
use crate::demo::tour::tell::Form;
use crate::demo::world::World;
use crate::wiring::embedded::Options;
use crate::wiring::{git, shutdown};

/// As shells tell that a program was interrupted.
const INTERRUPTED: u8 = 130;

/// Arguments of `reef demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The tour ends with code 0 when each of its steps ended as expected and no VM ever held more than its Pod, else with 1."
)]
pub struct Args {
    /// Make the pushes, follow each, and end. This is what happens without a terminal.
    #[arg(long)]
    tour: bool,
    /// Form of the tour.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Leave everything running after the tour, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Empty folder for repository, host trees, sockets and kubeconfig; one that is removed at the end when absent.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// All that is random in the cluster follows from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many times faster than measured on real ones the kubelets, VMMs and guests are.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speed: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line, for programs.
    Json,
}

/// Runs the table until told to stop, or the tour to its end.
pub async fn run(args: Args, git: git::Made) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let folder = Folder::new(args.dir.clone())?;
    let options = Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        nodes: 2,
        dir: folder.path().to_owned(),
        seed: args.seed,
        speed: args.speed,
    };
    let world = World::start(&options, git).await?;
    let mut observer = Observer::new(&world.embedded.connection.watches);
    let terminal = io::stdout().is_terminal();
    let outcome = if args.tour || !terminal || args.output == Format::Json {
        tour(&args, &world, &mut observer, folder.path(), git, &stop).await
    } else {
        live::show(&world, &mut observer, &stop).await.map(|()| ExitCode::SUCCESS).map_err(Into::into)
    };
    drop(observer);
    world.stop().await;
    outcome
}

async fn tour(
    args: &Args,
    world: &World,
    observer: &mut Observer,
    folder: &std::path::Path,
    git: git::Made,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let form = match args.output {
        Format::Text => Form::Text,
        Format::Json => Form::JsonLines,
    };
    form.tell(&Happened::Started {
        clone: world.repository.path().display().to_string(),
        kubeconfig: world.embedded.kubeconfig.display().to_string(),
    })?;
    let forecaster = Forecaster::new(&world.repository, &folder.join("forecast"), git).await?;
    let verdict = Guide::new(world, observer, forecaster, form, stop).go().await?;
    if args.keep && verdict != Verdict::Stopped {
        if form == Form::Text {
            print::text(&format!("\n{}", live::instructions(world)))?;
        }
        stop.cancelled().await;
    }
    Ok(match verdict {
        Verdict::Passed => ExitCode::SUCCESS,
        Verdict::Failed => ExitCode::FAILURE,
        Verdict::Stopped => ExitCode::from(INTERRUPTED),
    })
}
