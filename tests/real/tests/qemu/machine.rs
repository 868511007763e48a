//! A QEMU of this machine with a Debian guest in it, and the guest's own word on its console.
//!
//! It is started with the command line of `reef launch`. It ends with the test: it is killed when the value is dropped,
//! and by the kernel when the thread that started it ends.
use std::{
    fs,
    os::{
        fd::OwnedFd,
        unix::{fs::FileExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reef_api::{
    BootLayout, Bytes, Vcpus, VmmKind,
    boot::{DiskFile, KernelFiles},
    vm::DiskFormat,
};
use reef_daemon::{
    decide::launch::{Accelerator, Backing, BackingKind, Facts, command_line},
    vmm::{Qemu, Qmp, VerifyingDial, Vmm, VmmLimits, VmmReport},
};
use reef_real::stage::images;
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

/// A running QEMU: 2 vCPUs of 1 to 4, and 512 MiB of 256 to 2304.
pub struct Machine {
    folder: TempDir,
    process: Child,
    private: Option<UnixStream>,
    orders: u64,
}

impl Machine {
    /// Starts it, and waits for the guest.
    pub async fn boot(boots: Boots) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("orders"), [0; 1 << 16])?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]).args(arguments(boots, folder.path())?);
        command.stdin(OwnedFd::from(theirs));
        command.stdout(fs::File::create(folder.path().join("console"))?);
        command.stderr(fs::File::create(folder.path().join("errors"))?);
        let process = command.spawn().context("setpriv of util-linux cannot be started")?;
        let mut machine = Self { folder, process, private: Some(ours), orders: 0 };
        machine.until("the socket is there", |machine| Ok(machine.path("qmp.sock").exists())).await?;
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

    /// The monitor that is the launcher's and not the daemon's.
    pub async fn private(&mut self) -> Result<Qmp> {
        let stream = self.private.take().context("the private monitor was taken before")?;
        stream.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(stream)?;
        Ok(Qmp::open(Box::new(stream), VmmLimits { request: PATIENCE, ..VmmLimits::default() }).await?)
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
                bail!("QEMU ended with {status} before {what}\n{}", self.tail());
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

/// What `reef launch` would start QEMU with.
fn arguments(boots: Boots, folder: &Path) -> Result<Vec<String>> {
    let at = |name: &str| folder.join(name).display().to_string();
    let mib = |count: u64| Bytes(count << 20);
    let layout = BootLayout {
        vmm: VmmKind::Qemu,
        name: "web".to_owned(),
        vcpus: Vcpus(2),
        min_vcpus: Vcpus(1),
        max_vcpus: Vcpus(4),
        memory: mib(512),
        min_memory: mib(256),
        max_memory: mib(2304),
        kernel: kernel(boots)?,
        disks: vec![DiskFile {
            name: "orders".to_owned(),
            path: at("orders"),
            format: DiskFormat::Raw,
            read_only: false,
        }],
    };
    let disks = vec![Backing { kind: BackingKind::File, direct: true }];
    let facts = Facts { accelerator: Accelerator::Tcg, disks, socket: at("qmp.sock") };
    Ok(command_line(&layout, &facts)?)
}

fn kernel(boots: Boots) -> Result<Option<KernelFiles>> {
    let without = match boots {
        Boots::Nothing => return Ok(None),
        Boots::Guest => String::new(),
        Boots::GuestWithout(driver) => format!(" guest.without={driver}"),
    };
    let guest = images::guest()?;
    let path = |name: &str| guest.join(name).display().to_string();
    let cmdline = format!("console=ttyS0 memhp_default_state=online_movable quiet{without}");
    Ok(Some(KernelFiles { path: path("kernel"), initramfs: Some(path("initramfs")), cmdline }))
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
