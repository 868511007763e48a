//! `reef sim` and roles as processes of their own, with a repository beside them. Every process ends with its value.
//!
//! Who includes this says where the program is, by a function `reef`.

#![allow(dead_code, reason = "each test that includes this uses a part of it")]

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reef::demo::example::FILES;
use reef::demo::repository::{Change, Repository};
use reef::demo::tour::changes::sized;
use reef_api::{Bytes, MIB, Size, Vcpus};
use serde_json::Value;

/// The simulated parties are so many times faster than real ones.
const SPEED: &str = "20";
/// What a role logs when its endpoints can be asked.
pub const SERVED: &str = "health endpoints are served";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// A wait that takes more looks has failed: a minute at the least.
const LOOKS: usize = 3_000;

/// A process that is killed with its value.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `reef`, or a program that becomes it: its words stand in front.
    fn start(folder: &Path, name: &str, by: &[&str], arguments: &[&str]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let reef = super::reef();
        let words: Vec<&OsStr> = by.iter().map(OsStr::new).chain([reef.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(arguments).env_clear().env("KUBECONFIG", folder.join("sim/kubeconfig"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    /// As `kill -9`: nothing is finished, nothing is said.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As an orchestrator ends it, and how it ended.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        for _ in 0..LOOKS {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(PAUSE);
        }
        panic!("it does not end: {}", self.told());
    }

    /// What a health endpoint answers: status and text.
    pub fn health(&self, path: &str) -> String {
        let answer = self.get(path);
        format!("{} {}", answer.split(' ').nth(1).unwrap(), answer.rsplit("\r\n").next().unwrap().trim())
    }

    /// What its endpoints answer, with the head.
    pub fn get(&self, path: &str) -> String {
        http("GET", &self.address().unwrap(), path, "")
    }

    /// Where its endpoints are; none before it has told. One that was started anew has told of another address.
    pub fn address(&self) -> Option<String> {
        let told = self.told();
        let line = told.lines().rfind(|line| line.contains(SERVED))?;
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line["address"].as_str()?.to_owned())
    }

    /// What it has logged.
    pub fn told(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An embedded cluster as a process, and a repository that a GitSource names.
pub struct Cluster {
    folder: tempfile::TempDir,
    /// The repository.
    pub repository: Repository,
    sim: Option<Process>,
}

impl Cluster {
    /// Starts the cluster and creates the source; no role runs yet.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::create(&folder.path().join("vms.git"), FILES).unwrap();
        let dir = folder.path().join("sim");
        let sim = Process::start(folder.path(), "sim", &[], &["sim", "--speed", SPEED, "--dir", dir.to_str().unwrap()]);
        let cluster = Self { folder, repository, sim: Some(sim) };
        cluster.until("the embedded cluster answers", || cluster.reef(&["status"]).is_some().then_some(()));
        cluster.create_source();
        cluster
    }

    fn create_source(&self) {
        let url = self.repository.url();
        let body = serde_json::json!({
            "apiVersion": "reef.dev/v1alpha1", "kind": "GitSource", "metadata": { "name": "own" },
            "spec": { "url": url, "ref": "main", "interval": "5s" }
        });
        let answer = self.api("POST", "/apis/reef.dev/v1alpha1/namespaces/default/gitsources", &body.to_string());
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    /// What the API server answers, with its head.
    pub fn api(&self, method: &str, path: &str, body: &str) -> String {
        http(method, &self.address(), path, body)
    }

    /// The kubeconfig of the cluster.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("sim/kubeconfig")
    }

    /// Starts a controller.
    pub fn controller(&self) -> Process {
        self.controller_by(&[])
    }

    /// Where the controller keeps its clones.
    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Starts a controller by a program that becomes it.
    pub fn controller_by(&self, by: &[&str]) -> Process {
        let cache = self.cache();
        let arguments = ["controller", "--allow-file-urls", "--health-addr", "127.0.0.1:0", "--cache-dir"];
        let arguments: Vec<&str> = arguments.into_iter().chain([cache.to_str().unwrap()]).collect();
        Process::start(self.folder.path(), "controller", by, &arguments)
    }

    /// Starts the daemon of a node.
    pub fn daemon(&self, node: &str) -> Process {
        self.daemon_by(node, &[])
    }

    /// Starts the daemon of a node by a program that becomes it.
    pub fn daemon_by(&self, node: &str, by: &[&str]) -> Process {
        let root = self.folder.path().join("sim/nodes").join(node);
        let root = root.to_str().unwrap();
        let arguments =
            ["daemon", "--node", node, "--host-root", root, "--unverified-sockets", "--health-addr", "127.0.0.1:0"];
        Process::start(self.folder.path(), node, by, &arguments)
    }

    /// Pushes a new size of one VM, and tells the commit.
    pub fn push_size(&self, file: &str, vm: &str, size: Size) -> String {
        let text = sized(file, &self.repository.read(file).unwrap(), vm, size).unwrap();
        let change = Change::Write { path: file.to_owned(), text };
        self.repository.push(&format!("{vm}: {size}"), &[change]).unwrap().id
    }

    /// One VM as `reef status -o json` tells it.
    pub fn vm(&self, name: &str) -> Option<Value> {
        self.reef(&["status", name, "-o", "json"])
    }

    /// What `reef` prints as JSON, where it succeeds.
    pub fn reef(&self, arguments: &[&str]) -> Option<Value> {
        let mut command = Command::new(super::reef());
        let kubeconfig = self.folder.path().join("sim/kubeconfig");
        let output = command.args(arguments).env_clear().env("KUBECONFIG", kubeconfig).output().unwrap();
        if !output.status.success() {
            return None;
        }
        Some(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }

    /// What `reef` ends with anywhere, and prints: standard output, and behind it standard error.
    pub fn told(&self, arguments: &[&str]) -> (i32, String) {
        let (code, out, err) = self.run(self.folder.path(), arguments);
        (code, out + &err)
    }

    /// What `reef plan -o json` ends with in a folder, and prints.
    pub fn plan(&self, folder: &Path, arguments: &[&str]) -> (i32, Value) {
        let mut command = Command::new(super::reef());
        command.args(["plan", "-o", "json"]).args(arguments).current_dir(folder).env_clear();
        let output = command.env("KUBECONFIG", self.folder.path().join("sim/kubeconfig")).output().unwrap();
        let told = || String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told())))
    }

    /// What `reef` ends with in a folder, and prints: its code, standard output and standard error.
    pub fn run(&self, folder: &Path, arguments: &[&str]) -> (i32, String, String) {
        self.run_by(&self.folder.path().join("sim/kubeconfig"), folder, arguments)
    }

    /// The same with a kubeconfig of one's own.
    pub fn run_by(&self, kubeconfig: &Path, folder: &Path, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(super::reef());
        let output = command.args(arguments).current_dir(folder).env_clear().env("KUBECONFIG", kubeconfig).output();
        let output = output.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Address of the API server.
    pub fn address(&self) -> String {
        let kubeconfig = std::fs::read_to_string(self.folder.path().join("sim/kubeconfig")).unwrap();
        let line = kubeconfig.lines().find(|line| line.trim_start().starts_with("server:")).unwrap();
        line.trim().trim_start_matches("server: http://").to_owned()
    }

    /// Waits until a VM has this size everywhere and waits for nothing.
    pub fn until_settled(&self, name: &str, size: Size) -> Value {
        let settled = |vm: &Value| {
            let wanted = serde_json::to_value(size).unwrap();
            let pod = serde_json::json!((size.memory.get() + 256 * MIB.get()) / MIB.get());
            let memory = |size: &Value| {
                size["memory"].as_str().and_then(|text| text.parse::<Bytes>().ok()).map(|bytes| bytes.get() / MIB.get())
            };
            let agrees = ["desired", "requested", "actual"].iter().all(|part| vm[*part] == wanted)
                && ["wish", "allocated", "actual"].iter().all(|part| memory(&vm["pod"][*part]) == pod.as_u64());
            agrees && vm["waiting"].is_null()
        };
        self.until(&format!("{name} has {size}"), || self.vm(name).filter(settled))
    }

    /// Waits until something is there.
    pub fn until<T>(&self, what: &str, there: impl Fn() -> Option<T>) -> T {
        for _ in 0..LOOKS {
            if let Some(found) = there() {
                return found;
            }
            std::thread::sleep(PAUSE);
        }
        let logs = ["sim", "controller", "node-1", "node-2"]
            .map(|name| std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default());
        panic!("still waiting until {what}: {:#?}\n{}", self.reef(&["status", "-o", "json"]), logs.join("\n"));
    }

    /// Ends the cluster; its code says whether a VM ever held more than its Pod.
    pub fn end(mut self) -> Option<i32> {
        self.sim.take().unwrap().terminate()
    }
}

/// A size in whole mebibytes.
pub const fn size(vcpus: u32, mib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(mib * MIB.get()))
}

/// What a server answers, with its head.
pub fn http(method: &str, address: &str, path: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
