//! The samples for many teams on the real Argo CD: the ApplicationSet makes an Application for each folder and cluster, the project permits what they do,
//! and a folder that goes takes neither its Application nor its VMs with it.
//!
//! No role of Reef runs: what becomes of a VM that is applied is told in `end_to_end`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reef::demo::example::FILES;
use reef::demo::repository::{Change, Repository};
use reef_real::stage::argocd::{ArgoCd, configure};
use reef_real::stage::{apply, told};
use reef_real::{Cluster, Options, Shape};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(250);

/// The cluster that Argo CD is in, with the label that the sample asks for.
const CLUSTER: &str = r#"
apiVersion: v1
kind: Secret
metadata:
  name: in-cluster
  namespace: argocd
  labels: { argocd.argoproj.io/secret-type: cluster, reef.dev/vms: "true" }
stringData:
  name: in-cluster
  server: https://kubernetes.default.svc
  config: "{}"
"#;

fn sample(name: &str, url: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../argocd").join(name);
    let text = std::fs::read_to_string(file).unwrap();
    text.replace("https://git.example.com/platform/vms.git", url)
}

/// Names of all objects of a kind in a namespace.
fn names(cluster: &Cluster, namespace: &str, kind: &str) -> Result<BTreeSet<String>> {
    let listed = told(cluster.kubectl().args(["--namespace", namespace, "get", kind, "--output", "name"]))?;
    Ok(listed.lines().filter_map(|line| Some(line.split_once('/')?.1.to_owned())).collect())
}

fn expected(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn until(what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let look = async {
        while !so().is_ok_and(|so| so) {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.with_context(|| format!("waited for this: {what}"))
}

/// Whether every Application is synced, and what each says where one is not.
fn synced(cluster: &Cluster) -> Result<bool> {
    let listed = told(cluster.kubectl().args(["--namespace", "argocd", "get", "applications", "--output", "json"]))?;
    let listed: Value = serde_json::from_str(&listed)?;
    let items = listed["items"].as_array().context("a list")?;
    Ok(!items.is_empty() && items.iter().all(|item| item["status"]["sync"]["status"] == "Synced"))
}

/// Reef's kinds, served. A definition has no conditions for a moment, which `wait` takes for a failure.
async fn kinds(cluster: &Cluster) -> Result<()> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": reef::wiring::crds::all() });
    apply(cluster, &cluster.folder().join("kinds.json"), &list.to_string())?;
    let established = ["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"];
    until("Reef's kinds are served", || told(cluster.kubectl().args(established)).map(|_| true)).await
}

/// Has the ApplicationSet look at the repository now, and waits until it has.
async fn refresh(cluster: &Cluster) -> Result<()> {
    let mark = "argocd.argoproj.io/application-set-refresh";
    told(cluster.kubectl().args([
        "--namespace",
        "argocd",
        "annotate",
        "applicationset",
        "vms",
        &format!("{mark}=true"),
    ]))?;
    until("the ApplicationSet has looked", || {
        let set = told(cluster.kubectl().args([
            "--namespace",
            "argocd",
            "get",
            "applicationset",
            "vms",
            "--output",
            "json",
        ]))?;
        let set: Value = serde_json::from_str(&set)?;
        Ok(set["metadata"]["annotations"][mark].is_null())
    })
    .await
}

#[tokio::test]
async fn each_team_has_its_application_and_a_folder_that_goes_takes_nothing_with_it() -> Result<()> {
    let mut cluster = Cluster::start(Options::of(Shape::ControlPlane)).await?;
    kinds(&cluster).await?;
    let _argo_cd = ArgoCd::start(&mut cluster).await?;
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../argocd/argocd-cm.yaml");
    configure(&cluster, &settings)?;
    let repository = Repository::create(&cluster.folder().join("vms.git"), FILES)?;
    for (name, text) in [
        ("cluster.yaml", CLUSTER.to_owned()),
        ("project.yaml", sample("appproject.yaml", &repository.url())),
        ("set.yaml", sample("applicationset.yaml", &repository.url())),
    ] {
        apply(&cluster, &cluster.folder().join(name), &text)?;
    }
    let applications = expected(&[
        "vms-batch-in-cluster",
        "vms-ci-in-cluster",
        "vms-db-in-cluster",
        "vms-policies-in-cluster",
        "vms-web-in-cluster",
    ]);
    until("an Application for each folder", || Ok(names(&cluster, "argocd", "applications")? == applications)).await?;
    until("all of them are synced", || synced(&cluster)).await?;
    let vms = expected(&["batch-1", "batch-2", "ci-1", "ci-2", "db-1", "db-2", "web-1", "web-2"]);
    assert_eq!(names(&cluster, "vms", "virtualmachines.cloudhypervisor.quill.today")?, vms);
    assert_eq!(names(&cluster, "vms", "sizingpolicies")?, expected(&["db", "default"]));

    let gone = ["teams/web/web-1.yaml", "teams/web/web-2.yaml"].map(|path| Change::Remove { path: path.to_owned() });
    repository.push("the team web goes", &gone)?;
    refresh(&cluster).await?;
    ensure!(
        names(&cluster, "argocd", "applications")? == applications,
        "the Application of a folder that is gone stays"
    );
    assert_eq!(names(&cluster, "vms", "virtualmachines.cloudhypervisor.quill.today")?, vms);
    Ok(())
}
