//! One story: a namespace, a repository, some VMs, and the waits and checks of which stories are made.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use reef::demo::repository::{Change, Pushed, Repository};
use reef::demo::tour::changes::sized;
use reef_api::source::GitSource;
use reef_api::{Reason, Size, VirtualMachine};
use serde_json::json;

use crate::cgroup::{self, Limits};
use crate::guest::{self, Line, Order};
use crate::manifest::{VmFile, policy};
use crate::timeline::{Timeline, now};
use crate::world::World;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// A guest that boots by emulation beside others takes a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// A namespace with VMs from a repository.
pub struct Story {
    /// The namespace.
    pub namespace: String,
    /// A client.
    pub client: Client,
    /// All that happened.
    pub timeline: Timeline,
    /// Where the VMs stand.
    pub repository: Repository,
    world: &'static World,
    files: Vec<VmFile>,
    orders: AtomicU64,
}

/// A VM as it is at one moment: Pod, container and guest.
#[derive(Clone, Debug)]
pub struct Running {
    /// Name of the Pod.
    pub pod: String,
    /// UID of the Pod.
    pub uid: String,
    /// What the kernel holds the container to.
    pub limits: Limits,
    /// The last line of the guest.
    pub guest: Line,
}

impl Story {
    /// Makes the namespace and the disks, pushes the VMs, and lets Reef see them.
    pub async fn begin(
        world: &'static World,
        namespace: &str,
        overcommit: u32,
        files: &[VmFile],
    ) -> anyhow::Result<Self> {
        let story = Self::prepare(world, namespace, overcommit, files).await?;
        create::<Namespace>(&Api::all(story.client.clone()), json!({ "metadata": { "name": namespace } })).await?;
        story.disks().await?;
        let vms = files.iter().map(|file| Change::Write { path: file.path(), text: file.text() });
        story.repository.push("the VMs of this story", &vms.collect::<Vec<_>>())?;
        story.follow(&story.source()).await?;
        Ok(story)
    }

    /// Makes the repository, with a policy and without a VM. Nobody follows it yet, and there is no namespace.
    pub async fn prepare(
        world: &'static World,
        namespace: &str,
        overcommit: u32,
        files: &[VmFile],
    ) -> anyhow::Result<Self> {
        let client = world.client().await?;
        clear(&client).await?;
        let repository = Repository::create(&world.folder.join(format!("{namespace}.git")), &[])?;
        let policy = Change::Write { path: "policies/default.yaml".to_owned(), text: policy(overcommit) };
        repository.push("the policy of this story", &[policy])?;
        Ok(Self {
            namespace: namespace.to_owned(),
            timeline: Timeline::follow(&client, namespace),
            client,
            repository,
            world,
            files: files.to_vec(),
            orders: AtomicU64::new(0),
        })
    }

    /// Makes the disks of all VMs.
    pub async fn disks(&self) -> anyhow::Result<()> {
        for file in &self.files {
            self.disk(file.name).await?;
        }
        Ok(())
    }

    /// What makes Reef follow the repository.
    pub fn source(&self) -> serde_json::Value {
        json!({
            "apiVersion": "reef.dev/v1alpha1", "kind": "GitSource", "metadata": { "name": "vms" },
            "spec": { "url": self.repository.url(), "ref": "main", "interval": "5s" }
        })
    }

    /// Lets Reef see the repository.
    pub async fn follow(&self, source: &serde_json::Value) -> anyhow::Result<()> {
        let source = serde_json::from_value(source.clone())?;
        self.namespaced::<GitSource>().create(&PostParams::default(), &source).await?;
        Ok(())
    }

    fn namespaced<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A disk of one mebibyte, by which the guest takes orders.
    async fn disk(&self, vm: &str) -> anyhow::Result<()> {
        let folder = self.world.folder.join("disks").join(&self.namespace).join(vm);
        std::fs::create_dir_all(&folder)?;
        self.disk_content(vm)?;
        let volume = format!("{}-{vm}", self.namespace);
        let spec = json!({
            "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Mi" }, "storageClassName": "by-hand",
            "hostPath": { "path": folder }, "claimRef": { "namespace": self.namespace, "name": vm }
        });
        let volume_object = json!({ "metadata": { "name": volume }, "spec": spec });
        create::<PersistentVolume>(&Api::all(self.client.clone()), volume_object).await?;
        let spec = json!({
            "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand", "volumeName": volume,
            "resources": { "requests": { "storage": "1Mi" } }
        });
        let claim = json!({ "metadata": { "name": vm }, "spec": spec });
        create::<PersistentVolumeClaim>(&self.namespaced(), claim).await
    }

    /// Writes the file of a VM's disk.
    pub fn disk_content(&self, vm: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.disk_file(vm), vec![0; 1 << 20])?)
    }

    /// Removes the file of a VM's disk.
    pub fn remove_disk(&self, vm: &str) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.disk_file(vm))?)
    }

    fn disk_file(&self, vm: &str) -> PathBuf {
        self.world.folder.join("disks").join(&self.namespace).join(vm).join("disk.img")
    }

    /// Tells a guest what to do, and waits until it has taken the order up.
    pub async fn order(&self, vm: &str, order: Order) -> anyhow::Result<()> {
        let number = self.write_order(vm, order)?;
        if matches!(order, Order::PowerOff | Order::Reboot) {
            return Ok(());
        }
        self.until(&format!("{vm} obeys {order:?}"), async || {
            Ok(self.running(vm).await?.filter(|it| it.guest.order >= number))
        })
        .await
        .map(|_| ())
    }

    /// Puts an order onto a guest's disk, and tells its number.
    pub fn write_order(&self, vm: &str, order: Order) -> anyhow::Result<u64> {
        use std::os::unix::fs::FileExt;
        let number = self.orders.fetch_add(1, Ordering::Relaxed) + 1;
        let file = std::fs::File::options().write(true).open(self.disk_file(vm))?;
        file.write_all_at(&order.text(number), 0)?;
        file.sync_all()?;
        Ok(number)
    }

    /// Pushes new sizes in one commit.
    pub fn push(&self, sizes: &[(&str, Size)]) -> anyhow::Result<(Pushed, i64)> {
        let change = |(name, size): &(&str, Size)| {
            let path = format!("vms/{name}.yaml");
            let text = sized(&path, &self.repository.read(&path)?, name, *size)?;
            anyhow::Ok(Change::Write { path, text })
        };
        let changes = sizes.iter().map(change).collect::<anyhow::Result<Vec<_>>>()?;
        let subject: Vec<String> = sizes.iter().map(|(name, size)| format!("{name}: {size}")).collect();
        let pushed = self.repository.push(&subject.join(", "), &changes)?;
        Ok((pushed, now()))
    }

    /// Pushes when a VM runs, and its size.
    pub fn push_policy(&self, name: &str, run_policy: &'static str, size: Size) -> anyhow::Result<()> {
        let file = self.files.iter().find(|file| file.name == name).context("the story has no such VM")?;
        self.push_text(file, VmFile { run_policy, size, ..*file }.text())
    }

    /// Pushes the file of a VM.
    pub fn push_text(&self, file: &VmFile, text: String) -> anyhow::Result<()> {
        self.repository.push(&format!("{}: its file", file.name), &[Change::Write { path: file.path(), text }])?;
        Ok(())
    }

    /// Stops a VM by a commit, and waits until nothing of it runs.
    pub async fn halt(&self, name: &str) -> anyhow::Result<()> {
        let size = self.vm(name).await?.actual().context("the VM has a size")?;
        self.push_policy(name, "Halted", size)?;
        self.stopped(name).await
    }

    /// Waits until nothing of a VM runs.
    pub async fn stopped(&self, name: &str) -> anyhow::Result<()> {
        let runs =
            |pod: &Pod| !matches!(pod.status.as_ref().and_then(|it| it.phase.as_deref()), Some("Succeeded" | "Failed"));
        let stopped = async || Ok((!self.pods(name).await?.iter().any(runs)).then_some(()));
        self.until(&format!("{name} has stopped"), stopped).await
    }

    /// Waits until a resize is under way: the VM's status names the target, and the guest does not have it.
    pub async fn begun(&self, name: &str, size: Size) -> anyhow::Result<()> {
        let begun = async || {
            let status = self.vm(name).await?.status.unwrap_or_default();
            Ok(status.resize.filter(|resize| resize.target == size).map(|_| ()))
        };
        self.until(&format!("the resize of {name} to {size} has begun"), begun).await
    }

    /// Waits until a VM says why it does not have its size.
    pub async fn waits_for(&self, name: &str, reason: Reason) -> anyhow::Result<()> {
        let waits = async || {
            let conditions = self.vm(name).await?.status.unwrap_or_default().conditions;
            Ok(conditions.iter().any(|condition| condition.reason == reason.as_str()).then_some(()))
        };
        self.until(&format!("{name} waits: {reason}"), waits).await
    }

    /// Waits until a guest holds what it was told to hold.
    pub async fn holding(&self, name: &str, mib: u64) -> anyhow::Result<()> {
        let holding = async || Ok(self.running(name).await?.filter(|it| it.guest.held_kib == mib * 1024).map(|_| ()));
        self.until(&format!("the guest of {name} holds {mib} MiB"), holding).await
    }

    /// The VMs.
    pub fn vms(&self) -> Api<VirtualMachine> {
        self.namespaced()
    }

    /// The VM as the API server tells it.
    pub async fn vm(&self, name: &str) -> anyhow::Result<VirtualMachine> {
        Ok(self.namespaced::<VirtualMachine>().get(name).await?)
    }

    /// Pods of a VM, also those that ended.
    pub async fn pods(&self, vm: &str) -> anyhow::Result<Vec<Pod>> {
        let of = ListParams::default().labels(&format!("reef.dev/vm={vm}"));
        Ok(self.namespaced::<Pod>().list(&of).await?.items)
    }

    /// The VM's Pod, container and guest; nothing while one of them is missing.
    pub async fn running(&self, vm: &str) -> anyhow::Result<Option<Running>> {
        let pods = self.pods(vm).await?;
        Ok(pods.iter().rev().find_map(|pod| self.look(pod)))
    }

    /// A Pod's container and guest.
    pub fn look(&self, pod: &Pod) -> Option<Running> {
        let (name, uid) = (pod.metadata.name.clone()?, pod.metadata.uid.clone()?);
        let guest = guest::lines(&self.world.logs, &self.namespace, &name, &uid).pop()?;
        let limits = cgroup::limits(&container_id(pod)?)?;
        Some(Running { pod: name, uid, limits, guest })
    }

    /// All that a VM's present guest has printed.
    pub fn lines(&self, running: &Running) -> Vec<Line> {
        guest::lines(&self.world.logs, &self.namespace, &running.pod, &running.uid)
    }

    /// Waits until a VM has a size: by its own word, by the kernel's limits, and by its guest.
    pub async fn settled(&self, vm: &str, size: Size) -> anyhow::Result<Running> {
        self.until(&format!("{vm} has {size}"), async || {
            let told = self.vm(vm).await?;
            let Some(running) = self.running(vm).await? else { return Ok(None) };
            let says = told.is_settled() && told.actual() == Some(size);
            Ok((says && holds(&running, size)).then_some(running))
        })
        .await
    }

    /// Waits until something is there; tells what there is when it does not come.
    pub async fn until<T>(
        &self,
        what: &str,
        mut there: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut last = None;
        while tokio::time::Instant::now() < end {
            match there().await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => last = None,
                // The API server may be the one that was killed.
                Err(why) => last = Some(why),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("still waiting until {what}\n{last:?}\n{}", self.told().await)
    }

    async fn told(&self) -> String {
        let vms = self.namespaced::<VirtualMachine>().list(&ListParams::default()).await;
        let statuses: Vec<String> = vms
            .map(|vms| vms.items.iter().map(|vm| serde_json::to_string(&vm.status).unwrap_or_default()).collect())
            .unwrap_or_default();
        let source = self.namespaced::<GitSource>().get_opt("vms").await.ok().flatten();
        let source = source.and_then(|source| serde_json::to_string(&source.status).ok()).unwrap_or_default();
        let mut pods = Vec::new();
        for pod in
            self.namespaced::<Pod>().list(&ListParams::default()).await.map(|pods| pods.items).unwrap_or_default()
        {
            pods.push(format!("{:?} {}", pod.metadata.name, serde_json::to_string(&pod.status).unwrap_or_default()));
        }
        let logs = [&self.world.controller, &self.world.daemon].map(|role| last_lines(&role.log()));
        format!("VMs: {}\nsource: {source}\nPods: {}\n{}", statuses.join("\n"), pods.join("\n"), logs.join("\n"))
    }

    /// Removes the VMs and waits until nothing of them runs.
    pub async fn end(self) -> anyhow::Result<()> {
        let vms = self.namespaced::<VirtualMachine>();
        let _ = self.namespaced::<GitSource>().delete("vms", &DeleteParams::default()).await;
        for file in &self.files {
            let _ = vms.delete(file.name, &DeleteParams::default()).await;
        }
        self.until("all Pods are gone", async || {
            let left = self.namespaced::<Pod>().list(&ListParams::default()).await?.items;
            Ok(left.is_empty().then_some(()))
        })
        .await
    }
}

/// The end of a log, where a failure is most often told.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}

/// Whether the kernel's limits and the guest agree with a size.
pub fn holds(running: &Running, size: Size) -> bool {
    let limits = &running.limits;
    let covered = limits.memory >= size.memory.get() && limits.cpu >= u64::from(size.vcpus.0) * 1000;
    covered && running.guest.has(size)
}

/// The id of the container `vm-manager`, without the runtime's prefix.
pub fn container_id(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let id = statuses.iter().find(|status| status.name == "vm-manager")?.container_id.as_deref()?;
    Some(id.rsplit("//").next()?.to_owned())
}

/// Restarts and how the last run of the container `vm-manager` ended.
pub fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    statuses.into_iter().flatten().map(|status| status.restart_count).sum()
}

/// Removes what a story that failed has left: its VMs would take room from the next one.
async fn clear(client: &Client) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::all(client.clone());
    let (sources, vms): (Api<GitSource>, Api<VirtualMachine>) = (Api::all(client.clone()), Api::all(client.clone()));
    let all = ListParams::default();
    for source in sources.list(&all).await? {
        let namespace = source.metadata.namespace.unwrap_or_default();
        let sources: Api<GitSource> = Api::namespaced(client.clone(), &namespace);
        sources.delete("vms", &DeleteParams::default()).await?;
    }
    for vm in vms.list(&all).await? {
        let namespace = vm.metadata.namespace.unwrap_or_default();
        let vms: Api<VirtualMachine> = Api::namespaced(client.clone(), &namespace);
        vms.delete(&vm.metadata.name.unwrap_or_default(), &DeleteParams::default()).await?;
    }
    while !pods.list(&all).await?.items.is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn create<K>(api: &Api<K>, object: serde_json::Value) -> anyhow::Result<()>
where
    K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    Ok(())
}
