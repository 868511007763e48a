//! A request that is planned before it is merged, behind a reader's rights: what the plan says is what guests then have, or keep.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Context;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::PostParams;
use reef::demo::repository::Change;
use reef::demo::tour::changes::sized;
use reef_api::{Reason, Size};
use reef_real::stage::accounts::Account;
use reef_real::stage::beside;
use serde_json::{Value, json};

use crate::manifest::{VmFile, policy};
use crate::sizes::{same_machine, size};
use crate::story::Story;
use crate::world::{World, play};

/// Has sizes proposed on a branch, and tells how the plan says that each of them goes.
async fn planned(
    world: &World,
    story: &Story,
    branch: &str,
    sizes: &[(&str, Size)],
) -> anyhow::Result<BTreeMap<String, String>> {
    let change = |(name, size): &(&str, Size)| {
        let path = format!("vms/{name}.yaml");
        let text = sized(&path, &story.repository.read(&path)?, name, *size)?;
        anyhow::Ok(Change::Write { path, text })
    };
    let changes = sizes.iter().map(change).collect::<anyhow::Result<Vec<_>>>()?;
    story.repository.propose(branch, branch, &changes)?;
    let reader = reader(world, story).await?;
    let mut command = Command::new(beside("reef")?);
    command.args(["plan", "-o", "json", "--base", "main", "--head", branch, "--namespace", &story.namespace]);
    command.args(["--source", &format!("{}/vms", story.namespace), "--exit-code-style", "plain", "--repository"]);
    let output = command.arg(story.repository.path()).env("KUBECONFIG", &reader.kubeconfig).output()?;
    let told = || String::from_utf8_lossy(&output.stderr).into_owned();
    let plan: Value = serde_json::from_slice(&output.stdout).with_context(told)?;
    let changes = plan["changes"].as_array().context("the plan has changes")?;
    let mode = |change: &Value| Some((change["name"].as_str()?.to_owned(), change["mode"].as_str()?.to_owned()));
    Ok(changes.iter().filter_map(mode).collect())
}

/// An account with the rights of `reef-reader` and no others.
async fn reader(world: &World, story: &Story) -> anyhow::Result<Account> {
    let accounts: Api<ServiceAccount> = Api::namespaced(story.client.clone(), "reef-system");
    let account = serde_json::from_value(json!({ "metadata": { "name": "reef-reader" } }))?;
    accounts.create(&PostParams::default(), &account).await?;
    let binding = serde_json::from_value(json!({
        "metadata": { "name": "reef-reader" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reef-reader" },
        "subjects": [{ "kind": "ServiceAccount", "name": "reef-reader", "namespace": "reef-system" }],
    }))?;
    Api::<ClusterRoleBinding>::all(story.client.clone()).create(&PostParams::default(), &binding).await?;
    Account::of(&*world.cluster.lock().await, "reader").await
}

#[test]
fn what_a_plan_says_before_the_merge_is_what_guests_then_have_or_keep() {
    play(async |world| {
        let first = size(1, 256);
        let files = ["web-1", "web-2"].map(|name| VmFile::new(name, first));
        let story = Story::begin(world, "reviewed", 4, &files).await?;
        let before = [story.settled("web-1", first).await?, story.settled("web-2", first).await?];
        let ruled = |most: &str| {
            let rule =
                format!("  rules:\n  - expression: new.memory <= memory('{most}')\n    message: no more than {most}\n");
            let text = policy(4) + &rule;
            story.repository.push("the rules", &[Change::Write { path: "policies/default.yaml".to_owned(), text }])
        };
        let (allowed, forbidden) = (size(2, 512), size(1, 768));
        ruled("512Mi")?;
        let modes = planned(world, &story, "mixed", &[("web-1", allowed), ("web-2", forbidden)]).await?;
        let expected = [("web-1", "live"), ("web-2", "blocked")].map(|(name, mode)| (name.to_owned(), mode.to_owned()));
        assert_eq!(modes, expected.into());
        story.repository.merge("mixed")?;
        same_machine(&before[0].guest, &story.settled("web-1", allowed).await?.guest);
        story.waits_for("web-2", Reason::Blocked).await?;
        let kept = story.running("web-2").await?.context("it runs")?;
        same_machine(&before[1].guest, &kept.guest);
        assert_eq!(kept.guest.total_kib, before[1].guest.total_kib);
        // What was forbidden is taken up by itself when the policy allows it.
        ruled("1Gi")?;
        same_machine(&before[1].guest, &story.settled("web-2", forbidden).await?.guest);
        story.end().await
    });
}
