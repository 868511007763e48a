//! A cluster with one node, its devices, and Reef's daemon beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{LogParams, PostParams};
use reef_real::stage::accounts::{self, Account};
use reef_real::stage::{apply, beside, images, told};
use reef_real::{Cluster, Options, Party, Program, Shape};
use serde_json::{Value, json};

use crate::container::Trying;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// A kubelet tells every ten seconds what its node has; a guest boots by emulation.
const PATIENCE: Duration = Duration::from_secs(120);
/// Device nodes of which the first that can be opened here is used; none of them may be opened in a container that has not been given it.
const CANDIDATES: [&str; 4] = ["/dev/kvm", "/dev/fuse", "/dev/loop-control", "/dev/cpu_dma_latency"];

/// The cluster, and what belongs to it.
pub struct Stand {
    /// The cluster.
    pub cluster: Cluster,
    folder: PathBuf,
    model: &'static str,
    account: Option<Account>,
}

/// Looks until there is something to hand back.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.with_context(|| format!("it never came to pass that {what}"))?
}

impl Stand {
    /// A cluster with devices in a folder, and nothing of Reef.
    pub async fn bare() -> Result<Self> {
        let opens = |path: &&str| fs::OpenOptions::new().read(true).write(true).open(path).is_ok();
        let model =
            CANDIDATES.into_iter().find(opens).with_context(|| format!("none of {CANDIDATES:?} can be opened"))?;
        let cluster = Cluster::start(Options::of(Shape::Node)).await?;
        let folder = cluster.folder().join("devices");
        fs::create_dir(&folder)?;
        let stand = Self { cluster, folder, model, account: None };
        stand.make_device("kvm")?;
        stand.make_device("tun")?;
        println!("the devices are copies of {model}");
        Ok(stand)
    }

    /// The same with Reef's kinds and accounts, and an image with a shell.
    pub async fn start() -> Result<Self> {
        let mut stand = Self::bare().await?;
        let cluster = &stand.cluster;
        images::import_shell(cluster, &stand.folder)?;
        apply(
            cluster,
            &stand.folder.join("kinds.yaml"),
            &told(Command::new(beside("reef")?).args(["manifests", "--crds"]))?,
        )?;
        told(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]))?;
        accounts::install(cluster)?;
        stand.account = Some(Account::of(cluster, "daemon").await?);
        Ok(stand)
    }

    /// What the daemon is told to offer: two devices that there are, and one that there is not.
    pub fn offers(&self) -> String {
        let place = |name: &str| format!("{name}={}", self.device(name).display());
        ["kvm", "tun", "vhost-net"].map(place).join(",")
    }

    /// Starts the daemon, as the account that has its rights and no others.
    pub async fn start_daemon(&mut self) -> Result<()> {
        let account = self.account.as_ref().context("there is no account")?;
        let kubelet = self.cluster.kubelet_dir().display().to_string();
        let node = self.cluster.node_name().to_owned();
        let words = ["daemon", "--node", &node, "--health-addr", "127.0.0.1:0", "--kubelet-dir", &kubelet, "--devices"];
        let program = Program {
            name: "daemon".to_owned(),
            program: beside("reef")?,
            arguments: words.iter().map(|word| (*word).to_owned()).chain([self.offers()]).collect(),
            environment: [("KUBECONFIG".to_owned(), account.kubeconfig.display().to_string())].into(),
        };
        self.cluster.run(program).await
    }

    /// As `kill -9`.
    pub async fn kill_daemon(&mut self) -> Result<()> {
        self.cluster.kill_program("daemon").await
    }

    /// Kills a party of the cluster.
    pub async fn kill(&mut self, party: Party) -> Result<()> {
        self.cluster.kill(party).await
    }

    /// Starts it again.
    pub async fn revive(&mut self, party: Party) -> Result<()> {
        self.cluster.revive(party).await
    }

    /// How often the daemon has registered a device, as its log says.
    pub fn registrations(&self) -> usize {
        let log = fs::read_to_string(self.cluster.logs().join("daemon.log")).unwrap_or_default();
        log.matches("device registered").count()
    }

    /// The place of a device on the node.
    pub fn device(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes a device node.
    pub fn make_device(&self, name: &str) -> Result<()> {
        told(Command::new("cp").arg("--archive").arg(self.model).arg(self.device(name))).map(drop)
    }

    /// Takes it away.
    pub fn remove_device(&self, name: &str) -> Result<()> {
        Ok(fs::remove_file(self.device(name))?)
    }

    /// How much of a resource Pods may ask for, as the API server says.
    pub async fn offered(&self, resource: &str) -> Result<Option<String>> {
        let node = Api::<Node>::all(self.cluster.client().await?).get(self.cluster.node_name()).await?;
        let allocatable = node.status.unwrap_or_default().allocatable.unwrap_or_default();
        Ok(allocatable.get(resource).map(|count| count.0.clone()))
    }

    /// Waits until that is so much.
    pub async fn until_offered(&self, resource: &str, count: &str) -> Result<()> {
        until(&format!("{count} of {resource} are offered"), async || {
            Ok((self.offered(resource).await?.as_deref() == Some(count)).then_some(()))
        })
        .await
    }

    async fn pods(&self) -> Result<Api<Pod>> {
        Ok(Api::default_namespaced(self.cluster.client().await?))
    }

    /// Runs a container to its end. Empty where it succeeded, else what it said.
    pub async fn ended(&self, trying: &Trying<'_>) -> Result<String> {
        let pods = self.pods().await?;
        pods.create(&PostParams::default(), &trying.pod()).await?;
        let succeeded = until(&format!("Pod {} has ended", trying.name), async || {
            let status = pods.get(trying.name).await?.status.unwrap_or_default();
            match status.phase.as_deref() {
                Some("Succeeded") => Ok(Some(true)),
                Some("Failed") if status.container_statuses.is_none() => bail!("it never ran: {status:?}"),
                Some("Failed") => Ok(Some(false)),
                _ => Ok(None),
            }
        })
        .await?;
        if succeeded {
            return Ok(String::new());
        }
        let said = pods.logs(trying.name, &LogParams::default()).await?;
        Ok(format!("{} failed: {said}", trying.name))
    }

    /// Runs a container, unless it runs already, and tells its id and how often it was started anew.
    pub async fn runs(&self, trying: &Trying<'_>) -> Result<(String, i32)> {
        let pods = self.pods().await?;
        if pods.get_opt(trying.name).await?.is_none() {
            pods.create(&PostParams::default(), &trying.pod()).await?;
        }
        until(&format!("Pod {} runs", trying.name), async || {
            let status = pods.get(trying.name).await?.status.unwrap_or_default();
            ensure!(status.phase.as_deref() != Some("Failed"), "{} has failed: {status:?}", trying.name);
            let container = status.container_statuses.unwrap_or_default().into_iter().next();
            let running =
                container.filter(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
            Ok(running.and_then(|container| Some((container.container_id?, container.restart_count))))
        })
        .await
    }

    /// Asks for another size of a Pod that runs.
    pub fn resize(&self, pod: &str, cpu: &str, memory: &str) -> Result<()> {
        let size = json!({ "cpu": cpu, "memory": memory });
        let containers = json!([{ "name": "shell", "resources": { "requests": size, "limits": size } }]);
        let patch = json!({ "spec": { "containers": containers } }).to_string();
        told(self.cluster.kubectl().args(["patch", "pod", pod, "--subresource", "resize", "--patch", &patch])).map(drop)
    }

    /// Waits until the kubelet says that it does not do so now, and hands back why.
    pub async fn until_deferred(&self, pod: &str) -> Result<String> {
        let pods = self.pods().await?;
        until(&format!("the size of {pod} is deferred"), async || {
            let conditions = pods.get(pod).await?.status.unwrap_or_default().conditions.unwrap_or_default();
            let deferred = |reason: Option<&str>| reason == Some("Deferred");
            let pending = conditions.into_iter().find(|condition| deferred(condition.reason.as_deref()));
            Ok(pending.and_then(|condition| condition.message))
        })
        .await
    }

    /// Resizes a Pod in place, and waits until the kubelet says that it has the size.
    pub async fn resized(&self, pod: &str, cpu: &str, memory: &str) -> Result<()> {
        self.resize(pod, cpu, memory)?;
        let pods = self.pods().await?;
        until(&format!("{pod} has {cpu} and {memory}"), async || {
            let status = pods.get(pod).await?.status.unwrap_or_default();
            ensure!(status.phase.as_deref() == Some("Running"), "{pod} has ended: {status:?}");
            let container = status.container_statuses.unwrap_or_default().into_iter().next();
            let limits = container.and_then(|container| container.resources?.limits).unwrap_or_default();
            let has = |name: &str, value: &str| limits.get(name).is_some_and(|limit| limit.0 == value);
            Ok((has("cpu", cpu) && has("memory", memory)).then_some(()))
        })
        .await
    }

    /// The limits that a Pod states for its first container.
    pub async fn limits(&self, pod: &str) -> Result<BTreeMap<String, String>> {
        let pod = serde_json::to_value(self.pods().await?.get(pod).await?)?;
        let limits = pod.pointer("/spec/containers/0/resources/limits").and_then(Value::as_object);
        let limits = limits.context("a Pod of a VM has limits")?.iter();
        Ok(limits.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect())
    }

    /// Holds what a Pod's container has at a place to the device of the node.
    pub async fn has_device(&self, pod: &str, place: &str, device: &str) -> Result<()> {
        let uid = self.pods().await?.get(pod).await?.metadata.uid.context("a Pod has a UID")?;
        let process = process_of(&uid, "launch")?;
        let inside = fs::metadata(process.join("root").join(place))?;
        let number = fs::metadata(self.device(device))?.rdev();
        ensure!(inside.file_type().is_char_device() && inside.rdev() == number, "{place} is another device");
        Ok(())
    }
}

/// The folder in `/proc` of a process in a Pod that was started with a word.
fn process_of(uid: &str, word: &str) -> Result<PathBuf> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
        let (groups, line) = (read("cgroup"), read("cmdline"));
        let started = line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes());
        if started && String::from_utf8_lossy(&groups).contains(uid) {
            return Ok(entry.path());
        }
    }
    bail!("no process of Pod {uid} was started with {word}")
}
