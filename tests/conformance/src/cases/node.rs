//! What a node makes of a resize, and controllers of a deletion: conditions, their order, and the numbers beside them.

use super::prelude::*;

cases!("node", Node:
    a_pod_that_runs_tells_what_it_has,
    a_raise_that_fits_is_allocated_at_once_and_then_done,
    a_resize_is_told_in_events,
    a_lower_size_is_done_too,
    more_than_the_node_has_is_infeasible,
    more_than_is_free_is_deferred_until_somebody_leaves,
    a_wish_that_is_taken_back_leaves_no_condition,
    what_was_owned_goes_with_its_owner,
    what_was_orphaned_stays,
    a_foreground_delete_ends_with_the_last_dependent,
    a_namespace_goes_with_all_that_is_in_it,
);

/// The one image that is there on every node.
const IMAGE: &str = "reef.dev/pause:real";

fn sleeper(name: &str, cpu: u64, memory: u64) -> Value {
    let amounts = json!({ "cpu": format!("{cpu}m"), "memory": format!("{memory}Mi") });
    json!({
        "metadata": { "name": name },
        "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false,
            "containers": [{ "name": "sleeper", "image": IMAGE, "imagePullPolicy": "Never", "resources": { "requests": amounts, "limits": amounts } }],
        },
    })
}

fn running(answer: &crate::answer::Answer) -> bool {
    let ready = answer.at("/status/containerStatuses/0/ready") == json!(true);
    ready
        && answer.text_at("/status/phase") == "Running"
        && !answer.at("/status/containerStatuses/0/resources").is_null()
}

async fn started(context: &Context, pod: &Value) -> Result<crate::answer::Answer> {
    let name = text_at(pod, "/metadata/name");
    context.made("pods", pod).await?;
    context.until("the Pod runs", &format!("pods/{name}"), running).await
}

async fn resized(context: &Context, name: &str, cpu: u64, memory: u64) -> Result<crate::answer::Answer> {
    let amounts = json!({ "cpu": format!("{cpu}m"), "memory": format!("{memory}Mi") });
    let patch = json!({ "spec": { "containers": [{ "name": "sleeper", "resources": { "requests": amounts, "limits": amounts } }] } });
    context.patch(&format!("pods/{name}/resize"), PatchKind::Strategic, &patch).await
}

/// What a resize shows in a Pod: the generation that the node has seen, its conditions, what is allocated and what is actual.
fn standing(pod: &Value) -> Value {
    let conditions: Vec<Value> = at(pod, "/status/conditions")
        .as_array()
        .into_iter()
        .flatten()
        .filter(|condition| text_at(condition, "/type").starts_with("PodResize"))
        .map(|condition| json!([at(condition, "/type"), at(condition, "/reason")]))
        .collect();
    let status = at(pod, "/status/containerStatuses/0");
    json!([
        at(pod, "/status/observedGeneration"),
        conditions,
        at(&status, "/allocatedResources"),
        at(&status, "/resources/limits")
    ])
}

fn settled(generation: u64, cpu: u64, memory: u64) -> Value {
    let cpu = if cpu.is_multiple_of(1000) { (cpu / 1000).to_string() } else { format!("{cpu}m") };
    let amounts = json!({ "cpu": cpu, "memory": format!("{memory}Mi") });
    json!([generation, [], amounts, amounts])
}

async fn a_pod_that_runs_tells_what_it_has(context: Context) -> Result<()> {
    let pod = started(&context, &sleeper("a", 100, 64)).await?;
    same("what it has", &standing(&pod.body), &settled(1, 100, 64))?;
    same("placing it was no wish", &pod.at("/metadata/generation"), &json!(1))?;
    let told = |kind: &str| {
        at(&pod.body, "/status/conditions")
            .as_array()
            .into_iter()
            .flatten()
            .find(|condition| text_at(condition, "/type") == kind)
            .map(|condition| at(condition, "/status"))
    };
    let found = json!(["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(told));
    same("its conditions", &found, &json!(["True", "True", "True", "True"]))
}

async fn a_raise_that_fits_is_allocated_at_once_and_then_done(context: Context) -> Result<()> {
    let pod = started(&context, &sleeper("a", 100, 64)).await?;
    let version = pod.text_at("/metadata/resourceVersion");
    let mut watch =
        context.watch(&format!("pods?watch=true&resourceVersion={version}&fieldSelector=metadata.name%3Da")).await?;
    resized(&context, "a", 200, 96).await?.expect(200)?;
    let mut seen: Vec<Value> = Vec::new();
    let done = settled(2, 200, 96);
    while seen.last() != Some(&done) {
        let event = watch.event().await?;
        let now = standing(&at(&event, "/object"));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    let amounts = |cpu: &str, memory: &str| json!({ "cpu": cpu, "memory": memory });
    let allocated = json!([2, [["PodResizeInProgress", null]], amounts("200m", "96Mi"), amounts("100m", "64Mi")]);
    let patched = settled(1, 100, 64);
    let steps: Vec<&Value> = seen.iter().filter(|step| [&patched, &allocated, &done].contains(step)).collect();
    same("the steps", &json!(steps), &json!([patched, allocated, done]))
}

async fn a_resize_is_told_in_events(context: Context) -> Result<()> {
    started(&context, &sleeper("a", 100, 64)).await?;
    resized(&context, "a", 200, 64).await?.expect(200)?;
    let path = "events?fieldSelector=involvedObject.name%3Da";
    let reasons = |answer: &crate::answer::Answer| -> Vec<String> {
        let items = answer.at("/items");
        let mut all: Vec<String> =
            items.as_array().into_iter().flatten().map(|event| text_at(event, "/reason")).collect();
        all.retain(|reason| reason.starts_with("Resize"));
        all.sort();
        all
    };
    context
        .until("the events", path, |answer| reasons(answer) == ["ResizeCompleted", "ResizeStarted"])
        .await
        .map(|_| ())
}

async fn a_lower_size_is_done_too(context: Context) -> Result<()> {
    started(&context, &sleeper("a", 200, 96)).await?;
    resized(&context, "a", 100, 64).await?.expect(200)?;
    context.until("the lower size", "pods/a", |answer| standing(&answer.body) == settled(2, 100, 64)).await.map(|_| ())
}

/// What the Pod's node has for Pods, in thousandths of CPUs.
async fn room(context: &Context, pod: &Value) -> Result<u64> {
    let node = context.get(&format!("/api/v1/nodes/{}", text_at(pod, "/spec/nodeName"))).await?;
    let text = node.text_at("/status/allocatable/cpu");
    Ok(match text.strip_suffix('m') {
        Some(millis) => millis.parse()?,
        None => text.parse::<u64>()?.saturating_mul(1000),
    })
}

async fn more_than_the_node_has_is_infeasible(context: Context) -> Result<()> {
    let pod = started(&context, &sleeper("a", 100, 64)).await?;
    let room = room(&context, &pod.body).await?;
    let wish = room.saturating_add(1000);
    let answer = resized(&context, "a", wish, 64).await?;
    if context.minor >= 36 {
        let said =
            format!("node didn't have enough allocatable resources: cpu, requested: {wish}, allocatable: {room}");
        let refused = answer.refusal()?;
        let found = json!([at(&refused, "/code"), at(&refused, "/reason"), at(&refused, "/details/causes")]);
        let message = text_at(&refused, "/message");
        same("refused at once", &found, &json!([403, "Forbidden", [{ "reason": "NodeCapacity" }]]))?;
        return same("in words", &json!(message), &json!(format!("pods \"a\" is forbidden: {said}")));
    }
    answer.expect(200)?;
    let told = json!([["PodResizePending", "Infeasible"]]);
    let pending = |answer: &crate::answer::Answer| at(&standing(&answer.body), "/1") == told;
    let pod = context.until("the refusal", "pods/a", pending).await?;
    let said = format!("Node didn't have enough capacity: cpu, requested: {wish}, capacity: {room}");
    let condition = at(&pod.body, "/status/conditions")
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| text_at(condition, "/type") == "PodResizePending")
        .cloned()
        .unwrap_or_default();
    let found = json!([at(&condition, "/status"), at(&condition, "/message"), at(&condition, "/observedGeneration")]);
    same("in words", &found, &json!(["True", said, 2]))?;
    let amounts = json!({ "cpu": "100m", "memory": "64Mi" });
    same(
        "nothing moved",
        &json!([at(&standing(&pod.body), "/2"), at(&standing(&pod.body), "/3")]),
        &json!([amounts, amounts]),
    )?;
    resized(&context, "a", 200, 64).await?.expect(200)?;
    context.until("the next wish", "pods/a", |answer| standing(&answer.body) == settled(3, 200, 64)).await.map(|_| ())
}

async fn more_than_is_free_is_deferred_until_somebody_leaves(context: Context) -> Result<()> {
    let pod = started(&context, &sleeper("a", 100, 64)).await?;
    let room = room(&context, &pod.body).await?;
    started(&context, &sleeper("b", room.saturating_sub(400), 64)).await?;
    resized(&context, "a", 700, 64).await?.expect(200)?;
    let told = json!([["PodResizePending", "Deferred"]]);
    let pod = context.until("the delay", "pods/a", |answer| at(&standing(&answer.body), "/1") == told).await?;
    let condition = at(&pod.body, "/status/conditions")
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| text_at(condition, "/type") == "PodResizePending")
        .cloned()
        .unwrap_or_default();
    let message = text_at(&condition, "/message");
    ensure!(message.starts_with("Node didn't have enough resource: cpu, requested: 700, used: "), "{message}");
    ensure!(message.ends_with(&format!(", capacity: {room}")), "{message}");
    context.delete("pods/b", &Value::Null).await?.expect(200)?;
    context
        .until("the room that was made", "pods/a", |answer| standing(&answer.body) == settled(2, 700, 64))
        .await
        .map(|_| ())
}

async fn a_wish_that_is_taken_back_leaves_no_condition(context: Context) -> Result<()> {
    let pod = started(&context, &sleeper("a", 100, 64)).await?;
    let room = room(&context, &pod.body).await?;
    started(&context, &sleeper("b", room.saturating_sub(400), 64)).await?;
    resized(&context, "a", 700, 64).await?.expect(200)?;
    let told = json!([["PodResizePending", "Deferred"]]);
    context.until("the delay", "pods/a", |answer| at(&standing(&answer.body), "/1") == told).await?;
    resized(&context, "a", 100, 64).await?.expect(200)?;
    context.until("peace", "pods/a", |answer| standing(&answer.body) == settled(3, 100, 64)).await.map(|_| ())
}

async fn owner_and_owned(context: &Context, blocks: bool) -> Result<()> {
    let owner = context.made("configmaps", &config("owner")).await?;
    let mut owned = config("owned");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.at("/metadata/uid"), "blockOwnerDeletion": blocks,
    }]);
    context.made("configmaps", &owned).await.map(|_| ())
}

async fn what_was_owned_goes_with_its_owner(context: Context) -> Result<()> {
    owner_and_owned(&context, false).await?;
    context.delete("configmaps/owner", &json!({ "propagationPolicy": "Background" })).await?.expect(200)?;
    context.until("the end of what was owned", "configmaps/owned", |answer| answer.code == 404).await.map(|_| ())
}

async fn what_was_orphaned_stays(context: Context) -> Result<()> {
    owner_and_owned(&context, false).await?;
    context.delete("configmaps/owner", &json!({ "propagationPolicy": "Orphan" })).await?.expect(200)?;
    context.until("the end of the owner", "configmaps/owner", |answer| answer.code == 404).await?;
    let left = context.get("configmaps/owned").await?;
    same("nobody owns it", &at(left.expect(200)?, "/metadata/ownerReferences"), &Value::Null)
}

async fn a_foreground_delete_ends_with_the_last_dependent(context: Context) -> Result<()> {
    owner_and_owned(&context, true).await?;
    context.delete("configmaps/owner", &json!({ "propagationPolicy": "Foreground" })).await?.expect(200)?;
    context.until("the end of the owner", "configmaps/owner", |answer| answer.code == 404).await?;
    same("what was owned went before", &json!(context.get("configmaps/owned").await?.code), &json!(404))
}

async fn a_namespace_goes_with_all_that_is_in_it(context: Context) -> Result<()> {
    let name = format!("{}-inner", context.namespace);
    context.made("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await?;
    context.made(&format!("/api/v1/namespaces/{name}/configmaps"), &config("a")).await?;
    let path = format!("/api/v1/namespaces/{name}");
    context.delete(&path, &Value::Null).await?.expect(200)?;
    context.until("the end of the namespace", &path, |answer| answer.code == 404).await.map(|_| ())
}
