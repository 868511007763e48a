//! The command line: its words, its help, and which function each subcommand calls.
//!
//! Reads arguments and the environment, prints results, and turns errors into exit codes. Decides nothing about VMs.

mod args;
mod ask;
mod controller;
mod daemon;
mod demo;
mod diff;
mod edit;
mod explain;
mod facts;
mod folder;
mod history;
mod launch;
mod lint;
mod manifests;
mod past;
mod plan;
mod print;
mod program;
mod progress;
mod reconcile;
mod schema;
mod seeds;
mod sim;
mod snapshot;
mod status;
mod suspend;
mod vm;
mod webhook;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use reef_api::Request;
use tokio::runtime::{Builder, Runtime};

pub use args::{ClusterArgs, OutputFormat, RepositoryArgs, ScopeArgs};

use crate::wiring::log::Spans;
use crate::wiring::{git, log};

const LONG_ABOUT: &str = "\
Reef resizes running virtual machines from Git: push a new size, and the VM grows or shrinks while it runs, with every step \
bound to the commit that asked for it.";

const WAYS: &str = "\
Three ways to use it:
  1. To look at it, with nothing installed: `reef demo` starts an embedded cluster with
     eight VMs and a Git repository. Push a size, and watch. `reef sim` serves the same
     cluster for a controller and daemons of your own.
  2. On Kubernetes, following Git: `reef manifests | kubectl apply -f -`,
     and a GitSource that names your repository.
  3. On Kubernetes, beside Argo CD, Flux or kubectl: the same without a GitSource.
     Whoever writes the size of a VirtualMachine, Reef carries it out.
The Pods that it creates run `reef launch` from an image that holds this program and a VMM;
none is published yet.

The cluster is found as kubectl finds it: --kubeconfig, else $KUBECONFIG, else
~/.kube/config, else the Pod's own service account.";

/// Everything that can stand on the command line.
#[derive(Debug, Parser)]
#[command(name = "reef", version, about = "Resizes running virtual machines from Git", long_about = LONG_ABOUT, after_help = WAYS)]
pub struct Cli {
    /// What to log, as `info` or `warn,reef_reconciler=debug`; RUST_LOG says the same. Logs go to standard error.
    #[arg(long, global = true, value_name = "FILTER", env = "RUST_LOG", hide_env_values = true)]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all on an embedded cluster: eight VMs, a Git repository, and each push resizing them while they run.
    Demo(demo::Args),
    /// Run the controller: read Git and the cluster, plan, resize Pods, and grant sizes to the daemons. One in a cluster.
    Controller(controller::Args),
    /// Run the daemon of a node: ask each VM's VMM for what was granted, and report what the guest has. One on each node.
    Daemon(daemon::Args),
    /// Run the webhook: fill in what VMs leave out, and refuse what would never work or would harm a VM, when it is written. Two in a cluster.
    Webhook(webhook::Args),
    /// Boot one VM and stay with it until its end: the command of the container that runs a VM.
    Launch(launch::Args),
    /// Serve the embedded cluster alone (API server, kubelets, VMMs), for a controller and daemons of one's own; or play seeds of the simulation.
    Sim(sim::Args),
    /// Show VMs: what Git asks for, what is granted, requested and actual, what each waits for, and what to do.
    Status(status::Args),
    /// Show what a commit or the working tree changes in VMs, before it is merged: which, how, what it takes of each node, and which rule it breaks.
    Plan(plan::Args),
    /// Change the size of a VM in the file that states it, by one or two values and nothing else, and show the plan of that.
    Edit(edit::Args),
    /// Explain one VM: who asked for its size, which rules decide, how far it is, what it waits for, and what would help.
    Explain(explain::Args),
    /// Show the sizes that a VM was asked for: by which commit, when, how long each took, and what became of it.
    History(history::Args),
    /// Show what a repository states against what the cluster has, as a unified diff of each object.
    Diff(diff::Args),
    /// Ask for a source to be read now, and stand by until its VMs have their sizes or say why not.
    Reconcile(reconcile::Args),
    /// Keep what Git states from a GitSource's objects or from one VM for a while: commits wait, and it goes on by itself.
    Suspend(suspend::SuspendArgs),
    /// End a suspension: what waits is applied.
    Resume(suspend::ResumeArgs),
    /// Try again now what was refused, deferred or given up of a VM's resize.
    Retry(ask::Args),
    /// Give up now what the guest of a VM has not followed with, or its node has no room for: it keeps what it has.
    Settle(ask::Args),
    /// Start a VM anew: its guest is shut down, and boots with what its spec says now.
    Restart(ask::Args),
    /// Keep what a plan needs to know of a cluster in a file.
    Snapshot(snapshot::Args),
    /// Tell everything that is wrong with the files of a repository and needs no cluster to be seen.
    Lint(lint::Args),
    /// Print the JSON Schema of a kind or document, for editors and programs.
    Schema(schema::Args),
    /// Print what an installation applies to a cluster: definitions of kinds, accounts and rights, what runs, and what the webhook is asked.
    Manifests(manifests::Args),
    /// Print the completions of a shell.
    Completions(program::CompletionsArgs),
    /// Print the manual page, or write one for each subcommand.
    Man(program::ManArgs),
}

/// Runs what the arguments of this process name, to its end.
pub fn main() -> ExitCode {
    let cli = program::parse();
    // Before any thread exists: the settings are globals of the process.
    let outcome = git::settings().and_then(|git| {
        let runtime = runtime(&cli.command)?;
        let logging = {
            let _within = runtime.enter();
            log::start(cli.log.as_deref(), default_level(&cli.command), spans(&cli.command))
        };
        let outcome = runtime.block_on(run(cli.command, git));
        logging.end();
        // A fetch that hangs in the network must not hold up the end.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(code) => code,
        Err(error) => print::failure(&error),
    }
}

/// What a collector may be interested in: what serves a cluster.
fn spans(command: &Command) -> Spans {
    match command {
        Command::Controller(_) | Command::Daemon(_) | Command::Webhook(_) => Spans::Collected,
        _ => Spans::Logged,
    }
}

/// A launcher waits for one process, and what it takes is its VM's overhead.
fn runtime(command: &Command) -> std::io::Result<Runtime> {
    match command {
        Command::Launch(_) => Builder::new_current_thread().enable_all().build(),
        Command::Controller(_) | Command::Daemon(_) | Command::Webhook(_) => {
            Builder::new_multi_thread().worker_threads(ROLE_THREADS).enable_all().build()
        }
        _ => Builder::new_multi_thread().enable_all().build(),
    }
}

/// Threads of a role: one waits while the other works. More would each keep memory of their own, and a node has many cores.
const ROLE_THREADS: usize = 2;

fn default_level(command: &Command) -> &'static str {
    match command {
        Command::Controller(_) | Command::Daemon(_) | Command::Webhook(_) | Command::Launch(_) => "info",
        // What the roles say of ten thousand bad hours is in nobody's interest.
        Command::Sim(args) if args.plays() => "off",
        _ => "warn",
    }
}

async fn run(command: Command, git: git::Made) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(args, git).await,
        Command::Controller(args) => controller::run(args, git).await,
        Command::Daemon(args) => daemon::run(args).await,
        Command::Webhook(args) => webhook::run(args).await,
        Command::Launch(args) => launch::run(args).await,
        Command::Sim(args) => sim::run(args).await,
        Command::Manifests(args) => manifests::run(&args),
        Command::Plan(args) => plan::run(&args).await,
        Command::Edit(args) => edit::run(&args).await,
        Command::Explain(args) => explain::run(&args).await,
        Command::History(args) => history::run(&args).await,
        Command::Diff(args) => diff::run(&args).await,
        Command::Reconcile(args) => reconcile::run(&args).await,
        Command::Completions(args) => program::completions(&args),
        Command::Man(args) => program::man(&args),
        Command::Suspend(args) => suspend::suspend(&args).await,
        Command::Resume(args) => suspend::resume(&args).await,
        Command::Retry(args) => ask::run(&args, Request::Retry).await,
        Command::Settle(args) => ask::run(&args, Request::Settle).await,
        Command::Restart(args) => ask::run(&args, Request::Restart).await,
        Command::Snapshot(args) => snapshot::run(&args).await,
        Command::Lint(args) => lint::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Status(args) => status::run(&args).await,
    }
}
