//! The samples for many teams: the ApplicationSet makes an Application for each folder and cluster, the project permits what they do, and a folder that goes
//! takes neither its Application nor its VMs with it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use reef::demo::repository::Change;
use serde_json::Value;

use crate::{Stand, until};

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

impl Stand {
    /// Names of all objects of a kind in a namespace.
    fn names(&self, namespace: &str, kind: &str) -> Result<BTreeSet<String>> {
        let listed = self.kubectl(namespace, &["get", kind, "--output", "name"])?;
        Ok(listed.lines().filter_map(|line| Some(line.split_once('/')?.1.to_owned())).collect())
    }

    /// Whether every Application is synced.
    fn synced(&self) -> Result<bool> {
        let listed: Value =
            serde_json::from_str(&self.kubectl("argocd", &["get", "applications", "--output", "json"])?)?;
        let items = listed["items"].as_array().context("a list")?;
        Ok(!items.is_empty() && items.iter().all(|item| item["status"]["sync"]["status"] == "Synced"))
    }

    /// Has the ApplicationSet look at the repository now, and waits until it has.
    async fn look(&self) -> Result<()> {
        let mark = "argocd.argoproj.io/application-set-refresh";
        self.kubectl("argocd", &["annotate", "applicationset", "vms", &format!("{mark}=true")])?;
        until("the ApplicationSet has looked", || {
            Ok(self.object("argocd", "applicationset", "vms")?["metadata"]["annotations"][mark].is_null())
        })
        .await
    }
}

fn expected(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn each_team_has_its_application_and_a_folder_that_goes_takes_nothing_with_it() -> Result<()> {
    let stand = Stand::with(&[CLUSTER], &["appproject.yaml", "applicationset.yaml"]).await?;
    let applications = expected(&[
        "vms-batch-in-cluster",
        "vms-ci-in-cluster",
        "vms-db-in-cluster",
        "vms-policies-in-cluster",
        "vms-web-in-cluster",
    ]);
    until("an Application for each folder", || Ok(stand.names("argocd", "applications")? == applications)).await?;
    until("all of them are synced", || stand.synced()).await?;
    let vms = expected(&["batch-1", "batch-2", "ci-1", "ci-2", "db-1", "db-2", "web-1", "web-2"]);
    assert_eq!(stand.names("vms", "virtualmachines.cloudhypervisor.quill.today")?, vms);
    assert_eq!(stand.names("vms", "sizingpolicies")?, expected(&["db", "default"]));

    let gone = ["teams/web/web-1.yaml", "teams/web/web-2.yaml"].map(|path| Change::Remove { path: path.to_owned() });
    stand.repository.push("the team web goes", &gone)?;
    stand.look().await?;
    ensure!(stand.names("argocd", "applications")? == applications, "the Application of a folder that is gone stays");
    assert_eq!(stand.names("vms", "virtualmachines.cloudhypervisor.quill.today")?, vms);
    Ok(())
}
