//! The outermost process of a run: what exists outside of the run's namespaces, it makes before and removes after.
//!
//! It starts no party itself. It holds the claim of the run's slot for as long as anything of the run may be left.
mod cgroups;
mod claim;
mod traces;

use std::{ffi::OsString, fs, io, path::Path, process::Stdio};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

use self::claim::Claim;
use crate::{
    layout::{Layout, slot_name},
    options::Shape,
    wire::{Answer, Order},
};

/// The first process inside, which makes the namespaces fit to be used.
const INIT: &str = include_str!("../init.sh");
/// What has to be there: command and Debian package.
const COMMANDS: [(&str, &str); 4] =
    [("unshare", "util-linux"), ("setpriv", "util-linux"), ("mount", "mount"), ("tar", "tar")];
const NODE_COMMANDS: [(&str, &str); 4] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/loopback", "containernetworking-plugins"),
];

/// Runs one cluster from its order to the end of standard input.
///
/// # Errors
/// Those of standard output: all others are answers.
pub async fn supervise(order: &str) -> Result<()> {
    let order: Order = serde_json::from_str(order).context("the order cannot be read")?;
    if let Err(error) = held(order).await {
        println!("{}", serde_json::to_string(&Answer::Failed(format!("{error:#}")))?);
    }
    Ok(())
}

async fn held(order: Order) -> Result<()> {
    able(order.options.shape)?;
    let place = place(&order)?;
    traces::sweep(&place);
    let claim = claimed(&place)?;
    let mut layout = place(claim.slot);
    if let Some(folder) = &order.options.folder {
        layout.folder.clone_from(folder);
    }
    let ran = run(&order, &layout).await;
    traces::remove(&layout).await?;
    ran
}

/// Claims a slot whose place is free. What cannot be removed there is not of a run, or not of one that is dead.
fn claimed(place: impl Fn(u16) -> Layout) -> Result<Claim> {
    let mut passed = Vec::new();
    loop {
        let claim = claim::take()?;
        if traces::remove_once(&place(claim.slot)).is_ok() {
            return Ok(claim);
        }
        passed.push(claim);
    }
}

/// Says what is missing on this machine, in one sentence.
fn able(shape: Shape) -> Result<()> {
    let status = fs::read_to_string("/proc/self/status").context("cannot tell who runs this")?;
    let root = status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    ensure!(root, "a real cluster needs root, for namespaces, mounts and cgroups of its own: run this as root");
    let needed: &[_] = match shape {
        Shape::ControlPlane => &[],
        Shape::Node => &NODE_COMMANDS,
    };
    let missing: Vec<_> = COMMANDS.iter().chain(needed).filter(|(command, _)| !installed(command)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let commands: Vec<_> = missing.iter().map(|(command, _)| *command).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    bail!("missing: {}; on Debian, apt-get install {}", commands.join(", "), packages.join(" "))
}

fn installed(command: &str) -> bool {
    std::env::split_paths(&path()).any(|folder| folder.join(command).is_file())
}

/// Where commands are looked for: also where only root looks, since not every shell of root does.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// Where a run is in a slot, if nothing else is asked for. The logs are beside what was built: `target/real/logs/NAME`.
fn place(order: &Order) -> Result<impl Fn(u16) -> Layout> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let target = program.parent().and_then(Path::parent).context("this program is in no folder")?;
    let logs = target.join("real/logs");
    let prefix = order.options.name.as_ref().map(|test| format!("{}-", test.replace("::", "."))).unwrap_or_default();
    let programs = order.programs.clone();
    Ok(move |slot| {
        let name = slot_name(slot);
        let logs = logs.join(format!("{prefix}{name}"));
        Layout { slot, folder: std::env::temp_dir().join(name), logs, programs: programs.clone() }
    })
}

async fn run(order: &Order, layout: &Layout) -> Result<()> {
    prepare(order, layout)?;
    let mut inside = start(layout).context("cannot make namespaces with unshare")?;
    ended(&mut inside).await
}

fn prepare(order: &Order, layout: &Layout) -> Result<()> {
    for hidden in ["/run", "/var/run", "/var/log", "/var/lib/cni"] {
        ensure!(
            !layout.folder.starts_with(hidden),
            "{} cannot hold a cluster: choose a folder outside of {hidden}",
            layout.folder.display()
        );
    }
    fs::create_dir(&layout.folder).with_context(|| format!("cannot make the folder {}", layout.folder.display()))?;
    fs::create_dir(layout.folder.join("etc"))?;
    fs::write(Layout::setup_file(&layout.folder), serde_json::to_vec(&(layout, &order.options))?)?;
    fs::write(layout.folder.join("etc/hosts"), format!("127.0.0.1 localhost {}\n", layout.node_name()))?;
    traces::absent(fs::remove_dir_all(&layout.logs))
        .with_context(|| format!("cannot clear {}", layout.logs.display()))?;
    fs::create_dir_all(&layout.logs).with_context(|| format!("cannot make {}", layout.logs.display()))?;
    match order.options.shape {
        Shape::ControlPlane => Ok(()),
        Shape::Node => cgroups::make(&layout.cgroup_root()),
    }
}

/// Starts the first process inside. It ends with this process, whatever ends this process.
fn start(layout: &Layout) -> io::Result<Child> {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"])
        .args(["sh", "-c", INIT, "init"])
        .arg(&layout.folder)
        .arg(std::env::current_exe()?)
        .arg("parties")
        .arg(&layout.folder)
        .env("PATH", path())
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .spawn()
}

/// Waits until all that is inside has ended, by itself or because this process is asked to end.
async fn ended(inside: &mut Child) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let status = tokio::select! {
        biased;
        _ = terminate.recv() => { inside.kill().await?; return Ok(()) }
        _ = interrupt.recv() => { inside.kill().await?; return Ok(()) }
        status = inside.wait() => status?,
    };
    ensure!(status.success(), "the namespaces of the cluster could not be made, or its supervisor failed ({status})");
    Ok(())
}
