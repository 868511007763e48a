//! `reef launch`: the command of the container that runs a VM.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use reef_api::BootLayout;
use reef_api::launch::{LaunchFailure, POWER_OFF_SECONDS};
use reef_api::names::VMM_MOUNT;
use reef_daemon::decide::launch::Accelerator;
use reef_daemon::launch::{Options, READY_WITHIN, Stop, launch};
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `reef launch`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The controller writes this command into the Pod of a VM. The guest's console is standard output; \
SIGTERM and SIGINT press the guest's power button, and a second one kills the VMM. It ends with 0 when the guest has shut down, with \
64 to 72 when the VM could not be booted, and else with the VMM's own code."
)]
pub struct Args {
    /// What to boot, as JSON.
    #[arg(long, value_name = "JSON")]
    layout: String,
    /// Program of the VMM; `cloud-hypervisor` or `qemu-system-x86_64` on PATH when absent.
    #[arg(long, value_name = "PATH")]
    vmm_binary: Option<PathBuf>,
    /// What runs the guest's code; the node's processors where QEMU can use them when absent, else its translation.
    #[arg(long, value_name = "KIND")]
    accelerator: Option<Kind>,
    /// Folder of the VMM's socket.
    #[arg(long, value_name = "DIR", default_value = VMM_MOUNT)]
    socket_dir: PathBuf,
    /// Seconds that the guest gets to shut down. The Pod's grace period has to be longer.
    #[arg(long, value_name = "SECONDS", default_value_t = POWER_OFF_SECONDS)]
    power_off_within: u32,
    /// File for the message about the end; it is written where it exists, as the kubelet makes it.
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log")]
    termination_log: PathBuf,
}

/// Hardware or translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The node's processors.
    Kvm,
    /// QEMU's translation.
    Tcg,
}

/// Boots the VM and stays with it.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signal().context("the process may not listen for signals")?;
    let layout: BootLayout = match serde_json::from_str(&args.layout) {
        Ok(layout) => layout,
        Err(error) => {
            let sentence = format!("the value of --layout is not a boot layout: {error}");
            tracing::error!(error = sentence, "VM not booted");
            leave(&args.termination_log, &sentence);
            return Ok(ExitCode::from(LaunchFailure::Layout.code()));
        }
    };
    let options = Options {
        layout,
        program: args.vmm_binary,
        accelerator: args.accelerator.map(|kind| match kind {
            Kind::Kvm => Accelerator::Kvm,
            Kind::Tcg => Accelerator::Tcg,
        }),
        folder: args.socket_dir,
        ready: READY_WITHIN,
        power_off: Duration::from_secs(args.power_off_within.into()),
    };
    let told = launch(options, stop).await;
    leave(&args.termination_log, &told.message);
    Ok(ExitCode::from(told.code))
}

/// Leaves the message where Kubernetes looks for it. The kubelet falls back to the log where it is not written.
fn leave(file: &Path, message: &str) {
    if file.exists()
        && let Err(error) = std::fs::write(file, message)
    {
        tracing::warn!(%error, file = %file.display(), "termination message not written");
    }
}

/// The first signal asks gently, the second one does not.
fn stop_on_signal() -> std::io::Result<Stop> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        for token in [asked.gently, asked.now] {
            tokio::select! {
                biased;
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(stop)
}
