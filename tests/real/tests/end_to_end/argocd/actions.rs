//! The actions that Argo CD offers on a VM, run by its API server as its user interface runs them, and what the guest makes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use reef_api::{Reason, Size};
use serde_json::{Value, json};

use super::fleet::{Fleet, VM};
use super::play_synced;
use crate::guest::Order;
use crate::manifest::VmFile;
use crate::sizes::{same_machine, size};
use crate::story::Running;

/// Long enough for a try that nobody asked for.
const QUIET: Duration = Duration::from_secs(5);

impl Fleet {
    /// The query that names the VM.
    fn about(&self) -> String {
        format!(
            "applications/{}/resource/actions?namespace={}&resourceName={VM}&group=cloudhypervisor.quill.today&version=v1beta1&kind=VirtualMachine",
            self.name, self.name
        )
    }

    /// The names of the actions, and whether each can be run at present.
    async fn actions(&self) -> anyhow::Result<BTreeMap<String, bool>> {
        let told = self.argo_cd.get(&self.about()).await?;
        let actions = told["actions"].as_array().cloned().unwrap_or_default();
        let action = |action: &Value| Some((action["name"].as_str()?.to_owned(), action["disabled"] != true));
        Ok(actions.iter().filter_map(action).collect())
    }

    /// Waits until just these actions can be run.
    async fn offers(&self, expected: &[&str]) -> anyhow::Result<()> {
        let mut last = BTreeMap::new();
        let look = async || {
            last = self.actions().await?;
            let offered: Vec<&str> = last.iter().filter(|(_, can)| **can).map(|(name, _)| name.as_str()).collect();
            Ok((offered == expected).then_some(()))
        };
        let waited = self.story.until(&format!("Argo CD offers {expected:?}"), look).await;
        waited.with_context(|| format!("it offers {last:?}"))
    }

    /// Runs an action.
    async fn act(&self, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<()> {
        let parameters: Vec<Value> =
            parameters.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let body = json!({
            "name": self.name, "namespace": self.name, "resourceName": VM, "group": "cloudhypervisor.quill.today",
            "version": "v1beta1", "kind": "VirtualMachine", "action": action, "resourceActionParameters": parameters,
        });
        self.argo_cd.post(&format!("applications/{}/resource/actions/v2", self.name), &body).await?;
        Ok(())
    }

    /// Waits until the Application calls its VM so, with this word in what it says.
    pub async fn calls(&self, health: &str, word: &str) -> anyhow::Result<()> {
        let so = |state: &super::application::State| {
            state.health == health
                && state.vms.first().is_some_and(|(called, told)| called == health && told.contains(word))
        };
        self.until(&format!("{health}: {word}"), so).await.map(|_| ())
    }
}

#[test]
fn actions_are_offered_where_they_make_sense_and_do_what_they_say() {
    play_synced(async |world, argo_cd| {
        let first = size(1, 1024);
        let fleet = Fleet::begin(world, argo_cd, "acted", 1, &VmFile::new(VM, first)).await?;
        let booted = fleet.story.settled(VM, first).await?;
        fleet.offers(&["restart", "suspend"]).await?;
        suspended(&fleet, &booted).await?;
        let held = settled_for_less(&fleet, &booted).await?;
        infeasible(&fleet, &held, size(1, 384)).await?;
        restarted(&fleet, &held).await?;
        fleet.end().await
    });
}

/// A suspension is in no commit, so self-heal leaves it; what is pushed meanwhile waits for `resume`.
async fn suspended(fleet: &Fleet, before: &Running) -> anyhow::Result<()> {
    let next = size(1, 1280);
    fleet.act("suspend", &[("reason", "the night of the \"move\""), ("for", "2h")]).await?;
    fleet.story.waits_for(VM, Reason::Suspended).await?;
    let commit = fleet.push(VmFile::new(VM, next).text()).await?;
    fleet.calls("Suspended", "the night of the \"move\"").await?;
    fleet.offers(&["resume"]).await?;
    let kept = fleet.story.running(VM).await?.context("it runs")?;
    ensure!(kept.guest.total_kib == before.guest.total_kib, "a suspended VM keeps its size: {kept:?}");
    let state = fleet.until("synced", |state| state.has_synced(&commit.pushed.id)).await?;
    ensure!(state.sync == "Synced", "self-heal leaves the annotation: {state:?}");
    fleet.act("resume", &[]).await?;
    let (after, _) = fleet.follows(&commit, next).await?;
    same_machine(&before.guest, &after.guest);
    Ok(())
}

/// A shrink that the guest does not give is ended by `settle` at what the guest has, and begun anew by `retry` alone.
async fn settled_for_less(fleet: &Fleet, before: &Running) -> anyhow::Result<Running> {
    let less = size(1, 384);
    fleet.story.order(VM, Order::Hold(900)).await?;
    fleet.story.holding(VM, 900).await?;
    let commit = fleet.push(VmFile::new(VM, less).text()).await?;
    fleet.story.waits_for(VM, Reason::GuestPressure).await?;
    // Its words may still be those of a moment before: a message that changes alone reaches an Application at its next look.
    fleet.calls("Progressing", "").await?;
    fleet.offers(&["restart", "settle", "suspend"]).await?;
    fleet.act("settle", &[]).await?;
    let settled = async || {
        let resize = fleet.story.vm(VM).await?.status.unwrap_or_default().resize;
        Ok(resize.filter(|it| it.settle_handled.is_some()).and_then(|it| it.partial).filter(|it| it.asked))
    };
    fleet.story.until("the rest is given up because that was asked for", settled).await?;
    fleet.calls("Degraded", "Partial").await?;
    ensure!(fleet.actions().await?.get("retry") == Some(&true), "what was given up can be tried again");
    fleet.story.order(VM, Order::Release).await?;
    // By itself it would be tried again as soon as the guest moves.
    tokio::time::sleep(QUIET).await;
    let kept = fleet.story.running(VM).await?.context("it runs")?;
    ensure!(!kept.guest.has(less), "nobody asked for another try: {kept:?}");
    fleet.act("retry", &[]).await?;
    let (after, _) = fleet.follows(&commit, less).await?;
    same_machine(&before.guest, &after.guest);
    ensure!(fleet.story.vm(VM).await?.status.unwrap_or_default().resize.is_some_and(|it| it.retry_handled.is_some()));
    Ok(after)
}

/// What the node can never hold is Degraded, and the VM keeps what it has.
async fn infeasible(fleet: &Fleet, before: &Running, stated: Size) -> anyhow::Result<()> {
    fleet.push(VmFile::new(VM, size(4, 384)).text()).await?;
    fleet.calls("Degraded", "Infeasible").await?;
    let commit = fleet.push(VmFile::new(VM, stated).text()).await?;
    let (after, _) = fleet.follows(&commit, stated).await?;
    same_machine(&before.guest, &after.guest);
    Ok(())
}

/// What needs a restart waits for somebody, and the action is that somebody.
async fn restarted(fleet: &Fleet, before: &Running) -> anyhow::Result<()> {
    let more = size(1, 2304);
    let commit = fleet.push(VmFile::new(VM, more).text().replace("max: 2Gi", "max: 3Gi")).await?;
    fleet.calls("Suspended", "RestartRequired").await?;
    let kept = fleet.story.running(VM).await?.context("it runs")?;
    same_machine(&before.guest, &kept.guest);
    fleet.act("restart", &[]).await?;
    let (after, _) = fleet.follows(&commit, more).await?;
    ensure!(after.uid != before.uid && after.guest.boot != before.guest.boot, "it was started anew: {after:?}");
    ensure!(fleet.story.pods(VM).await?.len() == 1, "once");
    Ok(())
}
