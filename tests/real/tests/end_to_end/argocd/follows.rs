//! From a push by way of Argo CD to the guest's own numbers: growth, shrink, a field of another hand, a change by hand, a revert, a killed Argo CD, and an
//! Application that is deleted in the middle.

use anyhow::{Context, ensure};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use reef::demo::repository::Change;
use reef_api::argocd::TRACKING_ANNOTATION;
use reef_api::names::{REQUESTED_AT_ANNOTATION, SOURCE_ANNOTATION};
use reef_api::{GitSource, Size, VirtualMachine, filled};
use reef_real::stage::argocd::Part;
use serde_json::json;

use super::application::State;
use super::fleet::{Commit, FILE, Fleet, VM};
use super::{admission, play_synced, together};
use crate::manifest::VmFile;
use crate::report;
use crate::sizes::{same_machine, size};
use crate::story::{Running, restarts};
use crate::timeline::{Object, now};

/// The guest prints ten lines a second, and the log of its container has one when it has come through a serial line that is emulated: so old may be what
/// a line says, in milliseconds.
const LATE: i64 = 300;

/// The VM's file without its vCPUs, which are another's to write.
fn without_vcpus(size: Size) -> String {
    let text = with_vcpus(size);
    text.lines().filter(|line| !line.contains("coresPerSocket")).map(|line| format!("{line}\n")).collect()
}

fn with_vcpus(size: Size) -> String {
    VmFile::new(VM, size).text()
}

/// Pushes a file by which the VM has a size, and holds what the Application said on the way against what the guest had.
async fn resize(fleet: &Fleet, before: &Running, what: &str, text: String, to: Size) -> anyhow::Result<Running> {
    let commit = fleet.push(text).await?;
    carried_out(fleet, before, what, &commit, to).await
}

async fn carried_out(
    fleet: &Fleet,
    before: &Running,
    what: &str,
    commit: &Commit,
    to: Size,
) -> anyhow::Result<Running> {
    let (after, healthy) = fleet.follows(commit, to).await?;
    same_machine(&before.guest, &after.guest);
    let resize = fleet.story.vm(VM).await?.status.and_then(|status| status.resize).context("it was resized")?;
    ensure!(resize.revision.as_deref() == Some(commit.pushed.id.as_str()), "it is of the commit: {resize:?}");
    let states = fleet.told_since(commit.at);
    told_the_truth(fleet, &states, commit, to, &after)?;
    stayed_synced(&states, commit)?;
    let settled = first_vm(fleet, commit.at, |vm| vm.is_settled() && vm.actual() == Some(to));
    let applied = first_vm(fleet, commit.at, |vm| asked(vm) == Some(to.memory.to_string()));
    let took = |at: Option<i64>| at.map_or("-".to_owned(), |at| (at - commit.at).to_string());
    let figures =
        format!("applied {}, settled {}, Application Healthy {}", took(applied), took(settled), took(Some(healthy.at)));
    report::fact(&format!("Argo CD: {what}, ms after the push"), figures)?;
    Ok(after)
}

/// No Application was Healthy with the commit while its guest lacked the size; and it said that it was on its way.
fn told_the_truth(fleet: &Fleet, states: &[State], commit: &Commit, to: Size, after: &Running) -> anyhow::Result<()> {
    let id = &commit.pushed.id;
    let healthy = states.iter().find(|state| state.is_healthy_at(id)).context("it was Healthy")?;
    let lines = fleet.story.lines(after);
    let lacking = lines.iter().rfind(|line| !line.has(to)).context("the guest had another size before")?;
    ensure!(lacking.at <= healthy.at + LATE, "Healthy while the guest had another size: {healthy:?}\n{lacking:?}");
    let progressing = |state: &&State| state.has_synced(id) && state.health == "Progressing";
    let on_its_way =
        states.iter().find(progressing).with_context(|| format!("it was never Progressing: {states:?}"))?;
    ensure!(!on_its_way.vm()?.1.is_empty(), "it says on which step it is: {on_its_way:?}");
    Ok(())
}

/// From the moment at which the commit was applied, nothing that Reef or its webhook writes makes the Application OutOfSync.
fn stayed_synced(states: &[State], commit: &Commit) -> anyhow::Result<()> {
    let synced = states.iter().skip_while(|state| !state.has_synced(&commit.pushed.id));
    let lost: Vec<&State> = synced.filter(|state| state.sync != "Synced").collect();
    ensure!(lost.is_empty(), "it was OutOfSync in the middle of a resize: {lost:?}");
    Ok(())
}

/// When the VM was first seen so, from a moment on.
fn first_vm(fleet: &Fleet, since: i64, so: impl Fn(&VirtualMachine) -> bool) -> Option<i64> {
    let entries = fleet.story.timeline.entries();
    let seen = |entry: &&crate::timeline::Entry| matches!(&entry.object, Object::Vm(vm) if entry.at >= since && so(vm));
    entries.iter().find(seen).map(|entry| entry.at)
}

/// The memory that its spec asks for.
fn asked(vm: &VirtualMachine) -> Option<String> {
    serde_json::to_value(&vm.spec).ok()?["instance"]["memory"]["size"].as_str().map(str::to_owned)
}

#[test]
fn what_argo_cd_applies_reaches_the_guest_and_it_is_healthy_exactly_when_the_guest_has_it() {
    play_synced(async |world, argo_cd| {
        let first = size(1, 512);
        let fleet = Fleet::begin(world, argo_cd, "synced", 4, &VmFile::new(VM, first)).await?;
        admission::begin(world, &fleet.story).await?;
        let booted = fleet.story.settled(VM, first).await?;
        let grown = another_hand(&fleet, &booted).await?;
        let shrunk = resize(&fleet, &grown, "a vCPU more, less memory", with_vcpus(size(3, 768)), size(3, 768)).await?;
        let vm = fleet.story.vm(VM).await?;
        ensure!(filled::is_filled(&vm), "the webhook fills in spec.resources: {vm:?}");
        by_hand(&fleet, &shrunk, size(3, 768)).await?;
        together::two_applications(&fleet, &shrunk, size(3, 768)).await?;
        together::source_and_application(&fleet, &shrunk).await?;
        let reverted = killed_and_reverted(&fleet, &shrunk, size(3, 1280), size(3, 768)).await?;
        deleted(&fleet, &reverted, size(1, 512)).await?;
        own_source(&fleet, &reverted).await?;
        let pods = fleet.story.pods(VM).await?;
        ensure!((pods.len(), restarts(&pods[0])) == (1, 0), "it is the Pod of before");
        admission::end(world, &fleet.story).await?;
        fleet.end().await
    });
}

/// What Git leaves out is another's, through a whole resize by Git.
async fn another_hand(fleet: &Fleet, before: &Running) -> anyhow::Result<Running> {
    let commit = fleet.push(without_vcpus(size(1, 512))).await?;
    fleet.healthy(&commit).await?;
    let at = now();
    fleet.write("autoscaler", json!({ "cpu": { "coresPerSocket": 2 } })).await?;
    let grown = fleet.story.settled(VM, size(2, 512)).await?;
    same_machine(&before.guest, &grown.guest);
    stayed_synced(&fleet.told_since(at), &commit)?;
    let after =
        resize(fleet, &grown, "more memory, vCPUs of another hand", without_vcpus(size(2, 1024)), size(2, 1024));
    let after = after.await?;
    ensure!(first_vm(fleet, at, |vm| vm.actual() == Some(size(1, 1024))).is_none(), "the vCPUs were never taken back");
    Ok(after)
}

/// A size that somebody writes by hand is undone by Argo CD, and Reef goes both ways with it.
async fn by_hand(fleet: &Fleet, before: &Running, stated: Size) -> anyhow::Result<()> {
    let at = now();
    let patch = json!({ "spec": { "instance": { "memory": { "size": "1280Mi" } } } });
    fleet.story.vms().patch(VM, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    let size = |memory: &'static str| move |vm: &VirtualMachine| asked(vm).as_deref() == Some(memory);
    let undone = async || {
        let seen = first_vm(fleet, at, size("1280Mi"));
        Ok(seen.and_then(|seen| first_vm(fleet, seen + 1, size("768Mi"))))
    };
    let undone = fleet.story.until("Argo CD has undone what was changed by hand", undone).await?;
    let after = fleet.story.settled(VM, stated).await?;
    same_machine(&before.guest, &after.guest);
    let healthy = fleet.until("healthy again", |state| state.sync == "Synced" && state.health == "Healthy").await?;
    let took = format!("undone {}, Healthy {}", undone - at, healthy.at - at);
    report::fact("Argo CD: a change by hand, ms after it", took)
}

/// Argo CD is killed in the middle of a growth, and a revert takes the growth back.
async fn killed_and_reverted(fleet: &Fleet, before: &Running, to: Size, back: Size) -> anyhow::Result<Running> {
    let commit = fleet.push(with_vcpus(to)).await?;
    fleet.story.begun(VM, to).await?;
    let killed = [Part::ApplicationController, Part::RepoServer];
    let mut cluster = fleet.world.cluster.lock().await;
    for part in killed {
        fleet.argo_cd.kill(&mut cluster, part).await?;
    }
    drop(cluster);
    // Nothing of Reef waits for it.
    let grown = fleet.story.settled(VM, to).await?;
    same_machine(&before.guest, &grown.guest);
    let mut cluster = fleet.world.cluster.lock().await;
    for part in killed {
        fleet.argo_cd.revive(&mut cluster, part).await?;
    }
    drop(cluster);
    let at = now();
    // By itself it looks at what it knew before once its usual interval has passed, some minutes.
    super::application::refresh(&fleet.applications, &fleet.name).await?;
    let healthy = fleet.healthy(&commit).await?;
    report::fact("Argo CD: killed in the middle, Healthy ms after it came back", (healthy.at - at).to_string())?;
    let reverted = fleet.pushed(fleet.story.repository.revert(&commit.pushed)?).await?;
    carried_out(fleet, &grown, "a revert", &reverted, back).await
}

/// An Application that goes while a resize is on its way takes nothing with it: the VM goes on to its size.
async fn deleted(fleet: &Fleet, before: &Running, to: Size) -> anyhow::Result<()> {
    fleet.push(with_vcpus(to)).await?;
    fleet.story.begun(VM, to).await?;
    fleet.applications.delete(&fleet.name, &DeleteParams::default()).await?;
    let gone = async || Ok(fleet.applications.get_opt(&fleet.name).await?.is_none().then_some(()));
    fleet.story.until("the Application is gone", gone).await?;
    let after = fleet.story.settled(VM, to).await?;
    same_machine(&before.guest, &after.guest);
    Ok(())
}

/// The VM's file, with leave to take over what Argo CD has applied before.
fn adopting(size: Size) -> String {
    with_vcpus(size).replacen("  name: web-1\n", "  name: web-1\n  annotations:\n    reef.dev/adopt: \"true\"\n", 1)
}

/// The same VM by Reef's own source, once it is nobody else's: how long a push takes then.
async fn own_source(fleet: &Fleet, before: &Running) -> anyhow::Result<()> {
    let nobody = json!({ "metadata": { "annotations": { TRACKING_ANNOTATION: null } } });
    fleet.story.vms().patch(VM, &PatchParams::default(), &Patch::Merge(&nobody)).await?;
    fleet.story.follow(&fleet.story.source()).await?;
    // What the file states is what is there: both own it, before the next file takes it over.
    let both = async || Ok(fleet.story.vm(VM).await?.annotations().contains_key(SOURCE_ANNOTATION).then_some(()));
    fleet.story.until("the source has applied what Argo CD owns", both).await?;
    for to in [size(1, 768), size(1, 1024)] {
        let change = Change::Write { path: FILE.to_owned(), text: adopting(to) };
        fleet.story.repository.push("by Reef's own source", &[change])?;
        let at = now();
        let told = json!({ "metadata": { "annotations": { REQUESTED_AT_ANNOTATION: at.to_string() } } });
        let sources = Api::<GitSource>::namespaced(fleet.story.client.clone(), &fleet.name);
        sources.patch("vms", &PatchParams::default(), &Patch::Merge(&told)).await?;
        let after = fleet.story.settled(VM, to).await?;
        same_machine(&before.guest, &after.guest);
        let took = |seen: Option<i64>| seen.map_or("-".to_owned(), |seen| (seen - at).to_string());
        let applied = first_vm(fleet, at, |vm| asked(vm) == Some(to.memory.to_string()));
        let settled = first_vm(fleet, at, |vm| vm.is_settled() && vm.actual() == Some(to));
        let figures = format!("applied {}, settled {}", took(applied), took(settled));
        report::fact(&format!("own source: {to}, ms after the push"), figures)?;
    }
    Ok(())
}
