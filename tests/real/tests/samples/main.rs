//! The samples of `argocd/` on the real Argo CD and a real API server, changed in the address of the repository alone.
//!
//! No role of Reef runs: what becomes of a VM that is applied is told in `end_to_end`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod application_set;
mod autoscaled;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reef::demo::example::FILES;
use reef::demo::repository::Repository;
use reef_real::stage::argocd::{ArgoCd, configure};
use reef_real::stage::{apply, told};
use reef_real::{Cluster, Options, Shape};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(250);

/// A cluster with Argo CD and Reef's kinds, and the repository of the example.
struct Stand {
    cluster: Cluster,
    repository: Repository,
    _argo_cd: ArgoCd,
}

impl Stand {
    /// Starts it, with these objects and samples applied.
    async fn with(objects: &[&str], samples: &[&str]) -> Result<Self> {
        let mut cluster = Cluster::start(Options::of(Shape::ControlPlane)).await?;
        kinds(&cluster).await?;
        let argo_cd = ArgoCd::start(&mut cluster).await?;
        configure(&cluster, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../argocd/argocd-cm.yaml"))?;
        let repository = Repository::create(&cluster.folder().join("vms.git"), FILES)?;
        let samples = samples.iter().map(|name| sample(name, &repository.url()));
        let all: Vec<String> = objects.iter().map(|text| (*text).to_owned()).chain(samples).collect();
        for (number, text) in all.iter().enumerate() {
            apply(&cluster, &cluster.folder().join(format!("{number}.yaml")), text)?;
        }
        Ok(Self { cluster, repository, _argo_cd: argo_cd })
    }

    /// What kubectl says in a namespace.
    fn kubectl(&self, namespace: &str, arguments: &[&str]) -> Result<String> {
        told(self.cluster.kubectl().args(["--namespace", namespace]).args(arguments))
    }

    /// An object as it is stored.
    fn object(&self, namespace: &str, kind: &str, name: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.kubectl(namespace, &["get", kind, name, "--output", "json"])?)?)
    }
}

fn sample(name: &str, url: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../argocd").join(name);
    let text = std::fs::read_to_string(file).unwrap();
    text.replace("https://git.example.com/platform/vms.git", url)
}

async fn until(what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let look = async {
        while !so().is_ok_and(|so| so) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.with_context(|| format!("waited for this: {what}"))
}

/// Reef's kinds, served. A definition has no conditions for a moment, which `wait` takes for a failure.
async fn kinds(cluster: &Cluster) -> Result<()> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": reef::wiring::crds::all() });
    apply(cluster, &cluster.folder().join("kinds.json"), &list.to_string())?;
    let established = ["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"];
    until("Reef's kinds are served", || told(cluster.kubectl().args(established)).map(|_| true)).await
}
