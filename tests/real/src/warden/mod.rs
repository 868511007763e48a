//! The outermost process of a run: what exists outside of the run's namespaces, it makes before and removes after.
//!
//! It starts no party itself. It holds the claim of the run's slot for as long as anything of the run may be left.
mod cgroups;
mod claim;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use crate::{
    layout::{Layout, slot_name, slot_of},
    options::Shape,
    wire::{Answer, Order},
};

/// The first process inside, which makes the namespaces fit to be used.
const INIT: &str = include_str!("../init.sh");
/// What Debian's package has to hold of each: command and package.
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
    leftovers(&order).await?;
    let claim = claim::take()?;
    let mut layout = place(&order, claim.slot)?;
    if let Some(folder) = &order.options.folder {
        layout.folder.clone_from(folder);
    }
    let ran = run(&order, &layout).await;
    remove(&layout).await?;
    ran
}

/// Removes what is left of runs whose warden was killed: their slots can be claimed.
async fn leftovers(order: &Order) -> Result<()> {
    let folders = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).chain(cgroups::names());
    let slots: BTreeSet<u16> = names.filter_map(|name| slot_of(&name)).collect();
    for claim in slots.into_iter().filter_map(claim::of) {
        remove(&place(order, claim.slot)?).await?;
    }
    Ok(())
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
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder: PathBuf| folder.join(command).is_file())
}

/// Where a run is in a slot, if nothing else is asked for.
fn place(order: &Order, slot: u16) -> Result<Layout> {
    let name = slot_name(slot);
    let folder = std::env::temp_dir().join(&name);
    Ok(Layout { slot, folder, logs: logs(order, &name)?, programs: order.programs.clone() })
}

/// The logs are beside what was built: `target/real/logs/NAME`.
fn logs(order: &Order, name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let target = program.parent().and_then(Path::parent).context("this program is in no folder")?;
    let name = match &order.options.name {
        Some(test) => format!("{}-{name}", test.replace("::", ".")),
        None => name.to_owned(),
    };
    Ok(target.join("real/logs").join(name))
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
    fs::write(layout.folder.join("etc/hosts"), format!("127.0.0.1 localhost {}\n", layout.node_name()))?;
    fs::write(Layout::setup_file(&layout.folder), serde_json::to_vec(&(layout, &order.options))?)?;
    absent(fs::remove_dir_all(&layout.logs)).with_context(|| format!("cannot clear {}", layout.logs.display()))?;
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

/// Removes what a run has left outside of its namespaces.
async fn remove(layout: &Layout) -> Result<()> {
    // The last processes of a run that was killed may take a moment to be gone.
    for _ in 0..200 {
        if cgroups::remove(&layout.cgroup_root()).is_ok() && absent(fs::remove_dir_all(&layout.folder)).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    cgroups::remove(&layout.cgroup_root())?;
    absent(fs::remove_dir_all(&layout.folder)).with_context(|| format!("cannot remove {}", layout.folder.display()))
}

fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
