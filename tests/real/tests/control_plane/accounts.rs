//! The controller's account: its rights suffice, one that is missing is named, and a token that is replaced is read anew.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Result, ensure};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::{Patch, PatchParams};
use reef::demo::repository::Change;
use reef_api::SizingPolicy;
use reef_api::source::GitSource;
use reef_real::stage::{accounts::Account, beside, rights};
use reef_real::{Party, Program};
use serde_json::json;

use crate::stand::{Stand, Story, size, soon};

/// A right that is taken away, and how the API server calls it.
const RIGHTS: [(&str, &str, &str); 3] = [
    ("pods/resize", "patch", "cannot patch resource \"pods/resize\""),
    ("virtualmachines", "patch", "cannot patch resource \"virtualmachines\""),
    ("secrets", "get", "cannot get resource \"secrets\""),
];

impl Stand {
    /// The role without a verb on a resource, or whole again.
    async fn role(&self, without: Option<(&str, &str)>) -> Result<()> {
        let roles = Api::<ClusterRole>::all(self.client.clone());
        let whole = serde_yaml::Deserializer::from_str(reef_real::stage::accounts::RBAC)
            .map(serde::Deserialize::deserialize)
            .collect::<Result<Vec<serde_json::Value>, _>>()?;
        let role = whole
            .into_iter()
            .find(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == "reef-controller");
        let mut role: ClusterRole = serde_json::from_value(role.unwrap())?;
        for rule in role.rules.iter_mut().flatten() {
            let about = |(resource, _): &(&str, &str)| rule.resources.iter().flatten().any(|found| found == resource);
            if let Some((_, verb)) = without.filter(about) {
                rule.verbs.retain(|found| found != verb);
                rule.verbs.push("deletecollection".to_owned());
            }
        }
        let rules = json!({ "rules": role.rules });
        roles.patch("reef-controller", &PatchParams::default(), &Patch::Merge(rules)).await?;
        Ok(())
    }
}

/// What an address that a program has logged answers there.
fn asked(log: &Path, path: &str) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let line = text.lines().find(|line| line.contains("health endpoints are served"))?;
    let address: serde_json::Value = serde_json::from_str(line).ok()?;
    let mut stream = std::net::TcpStream::connect(address["address"].as_str()?).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: reef\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.lines().next().map(str::to_owned)
}

/// What the VM and its source say of themselves.
async fn told(story: &Story) -> Result<String> {
    let source = Api::<GitSource>::namespaced(story.client.clone(), &story.namespace).get("vms").await?;
    Ok(format!("{}{}", serde_json::to_string(&story.vm().await?.status)?, serde_json::to_string(&source.status)?))
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_with_verb_and_resource_and_its_return_is_noticed() -> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let story = stand.story("rights", size(1, 1)).await?;
    story.push(size(3, 3))?;
    story.settles(size(3, 3)).await?;
    // An aggregated API that nobody serves is somebody else's trouble.
    let broken = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1.example.com" },
        "spec": { "group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
            "insecureSkipTLSVerify": true, "service": { "namespace": "default", "name": "nobody" } },
    });
    story.create("/apis/apiregistration.k8s.io/v1/apiservices", &broken).await?;
    let secret = json!({ "spec": { "secretRef": { "name": "token" } } });
    let content = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "token" }, "stringData": { "username": "u", "password": "p" } });
    story.create("/api/v1/namespaces/rights/secrets", &content).await?;
    let sources = Api::<GitSource>::namespaced(stand.client.clone(), "rights");
    for (number, (resource, verb, named)) in RIGHTS.into_iter().enumerate() {
        let vcpus = 4 + u32::try_from(number)?;
        stand.role(Some((resource, verb))).await?;
        if resource == "secrets" {
            sources.patch("vms", &PatchParams::default(), &Patch::Merge(&secret)).await?;
        }
        // The server's own view of a role is a moment behind.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        story.push(size(vcpus, 3))?;
        soon(&format!("{named} is told"), async || {
            let told = told(&story).await?;
            Ok(told.contains(&named.replace('"', "\\\"")).then_some(()))
        })
        .await?;
        stand.role(None).await?;
        if resource == "secrets" {
            sources
                .patch("vms", &PatchParams::default(), &Patch::Merge(json!({ "spec": { "secretRef": null } })))
                .await?;
        }
        // What Git states is tried again after five minutes, or with the next commit.
        let memory = if resource == "virtualmachines" { 2 } else { 3 };
        if memory == 2 {
            story.push(size(vcpus, memory))?;
        }
        story.settles(size(vcpus, memory)).await?;
    }
    stand.controller_lives().await
}

#[tokio::test]
async fn a_daemon_sees_its_vms_and_pods_by_its_own_account() -> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let account = Account::of(&stand.cluster, "daemon").await?;
    let environment = [("KUBECONFIG".to_owned(), account.kubeconfig.display().to_string())].into();
    let arguments = ["daemon", "--node", "node-2", "--health-addr", "127.0.0.1:0"].map(str::to_owned).into();
    let program = Program { name: "daemon".to_owned(), program: beside("reef")?, arguments, environment };
    stand.cluster.run(program).await?;
    let log = stand.cluster.logs().join("daemon.log");
    let ready = async || Ok(asked(&log, "/readyz").filter(|answer| answer.contains("200")));
    soon("both watches have listed", ready).await.map(drop)
}

#[tokio::test]
async fn a_token_that_is_replaced_is_read_anew_and_the_old_one_is_not_missed() -> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let story = stand.story("token", size(1, 1)).await?;
    stand.account.renew(&stand.cluster, "second").await?;
    stand.account.revoke(&stand.cluster, "first").await?;
    // The server remembers for some ten seconds that a token was good.
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    story.push(size(2, 2))?;
    story.settles(size(2, 2)).await?;
    story.push(size(1, 1))?;
    story.settles(size(1, 1)).await?;
    stand.controller_lives().await
}

#[tokio::test]
async fn an_authority_that_is_exchanged_is_read_anew_and_until_then_the_server_is_not_trusted() -> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let story = stand.story("authority", size(1, 1)).await?;
    let generation = story.vm().await?.metadata.generation;
    stand.cluster.kill(Party::ApiServer).await?;
    stand.cluster.exchange_authority()?;
    stand.cluster.revive(Party::ApiServer).await?;
    story.push(size(2, 2))?;
    let refused = async || Ok(story.log()?.contains("invalid peer certificate").then_some(()));
    soon("the controller says that it does not trust the server", refused).await?;
    // A new connection reads the file of the authority anew, where that was a minute ago.
    tokio::time::sleep(std::time::Duration::from_secs(70)).await;
    ensure!(story.vm().await?.metadata.generation == generation, "nothing goes to a server that is not trusted");
    stand.account.trust(&stand.cluster)?;
    story.settles(size(2, 2)).await?;
    stand.controller_lives().await
}

#[tokio::test]
async fn a_policy_is_applied_and_the_pod_of_a_halted_vm_is_deleted_by_the_rights_of_an_installation() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let story = stand.story("whole", size(1, 1)).await?;
    let policy =
        "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: all\nspec:\n  overhead: 256Mi\n";
    let text = story.repository.read("vms/web-1.yaml")?.replace("spec:\n", "spec:\n  runPolicy: Halted\n");
    story.repository.push(
        "a policy, and the VM stops",
        &[
            Change::Write { path: "policies/all.yaml".to_owned(), text: policy.to_owned() },
            Change::Write { path: "vms/web-1.yaml".to_owned(), text },
        ],
    )?;
    soon("the VM has no Pod", async || Ok(story.pod().await.is_err().then_some(()))).await?;
    let policies = Api::<SizingPolicy>::namespaced(stand.client.clone(), "whole");
    soon("the policy is applied", async || policies.get_opt("all").await.map_err(Into::into)).await?;
    let asked = rights::asked(stand.cluster.logs(), "controller")?;
    ensure!(asked.refused.is_empty(), "{:?}", asked.refused);
    let used: Vec<String> = asked.used.iter().map(ToString::to_string).collect();
    for right in ["delete pods", "create sizingpolicies.reef.dev", "patch sizingpolicies.reef.dev"] {
        ensure!(used.iter().any(|used| used == right), "{right} is not among {used:?}");
    }
    Ok(())
}
