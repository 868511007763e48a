//! A QEMU of this machine with a Debian guest in it, and the guest's own word on its console.
//!
//! The devices carry the names that `reef launch` gives them. It ends with the test: it is killed when the value is
//! dropped, and by the kernel when the thread that started it ends.
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reef_daemon::vmm::{Dial, Qemu, Qmp, VerifyingDial, Vmm, VmmLimits, VmmReport, qemu::names};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// An emulated guest on two busy cores takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);

/// What a machine boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boots {
    /// Nothing: there is firmware and no system.
    Nothing,
    /// The guest.
    Guest,
    /// The guest without one of its drivers.
    GuestWithout(&'static str),
}

/// What a guest says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub boot: String,
    pub cpus: u64,
    pub mem: u64,
    pub killed: u64,
    pub order: u64,
}

/// A running QEMU: 1 vCPU of 4, 256 MiB and 256 MiB more of 2 GiB.
pub struct Machine {
    folder: TempDir,
    process: Child,
    orders: u64,
    without: Option<&'static str>,
}

impl Machine {
    /// Starts it, and waits for the guest.
    pub async fn boot(boots: Boots) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("orders"), [0; 1 << 16])?;
        let mut command = command(folder.path());
        let without = match boots {
            Boots::Nothing | Boots::Guest => None,
            Boots::GuestWithout(driver) => Some(driver),
        };
        if boots != Boots::Nothing {
            let guest = guest()?;
            let left_out = without.map(|driver| format!(" guest.without={driver}")).unwrap_or_default();
            let line = format!("console=ttyS0 memhp_default_state=online_movable quiet{left_out}");
            command.arg("-kernel").arg(guest.join("kernel")).arg("-initrd").arg(guest.join("initramfs"));
            command.args(["-append", &line]);
        }
        let process = command.spawn().context("setpriv of util-linux cannot be started")?;
        let mut machine = Self { folder, process, orders: 0, without };
        machine.until("the sockets are there", |machine| Ok(machine.path("private.sock").exists())).await?;
        if boots != Boots::Nothing {
            machine.until("the guest is up", |machine| Ok(machine.said()?.cpus > 0)).await?;
        }
        Ok(machine)
    }

    /// A client as the daemon has it.
    pub fn client(&self) -> Qemu {
        self.impatient_client(Duration::from_secs(30))
    }

    /// The same with another deadline.
    pub fn impatient_client(&self, patience: Duration) -> Qemu {
        let limits = VmmLimits { connect: patience, request: patience, ..VmmLimits::default() };
        Qemu::new(Arc::new(VerifyingDial), self.path("qmp.sock"), Some(self.process.id()), limits)
    }

    /// A client that takes whoever listens for this process.
    pub fn client_of(&self, pid: u32) -> Qemu {
        Qemu::new(Arc::new(VerifyingDial), self.path("qmp.sock"), Some(pid), VmmLimits::default())
    }

    /// The other socket, which is not the daemon's.
    pub async fn private(&self) -> Result<Qmp> {
        let stream = VerifyingDial.dial(&self.path("private.sock")).await?.stream;
        Ok(Qmp::open(stream, VmmLimits { request: PATIENCE, ..VmmLimits::default() }).await?)
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).status()?;
        ensure!(sent.success(), "{signal} cannot be sent");
        Ok(())
    }

    /// Distinct names of its vCPU threads.
    pub fn vcpu_threads(&self) -> Result<usize> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id()))?;
        let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        Ok(names.filter(|name| name.starts_with("CPU ")).count())
    }

    /// Gives the guest an order and waits until it is carried out.
    pub async fn order(&mut self, what: &str, mib: u64) -> Result<()> {
        self.orders += 1;
        let number = self.orders;
        let mut text = json!({ "number": number, "do": what, "mib": mib }).to_string().into_bytes();
        text.resize(4096, 0);
        fs::OpenOptions::new().write(true).open(self.path("orders"))?.write_all_at(&text, 0)?;
        self.until("the guest carries the order out", |machine| Ok(machine.said()?.order == number)).await
    }

    /// What the guest said last.
    pub fn said(&self) -> Result<Said> {
        let console = String::from_utf8_lossy(&fs::read(self.path("console"))?).into_owned();
        let lines = console.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let last = lines.filter_map(|line| line.trim().strip_prefix("guest: boot=")).next_back();
        Ok(last.map(|line| said(&format!("boot={line}"))).unwrap_or_default())
    }

    /// Waits until the guest says so.
    pub async fn guest_says(&mut self, what: &str, holds: impl Fn(&Said) -> bool) -> Result<Said> {
        self.until(what, |machine| Ok(holds(&machine.said()?))).await?;
        self.said()
    }

    /// Looks through a client until what it sees holds.
    pub async fn seen(&self, client: &mut Qemu, what: &str, holds: impl Fn(&VmmReport) -> bool) -> Result<VmmReport> {
        let began = Instant::now();
        loop {
            let report = client.observe().await?;
            if holds(&report) {
                return Ok(report);
            }
            if began.elapsed() > PATIENCE {
                bail!("not seen in time: {what}; {report:#?}\n{}", self.tail());
            }
            sleep(PAUSE).await;
        }
    }

    /// Looks until there is an answer: QEMU first takes the clients that waited before, though they have gone.
    pub async fn answers_again(&self, client: &mut Qemu) -> Result<VmmReport> {
        let began = Instant::now();
        loop {
            match client.observe().await {
                Err(error) if began.elapsed() < PATIENCE => drop(error),
                outcome => return Ok(outcome?),
            }
            sleep(PAUSE).await;
        }
    }

    /// Looks until nobody listens any more.
    pub async fn is_unreachable(&self, client: &mut Qemu) -> Result<()> {
        let began = Instant::now();
        loop {
            match client.observe().await {
                Err(error) if error.category() == "unreachable" => return Ok(()),
                outcome => ensure!(began.elapsed() < PATIENCE, "it is still there: {outcome:?}"),
            }
            sleep(PAUSE).await;
        }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let began = Instant::now();
        while !holds(self)? {
            if let Some(status) = self.process.try_wait()? {
                bail!("QEMU ended with {status} before {what} (guest without {:?})\n{}", self.without, self.tail());
            }
            if began.elapsed() > PATIENCE {
                bail!("not in time: {what}\n{}", self.tail());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// The end of what guest and QEMU said, for a failure.
    fn tail(&self) -> String {
        let end = |name: &str| {
            let text = fs::read(self.path(name)).unwrap_or_default();
            String::from_utf8_lossy(text.get(text.len().saturating_sub(2000)..).unwrap_or(&text)).into_owned()
        };
        format!("console: {}\nQEMU: {}", end("console"), end("errors"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(folder: &Path) -> Command {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-name", "guest=web,debug-threads=on"]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-cpu", "max"]);
    command.args(["-accel", "tcg,thread=multi,tb-size=64", "-m", "256M,maxmem=4G,slots=4"]);
    command.args(["-smp", "1,maxcpus=4,sockets=4,cores=1,threads=1"]);
    command.args(["-object", &format!("memory-backend-ram,id={},size=2G,reserve=off", names::MEMORY_BACKEND)]);
    let memory = (names::MEMORY_DEVICE, names::MEMORY_BACKEND);
    command.args(["-device", &format!("virtio-mem-pci,id={},memdev={},requested-size=256M", memory.0, memory.1)]);
    command.args(["-device", &format!("virtio-balloon-pci,id={},free-page-reporting=on", names::BALLOON)]);
    command.args(["-drive", &format!("file={},if=virtio,format=raw,cache.direct=on", at("orders"))]);
    command.args(["-serial", &format!("file:{}", at("console"))]);
    for socket in ["qmp.sock", "private.sock"] {
        command.args(["-qmp", &format!("unix:{},server=on,wait=off", at(socket))]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let errors = fs::File::create(folder.join("errors")).map_or_else(|_| Stdio::null(), Stdio::from);
    command.stderr(errors);
    command
}

/// The folder of kernel and initramfs, which are prepared where they were not before.
fn guest() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/build.sh");
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).context("HOME is not set")?;
    let built = Command::new(&script).arg(cache.join("reef")).stderr(Stdio::inherit()).output()?;
    ensure!(built.status.success(), "the guest could not be prepared; what is missing stands above");
    Ok(PathBuf::from(String::from_utf8(built.stdout)?.trim()))
}

fn said(line: &str) -> Said {
    let word = |name: &str| {
        let words = line.split_whitespace().filter_map(|word| word.split_once('='));
        words.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
    };
    let number = |name: &str| word(name).parse().unwrap_or_default();
    Said {
        boot: word("boot"),
        cpus: number("cpus"),
        mem: number("mem"),
        killed: number("killed"),
        order: number("order"),
    }
}

/// Carries out a command on the private socket.
pub async fn execute(qmp: &mut Qmp, command: &'static str) -> Result<Value> {
    Ok(qmp.execute(command, Value::Null).await?)
}
