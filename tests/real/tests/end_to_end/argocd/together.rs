//! Two owners of one VM: what Argo CD says of two Applications, what Reef says of an Application and a GitSource, and that the guest has no harm of it.

use anyhow::{Context, ensure};
use kube::api::DeleteParams;
use reef_api::Size;
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
