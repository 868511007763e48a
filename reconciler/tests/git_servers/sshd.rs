//! OpenSSH's server on loopback: one process for each connection, as inetd would start it, with host and client keys of its own.
//!
//! This way the port is ours from the start, and every process ends with the server that started it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The server's folder before a root-owned `sshd` separates its privileges; no option names another.
const EMPTY: &str = "/run/sshd";

/// A server that ends, with every process that works for it, when it is dropped.
pub struct Sshd {
    dir: Arc<TempDir>,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Sshd {
    /// Serves all repositories of this machine to whoever has the key `client` of its folder.
    pub async fn start() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (program, connections) = (program(), Arc::new(AtomicUsize::new(0)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(accept(listener, program, Arc::clone(&dir), Arc::clone(&connections)));
        let server = Self { dir, address, connections, task };
        generate(&server.path("client"), "ed25519", &[]);
        server.authorize("client");
        server.set_host_key("ed25519");
        server
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What the processes said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The address of a repository, as the account that runs the tests.
    pub fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", user(), self.port(), repository.display())
    }

    /// Makes a key pair, which is not let in yet, and gives the private key.
    pub fn key(&self, name: &str, kind: &str, options: &[&str]) -> String {
        generate(&self.path(name), kind, options);
        self.private(name)
    }

    pub fn private(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Lets in a key and no other, to run Git's programs and nothing else.
    pub fn authorize(&self, name: &str) {
        let key = std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        let command = r#"command="git shell -c \"$SSH_ORIGINAL_COMMAND\"",restrict"#;
        std::fs::write(self.path("authorized_keys"), format!("{command} {key}")).unwrap();
    }

    /// Takes another identity, of this kind, from the next connection on.
    pub fn set_host_key(&self, kind: &str) {
        for name in ["host", "host.pub"] {
            let _ = std::fs::remove_file(self.path(name));
        }
        generate(&self.path("host"), kind, &[]);
        let text = format!(
            "HostKey {0}/host\nAuthorizedKeysFile {0}/authorized_keys\nUsePAM no\nStrictModes no\nPidFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n",
            self.dir.path().display()
        );
        std::fs::write(self.path("sshd_config"), text).unwrap();
    }

    /// The line that trusts the present identity.
    pub fn known_hosts(&self) -> String {
        let key = std::fs::read_to_string(self.path("host.pub")).unwrap();
        format!("[127.0.0.1]:{} {key}", self.port())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The processes end with the set that holds them.
async fn accept(listener: TcpListener, program: PathBuf, dir: Arc<TempDir>, connections: Arc<AtomicUsize>) {
    let mut processes = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let mut child = serve(&program, dir.path(), stream);
        processes.spawn(async move { child.wait().await });
        while processes.try_join_next().is_some() {}
    }
}

fn serve(program: &Path, dir: &Path, stream: TcpStream) -> tokio::process::Child {
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let log = std::fs::OpenOptions::new().append(true).create(true).open(dir.join("log")).unwrap();
    let mut command = tokio::process::Command::new(program);
    command.args(["-i", "-e", "-f"]).arg(dir.join("sshd_config"));
    command.stdin(Stdio::from(OwnedFd::from(stream.try_clone().unwrap()))).stdout(Stdio::from(OwnedFd::from(stream)));
    command.stderr(log).kill_on_drop(true).spawn().unwrap()
}

/// Where the program is; it starts only under its whole path.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let program = folders.map(|folder| folder.join("sshd")).find(|program| program.exists());
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        std::fs::create_dir_all(EMPTY).unwrap();
    }
    program.unwrap_or_else(|| panic!("sshd is missing: run `make test-tools`, or install the OpenSSH server"))
}

fn generate(path: &Path, kind: &str, options: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", "test", "-t", kind, "-f"]).arg(path);
    if !options.contains(&"-N") {
        command.args(["-N", ""]);
    }
    let output = command.args(options).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&output.stderr));
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
