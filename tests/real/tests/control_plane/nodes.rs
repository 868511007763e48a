//! A daemon's token is worth no more than its node, by the policy of `deploy/nodes.yaml`.

use anyhow::{Context, Result, ensure};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use reef_api::VirtualMachine;
use reef_real::stage::accounts::Account;
use reef_real::stage::apply;
use serde_json::{Value, json};

use crate::stand::{Stand, Story, size, soon};

const NODES: &str = include_str!("../../../../deploy/nodes.yaml");

impl Story {
    /// Changes the VM's status by somebody's token. What the server says, where it refuses.
    async fn told_as(&self, client: &Client, status: &Value) -> Result<Option<String>> {
        let vms = Api::<VirtualMachine>::namespaced(client.clone(), &self.namespace);
        let patch = Patch::Merge(json!({ "status": status }));
        match vms.patch_status("web-1", &PatchParams::default(), &patch).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(Some(status.message)),
            Err(other) => Err(other.into()),
        }
    }
}

#[tokio::test]
async fn a_daemon_reports_about_the_vms_of_its_node_and_a_token_of_another_node_or_of_none_is_refused() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let story = stand.story("nodes", size(1, 1)).await?;
    ensure!(story.vm().await?.status.and_then(|status| status.node_name).as_deref() == Some("node-1"));
    apply(&stand.cluster, &stand.cluster.folder().join("nodes.yaml"), NODES)?;
    // What is there already, so that the played node's next report meets no other owner of a field.
    let before = story.vm().await?.status.and_then(|status| status.vmm).context("a report")?;
    let report = json!({ "vmm": { "ackSeq": before.ack_seq } });
    let nowhere = Account::of(&stand.cluster, "daemon").await?.client().await?;
    let told = soon("the policy is in force", async || story.told_as(&nowhere, &report).await).await?;
    ensure!(told.contains("must name its node"), "{told}");
    let own = Account::on_node(&stand.cluster, "daemon", "node-1").await?.client().await?;
    let other = Account::on_node(&stand.cluster, "daemon", "node-2").await?.client().await?;
    ensure!(story.told_as(&own, &report).await?.is_none(), "its own node's VM");
    let told = story.told_as(&other, &report).await?.context("another node's VM")?;
    ensure!(told.contains("the daemon of node node-2") && told.contains("this VM is on node node-1"), "{told}");
    let claimed = json!({ "nodeName": "node-2", "vmm": report["vmm"] });
    let told = story.told_as(&other, &claimed).await?.context("a VM that is claimed by the way")?;
    ensure!(told.contains("this VM is on node node-1"), "{told}");
    for beyond in [json!({ "nodeName": "node-2" }), json!({ "phase": "Failed" }), json!({ "resize": null })] {
        let told = story.told_as(&own, &beyond).await?.with_context(|| format!("{beyond} is not a daemon's to say"))?;
        ensure!(told.contains("may change status.vmm alone"), "{told}");
    }
    // The controller writes as before.
    story.push(size(2, 2))?;
    story.settles(size(2, 2)).await
}
