//! The webhook as it ships, by its own account, asked by a real API server: by the configurations of `deploy/admission.yaml`, at an address instead of a
//! Service.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use reef_api::filled;
use reef_api::{VirtualMachine, VmKey};
use reef_real::stage::accounts::Account;
use serde_json::{Value, json};

use crate::asked::{ask, create, patch, refused, resized_by_hand, vm, warned, webhook};
use crate::stand::{Stand, Story, size, soon};

fn sized(memory: &str) -> Value {
    json!({ "spec": { "instance": { "memory": { "size": memory } } } })
}

#[tokio::test]
async fn what_is_left_out_is_filled_in_and_what_cannot_work_or_would_kill_is_refused() -> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let story = stand.story("hooked", size(1, 1)).await?;
    let account = Account::of(&stand.cluster, "webhook").await?;
    let address = webhook(&mut stand, &account, "webhook", &[]).await?;
    ask(&stand, &address, str::to_owned).await?;
    fills(&stand).await?;
    refuses(&stand)?;
    git(&stand, &story).await?;
    resizes(&stand, &story).await?;
    without(&mut stand, &story).await?;
    stand.controller_lives().await
}

async fn fills(stand: &Stand) -> Result<()> {
    let vms = Api::<VirtualMachine>::namespaced(stand.client.clone(), "default");
    let spec =
        json!({ "runPolicy": "Halted", "instance": { "cpu": { "coresPerSocket": 2 }, "memory": { "size": "2Gi" } } });
    warned(&create(&stand.cluster, &vm("default", "by-hand", &spec), false)?, &[])?;
    let has = async || Ok::<_, anyhow::Error>(filled::written(&vms.get("by-hand").await?).map(|size| size.to_string()));
    ensure!(has().await?.as_deref() == Some("cpu 2, memory 2304Mi"), "{:?}", has().await?);
    let changed = patch(&stand.cluster, "default", &["vm", "by-hand", "--type=merge"], &sized("4Gi"))?;
    warned(&changed, &[])?;
    ensure!(has().await?.as_deref() == Some("cpu 2, memory 4352Mi"), "{:?}", has().await?);
    let stated = json!({ "spec": { "resources": { "limits": { "memory": "8Gi" }, "requests": { "memory": "8Gi" } } } });
    let changed = patch(&stand.cluster, "default", &["vm", "by-hand", "--type=merge"], &stated)?;
    warned(
        &changed,
        &["Warning: spec.resources sets cpu 2, memory 8Gi aside, and the VM can use cpu 2, memory 4352Mi of it"],
    )?;
    let vm = vms.get("by-hand").await?;
    ensure!(!filled::is_filled(&vm) && !serde_json::to_string(&vm)?.contains("filled-resources"), "it is still marked");
    // What goes away is never held up, whatever it says.
    vms.delete("by-hand", &DeleteParams::default()).await?;
    Ok(())
}

fn refuses(stand: &Stand) -> Result<()> {
    let cluster = &stand.cluster;
    for dry in [true, false] {
        let wrong =
            vm("default", "wrong", &json!({ "instance": { "cpu": { "sockets": 0 }, "memory": { "size": "100Mi" } } }));
        let words =
            ["objects.reef.dev", "spec.instance.cpu.sockets is 0", "spec.instance.memory.size is 100Mi", "state 128Mi"];
        refused(&create(cluster, &wrong, dry)?, &words)?;
    }
    let policy = |name: &str, spec: Value| json!({ "apiVersion": "reef.dev/v1alpha1", "kind": "SizingPolicy", "metadata": { "name": name, "namespace": "default" }, "spec": spec });
    let most = json!({ "bounds": { "max": { "memory": "2Gi" } } });
    warned(&create(cluster, &policy("small", most.clone()), false)?, &[])?;
    refused(&create(cluster, &policy("other", most), false)?, &["SizingPolicy small", "spec.selector"])?;
    refused(
        &create(
            cluster,
            &policy(
                "rule",
                json!({ "selector": { "matchLabels": { "a": "b" } }, "rules": [{ "expression": "new.vcups < 3", "message": "x" }] }),
            ),
            true,
        )?,
        &["spec.rules", "vcups"],
    )?;
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let large = vm("default", "large", &json!({ "instance": { "memory": { "size": "4Gi" } } }));
        let outcome = refused(&create(cluster, &large, true)?, &["SizingPolicy small allows no more than 2Gi"]);
        // The webhook hears of the policy a moment later.
        if outcome.is_ok() || tokio::time::Instant::now() > end {
            outcome?;
            break;
        }
    }
    let source = json!({
        "apiVersion": "reef.dev/v1alpha1", "kind": "GitSource", "metadata": { "name": "bad", "namespace": "default" },
        "spec": { "url": "gopher://example.com/vms", "interval": "often" },
    });
    refused(&create(cluster, &source, true)?, &["often"])
}

/// A VM that Git states: filled in without a fight, and changes by hand told or refused.
async fn git(stand: &Stand, story: &Story) -> Result<()> {
    story.push(size(2, 2))?;
    story.settles(size(2, 2)).await?;
    let vm = story.vm().await?;
    ensure!(filled::written(&vm).map(|size| size.to_string()).as_deref() == Some("cpu 2, memory 2304Mi"), "{vm:?}");
    tokio::time::sleep(Duration::from_secs(12)).await;
    let later = story.vm().await?;
    ensure!(
        later.metadata.resource_version == vm.metadata.resource_version,
        "what is filled in is not fought over: {later:?}"
    );
    let by_hand =
        patch(&stand.cluster, &story.namespace, &["vm", "web-1", "--type=merge", "--dry-run=server"], &sized("3Gi"))?;
    warned(&by_hand, &["Warning: spec.instance.memory.size is stated by GitSource hooked/vms, vms/web-1.yaml:"])?;
    let deny = json!({ "spec": { "drift": "Deny" } });
    warned(&patch(&stand.cluster, &story.namespace, &["gitsource", "vms", "--type=merge"], &deny)?, &[])?;
    soon("changes by hand are denied", async || {
        let by_hand = patch(&stand.cluster, &story.namespace, &["vm", "web-1", "--type=merge"], &sized("3Gi"))?;
        Ok(refused(&by_hand, &["objects.reef.dev", "which denies changes by hand"]).is_ok().then_some(()))
    })
    .await?;
    // What Git does not state may be changed, and Git itself is not held up.
    let other = json!({ "spec": { "nodeSelector": { "a": "b" } } });
    warned(
        &patch(&stand.cluster, &story.namespace, &["vm", "web-1", "--type=merge", "--dry-run=server"], &other)?,
        &["started anew"],
    )?;
    story.push(size(3, 3))?;
    story.settles(size(3, 3)).await
}

async fn resizes(stand: &Stand, story: &Story) -> Result<()> {
    let key = VmKey::new(&story.namespace, "web-1");
    let cut = resized_by_hand(stand, story, "3", "1Gi").await?;
    refused(
        &cut,
        &["pods.reef.dev", &format!("VM {key} may hold 3Gi and its VMM needs 256Mi: below 3328Mi the kernel kills it")],
    )?;
    let raised = resized_by_hand(stand, story, "4", "4Gi").await?;
    warned(&raised, &["Warning: Reef keeps the Pod of VM hooked/web-1 at the size of its VM"])
}

/// Without a webhook nothing stops but what could kill a VM.
async fn without(stand: &mut Stand, story: &Story) -> Result<()> {
    stand.cluster.kill_program("webhook").await?;
    let wrong =
        vm("default", "wrong", &json!({ "runPolicy": "Halted", "instance": { "memory": { "size": "100Mi" } } }));
    warned(&create(&stand.cluster, &wrong, false)?, &[])?;
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "other" }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    warned(&create(&stand.cluster, &pod, false)?, &[])?;
    refused(&resized_by_hand(stand, story, "3", "1Gi").await?, &["pods.reef.dev"])?;
    story.push(size(2, 2))?;
    story.settles(size(2, 2)).await
}

/// The names of the authorities that a configuration trusts, by what is stored of them.
async fn authorities(stand: &Stand) -> Result<Vec<u8>> {
    let secret = Api::<Secret>::namespaced(stand.client.clone(), "reef-system").get("reef-webhook-tls").await?;
    Ok(secret.data.context("the Secret holds something")?.remove("ca.key").context("an authority")?.0)
}

#[tokio::test]
async fn certificates_and_authorities_are_renewed_under_load_and_no_admission_fails() -> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let life = ["--certificate-life", "30s"];
    let account = Account::of(&stand.cluster, "webhook").await?;
    let address = webhook(&mut stand, &account, "webhook", &life).await?;
    // The other replica keeps the same certificate, and is not asked.
    webhook(&mut stand, &account, "replica", &life).await?;
    ask(&stand, &address, |text| text.replace("failurePolicy: Ignore", "failurePolicy: Fail")).await?;
    let first = authorities(&stand).await?;
    let vms = Api::<VirtualMachine>::namespaced(stand.client.clone(), "default");
    let end = tokio::time::Instant::now() + Duration::from_secs(110);
    let load = (0..4).map(|number| {
        let vms = vms.clone();
        tokio::spawn(async move {
            let mut asked = 0u32;
            while tokio::time::Instant::now() < end {
                let spec = json!({ "instance": { "memory": { "size": "1Gi" } } });
                let object: VirtualMachine = serde_json::from_value(vm("default", &format!("load-{number}"), &spec))?;
                let dry = PostParams { dry_run: true, ..PostParams::default() };
                let made = vms.create(&dry, &object).await.with_context(|| format!("after {asked} that went well"))?;
                ensure!(filled::is_filled(&made), "it was not filled in");
                asked += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(asked)
        })
    });
    let mut asked = 0;
    for task in load.collect::<Vec<_>>() {
        asked += task.await??;
    }
    ensure!(asked > 1000, "only {asked} were asked");
    ensure!(authorities(&stand).await? != first, "the authority was exchanged");
    let log = std::fs::read_to_string(stand.cluster.logs().join("webhook.log"))?;
    let served = log.matches("another certificate is served").count();
    ensure!(served >= 4, "{served} certificates were served");
    lost(&stand).await?;
    println!("{asked} admissions, {served} certificates, none failed");
    Ok(())
}

/// A Secret that somebody deletes is made anew, and trusted.
async fn lost(stand: &Stand) -> Result<()> {
    let secrets = Api::<Secret>::namespaced(stand.client.clone(), "reef-system");
    secrets.delete("reef-webhook-tls", &DeleteParams::default()).await?;
    let vms = Api::<VirtualMachine>::namespaced(stand.client.clone(), "default");
    let object: VirtualMachine =
        serde_json::from_value(vm("default", "lost", &json!({ "runPolicy": "Halted", "instance": {} })))?;
    soon("the webhook answers again", async || {
        Ok(vms.patch("lost", &PatchParams::apply("test").dry_run(), &Patch::Apply(&object)).await.is_ok().then_some(()))
    })
    .await
}
