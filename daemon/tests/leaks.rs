//! What a daemon holds after many VMs have come, gone, died and begun anew: as many descriptors, tasks and threads as
//! before. Real sockets and locks, on a node of a folder's size; the API server is in memory.
//!
//! One test alone in its program: descriptors are counted for the whole process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod support;

use reef_api::VmmKind;
use reef_daemon::decide::poll::Cadence;
use reef_daemon::host::{Host, LinuxHost, Paths};
use reef_daemon::vmm::VerifyingDial;
use reef_daemon::{Health, Metrics, NoJitter, Seams, Settings, run};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::api::Api;
use support::socket::bind;
use support::tree::{Tree, pod};
use support::vmm::{Odd, Vmm};
use support::world;
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

const VMS: usize = 12;
/// Until everything that is kept for reuse is there.
const WARM_UP: u64 = 5;
const CYCLES: u64 = 30;
/// Looks at what is held: connections come and go between two of them, and what stays is the least that was seen.
const LOOKS: usize = 300;
/// So long at most may a life take to be told of.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node whose VMMs are all played by this process, so that it is this process that listens.
struct Node {
    tree: Tree,
    api: Api,
    trace: Arc<Mutex<Vec<String>>>,
}

/// The sockets of a VM that is up.
type Serving = AbortOnDropHandle<()>;

impl Node {
    fn new() -> Self {
        let trace: Arc<Mutex<Vec<String>>> = Arc::default();
        Self { tree: Tree::new(), api: Api::new(trace.clone()), trace }
    }

    fn uid(name: &str, cycle: u64) -> String {
        format!("{name}-{cycle}")
    }

    /// A VM comes: its container, and its objects.
    fn comes(&self, name: &str, cycle: u64) {
        let uid = Self::uid(name, cycle);
        let socket = LinuxHost::new(Paths::below(self.tree.root())).socket(&pod(&uid, name), VmmKind::CloudHypervisor);
        fs::create_dir_all(socket.unwrap().parent().unwrap()).unwrap();
        self.tree.pod(&uid, name, &[std::process::id()]);
        self.api.put(&format!("pod/{name}"), world::pod(name, &uid));
        self.api.put(&format!("vm/{name}"), world::vm(name, &uid));
    }

    /// A VM goes, its folders with it.
    fn goes(&self, name: &str, cycle: u64) {
        self.api.remove(&format!("vm/{name}"));
        self.api.remove(&format!("pod/{name}"));
        fs::remove_dir_all(self.tree.root().join("var/lib/kubelet/pods").join(Self::uid(name, cycle))).unwrap();
    }

    /// Its VMM listens. A socket that another left behind is in the way of none.
    fn serve(&self, name: &str, cycle: u64, odd: Option<Odd>) -> Serving {
        let uid = Self::uid(name, cycle);
        let socket = LinuxHost::new(Paths::below(self.tree.root())).socket(&pod(&uid, name), VmmKind::CloudHypervisor);
        let socket = socket.unwrap();
        let listener = bind(self.tree.root(), socket.parent().unwrap());
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o700)).unwrap();
        let vmm = Vmm::new(VmmKind::CloudHypervisor, name, self.trace.clone());
        vmm.machine().odd = odd;
        AbortOnDropHandle::new(tokio::spawn(accept(listener, vmm)))
    }

    fn seams(&self) -> Seams {
        Seams {
            client: self.api.client(),
            watch_client: self.api.client(),
            host: Arc::new(LinuxHost::new(Paths::below(self.tree.root()))),
            dial: Arc::new(VerifyingDial),
            jitter: Arc::new(NoJitter),
            metrics: Metrics::default(),
        }
    }
}

async fn accept(listener: UnixListener, vmm: Vmm) {
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let (mut ours, theirs) = tokio::io::duplex(64 << 10);
        let vmm = vmm.clone();
        connections.spawn(async move {
            let copied = tokio::io::copy_bidirectional(&mut stream, &mut ours);
            tokio::select! { _ = copied => {}, () = vmm.serve(theirs) => {} }
        });
    }
}

fn settings() -> Settings {
    let quick = Duration::from_millis(1);
    Settings {
        cadence: Cadence { quick, patient: 4 * quick, settled: 4 * quick, rare: 4 * quick },
        heartbeat: 10 * quick,
        ..Settings::for_node("n1")
    }
}

/// Descriptors, tasks and threads of this process: what of them stays.
async fn held() -> [usize; 3] {
    let count = |folder: &str| fs::read_dir(folder).unwrap().count();
    let mut least = [usize::MAX; 3];
    for _ in 0..LOOKS {
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let now = [count("/proc/self/fd"), tasks, count("/proc/self/task")];
        least = std::array::from_fn(|kind| least[kind].min(now[kind]));
        tokio::task::yield_now().await;
    }
    least
}

/// Names of all files below a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            names.extend(self::names(&entry.path()));
        } else {
            names.insert(entry.file_name().into_string().unwrap());
        }
    }
    names
}

/// One life of all VMs: their VMMs die and begin anew, some at first with nonsense, and one VM goes and comes back.
async fn cycle(node: &Node, number: u64, serving: &mut Vec<Serving>, born: &mut [u64]) {
    let names: Vec<String> = (0..VMS).map(|vm| format!("vm-{vm}")).collect();
    serving.clear();
    let leaving = usize::try_from(number).unwrap() % VMS;
    node.goes(&names[leaving], born[leaving]);
    born[leaving] = number;
    node.comes(&names[leaving], number);
    node.tree.vmm(std::process::id(), number);
    let odd = [None, Some(Odd::Half), Some(Odd::Garbage), Some(Odd::Closes), Some(Odd::Huge)];
    for (vm, name) in names.iter().enumerate() {
        let odd = odd[(vm + usize::try_from(number).unwrap()) % odd.len()];
        serving.push(node.serve(name, born[vm], odd));
    }
    let told =
        |api: &Api, name: &String| api.get(&format!("vm/{name}"))["status"]["vmm"]["process"]["startTime"] == number;
    let all = node.api.until(|api| names.iter().all(|name| told(api, name)));
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}

#[tokio::test]
async fn descriptors_tasks_and_threads_are_flat_over_many_lives_of_many_vms_and_nothing_is_left_on_disk() {
    let node = Node::new();
    for vm in 0..VMS {
        node.comes(&format!("vm-{vm}"), 0);
    }
    let (stop, health) = (CancellationToken::new(), Health::new());
    let daemon = tokio::spawn(run(node.seams(), settings(), stop.clone(), health));
    let (mut serving, mut born) = (Vec::new(), [0; VMS]);
    for number in 1..=WARM_UP {
        cycle(&node, number, &mut serving, &mut born).await;
    }
    let before = held().await;
    for number in WARM_UP + 1..=WARM_UP + CYCLES {
        cycle(&node, number, &mut serving, &mut born).await;
    }
    let after = held().await;
    assert!(after.iter().zip(before).all(|(after, before)| *after <= before), "before {before:?}, after {after:?}");
    stop.cancel();
    daemon.await.unwrap().unwrap();
    let of_the_node =
        ["cgroup.controllers", "cgroup.procs", "memory.max", "memory.current", "cpu.max", "comm", "stat", "ch.sock"];
    assert_eq!(names(node.tree.root()), of_the_node.map(str::to_owned).into());
}
