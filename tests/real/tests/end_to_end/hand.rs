//! Resizes by hand, without Reef: the floor that Reef is measured against, and the mistake that Reef exists to avoid.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use reef_api::Size;
use serde_json::{Value, json};

use crate::stages::{From, OVERHEAD, limit};
use crate::world::World;

/// A Pod like the one of a VM, that Reef knows nothing of.
pub struct HandPod {
    api: Api<Pod>,
    name: String,
    uid: String,
    socket: std::path::PathBuf,
}

impl HandPod {
    /// Starts a copy of a VM's Pod.
    pub async fn start(world: &World, client: &Client, namespace: &str, like: &Pod) -> anyhow::Result<Self> {
        let name = "by-hand";
        let mut spec = like.spec.clone().context("a Pod has a spec")?;
        spec.node_name = None;
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pod = api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        let uid = pod.metadata.uid.context("a Pod has a UID")?;
        let kubelet = world.cluster.lock().await.kubelet_dir().to_owned();
        let socket = kubelet.join("pods").join(&uid).join("volumes/kubernetes.io~empty-dir/vmm/qmp.sock");
        Ok(Self { api, name: name.to_owned(), uid, socket })
    }

    /// The Pod as it is now.
    pub async fn get(&self) -> anyhow::Result<Pod> {
        Ok(self.api.get(&self.name).await?)
    }

    /// Asks for a Pod that carries a size.
    pub async fn patch(&self, size: Size, overcommit: u32) -> anyhow::Result<()> {
        let memory = (size.memory.0 + OVERHEAD).to_string();
        let requests = json!({ "cpu": format!("{}m", size.vcpus.0 * 1000 / overcommit), "memory": memory });
        let limits = json!({ "cpu": size.vcpus.0.to_string(), "memory": memory });
        let container = json!({ "name": "vm-manager", "resources": { "requests": requests, "limits": limits } });
        let patch = json!({ "metadata": { "uid": self.uid }, "spec": { "containers": [container] } });
        self.api.patch_resize(&self.name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
        Ok(())
    }

    /// Waits until the container really has what was asked for.
    pub async fn resized(&self, size: Size) -> anyhow::Result<()> {
        loop {
            let memory = limit(&self.get().await?, From::Actual, "memory");
            if memory.is_some_and(|memory| memory.0 == size.memory.0 + OVERHEAD) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks the VMM itself for vCPUs and memory; `floor` is what it booted with. Only growth of vCPUs.
    pub fn ask_vmm(&self, size: Size, floor: Size) -> anyhow::Result<()> {
        let mut qmp = Qmp::connect(&self.socket)?;
        let slots = qmp.execute("query-hotpluggable-cpus", json!({}))?;
        let slots = slots.as_array().context("slots are a list")?;
        let mut free: Vec<&Value> = slots.iter().filter(|slot| slot["qom-path"].is_null()).collect();
        free.sort_by_key(|slot| slot["props"]["socket-id"].as_u64());
        let plugged = slots.len() - free.len();
        for slot in free.iter().take(usize::try_from(size.vcpus.0)?.saturating_sub(plugged)) {
            let mut device = slot["props"].clone();
            device["driver"] = slot["type"].clone();
            device["id"] = json!(format!("by-hand-{}", slot["props"]["socket-id"]));
            qmp.execute("device_add", device)?;
        }
        let plugged = size.memory.0 - floor.memory.0;
        qmp.execute(
            "qom-set",
            json!({ "path": "/machine/peripheral/vm0", "property": "requested-size", "value": plugged }),
        )?;
        Ok(())
    }

    /// Ends it.
    pub async fn end(self) -> anyhow::Result<()> {
        self.api.delete(&self.name, &DeleteParams::default().grace_period(0)).await?;
        Ok(())
    }
}

/// A few words of QMP, one after the other.
struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    fn connect(socket: &std::path::Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| socket.display().to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut qmp = Self { reader: BufReader::new(stream) };
        qmp.line()?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    fn line(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "the VMM closed its socket");
        Ok(serde_json::from_str(&line)?)
    }

    fn execute(&mut self, command: &str, arguments: Value) -> anyhow::Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.reader.get_mut(), "{request}")?;
        loop {
            let answer = self.line()?;
            if answer["event"].is_null() {
                ensure!(answer["error"].is_null(), "{command}: {}", answer["error"]);
                return Ok(answer["return"].clone());
            }
        }
    }
}
