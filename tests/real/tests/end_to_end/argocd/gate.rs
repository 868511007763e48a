//! The gate: a CapacityCheck in the repository lets a commit pass, or stops it before anything of it is applied.

use std::process::Command;

use anyhow::{Context, ensure};
use kube::Api;
use reef::demo::repository::{Change, Pushed};
use reef_api::{CapacityCheck, Size, condition};
use reef_real::stage::told;
use serde_json::json;

use super::fleet::{Commit, FILE, Fleet, VM};
use super::{file, play_synced};
use crate::manifest::VmFile;
use crate::report;
use crate::sizes::{same_machine, size};
use crate::story::Running;
use crate::timeline::now;
use crate::world::run;

const GATE: &str = "gate";
/// As docs/gate.md has it.
const MANIFEST: &str = "apiVersion: reef.dev/v1alpha1
kind: CapacityCheck
metadata:
  name: gate
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
spec:
  sourceRef:
    name: vms
";
/// More vCPUs than the node has CPUs.
const IMPOSSIBLE: Size = size(4, 768);

impl Fleet {
    fn checks(&self) -> Api<CapacityCheck> {
        Api::namespaced(self.story.client.clone(), &self.name)
    }

    /// Waits until the gate says of a commit, or of no readable one, what it is to say.
    async fn gate_says(&self, reason: &str, commit: &Commit) -> anyhow::Result<CapacityCheck> {
        let says = async || {
            let check = self.checks().get_opt(GATE).await?;
            let made =
                |check: &CapacityCheck| check.metadata.creation_timestamp.as_ref().map(|at| at.0.as_millisecond());
            Ok(check.filter(|check| made(check).is_some_and(|made| made + 1000 >= commit.at) && says(check, reason)))
        };
        let waited = self.story.until(&format!("the gate says {reason}"), says).await;
        let there = self.checks().get_opt(GATE).await?.map(|check| serde_json::to_string(&check.status));
        waited.with_context(|| format!("{there:?}\n{:?}", self.told_since(0).last()))
    }

    /// The generation of the VM's spec, which any write of Argo CD's would raise.
    async fn generation(&self) -> anyhow::Result<i64> {
        self.story.vm(VM).await?.metadata.generation.context("a VM has a generation")
    }

    /// Ends an operation that Argo CD would begin again and again.
    async fn give_up(&self) -> anyhow::Result<()> {
        self.argo_cd.delete(&format!("applications/{}/operation", self.name)).await?;
        self.until("without an operation", |state| state.operation.0 != "Running").await.map(|_| ())
    }
}

fn says(check: &CapacityCheck, reason: &str) -> bool {
    let conditions = check.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    condition::find(conditions, condition::READY).is_some_and(|ready| ready.reason == reason)
}

#[test]
fn a_commit_that_cannot_be_carried_out_is_stopped_before_anything_of_it_is_applied() {
    play_synced(async |world, argo_cd| {
        let first = size(1, 512);
        let fleet = Fleet::begin(world, argo_cd, "gated", 1, &VmFile::new(VM, first)).await?;
        let booted = fleet.story.settled(VM, first).await?;
        let mut source = fleet.story.source();
        source["spec"]["apply"] = json!(false);
        fleet.story.follow(&source).await?;
        let grown = passes(&fleet, &booted).await?;
        blocks(&fleet, &grown).await?;
        without_rights(&fleet, &grown).await?;
        forced_away(&fleet, &grown).await?;
        fleet.end().await
    });
}

/// The gate comes with the commit that it judges.
async fn passes(fleet: &Fleet, before: &Running) -> anyhow::Result<Running> {
    let next = size(1, 768);
    let gate = Change::Write { path: "teams/web/gate.yaml".to_owned(), text: MANIFEST.to_owned() };
    let vm = Change::Write { path: FILE.to_owned(), text: VmFile::new(VM, next).text() };
    let commit = fleet.pushed(fleet.story.repository.push("a gate, and a size", &[gate, vm])?).await?;
    let (after, healthy) = fleet.follows(&commit, next).await?;
    same_machine(&before.guest, &after.guest);
    let check = fleet.gate_says("CapacityOk", &commit).await?;
    let status = check.status.context("it has a status")?;
    ensure!(status.revision.as_deref() == Some(commit.pushed.id.as_str()), "it is about the commit: {status:?}");
    report::fact("Argo CD: through the gate, Healthy ms after the push", (healthy.at - commit.at).to_string())?;
    Ok(after)
}

async fn blocks(fleet: &Fleet, before: &Running) -> anyhow::Result<()> {
    let generation = fleet.generation().await?;
    let commit = fleet.push(VmFile::new(VM, IMPOSSIBLE).text()).await?;
    let check = fleet.gate_says("CapacityRefused", &commit).await?;
    report::fact("Argo CD: refused by the gate, ms after the push", (now() - commit.at).to_string())?;
    let status = check.status.context("it has a status")?;
    ensure!(status.lines.iter().any(|line| line.starts_with(&format!("{FILE}:"))), "the line is told: {status:?}");
    let told = async || {
        let application = fleet.applications.get(&fleet.name).await?;
        let operation = &application.data["status"]["operationState"];
        Ok(operation.to_string().contains(FILE).then(|| operation["phase"].as_str().unwrap_or_default().to_owned()))
    };
    let phase = fleet.story.until("the result of the sync says which line", told).await?;
    ensure!(phase != "Succeeded", "the sync did not go on");
    ensure!(fleet.generation().await? == generation, "nothing of the commit was applied");
    let kept = fleet.story.running(VM).await?.context("it runs")?;
    ensure!(kept.guest.total_kib == before.guest.total_kib && kept.uid == before.uid, "{kept:?}");
    // A newer commit takes its place.
    fleet.give_up().await?;
    let mended = fleet.push(VmFile::new(VM, size(1, 512)).text()).await?;
    let (after, _) = fleet.follows(&mended, size(1, 512)).await?;
    same_machine(&before.guest, &after.guest);
    Ok(())
}

/// A controller that may not read the Application says so, and nothing is applied.
async fn without_rights(fleet: &Fleet, before: &Running) -> anyhow::Result<()> {
    let kubectl = async |verb: &str| {
        let cluster = fleet.world.cluster.lock().await;
        run(cluster.kubectl().args([verb, "-f"]).arg(file("rbac.yaml")))
    };
    kubectl("delete").await?;
    let generation = fleet.generation().await?;
    let commit = fleet.push(VmFile::new(VM, size(1, 640)).text()).await?;
    let check = fleet.gate_says("Forbidden", &commit).await?;
    let text = serde_json::to_string(&check.status)?;
    ensure!(text.contains("applications") && text.contains("argocd/rbac.yaml"), "it says which right: {text}");
    fleet.give_up().await?;
    ensure!(fleet.generation().await? == generation, "nothing of the commit was applied");
    kubectl("create").await?;
    let again = fleet.push(VmFile::new(VM, size(1, 768)).text()).await?;
    let (after, _) = fleet.follows(&again, size(1, 768)).await?;
    same_machine(&before.guest, &after.guest);
    Ok(())
}

/// A commit that is force-pushed away while the gate has not looked at it yet cannot be read any more.
async fn forced_away(fleet: &Fleet, before: &Running) -> anyhow::Result<()> {
    let generation = fleet.generation().await?;
    let stop = async |signal: &str| fleet.world.cluster.lock().await.signal("controller", signal).await;
    stop("STOP").await?;
    let commit = fleet.push(VmFile::new(VM, size(1, 640)).text()).await?;
    let waits = async || {
        let check = fleet.checks().get_opt(GATE).await?;
        Ok(check.filter(|check| check.status.is_none()).map(|_| ()))
    };
    fleet.story.until("the sync waits for the gate", waits).await?;
    let git =
        |arguments: &[&str]| told(Command::new("git").arg("-C").arg(fleet.story.repository.path()).args(arguments));
    git(&["update-ref", "refs/heads/main", "refs/heads/main~1"])?;
    stop("CONT").await?;
    fleet.gate_says("RevisionUnreadable", &commit).await?;
    fleet.give_up().await?;
    ensure!(fleet.generation().await? == generation, "nothing of the commit was applied");
    let id = git(&["rev-parse", "refs/heads/main"])?.trim().to_owned();
    let tip = Commit { pushed: Pushed { id, subject: String::new() }, at: now() };
    super::application::refresh(&fleet.applications, &fleet.name).await?;
    let (after, _) = fleet.follows(&tip, size(1, 768)).await?;
    same_machine(&before.guest, &after.guest);
    Ok(())
}
