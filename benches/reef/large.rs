//! Large repositories and the snapshots of their clusters, written as a stream: who measures the memory of others must not have much of its own.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use reef::wiring::clock::SystemClock;
use reef_api::facts::{Claim, NodeFacts, PolicyFacts, SNAPSHOT_KIND, VmFacts, VmPodFacts, VmmFacts};
use reef_api::names::reef_api_version;
use reef_api::policy::PolicyRule;
use reef_api::vm::{BootStatus, RunPolicy, VmmKind};
use reef_api::{Bytes, Clock, GIB, MIB, MilliCpu, Overcommit, PodSize, Size, SizingPolicySpec};
use serde::{Serialize, Serializer};

use crate::fleet::size;

/// Nodes of the cluster.
const NODES: usize = 500;
/// VMs of one folder.
const FOLDER: usize = 100;
/// VMs that have a number on the same node in a row; each of them changes in a way of its own.
const ROW: usize = 10;
/// The namespace of everything.
pub const NAMESPACE: &str = "fleet";
/// What every VM has at first.
const BEFORE: Size = size(2, 2);
/// The most vCPUs that a VM can have without a restart.
const MOST: u32 = 8;
/// Free CPUs of most nodes.
const ROOMY: u64 = 44;
/// Free CPUs of every fifth node: less than what grows there asks for.
const TIGHT: u64 = 2;

/// A repository of VMs, and a folder for its clones.
pub struct Large {
    folder: tempfile::TempDir,
    vms: usize,
}

impl Large {
    /// Makes one. Beside `main` it has the branch `one`, which changes one VM, and the branch `all`, which changes or adds as many as there are.
    pub fn of(vms: usize) -> anyhow::Result<Self> {
        let large = Self { folder: tempfile::tempdir()?, vms };
        let origin = large.origin();
        git(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch", "main"]).arg(&origin))?;
        let mut import = Command::new("git");
        import.arg("-C").arg(&origin).args(["fast-import", "--quiet"]).stdin(Stdio::piped());
        let mut import = import.spawn().context("git is missing")?;
        let mut stream = BufWriter::new(import.stdin.take().context("git reads nothing")?);
        commit(&mut stream, "main", (0..vms).map(|number| (path(number), manifest(number, BEFORE))))?;
        commit(&mut stream, "one", [(path(vms / 2), manifest(vms / 2, size(2, 3)))].into_iter())?;
        commit(&mut stream, "all", (0..vms).map(changed))?;
        drop(stream);
        if !import.wait()?.success() {
            bail!("git fast-import failed");
        }
        Ok(large)
    }

    /// A fresh clone, with a working tree.
    pub fn clone(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.cloned(name, &[])
    }

    /// A fresh clone without one: what commits say needs none, and its files take long to be removed.
    pub fn history(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.cloned(name, &["--no-checkout"])
    }

    fn cloned(&self, name: &str, more: &[&str]) -> anyhow::Result<PathBuf> {
        let clone = self.folder.path().join(name);
        let command = &mut Command::new("git");
        git(command.args(["clone", "--quiet", "--no-local"]).args(more).arg(self.origin()).arg(&clone))?;
        Ok(clone)
    }

    /// A file of the folder that is no part of any repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes in the working tree of a clone what the branch `one` changes.
    pub fn change(&self, clone: &Path) -> anyhow::Result<()> {
        let number = self.vms / 2;
        Ok(std::fs::write(clone.join(path(number)), manifest(number, size(2, 3)))?)
    }

    /// Writes the snapshot of a cluster that has what `main` states, with a policy of these rules.
    pub fn snapshot(&self, name: &str, rules: &[&str]) -> anyhow::Result<PathBuf> {
        let file = self.beside(name);
        let rule = |expression: &&str| PolicyRule {
            expression: (*expression).to_owned(),
            message: "the rule of a measurement".to_owned(),
        };
        let spec = SizingPolicySpec { rules: rules.iter().map(rule).collect(), ..SizingPolicySpec::default() };
        let document = Document {
            api_version: reef_api_version(),
            kind: SNAPSHOT_KIND,
            taken_at: SystemClock.now(),
            nodes: (0..NODES).map(|number| node(number, self.vms)).collect(),
            vms: Vms(self.vms),
            policies: vec![PolicyFacts { namespace: NAMESPACE.to_owned(), name: "all".to_owned(), spec }],
        };
        serde_json::to_writer_pretty(BufWriter::new(std::fs::File::create(&file)?), &document)?;
        Ok(file)
    }

    fn origin(&self) -> PathBuf {
        self.folder.path().join("origin.git")
    }
}

fn git(command: &mut Command) -> anyhow::Result<()> {
    let ended = command.stdin(Stdio::null()).status().context("git is missing")?;
    if ended.success() { Ok(()) } else { bail!("{command:?} ended with {ended}") }
}

/// One commit of a branch, on top of `main`, in the words of `git fast-import`.
fn commit(stream: &mut impl Write, branch: &str, files: impl Iterator<Item = (String, String)>) -> anyhow::Result<()> {
    writeln!(stream, "commit refs/heads/{branch}\ncommitter Bench <bench@example.com> 1750000000 +0000")?;
    writeln!(stream, "data {}\n{branch}", branch.len())?;
    if branch != "main" {
        writeln!(stream, "from refs/heads/main")?;
    }
    for (path, text) in files {
        writeln!(stream, "M 100644 inline {path}\ndata {}\n{text}", text.len())?;
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("vm-{number:05}")
}

fn path(number: usize) -> String {
    format!("teams/team-{:03}/{}.yaml", number / FOLDER, name(number))
}

fn manifest(number: usize, size: Size) -> String {
    stated(&name(number), size, MOST.max(size.vcpus.0))
}

fn stated(name: &str, size: Size, most: u32) -> String {
    format!(
        "# Asked for by its team.\n\
         apiVersion: cloudhypervisor.quill.today/v1beta1\n\
         kind: VirtualMachine\n\
         metadata:\n  name: {name}\n  namespace: {NAMESPACE}\n  labels:\n    team: bench\n    tier: web\n\
         spec:\n  runPolicy: Always\n  instance:\n    cpu:\n      coresPerSocket: {}\n      min: 1\n      max: {most}\n    \
         memory:\n      size: {}\n      min: 1Gi\n      max: 8Gi\n",
        size.vcpus, size.memory
    )
}

/// What the branch `all` makes of a VM: of ten in a row seven grow, one shrinks, one needs a restart, and a new one comes beside the last.
fn changed(number: usize) -> (String, String) {
    match number % ROW {
        0..=4 => (path(number), manifest(number, size(2, 3))),
        5 | 6 => (path(number), manifest(number, size(4, 4))),
        7 => (path(number), manifest(number, size(2, 1))),
        8 => (path(number), manifest(number, size(2 * MOST, 2))),
        _ => {
            let name = format!("{}-new", name(number));
            (path(number).replace(".yaml", "-new.yaml"), stated(&name, BEFORE, MOST))
        }
    }
}

/// A snapshot whose VMs are made while it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: String,
    kind: &'static str,
    taken_at: jiff::Timestamp,
    nodes: Vec<NodeFacts>,
    vms: Vms,
    policies: Vec<PolicyFacts>,
}

struct Vms(usize);

impl Serialize for Vms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0).map(vm))
    }
}

fn pod() -> PodSize {
    PodSize::carrying(BEFORE, Bytes(256 * MIB.get()), Overcommit::default())
}

fn node_of(number: usize) -> usize {
    number / ROW % NODES
}

fn vm(number: usize) -> VmFacts {
    let (least, most) = (size(1, 1), size(MOST, 8));
    let boot =
        BootStatus { min_vcpus: least.vcpus, max_vcpus: most.vcpus, min_memory: least.memory, max_memory: most.memory };
    let kind = VmmKind::CloudHypervisor;
    VmFacts {
        namespace: NAMESPACE.to_owned(),
        name: name(number),
        source: None,
        size: BEFORE,
        run_policy: Some(RunPolicy::Always),
        promised: Some(BEFORE),
        labels: [("team", "bench"), ("tier", "web")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        stated: None,
        pod: Some(VmPodFacts { node: Some(node_name(node_of(number))), wish: pod(), allocated: pod() }),
        vmm: Some(VmmFacts { kind, version: None, boot, limitations: Vec::new(), actual: BEFORE }),
        suspended: None,
    }
}

fn node_name(number: usize) -> String {
    format!("node-{number:03}")
}

fn node(number: usize, vms: usize) -> NodeFacts {
    let own = (0..vms).filter(|vm| node_of(*vm) == number);
    let taken = own.fold(Claim::default(), |sum, _| sum.plus(Claim::from(pod())));
    let free = if number.is_multiple_of(5) { TIGHT } else { ROOMY };
    NodeFacts {
        name: node_name(number),
        cpu: MilliCpu(taken.cpu.0 + 1000 * free),
        memory: Bytes(taken.memory.0 + 256 * GIB.get()),
        requested: taken,
        allocated: taken,
        schedulable: true,
        ..NodeFacts::default()
    }
}
