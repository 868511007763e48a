//! The suite against a real Kubernetes.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures::FutureExt;
use http::Request;
use kube::{Client, Config};
use reef_conformance::{Hands, Needs, Options, Side, all, run};
use reef_real::{Cluster, Shape};
use serde_json::{Value, json};

/// Forgets what etcd knows of the past. Its HTTP gateway is a plain JSON API, so that the same client will do.
async fn compact(etcd: Client) -> Result<()> {
    let call = |path: &str, body: &Value| Request::post(path).body(body.to_string().into_bytes());
    let status: Value = etcd.request(call("/v3/maintenance/status", &json!({}))?).await.context("etcd's status")?;
    let revision = status.pointer("/header/revision").cloned().context("no revision in etcd's status")?;
    let _: Value = etcd.request(call("/v3/kv/compaction", &json!({ "revision": revision, "physical": true }))?).await?;
    Ok(())
}

/// Lets the user `throttled` do everything, one request at a time.
async fn throttle(client: Client) -> Result<()> {
    let flow = "flowcontrol.apiserver.k8s.io/v1";
    let rights = "rbac.authorization.k8s.io/v1";
    let limits = json!({ "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": { "type": "Reject" } });
    let user = json!([{ "kind": "User", "user": { "name": "throttled" } }]);
    let all =
        json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true }]);
    let objects = [
        (
            rights,
            "clusterrolebindings",
            json!({
                "apiVersion": rights, "kind": "ClusterRoleBinding", "metadata": { "name": "throttled" },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "throttled" }],
            }),
        ),
        (
            flow,
            "prioritylevelconfigurations",
            json!({
                "apiVersion": flow, "kind": "PriorityLevelConfiguration", "metadata": { "name": "throttled" },
                "spec": { "type": "Limited", "limited": limits },
            }),
        ),
        (
            flow,
            "flowschemas",
            json!({
                "apiVersion": flow, "kind": "FlowSchema", "metadata": { "name": "throttled" },
                "spec": {
                    "matchingPrecedence": 2, "priorityLevelConfiguration": { "name": "throttled" },
                    "rules": [{ "subjects": user, "resourceRules": all }],
                },
            }),
        ),
    ];
    for (group, plural, object) in objects {
        let request = Request::post(format!("/apis/{group}/{plural}")).header("content-type", "application/json");
        // It may be there from an earlier run against the same server.
        client.send(request.body(object.to_string().into_bytes())?.map(Into::into)).await?;
    }
    // The server reads its own configuration by a watch.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    Ok(())
}

fn hands(client: &Client, etcd: &Client) -> Hands {
    let (client, etcd) = (client.clone(), etcd.clone());
    Hands {
        compact: Arc::new(move || compact(etcd.clone()).boxed()),
        throttle: Arc::new(move || throttle(client.clone()).boxed()),
    }
}

/// Plays what a cluster of this shape can show. The variable `CASE` picks the cases whose title contains it.
async fn play(shape: Shape, plays: &'static [Needs]) -> Result<()> {
    let cluster = Cluster::start(reef_real::Options::of(shape)).await?;
    let client = cluster.client().await?;
    let etcd = Client::try_from(Config::new(cluster.etcd().parse()?))?;
    let only = std::env::var("CASE").unwrap_or_default();
    let hands = hands(&client, &etcd);
    let options = Options { side: Side::Real, plays, only, prefix: "case".to_owned(), hands };
    run(client, &options, &all()).await?.verdict()
}

#[tokio::test]
async fn a_real_api_server_behaves_as_the_cases_say() -> Result<()> {
    play(Shape::ControlPlane, &[Needs::ApiServer]).await
}

#[tokio::test]
async fn a_real_node_behaves_as_the_cases_say() -> Result<()> {
    play(Shape::Node, &[Needs::Node]).await
}
