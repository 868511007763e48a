//! What every other test of the real tier relies on: a cluster comes up, takes blows, and leaves nothing behind.
//!
//! Nothing of Reef's is tested here.
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions::is_pod_running, wait::await_condition},
};
use reef_real::{Cluster, Options, Party, Program, Shape};
use serde_json::json;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

/// Two cores carry one cluster well.
static TURN: Mutex<()> = Mutex::const_new(());
const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn two_clusters_side_by_side_do_not_meet() -> Result<()> {
    let _turn = TURN.lock().await;
    let (first, second) = tokio::try_join!(
        Cluster::start(Options::of(Shape::ControlPlane)),
        Cluster::start(Options::of(Shape::ControlPlane))
    )?;
    let (ours, theirs) = (maps(&first).await?, maps(&second).await?);
    ours.create(&PostParams::default(), &map("mine")).await?;
    ensure!(theirs.get_opt("mine").await?.is_none(), "an object of one cluster is in the other");
    let places = [&first, &second].map(|cluster| (cluster.folder().to_owned(), cluster.cgroup_root().to_owned()));
    drop(first);
    theirs.create(&PostParams::default(), &map("theirs")).await.context("the end of one cluster hurt the other")?;
    drop(second);
    for (folder, cgroup) in places {
        nothing_is_left(&folder, &cgroup).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_store_and_an_api_server_come_back_with_what_they_knew() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::start(Options::of(Shape::ControlPlane)).await?;
    let api = maps(&cluster).await?;
    api.create(&PostParams::default(), &map("kept")).await?;
    cluster.kill(Party::ApiServer).await?;
    ensure!(api.get("kept").await.is_err(), "a killed API server answers");
    ensure!(cluster.kill(Party::ApiServer).await.is_err(), "it was killed twice");
    cluster.kill(Party::Etcd).await?;
    cluster.revive(Party::Etcd).await?;
    cluster.revive(Party::ApiServer).await?;
    ensure!(cluster.revive(Party::ApiServer).await.is_err(), "it was revived twice");
    api.get("kept").await.context("an object did not outlive the API server")?;
    Ok(())
}

#[tokio::test]
async fn a_pod_outlives_kubelet_runtime_and_api_server() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::start(Options::of(Shape::Node)).await?;
    let client = cluster.client().await?;
    let before = running_pod(&client).await?;
    for party in [Party::Kubelet, Party::Containerd, Party::ApiServer, Party::Scheduler, Party::ControllerManager] {
        cluster.kill(party).await?;
        cluster.revive(party).await?;
    }
    resize(&cluster)?;
    let actual = json!({"cpu": "200m", "memory": "96Mi"});
    let pods = Api::<Pod>::default_namespaced(client);
    let resized = |pod: Option<&Pod>| pod.and_then(limits) == Some(actual.clone());
    let after = timeout(SOON, await_condition(pods, "sleeper", resized)).await.context("never resized")??;
    assert_eq!(containers(after.as_ref()), containers(Some(&before)), "the container was replaced");
    Ok(())
}

#[tokio::test]
async fn a_program_runs_beside_the_parties_and_ends_with_them() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::start(Options::of(Shape::ControlPlane)).await?;
    let folder = cluster.folder().to_owned();
    let shell = |script: &str| Program {
        name: "shell".into(),
        program: "sh".into(),
        arguments: ["-c", script, "shell", &format!("{}/mine", folder.display())].map(String::from).into(),
        environment: [("TOLD".to_owned(), "by the test".to_owned())].into(),
    };
    let sleeps = |found: Vec<String>| found.iter().any(|process| process.ends_with("/mine "));
    let sleeper = shell("echo told $TOLD; sleep 1000; :");
    cluster.run(sleeper.clone()).await?;
    ensure!(cluster.run(sleeper.clone()).await.is_err(), "it runs twice");
    let tells = || fs::read_to_string(cluster.logs().join("shell.log")).is_ok_and(|told| told == "told by the test\n");
    let runs = timeout(SOON, async {
        while !(tells() && sleeps(processes(&folder)?)) {
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    });
    runs.await.context("it does not run, or tells nothing")??;
    ensure!(cluster.memory_kib("shell").await? < cluster.memory_kib("kube-apiserver").await?, "a shell is that large");
    ensure!(cluster.memory_kib("nobody").await.is_err(), "nobody has memory");
    cluster.kill_program("shell").await?;
    ensure!(!sleeps(processes(&folder)?), "it was not killed");
    cluster.run(sleeper).await?;
    drop(cluster);
    ensure!(!sleeps(processes(&folder)?), "it outlived its cluster");
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_a_cluster_whose_holder_is_killed() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut holder = Holder::start("node")?;
    let kubeconfig = holder.kubeconfig()?;
    let folder = kubeconfig.ancestors().nth(2).context("no folder")?.to_owned();
    let cgroup = format!("/{}", folder.file_name().context("no name")?.to_string_lossy());
    let read = Kubeconfig::read_from(&kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    running_pod(&kube::Client::try_from(config)?).await?;
    ensure!(!leftovers(&folder, &cgroup)?.is_empty(), "a running cluster cannot be seen, so its traces could not");
    holder.child.kill()?;
    holder.child.wait()?;
    nothing_is_left(&folder, &cgroup).await
}

#[tokio::test]
async fn nothing_is_left_of_a_cluster_that_is_interrupted_while_it_starts() -> Result<()> {
    let _turn = TURN.lock().await;
    let cluster = Cluster::start(Options::of(Shape::ControlPlane)).await?;
    let (folder, cgroup) = (cluster.folder().to_owned(), cluster.cgroup_root().to_owned());
    drop(cluster);
    let mut holder = Holder::start("node")?;
    sleep(Duration::from_secs(2)).await;
    Command::new("kill").args(["-INT", &holder.child.id().to_string()]).status()?;
    holder.child.wait()?;
    nothing_is_left(&folder, &cgroup).await
}

#[tokio::test]
async fn what_a_killed_warden_leaves_is_removed_by_the_next() -> Result<()> {
    let _turn = TURN.lock().await;
    let cluster = Cluster::start(Options::of(Shape::Node)).await?;
    running_pod(&cluster.client().await?).await?;
    let (folder, cgroup) = (cluster.folder().to_owned(), cluster.cgroup_root().to_owned());
    let warden = cluster.warden_id().context("the warden is gone")?;
    Command::new("kill").args(["-KILL", &warden.to_string()]).status()?;
    drop(cluster);
    let traces = timeout(SOON, async {
        while !processes(&folder)?.is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
        leftovers(&folder, &cgroup)
    });
    ensure!(!traces.await??.is_empty(), "the warden was not needed");
    drop(Cluster::start(Options::of(Shape::ControlPlane)).await?);
    nothing_is_left(&folder, &cgroup).await
}

/// A process that holds a cluster, to be ended the hard way.
struct Holder {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(shape: &str) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_real-cluster"));
        let mut child = command.args(["up", "--shape", shape]).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, output })
    }

    /// The kubeconfig that it tells when its cluster is ready.
    fn kubeconfig(&mut self) -> Result<PathBuf> {
        for line in self.output.by_ref().lines() {
            if let Some((_, path)) = line?.split_once("KUBECONFIG=") {
                return Ok(path.trim().into());
            }
        }
        anyhow::bail!("the cluster did not start")
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn maps(cluster: &Cluster) -> Result<Api<ConfigMap>> {
    Ok(Api::default_namespaced(cluster.client().await?))
}

fn map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.into());
    map
}

/// A Pod with a network namespace of its own, of the one image that is always there.
async fn running_pod(client: &kube::Client) -> Result<Pod> {
    let size = json!({"cpu": "100m", "memory": "64Mi"});
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "sleeper"},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [{
            "name": "sleeper", "image": "reef.dev/pause:real", "imagePullPolicy": "Never",
            "resources": {"requests": size, "limits": size},
        }]},
    }))?;
    let pods = Api::<Pod>::default_namespaced(client.clone());
    pods.create(&PostParams::default(), &pod).await?;
    let running = timeout(SOON, await_condition(pods, "sleeper", is_pod_running())).await;
    running.context("the Pod does not run")??.context("the Pod is gone")
}

/// By kubectl, as a person would.
fn resize(cluster: &Cluster) -> Result<()> {
    let size = json!({"cpu": "200m", "memory": "96Mi"});
    let containers = json!([{"name": "sleeper", "resources": {"requests": size, "limits": size}}]);
    let patch = json!({"spec": {"containers": containers}}).to_string();
    let mut kubectl = cluster.kubectl();
    let patched = kubectl.args(["patch", "pod", "sleeper", "--subresource", "resize", "--patch", &patch]).output()?;
    ensure!(patched.status.success(), "{}", String::from_utf8_lossy(&patched.stderr));
    Ok(())
}

/// What the kubelet says that the container has.
fn limits(pod: &Pod) -> Option<serde_json::Value> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    serde_json::to_value(status.resources.as_ref()?.limits.as_ref()?).ok()
}

/// The id of the container and how often it was started anew.
fn containers(pod: Option<&Pod>) -> Vec<(Option<String>, i32)> {
    let statuses = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.clone()).unwrap_or_default();
    statuses.into_iter().map(|status| (status.container_id, status.restart_count)).collect()
}

async fn nothing_is_left(folder: &Path, cgroup: &str) -> Result<()> {
    let gone = timeout(SOON, async {
        while !leftovers(folder, cgroup)?.is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    });
    match gone.await {
        Ok(gone) => gone,
        Err(_) => anyhow::bail!("left: {:#?}", leftovers(folder, cgroup)?),
    }
}

/// Everything that tells of a run: processes, mounts, cgroups, files.
fn leftovers(folder: &Path, cgroup: &str) -> Result<Vec<String>> {
    let mut found = processes(folder)?;
    let name = folder.to_string_lossy();
    found.extend(
        fs::read_to_string("/proc/self/mounts")?.lines().filter(|line| line.contains(&*name)).map(str::to_owned),
    );
    for entry in fs::read_dir("/sys/fs/cgroup")? {
        let (own, below) = (entry?.path(), cgroup.trim_start_matches('/'));
        let group = if own.ends_with(below) { own } else { own.join(below) };
        found.extend(group.exists().then(|| group.display().to_string()));
    }
    found.extend(folder.exists().then(|| name.into_owned()));
    Ok(found)
}

/// Processes that were told the folder of a run.
fn processes(folder: &Path) -> Result<Vec<String>> {
    let place = format!("{}/", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&place) || line.trim_end().ends_with(place.trim_end_matches('/')) {
            found.push(format!("{}: {line}", entry.path().display()));
        }
    }
    Ok(found)
}
