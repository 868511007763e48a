//! One API server, the controller beside it, a played node, and stories in namespaces of their own.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use reef::demo::repository::{Change, Repository};
use reef::demo::tour::changes::sized;
use reef_api::source::GitSource;
use reef_api::{Bytes, Size, Vcpus, VirtualMachine, condition};
use reef_real::stage::accounts::{self, Account};
use reef_real::stage::{apply, beside, told};
use reef_real::{Cluster, Options, Party, Program, Shape};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::played;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// What was refused is tried again after half a minute, and a token file is read anew each minute.
const PATIENCE: Duration = Duration::from_secs(150);
const FILE: &str = "vms/web-1.yaml";

/// A cluster with a controller.
pub struct Stand {
    /// The cluster.
    pub cluster: Cluster,
    /// The controller's account.
    pub account: Account,
    /// A client that may do everything.
    pub client: Client,
    folder: PathBuf,
    /// Ends with the test's runtime.
    _played: JoinHandle<()>,
}

impl Stand {
    /// Starts everything; `flags` are more of the API server's.
    pub async fn start(flags: &[&str]) -> Result<Self> {
        let mut stand = Self::bare(flags).await?;
        stand.controller("controller", &[]).await?;
        Ok(stand)
    }

    /// Starts everything but a controller.
    pub async fn bare(flags: &[&str]) -> Result<Self> {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let options = Options { flags: [(Party::ApiServer, flags)].into(), ..Options::of(Shape::ControlPlane) };
        let cluster = Cluster::start(options).await?;
        let folder = cluster.folder().join("stories");
        std::fs::create_dir(&folder)?;
        apply(
            &cluster,
            &folder.join("kinds.yaml"),
            &told(std::process::Command::new(beside("reef")?).args(["manifests", "--crds"]))?,
        )?;
        told(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]))?;
        accounts::install(&cluster)?;
        let account = Account::of(&cluster, "controller").await?;
        let client = cluster.client().await?;
        until_served(&client).await;
        let played = tokio::spawn(played::node(client.clone()));
        Ok(Self { cluster, account, client, folder, _played: played })
    }

    /// Starts a controller under this name, with these arguments more.
    pub async fn controller(&mut self, name: &str, more: &[&str]) -> Result<()> {
        let cache = self.folder.join(format!("cache-{name}")).display().to_string();
        let usual = ["controller", "--allow-file-urls", "--health-addr", "127.0.0.1:0", "--cache-dir", &cache];
        let arguments = usual.iter().chain(more).map(|word| (*word).to_owned()).collect();
        let environment = [("KUBECONFIG".to_owned(), self.account.kubeconfig.display().to_string())].into();
        self.cluster.run(Program { name: name.to_owned(), program: beside("reef")?, arguments, environment }).await
    }

    /// A namespace with one VM of a size that has settled.
    pub async fn story(&self, namespace: &str, size: Size) -> Result<Story> {
        let object: Namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } }))?;
        Api::<Namespace>::all(self.client.clone()).create(&PostParams::default(), &object).await?;
        let repository = Repository::create(&self.folder.join(format!("{namespace}.git")), &[])?;
        let text = manifest(size);
        repository.push("a VM", &[Change::Write { path: FILE.to_owned(), text }])?;
        let source = json!({
            "metadata": { "name": "vms" }, "spec": { "url": repository.url(), "ref": "main", "interval": "5s" }
        });
        let sources = Api::<GitSource>::namespaced(self.client.clone(), namespace);
        let mut source: Value = source;
        source["apiVersion"] = json!("reef.dev/v1alpha1");
        source["kind"] = json!("GitSource");
        sources.create(&PostParams::default(), &serde_json::from_value(source)?).await?;
        let log = self.cluster.logs().join("controller.log");
        let story = Story { client: self.client.clone(), namespace: namespace.to_owned(), repository, log };
        story.settles(size).await?;
        Ok(story)
    }

    /// Whether the controller's process is still the first one.
    pub async fn controller_lives(&mut self) -> Result<()> {
        self.cluster.memory_kib("controller").await.map(drop).context("the controller has ended")
    }
}

/// A kind is served a moment after its definition says that it is established.
async fn until_served(client: &Client) {
    let all = ListParams::default();
    let (vms, sources) = (Api::<VirtualMachine>::all(client.clone()), Api::<GitSource>::all(client.clone()));
    while vms.list(&all).await.is_err() || sources.list(&all).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// One VM in a namespace, and its repository.
pub struct Story {
    /// A client that may do everything.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// Where the VM stands.
    pub repository: Repository,
    log: PathBuf,
}

impl Story {
    /// Pushes another size.
    pub fn push(&self, size: Size) -> Result<()> {
        let text = sized(FILE, &self.repository.read(FILE)?, "web-1", size)?;
        self.repository.push(&format!("web-1: {size}"), &[Change::Write { path: FILE.to_owned(), text }])?;
        Ok(())
    }

    /// The VM.
    pub async fn vm(&self) -> Result<VirtualMachine> {
        Ok(Api::namespaced(self.client.clone(), &self.namespace).get("web-1").await?)
    }

    /// The VM's Pod.
    pub async fn pod(&self) -> Result<Pod> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace).list(&ListParams::default()).await?;
        pods.items.into_iter().next().context("the VM has no Pod")
    }

    /// The memory limit that the Pod's spec wishes.
    pub async fn wished(&self) -> Result<Bytes> {
        let pod = self.pod().await?;
        let limits = pod.spec.and_then(|spec| spec.containers[0].resources.clone()?.limits).context("limits")?;
        Ok(limits["memory"].0.parse()?)
    }

    /// Waits until the VM says that it has a size.
    pub async fn settles(&self, size: Size) -> Result<()> {
        self.until(&format!("{size} has settled"), async |vm| vm.is_settled() && vm.actual() == Some(size)).await
    }

    /// Waits until the VM says why it is not ready, and hands back the sentence.
    pub async fn says(&self, reason: &str) -> Result<String> {
        self.until(&format!("it says {reason}"), async |vm| said(&vm).0 == reason).await?;
        Ok(said(&self.vm().await?).1)
    }

    async fn until(&self, what: &str, so: impl AsyncFn(VirtualMachine) -> bool) -> Result<()> {
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut last = None;
        while tokio::time::Instant::now() < end {
            match self.vm().await {
                Ok(vm) if so(vm.clone()).await => return Ok(()),
                Ok(vm) => last = Some(serde_json::to_string(&vm.status)?),
                // The API server may be the one that is away.
                Err(why) => last = Some(format!("{why:?}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("still waiting until {what}: {}\n{}", last.unwrap_or_default(), self.log()?)
    }

    /// What the controller has logged.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// How often the resize of the VM's Pod was asked for and refused.
    pub fn refusals(&self) -> Result<usize> {
        let log = self.log()?;
        let refused = |line: &&str| line.contains("the API server refused a request") && line.contains(&self.namespace);
        Ok(log.lines().filter(refused).count())
    }

    /// Makes an object of any kind.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.send(http::Request::post(path), object).await
    }

    /// Replaces the status of an object.
    pub async fn put(&self, path: &str, object: &Value) -> Result<Value> {
        self.send(http::Request::put(path), object).await
    }

    /// Deletes an object of any kind.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.send(http::Request::delete(path), &json!({})).await.map(drop)
    }

    async fn send(&self, request: http::request::Builder, object: &Value) -> Result<Value> {
        let request = request.header("content-type", "application/json").body(object.to_string().into_bytes())?;
        Ok(self.client.request(request).await?)
    }
}

/// Reason and message of `Ready`, of the present generation.
fn said(vm: &VirtualMachine) -> (String, String) {
    let conditions = vm.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = condition::find(conditions, condition::READY);
    let present = ready.filter(|ready| ready.observed_generation == vm.metadata.generation);
    present.map(|ready| (ready.reason.clone(), ready.message.clone())).unwrap_or_default()
}

/// A size in whole GiB.
pub const fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(gib << 30))
}

fn manifest(size: Size) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: web-1\nspec:\n  \
         instance:\n    cpu:\n      coresPerSocket: {}\n      min: 1\n      max: 8\n    memory:\n      size: {}\n      \
         min: 1Gi\n      max: 8Gi\n",
        size.vcpus, size.memory
    )
}

/// Waits for something that has to come soon.
pub async fn soon<T>(what: &str, mut there: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = there().await? {
            return Ok(found);
        }
        ensure!(tokio::time::Instant::now() < end, "still waiting until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
