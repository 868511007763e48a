//! `real-cluster`: a real Kubernetes on this machine, to play with; and the supervisor that the tests start.
//!
//! Wiring only.
use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use reef_real::{Shape, play, stage, supervisor, warden};

/// A real Kubernetes on one machine, gone without a trace when it ends.
#[derive(Parser)]
#[command(name = "real-cluster")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts a cluster, says how to reach it, and ends it at ctrl-C
    Up {
        /// `control-plane` (etcd and API server) or `node` (Pods that run)
        #[arg(long, env = "SHAPE", default_value = "node")]
        shape: Shape,
        /// Puts Reef on it, with a repository and one VM (shape `node` only)
        #[arg(long)]
        reef: bool,
    },
    /// Holds the rights that an installation grants against those that were used in the tests of this tier, by the audit logs of their API servers
    Rights {
        /// The folder that has a folder of logs for each cluster
        #[arg(default_value = "target/real/logs")]
        logs: PathBuf,
    },
    /// Holds a cluster for a test until standard input ends
    #[command(hide = true)]
    Supervise {
        /// What to start, as JSON
        order: String,
    },
    /// Runs the parties, inside the cluster's namespaces
    #[command(hide = true)]
    Parties {
        /// The folder of the run
        folder: PathBuf,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Up { shape, reef } => play::up(shape, reef).await,
        Command::Rights { logs } => stage::rights::compare(&logs),
        Command::Supervise { order } => warden::supervise(&order).await,
        Command::Parties { folder } => supervisor::run(&folder).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
