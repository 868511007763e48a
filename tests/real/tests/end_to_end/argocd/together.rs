//! Two owners of one VM: what Argo CD says of two Applications, what Reef says of an Application and a GitSource, and that the guest has no harm of it.

use anyhow::{Context, ensure};
use kube::Api;
use kube::api::DeleteParams;
use reef_api::names::CONTROLLER_MANAGER;
use reef_api::{GitSource, Reason, Size};
use serde_json::json;

use super::application;
use super::fleet::{Fleet, VM};
use crate::sizes::same_machine;
use crate::story::Running;
use crate::timeline::now;

/// A second Application of the same folder that is synced once takes the VM over for a moment; the first one takes it back.
pub async fn two_applications(fleet: &Fleet, before: &Running, stated: Size) -> anyhow::Result<()> {
    let other = format!("{}-other", fleet.name);
    let mut object = application::sample(&other, &fleet.story.repository.url(), &fleet.name)?;
    object["spec"]["syncPolicy"].as_object_mut().context("the sample says how it syncs")?.remove("automated");
    let (at, generation) = (now(), fleet.story.vm(VM).await?.metadata.generation);
    fleet.create(&object).await?;
    fleet.argo_cd.post(&format!("applications/{other}/sync"), &json!({})).await?;
    let shared = |told: &application::State| {
        let of_vm = |(kind, message): &&(String, String)| {
            kind == "SharedResourceWarning" && message.contains(&format!("VirtualMachine/{VM}"))
        };
        told.conditions.iter().find(of_vm).map(|(_, message)| message.clone())
    };
    let warned = async || {
        let entries = fleet.story.timeline.entries();
        let of = |name: &str| application::told(&entries, name).iter().filter(|it| it.at >= at).find_map(&shared);
        Ok(of(&fleet.name).or_else(|| of(&other)))
    };
    let message = fleet.story.until("Argo CD warns of the VM that two Applications share", warned).await?;
    ensure!(message.contains(&other) && message.contains(&fleet.name), "it names both: {message}");
    fleet.until("synced again", |state| state.sync == "Synced" && state.health == "Healthy").await?;
    let after = fleet.story.settled(VM, stated).await?;
    same_machine(&before.guest, &after.guest);
    ensure!(fleet.story.vm(VM).await?.metadata.generation == generation, "both state the same, so nothing changes");
    fleet.applications.delete(&other, &DeleteParams::default()).await?;
    Ok(())
}

/// A GitSource of the same repository writes nothing of what the Application has; the VM names both, and is well again when the source is gone.
pub async fn source_and_application(fleet: &Fleet, before: &Running) -> anyhow::Result<()> {
    let generation = fleet.story.vm(VM).await?.metadata.generation;
    fleet.story.follow(&fleet.story.source()).await?;
    fleet.story.waits_for(VM, Reason::OwnerConflict).await?;
    let vm = fleet.story.vm(VM).await?;
    let told = serde_json::to_string(&vm.status)?;
    let both = [format!("GitSource {}/vms", fleet.name), format!("Application {}", fleet.name)];
    ensure!(both.iter().all(|owner| told.contains(owner)), "it names {both:?}: {told}");
    fleet.calls("Degraded", "OwnerConflict").await?;
    let writers = vm.metadata.managed_fields.into_iter().flatten().filter(|it| it.subresource.is_none());
    let spec = |fields: &serde_json::Value| fields.get("f:spec").is_some();
    let ours: Vec<_> = writers
        .filter(|it| it.manager.as_deref() == Some(CONTROLLER_MANAGER))
        .filter(|it| it.fields_v1.as_ref().is_some_and(|fields| spec(&fields.0)))
        .collect();
    ensure!(ours.is_empty() && vm.metadata.generation == generation, "the source wrote: {ours:?}");
    let sources = Api::<GitSource>::namespaced(fleet.story.client.clone(), &fleet.name);
    sources.delete("vms", &DeleteParams::default()).await?;
    let healthy = fleet.until("healthy again", |state| state.sync == "Synced" && state.health == "Healthy");
    healthy.await?;
    same_machine(&before.guest, &fleet.story.running(VM).await?.context("it runs")?.guest);
    Ok(())
}
