//! `reef launch` as a process of this machine, with the Debian guest in it, and what both say.
//!
//! It is told to stop by the kernel when the thread that started it ends, so that a test which fails leaves no guest behind.
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reef_api::{
    BootLayout, Bytes, Vcpus, VmmKind,
    boot::{DiskFile, KernelFiles},
    names::QMP_SOCKET,
    vm::DiskFormat,
};
use reef_daemon::vmm::{Peer, Qemu, VerifyingDial, Vmm, VmmLimits, VmmReport};
use reef_real::stage::images;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// An emulated guest on two busy cores takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);
const MIB: u64 = 1 << 20;

/// A place for a VM: its files, and the process once it is started.
pub struct Launch {
    folder: TempDir,
    process: Option<Child>,
    orders: u64,
}

/// How a launch ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit code.
    pub code: Option<i32>,
    /// Termination message, with the folder's name taken out.
    pub message: String,
}

impl Launch {
    /// A place with an empty disk for orders.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("orders"), [0; 1 << 16])?;
        fs::write(folder.path().join("message"), "")?;
        Ok(Self { folder, process: None, orders: 0 })
    }

    /// 2 vCPUs of 1 to 4, 512 MiB of 256 MiB to 1 GiB, the guest's kernel, and the disk for orders.
    pub fn layout(&self) -> Result<BootLayout> {
        let guest = images::guest()?;
        let file = |name: &str| guest.join(name).display().to_string();
        Ok(BootLayout {
            vmm: VmmKind::Qemu,
            name: "web/web-1".to_owned(),
            vcpus: Vcpus(2),
            min_vcpus: Vcpus(1),
            max_vcpus: Vcpus(4),
            memory: Bytes(512 * MIB),
            min_memory: Bytes(256 * MIB),
            max_memory: Bytes(1024 * MIB),
            kernel: Some(KernelFiles {
                path: file("kernel"),
                initramfs: Some(file("initramfs")),
                cmdline: "console=ttyS0 memhp_default_state=online_movable quiet".to_owned(),
            }),
            disks: vec![self.disk("orders", DiskFormat::Raw)],
        })
    }

    /// A file of this place as a disk.
    pub fn disk(&self, name: &str, format: DiskFormat) -> DiskFile {
        DiskFile { name: name.to_owned(), path: self.path(name).display().to_string(), format, read_only: false }
    }

    /// A file of this place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it.
    pub fn start(&mut self, layout: &BootLayout, more: &[&str]) -> Result<()> {
        self.start_in(layout, &self.path("run"), more)
    }

    /// Starts it with its socket in this folder.
    pub fn start_in(&mut self, layout: &BootLayout, sockets: &Path, more: &[&str]) -> Result<()> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(reef()?).arg("launch");
        command.arg("--layout").arg(serde_json::to_string(layout)?).args(["--accelerator", "tcg"]);
        command.arg("--socket-dir").arg(sockets).arg("--termination-log").arg(self.path("message"));
        command.args(["--power-off-within", "30"]).args(more);
        let (out, errors) = (fs::File::create(self.path("console"))?, fs::File::create(self.path("log"))?);
        command.stdin(Stdio::null()).stdout(out).stderr(errors);
        self.process = Some(command.spawn().context("setpriv of util-linux cannot be started")?);
        Ok(())
    }

    /// Starts it and waits until the guest speaks.
    pub async fn boot(&mut self, layout: &BootLayout) -> Result<()> {
        self.start(layout, &[])?;
        self.guest_says("it is up", |said| said.cpus > 0).await.map(drop)
    }

    /// A client as the daemon has it, of the VMM that the launcher started.
    pub fn client(&self) -> Result<Qemu> {
        let limits = VmmLimits { connect: PATIENCE, request: PATIENCE, ..VmmLimits::default() };
        Ok(Qemu::new(Arc::new(VerifyingDial), self.path("run").join(QMP_SOCKET), Peer::process(self.vmm()?), limits))
    }

    /// Process id of the VMM.
    pub fn vmm(&self) -> Result<u32> {
        let launcher = self.launcher()?;
        let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children"))?;
        children.split_whitespace().next().context("the launcher has no child")?.parse().context("a process id")
    }

    /// Process id of the launcher.
    pub fn launcher(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("not started")?.id())
    }

    /// Sends a signal to the launcher.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill").args(["-s", signal, &self.launcher()?.to_string()]).status()?;
        ensure!(sent.success(), "{signal} cannot be sent");
        Ok(())
    }

    /// Gives the guest an order.
    pub fn order(&mut self, what: &str, mib: u64) -> Result<u64> {
        self.orders += 1;
        let mut text = json!({ "number": self.orders, "do": what, "mib": mib }).to_string().into_bytes();
        text.resize(4096, 0);
        fs::OpenOptions::new().write(true).open(self.path("orders"))?.write_all_at(&text, 0)?;
        Ok(self.orders)
    }

    /// Takes the last order away: a guest that boots again would carry it out again.
    pub fn clear_orders(&mut self) -> Result<()> {
        self.orders = 0;
        Ok(fs::OpenOptions::new().write(true).open(self.path("orders"))?.write_all_at(&[0; 4096], 0)?)
    }

    /// Waits until the console holds a text.
    pub async fn console_has(&self, text: &str) -> Result<()> {
        let began = Instant::now();
        while !self.console()?.contains(text) {
            ensure!(began.elapsed() < PATIENCE, "the console does not hold {text:?} in time\n{}", self.tail());
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// What has come on the launcher's standard output.
    pub fn console(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.path("console"))?).into_owned())
    }

    /// Waits until the guest's last word is such.
    pub async fn guest_says(&mut self, what: &str, holds: impl Fn(&Said) -> bool) -> Result<Said> {
        let began = Instant::now();
        loop {
            let said = last_word(&self.console()?);
            if holds(&said) {
                return Ok(said);
            }
            if let Some(status) = self.process.as_mut().context("not started")?.try_wait()? {
                bail!("the launcher ended with {status} before the guest said that {what}\n{}", self.tail());
            }
            ensure!(began.elapsed() < PATIENCE, "the guest did not say in time that {what}: {said:?}\n{}", self.tail());
            sleep(PAUSE).await;
        }
    }

    /// Looks through a client until what it sees holds.
    pub async fn seen(&self, client: &mut Qemu, what: &str, holds: impl Fn(&VmmReport) -> bool) -> Result<VmmReport> {
        let began = Instant::now();
        loop {
            let report = client.observe().await?;
            if holds(&report) {
                return Ok(report);
            }
            ensure!(began.elapsed() < PATIENCE, "not seen in time: {what}; {report:#?}\n{}", self.tail());
            sleep(PAUSE).await;
        }
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Result<Ended> {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.process.as_mut().context("not started")?.try_wait()? {
                break status;
            }
            ensure!(began.elapsed() < PATIENCE, "the launcher does not end\n{}", self.tail());
            sleep(PAUSE).await;
        };
        let message = fs::read_to_string(self.path("message"))?;
        let message = message.replace(&self.folder.path().display().to_string(), "HERE");
        Ok(Ended { code: status.code(), message })
    }

    fn tail(&self) -> String {
        let end = |name: &str| {
            let text = fs::read(self.path(name)).unwrap_or_default();
            String::from_utf8_lossy(text.get(text.len().saturating_sub(2000)..).unwrap_or(&text)).into_owned()
        };
        format!("console: {}\nlog: {}", end("console"), end("log"))
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        let Some(process) = self.process.as_mut() else { return };
        // Its VMM goes first: a launcher that is killed outside of a container leaves it behind.
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", process.id())).unwrap_or_default();
        for child in children.split_whitespace() {
            let _ = Command::new("kill").args(["-s", "KILL", child]).status();
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// What a guest says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub boot: String,
    pub cpus: u64,
    pub mem: u64,
    pub held: u64,
    pub order: u64,
}

fn last_word(console: &str) -> Said {
    let mut whole = console.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let Some(line) = whole.rfind(|line| line.starts_with("guest: boot=")) else { return Said::default() };
    let word = |name: &str| {
        let words = line.split_whitespace().filter_map(|word| word.split_once('='));
        words.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
    };
    let number = |name: &str| word(name).parse().unwrap_or_default();
    Said { boot: word("boot"), cpus: number("cpus"), mem: number("mem"), held: number("held"), order: number("order") }
}

/// The program that is tested: the one that was built beside this one.
pub fn reef() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().map(|folder| folder.join("reef")).find(|path| path.is_file());
    found.with_context(|| format!("reef is not beside {}: cargo build --bin reef", own.display()))
}
