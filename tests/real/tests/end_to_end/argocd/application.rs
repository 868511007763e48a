//! An Application: made of the sample, told to look at its repository, and what it says of itself.

use anyhow::{Context, ensure};
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use reef_api::argocd::{ARGOCD_GROUP, ARGOCD_VERSION};
use reef_real::stage::argocd::NAMESPACE;
use serde_json::{Value, json};

use crate::timeline::{Entry, Object};

/// What an Application says of itself at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// When it was seen, in milliseconds since 1970.
    pub at: i64,
    /// `Synced` or `OutOfSync`.
    pub sync: String,
    /// The commit that it was compared with.
    pub revision: String,
    /// Its health.
    pub health: String,
    /// What is known of its last operation, and the commit of it.
    pub operation: (String, String),
    /// Its conditions: type and message.
    pub conditions: Vec<(String, String)>,
    /// The health of its VMs, with what is said of it.
    pub vms: Vec<(String, String)>,
}

/// All Applications.
pub fn all(client: Client) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(ARGOCD_GROUP, ARGOCD_VERSION, "Application"));
    Api::namespaced_with(client, NAMESPACE, &kind)
}

/// All projects.
pub fn projects(client: Client) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(ARGOCD_GROUP, ARGOCD_VERSION, "AppProject"));
    Api::namespaced_with(client, NAMESPACE, &kind)
}

/// The names of all Applications.
pub async fn names(applications: &Api<DynamicObject>) -> anyhow::Result<Vec<String>> {
    let listed = applications.list(&ListParams::default()).await?;
    Ok(listed.items.into_iter().filter_map(|it| it.metadata.name).collect())
}

/// The sample, of another name, repository and namespace.
pub fn sample(name: &str, url: &str, namespace: &str) -> anyhow::Result<Value> {
    let mut object = read_sample("application.yaml", "Application")?;
    object["metadata"]["name"] = json!(name);
    object["spec"]["source"]["repoURL"] = json!(url);
    object["spec"]["destination"]["namespace"] = json!(namespace);
    Ok(object)
}

/// The sample of a project, of another repository and namespace.
pub fn project(url: &str, namespace: &str) -> anyhow::Result<Value> {
    let mut object = read_sample("appproject.yaml", "AppProject")?;
    object["spec"]["sourceRepos"] = json!([url]);
    for path in ["/spec/destinations/0/namespace", "/spec/clusterResourceWhitelist/0/name"] {
        *object.pointer_mut(path).with_context(|| format!("argocd/appproject.yaml has no {path}"))? = json!(namespace);
    }
    Ok(object)
}

fn read_sample(file: &str, kind: &str) -> anyhow::Result<Value> {
    let object: Value = serde_yaml::from_str(&std::fs::read_to_string(super::file(file))?)?;
    ensure!(object["kind"] == kind, "argocd/{file} is no {kind}");
    Ok(object)
}

/// Has Argo CD look at the repository now, as a webhook of a forge does.
pub async fn refresh(applications: &Api<DynamicObject>, name: &str) -> anyhow::Result<()> {
    let patch = json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "normal" } } });
    applications.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

/// What an Application says now.
pub async fn state(applications: &Api<DynamicObject>, name: &str) -> anyhow::Result<State> {
    Ok(read(crate::timeline::now(), &applications.get(name).await?))
}

/// All that an Application said, the oldest first.
pub fn told(entries: &[Entry], name: &str) -> Vec<State> {
    let of = |entry: &Entry| match &entry.object {
        Object::Application(it) if it.metadata.name.as_deref() == Some(name) => Some(read(entry.at, it)),
        _ => None,
    };
    entries.iter().filter_map(of).collect()
}

fn read(at: i64, application: &DynamicObject) -> State {
    let status = &application.data["status"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let operation = &status["operationState"];
    let pair = |value: &Value, one: &str, other: &str| (text(&value[one]), text(&value[other]));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let vms = list(&status["resources"]).into_iter().filter(|it| it["kind"] == "VirtualMachine");
    State {
        at,
        sync: text(&status["sync"]["status"]),
        revision: text(&status["sync"]["revision"]),
        health: text(&status["health"]["status"]),
        operation: (text(&operation["phase"]), text(&operation["syncResult"]["revision"])),
        conditions: list(&status["conditions"]).iter().map(|it| pair(it, "type", "message")).collect(),
        vms: vms.map(|it| pair(&it["health"], "status", "message")).collect(),
    }
}

impl State {
    /// Whether it has applied a commit, and says nothing else of it.
    pub fn has_synced(&self, commit: &str) -> bool {
        self.sync == "Synced" && self.revision == commit
    }

    /// Whether all is as a commit states it, by its own word.
    pub fn is_healthy_at(&self, commit: &str) -> bool {
        self.has_synced(commit) && self.health == "Healthy"
    }

    /// What is said of its only VM.
    pub fn vm(&self) -> anyhow::Result<&(String, String)> {
        self.vms.first().context("the Application has a VM")
    }
}
