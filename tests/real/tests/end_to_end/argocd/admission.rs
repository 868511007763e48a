//! The webhook on the node's cluster as long as a story takes: Argo CD has to stay Synced with what it fills in.

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use reef_api::VirtualMachine;
use reef_real::stage::accounts::Account;
use reef_real::stage::{admission, apply};
use serde_json::json;

use crate::story::Story;
use crate::world::World;

const NAME: &str = "webhook";
/// Of both configurations.
const CONFIGURATION: &str = "reef-webhook";

/// Starts the webhook, and returns when the API server asks it.
pub async fn begin(world: &World, story: &Story) -> anyhow::Result<()> {
    let log = {
        let mut cluster = world.cluster.lock().await;
        let account = Account::of(&cluster, NAME).await?;
        admission::start(&mut cluster, &account, NAME, &[]).await?;
        cluster.logs().join(format!("{NAME}.log"))
    };
    let address = story.until("the webhook listens", async || admission::address(&log)).await?;
    {
        let cluster = world.cluster.lock().await;
        apply(&cluster, &cluster.folder().join("admission.yaml"), &admission::configurations(&address))?;
    }
    let vms = Api::<VirtualMachine>::namespaced(story.client.clone(), "default");
    let wrong: VirtualMachine = serde_json::from_value(json!({
        "metadata": { "name": "probe" }, "spec": { "instance": { "memory": { "size": "100Mi" } } },
    }))?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let refuses = async || Ok(vms.create(&dry, &wrong).await.is_err().then_some(()));
    story.until("the API server asks the webhook", refuses).await
}

/// Nobody is asked any more.
pub async fn end(world: &World, story: &Story) -> anyhow::Result<()> {
    let delete = DeleteParams::default();
    Api::<MutatingWebhookConfiguration>::all(story.client.clone()).delete(CONFIGURATION, &delete).await?;
    Api::<ValidatingWebhookConfiguration>::all(story.client.clone()).delete(CONFIGURATION, &delete).await?;
    world.cluster.lock().await.kill_program(NAME).await
}
