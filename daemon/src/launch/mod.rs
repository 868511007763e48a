//! `reef launch`: boots a VM so that it can be resized, and stays with it until its end.
//!
//! The first process of the container `vm-manager`. It looks before it starts anything, so that what is missing is told in one sentence; it
//! passes the console on, presses the power button when it is told to stop, and leaves a message behind. It never resizes.
//!
//! ```text
//! look ─► start ─► ready ─► stay ──────────────► told
//!   └───────┴────────┴─ LaunchError (64 to 79)    ├─ the guest shut down: 0, or 143 after a stop
//!                              stop: power button ┼─ deadline: killed, 137
//!                                                 └─ the VMM failed: its code
//! ```

mod console;
mod error;
mod files;
mod memory;
mod monitor;
mod power;
mod process;
mod program;
mod socket;
mod stay;
mod zombies;

pub use error::LaunchError;

use crate::decide::launch::{Accelerator, Facts, Told, check, command_line, with_console};
use memory::MemoryGroup;
use process::Process;
use reef_api::BootLayout;
use reef_api::names::{QMP_SOCKET, VMM_SOCKET};
use reef_api::vm::VmmKind;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// For a VMM to start and to answer, on a node that is busy.
pub const READY_WITHIN: Duration = Duration::from_secs(60);

/// How a VM is launched.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is booted.
    pub layout: BootLayout,
    /// The VMM's program; found on PATH where it is not named.
    pub program: Option<PathBuf>,
    /// What runs the guest's code; the best that is there where it is not named.
    pub accelerator: Option<Accelerator>,
    /// Folder of the VMM's socket.
    pub folder: PathBuf,
    /// For the VMM to start and to answer.
    pub ready: Duration,
    /// What a guest gets to shut down after its power button was pressed.
    pub power_off: Duration,
}

/// Requests to end. The second is for who does not want to wait.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Let the guest shut down.
    pub gently: CancellationToken,
    /// Kill the VMM.
    pub now: CancellationToken,
}

/// Boots a VM, stays with it, and tells how it ended.
pub async fn launch(options: Options, stop: Stop) -> Told {
    let group = MemoryGroup::own();
    match boot(&options, group.as_ref(), &stop).await {
        Ok(process) => stay::until_end(process, group.as_ref(), options.power_off, &stop).await,
        Err(failed) => {
            let sentence = failed.error.sentence();
            match failed.error.failure() {
                Some(failure) => tracing::error!(failure = %failure, error = sentence, "VM not booted"),
                None => tracing::info!("VM not booted: told to stop"),
            }
            Told { code: failed.error.code(), message: with_console(&sentence, &failed.console) }
        }
    }
}

/// A boot that failed, with what the guest had written by then.
struct Failed {
    error: LaunchError,
    console: Vec<String>,
}

impl From<LaunchError> for Failed {
    fn from(error: LaunchError) -> Self {
        Self { error, console: Vec::new() }
    }
}

async fn boot(options: &Options, group: Option<&MemoryGroup>, stop: &Stop) -> Result<Process, Failed> {
    let layout = &options.layout;
    check(layout).map_err(LaunchError::Layout)?;
    let program = program::find(layout.vmm, options.program.as_deref())?;
    let version = program::check(layout.vmm, &program).await?;
    layout.kernel.iter().try_for_each(files::kernel)?;
    let disks = layout.disks.iter().map(files::disk).collect::<Result<Vec<_>, _>>()?;
    for (disk, _) in layout.disks.iter().zip(&disks).filter(|(_, backing)| !backing.direct) {
        tracing::warn!(disk = disk.name, "disk is cached by the node: its file system does not know O_DIRECT");
    }
    memory::carries(group, layout.memory)?;
    let accelerator = program::accelerator(layout.vmm, options.accelerator)?;
    let socket = options.folder.join(match layout.vmm {
        VmmKind::CloudHypervisor => VMM_SOCKET,
        VmmKind::Qemu => QMP_SOCKET,
    });
    socket::prepare(&socket)?;
    let facts = Facts { accelerator, disks, socket: socket.display().to_string() };
    let line = command_line(layout, &facts).map_err(LaunchError::Layout)?;
    tracing::info!(vm = layout.name, vmm = ?layout.vmm, version, ?accelerator, vcpus = layout.vcpus.0, memory = %layout.memory, "VM boots");
    if stop.gently.is_cancelled() || stop.now.is_cancelled() {
        return Err(LaunchError::StoppedEarly.into());
    }
    let mut process = Process::start(&program, layout.vmm, &line, socket)?;
    match process.ready(options.ready, stop).await {
        Ok(()) => {
            tracing::info!(vm = layout.name, pid = process.pid(), "VM runs");
            Ok(process)
        }
        Err(error) => Err(Failed { error, console: process.end().await }),
    }
}
