//! The sample for VMs whose memory somebody else than Git sets, although Git states one: what that one writes stays, through self-heal and through the next
//! sync; and without the second of the two settings it does not, which shows that the test can see it.

use std::time::Duration;

use anyhow::{Result, ensure};
use reef::demo::repository::Change;
use serde_json::json;

use crate::{Stand, until};

const APPLICATION: &str = "vms-autoscaled";
const VM: &str = "virtualmachines.cloudhypervisor.quill.today";
const FILE: &str = "teams/batch/workers.yaml";
/// Far longer than self-heal takes to undo a change.
const QUIET: Duration = Duration::from_secs(5);

impl Stand {
    fn state(&self) -> Result<(String, String)> {
        let status = self.object("argocd", "application", APPLICATION)?["status"].clone();
        let word = |at: &str| status.pointer(at).and_then(|word| word.as_str()).unwrap_or_default().to_owned();
        Ok((word("/sync/status"), word("/sync/revision")))
    }

    fn memory(&self) -> Result<String> {
        let vm = self.object("vms", VM, "batch-1")?;
        Ok(vm["spec"]["instance"]["memory"]["size"].as_str().unwrap_or_default().to_owned())
    }

    /// Writes the memory as an autoscaler does, by a field manager of its own.
    fn scale(&self, size: &str) -> Result<()> {
        let patch = json!({ "spec": { "instance": { "memory": { "size": size } } } }).to_string();
        let arguments = ["patch", VM, "batch-1", "--type=merge", "--field-manager=autoscaler", "--patch", &patch];
        self.kubectl("vms", &arguments).map(drop)
    }

    /// Pushes another label for the VM, and waits until Argo CD has applied it.
    async fn label(&self, role: &str) -> Result<()> {
        let file = reef::demo::example::FILES.iter().find(|file| file.path == FILE).unwrap();
        let text = file.text.replace("role: worker", &format!("role: {role}"));
        let pushed = self.repository.push(role, &[Change::Write { path: FILE.to_owned(), text }])?;
        self.kubectl(
            "argocd",
            &["annotate", "application", APPLICATION, "argocd.argoproj.io/refresh=normal", "--overwrite"],
        )?;
        until("the commit is synced", || {
            let vm = self.object("vms", VM, "batch-1")?;
            Ok(vm["metadata"]["labels"]["role"] == role && self.state()? == ("Synced".to_owned(), pushed.id.clone()))
        })
        .await
    }
}

#[tokio::test]
async fn a_size_that_an_autoscaler_writes_stays_through_self_heal_and_through_the_next_sync() -> Result<()> {
    let stand = Stand::with(&[], &["appproject.yaml", "application-autoscaled.yaml"]).await?;
    until("the VMs are synced", || Ok(stand.state()?.0 == "Synced" && stand.memory()? == "1Gi")).await?;
    stand.scale("3Gi")?;
    tokio::time::sleep(QUIET).await;
    ensure!((stand.state()?.0.as_str(), stand.memory()?.as_str()) == ("Synced", "3Gi"), "self-heal leaves it alone");
    stand.label("planner").await?;
    ensure!(stand.memory()? == "3Gi", "the sync of another change leaves it alone: {}", stand.memory()?);
    // Without the setting the next sync brings the size of Git back.
    let less = json!([{ "op": "replace", "path": "/spec/syncPolicy/syncOptions", "value": ["ServerSideApply=true"] }]);
    stand.kubectl("argocd", &["patch", "application", APPLICATION, "--type=json", "--patch", &less.to_string()])?;
    stand.label("driver").await?;
    ensure!(stand.memory()? == "1Gi", "the setting is what keeps it: {}", stand.memory()?);
    Ok(())
}
