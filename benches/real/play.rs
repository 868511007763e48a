//! The writes of the parties that are played: so many at once, each once, and what fails is seen again by the watch or at the next change.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use reef_api::VirtualMachine;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Writes at once.
const AT_ONCE: usize = 16;

/// Writes to one namespace.
pub struct Play {
    client: Client,
    namespace: String,
    room: Arc<Semaphore>,
}

impl Play {
    /// Writes through a client.
    pub fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Binds a Pod to a node.
    pub fn bind(&self, pod: String, node: String) {
        let uri = format!("/api/v1/namespaces/{}/pods/{pod}/binding", self.namespace);
        let body = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": { "name": pod },
            "target": { "apiVersion": "v1", "kind": "Node", "name": node }
        });
        let client = self.client.clone();
        self.spawn(async move {
            let request = hyper::Request::post(uri)
                .header("content-type", "application/json")
                .body(body.to_string().into_bytes())?;
            client.request::<Value>(request).await?;
            Ok(())
        });
    }

    /// Writes the status of a Pod.
    pub fn pod_status(&self, pod: String, status: Value) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        self.spawn(async move {
            api.patch_status(&pod, &PatchParams::default(), &Patch::Strategic(status)).await?;
            Ok(())
        });
    }

    /// Writes `status.vmm` of a VM.
    pub fn vm_status(&self, vm: String, report: Value, manager: &'static str) {
        let api: Api<VirtualMachine> = Api::namespaced(self.client.clone(), &self.namespace);
        self.spawn(async move {
            let body = json!({
                "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
                "metadata": { "name": vm }, "status": { "vmm": report }
            });
            api.patch_status(&vm, &PatchParams::apply(manager).force(), &Patch::Apply(body)).await?;
            Ok(())
        });
    }

    fn spawn(&self, work: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let room = Arc::clone(&self.room);
        tokio::spawn(async move {
            let _place = room.acquire().await;
            if let Err(error) = work.await {
                eprintln!("  a party that is played failed: {error:#}");
            }
        });
    }
}
