//! What a namespace allows its Pods: quotas and ranges, at creation and at a resize.

use super::pods::pod;
use super::prelude::*;

cases!("limits", ApiServer:
    a_quota_is_charged_at_creation_and_at_a_resize,
    a_range_bounds_a_resize_too,
);

fn sized(cpu: &str) -> Value {
    let amounts = json!({ "cpu": cpu, "memory": "512Mi" });
    json!({ "spec": { "containers": [{ "name": "vm-manager", "resources": { "requests": amounts, "limits": amounts } }] } })
}

async fn a_quota_is_charged_at_creation_and_at_a_resize(context: Context) -> Result<()> {
    let hard = json!({ "requests.cpu": "3" });
    let quota =
        json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" }, "spec": { "hard": hard } });
    context.made("resourcequotas", &quota).await?;
    // What a controller would count, where there is one.
    let counted = json!({ "status": { "hard": hard, "used": { "requests.cpu": "0" } } });
    context.merged("resourcequotas/q/status", &counted).await?;
    context.until_refused("the quota", "pods?dryRun=All", &pod("tried", "4", "512Mi"), "exceeded quota: q").await?;
    context.made("pods", &pod("a", "1", "512Mi")).await?;
    let used = context
        .until("the charge", "resourcequotas/q", |answer| answer.text_at("/status/used/requests.cpu") == "1")
        .await;
    used?;
    let refused = context.patch("pods/a/resize", PatchKind::Strategic, &sized("4")).await?.refusal()?;
    let message = "pods \"a\" is forbidden: exceeded quota: q, requested: requests.cpu=3, used: requests.cpu=1, limited: requests.cpu=3";
    let expected =
        json!({ "code": 403, "reason": "Forbidden", "message": message, "details": { "name": "a", "kind": "pods" } });
    same("too much", &refused, &expected)?;
    context.patch("pods/a/resize", PatchKind::Strategic, &sized("2")).await?.expect(200)?;
    context
        .until("the new charge", "resourcequotas/q", |answer| answer.text_at("/status/used/requests.cpu") == "2")
        .await
        .map(|_| ())
}

async fn a_range_bounds_a_resize_too(context: Context) -> Result<()> {
    let range = json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "r" }, "spec": { "limits": [{ "type": "Container", "max": { "cpu": "2" } }] } });
    context.made("limitranges", &range).await?;
    // The server reads ranges from a copy of its own.
    for _ in 0..100 {
        if context.post("pods?dryRun=All", &pod("z", "3", "512Mi")).await?.code == 403 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    context.made("pods", &pod("a", "1", "512Mi")).await?;
    let refused = context.patch("pods/a/resize", PatchKind::Strategic, &sized("3")).await?.refusal()?;
    let message = "pods \"a\" is forbidden: maximum cpu usage per Container is 2, but limit is 3";
    let expected =
        json!({ "code": 403, "reason": "Forbidden", "message": message, "details": { "name": "a", "kind": "pods" } });
    same("too much", &refused, &expected)?;
    context.patch("pods/a/resize", PatchKind::Strategic, &sized("2")).await?.expect(200)?;
    Ok(())
}
