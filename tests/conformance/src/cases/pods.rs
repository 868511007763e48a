//! Pods as an API server alone treats them: what is filled in, what may change, binding.

use super::prelude::*;

cases!("pods", ApiServer:
    a_new_pod_is_filled_in,
    requests_follow_limits,
    the_class_follows_requests_and_limits,
    a_pod_without_containers_is_refused,
    a_request_above_its_limit_is_refused,
    a_negative_amount_is_refused,
    an_amount_that_is_none_is_refused,
    a_pod_that_never_restarts_cannot_restart_for_a_resize,
    little_of_a_pod_can_be_updated,
    a_binding_places_a_pod_and_is_no_change_of_its_wish,
    a_pod_is_bound_once,
    a_pods_status_is_apart,
    a_bound_pod_is_deleted_with_grace,
    an_unbound_pod_goes_at_once,
    an_unknown_field_is_dropped_with_a_warning,
);

/// A Pod of one container, as a VM's is.
pub(super) fn pod(name: &str, cpu: &str, memory: &str) -> Value {
    let amounts = json!({ "cpu": cpu, "memory": memory });
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "containers": [{ "name": "vm-manager", "image": "conformance:1", "resources": { "requests": amounts, "limits": amounts } }],
        },
    })
}

fn amounts(pod: &Value) -> Value {
    at(pod, "/spec/containers/0/resources")
}

async fn a_new_pod_is_filled_in(context: Context) -> Result<()> {
    let mut sent = pod("a", "1000m", "0.5Gi");
    sent["status"] = json!({ "phase": "Running" });
    let made = context.made("pods", &sent).await?;
    let toleration = |key: &str| json!({ "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 });
    let amounts = json!({ "cpu": "1", "memory": "512Mi" });
    let expected = json!({
        "restartPolicy": "Never", "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "securityContext": {}, "schedulerName": "default-scheduler",
        "tolerations": [toleration("not-ready"), toleration("unreachable")], "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
        "containers": [{
            "name": "vm-manager", "image": "conformance:1", "imagePullPolicy": "IfNotPresent", "resources": { "requests": amounts, "limits": amounts },
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        }],
    });
    let mut spec = made.at("/spec");
    if let Some(spec) = spec.as_object_mut() {
        // Filled in where there are controllers that make accounts.
        spec.retain(|name, _| !name.starts_with("serviceAccount"));
    }
    same("the spec", &spec, &expected)?;
    let found = json!([made.at("/status"), made.at("/metadata/generation")]);
    same("status and generation", &found, &json!([{ "phase": "Pending", "qosClass": "Guaranteed" }, 1]))
}

async fn requests_follow_limits(context: Context) -> Result<()> {
    let mut sent = pod("a", "1", "1Gi");
    sent["spec"]["containers"][0]["resources"] =
        json!({ "limits": { "cpu": "2", "memory": "1Gi" }, "requests": { "cpu": "1" } });
    let made = context.made("pods", &sent).await?;
    let expected = json!({ "limits": { "cpu": "2", "memory": "1Gi" }, "requests": { "cpu": "1", "memory": "1Gi" } });
    same("the amounts", &amounts(&made.body), &expected)?;
    same("the class", &made.at("/status/qosClass"), &json!("Burstable"))
}

async fn the_class_follows_requests_and_limits(context: Context) -> Result<()> {
    let table = [
        ("a", json!({}), "BestEffort"),
        ("b", json!({ "requests": { "cpu": "1" } }), "Burstable"),
        ("c", json!({ "limits": { "cpu": "1", "memory": "1Gi" } }), "Guaranteed"),
        ("d", json!({ "limits": { "memory": "1Gi" } }), "Burstable"),
        (
            "e",
            json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m", "memory": "1Gi" } }),
            "Burstable",
        ),
    ];
    for (name, resources, class) in table {
        let mut sent = pod(name, "1", "1Gi");
        sent["spec"]["containers"][0]["resources"] = resources;
        let made = context.made("pods", &sent).await?;
        same(name, &made.at("/status/qosClass"), &json!(class))?;
    }
    Ok(())
}

fn causes(refused: &Value) -> Value {
    at(refused, "/details/causes")
}

async fn a_pod_without_containers_is_refused(context: Context) -> Result<()> {
    let sent = json!({ "metadata": { "name": "a" }, "spec": { "containers": [] } });
    let refused = context.post("pods", &sent).await?.refusal()?;
    let expected = json!([{ "reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers" }]);
    same("the causes", &causes(&refused), &expected)?;
    let sent = json!({ "metadata": { "name": "a" }, "spec": { "containers": [{ "name": "x" }] } });
    let refused = context.post("pods", &sent).await?.refusal()?;
    let expected =
        json!([{ "reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers[0].image" }]);
    same("no image", &causes(&refused), &expected)?;
    let sent = json!({ "metadata": { "name": "a" }, "spec": { "containers": [{ "name": "x", "image": "y" }, { "name": "x", "image": "y" }] } });
    let refused = context.post("pods", &sent).await?.refusal()?;
    let expected = json!([{ "reason": "FieldValueDuplicate", "message": "Duplicate value: \"x\"", "field": "spec.containers[1].name" }]);
    same("twice the same", &causes(&refused), &expected)
}

async fn a_request_above_its_limit_is_refused(context: Context) -> Result<()> {
    let mut sent = pod("a", "1", "1Gi");
    sent["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("2");
    let refused = context.post("pods", &sent).await?.refusal()?;
    let said = "Invalid value: \"2\": must be less than or equal to cpu limit of 1";
    let expected =
        json!([{ "reason": "FieldValueInvalid", "message": said, "field": "spec.containers[0].resources.requests" }]);
    same("the causes", &causes(&refused), &expected)
}

async fn a_negative_amount_is_refused(context: Context) -> Result<()> {
    let refused = context.post("pods", &pod("a", "1", "-1Gi")).await?.refusal()?;
    let cause = |which: &str| {
        let field = format!("spec.containers[0].resources.{which}[memory]");
        json!({ "reason": "FieldValueInvalid", "message": "Invalid value: \"-1Gi\": must be greater than or equal to 0", "field": field })
    };
    same("the causes", &causes(&refused), &json!([cause("limits"), cause("requests")]))
}

async fn an_amount_that_is_none_is_refused(context: Context) -> Result<()> {
    let refused = context.post("pods", &pod("a", "zwei", "1Gi")).await?.refusal()?;
    same("code and reason", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([400, "BadRequest"]))?;
    let message = text_at(&refused, "/message");
    ensure!(
        message.contains("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        "{message}"
    );
    context.made("pods", &pod("a", "1", "1Gi")).await?;
    let patch =
        json!({ "spec": { "containers": [{ "name": "vm-manager", "resources": { "requests": { "cpu": "zwei" } } }] } });
    let refused = context.patch("pods/a/resize", PatchKind::Strategic, &patch).await?.refusal()?;
    let found = json!([at(&refused, "/code"), at(&refused, "/reason"), at(&refused, "/details/causes/0/field")]);
    same("in a patch", &found, &json!([422, "Invalid", "patch"]))
}

async fn a_pod_that_never_restarts_cannot_restart_for_a_resize(context: Context) -> Result<()> {
    let mut sent = pod("a", "1", "1Gi");
    sent["spec"]["containers"][0]["resizePolicy"] =
        json!([{ "resourceName": "cpu", "restartPolicy": "RestartContainer" }]);
    let refused = context.post("pods", &sent).await?.refusal()?;
    let whose = if context.minor >= 36 { "pod " } else { "" };
    let said =
        format!("Invalid value: \"RestartContainer\": must be 'NotRequired' when {whose}`restartPolicy` is 'Never'");
    let expected =
        json!([{ "reason": "FieldValueInvalid", "message": said, "field": "spec.containers[0].resizePolicy" }]);
    same("the causes", &causes(&refused), &expected)
}

async fn little_of_a_pod_can_be_updated(context: Context) -> Result<()> {
    context.made("pods", &pod("a", "1", "1Gi")).await?;
    let rule = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    for spec in [
        json!({ "nodeSelector": { "a": "b" } }),
        json!({ "terminationGracePeriodSeconds": 5 }),
        json!({ "containers": [{ "name": "vm-manager", "resources": { "limits": { "cpu": "2" }, "requests": { "cpu": "2" } } }] }),
    ] {
        let refused = context.patch("pods/a", PatchKind::Strategic, &json!({ "spec": spec })).await?.refusal()?;
        let found = json!([
            at(&refused, "/code"),
            at(&refused, "/details/causes/0/reason"),
            at(&refused, "/details/causes/0/field")
        ]);
        same(&spec.to_string(), &found, &json!([422, "FieldValueForbidden", "spec"]))?;
        let message = text_at(&refused, "/details/causes/0/message");
        ensure!(message.starts_with(rule), "{message}");
    }
    let spec =
        json!({ "activeDeadlineSeconds": 500, "containers": [{ "name": "vm-manager", "image": "conformance:2" }] });
    let changed = context.patch("pods/a", PatchKind::Strategic, &json!({ "spec": spec })).await?;
    let found = json!([at(changed.expect(200)?, "/spec/containers/0/image"), changed.at("/metadata/generation")]);
    same("an image", &found, &json!(["conformance:2", 2]))?;
    let labelled = context.merged("pods/a", &json!({ "metadata": { "labels": { "x": "y" } } })).await?;
    same("labels are no wish", &labelled.at("/metadata/generation"), &json!(2))
}

/// A Node of the case's own, which no kubelet is behind.
async fn node(context: &Context) -> Result<String> {
    let name = format!("node-{}", context.namespace);
    context.made("/api/v1/nodes", &json!({ "metadata": { "name": name }, "spec": { "unschedulable": true } })).await?;
    Ok(name)
}

async fn gone(context: &Context, node: &str) -> Result<()> {
    context.delete(&format!("/api/v1/nodes/{node}"), &Value::Null).await?.expect(200)?;
    Ok(())
}

fn gated(name: &str) -> Value {
    let mut sent = pod(name, "1", "1Gi");
    // Nobody but the case itself is to place it.
    sent["spec"]["schedulerName"] = json!("nobody");
    sent
}

fn binding(name: &str, node: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name }, "target": { "apiVersion": "v1", "kind": "Node", "name": node } })
}

async fn a_binding_places_a_pod_and_is_no_change_of_its_wish(context: Context) -> Result<()> {
    let node = node(&context).await?;
    context.made("pods", &gated("a")).await?;
    let bound = context.post("pods/a/binding", &binding("a", &node)).await?;
    same(
        "the answer",
        bound.expect(201)?,
        &json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 }),
    )?;
    let read = context.get("pods/a").await?;
    gone(&context, &node).await?;
    let condition = json!([read.at("/status/conditions/0/type"), read.at("/status/conditions/0/status")]);
    let found = json!([read.at("/spec/nodeName"), read.at("/metadata/generation"), condition]);
    same("the pod", &found, &json!([node.replace(&context.namespace, "NS"), 1, ["PodScheduled", "True"]]))
}

async fn a_pod_is_bound_once(context: Context) -> Result<()> {
    let node = node(&context).await?;
    context.made("pods", &gated("a")).await?;
    context.post("pods/a/binding", &binding("a", &node)).await?.expect(201)?;
    let again = context.post("pods/a/binding", &binding("a", &node)).await?.refusal()?;
    gone(&context, &node).await?;
    let shown = node.replace(&context.namespace, "NS");
    let message =
        format!("Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to node \"{shown}\"");
    let expected = json!({ "code": 409, "reason": "Conflict", "message": message, "details": { "name": "a", "kind": "pods/binding" } });
    same("the refusal", &again, &expected)
}

async fn a_pods_status_is_apart(context: Context) -> Result<()> {
    context.made("pods", &gated("a")).await?;
    let patch = json!({ "spec": { "nodeName": "elsewhere" }, "metadata": { "labels": { "x": "y" } }, "status": { "phase": "Running", "message": "hello" } });
    let told = context.patch("pods/a/status", PatchKind::Strategic, &patch).await?;
    let found =
        json!([at(told.expect(200)?, "/status/message"), told.at("/spec/nodeName"), told.at("/metadata/generation")]);
    same("the pod", &found, &json!(["hello", null, 1]))?;
    let patched = context.patch("pods/a", PatchKind::Strategic, &json!({ "status": { "phase": "Failed" } })).await?;
    same("not by the object", &at(patched.expect(200)?, "/status/phase"), &json!("Running"))
}

async fn a_bound_pod_is_deleted_with_grace(context: Context) -> Result<()> {
    let node = node(&context).await?;
    context.made("pods", &gated("a")).await?;
    context.post("pods/a/binding", &binding("a", &node)).await?.expect(201)?;
    // A real server judges a deletion by its cache at first, and what it decides about a Pod without a node stays decided.
    let cached = "pods/a?resourceVersion=0";
    context.until("the binding", cached, |answer| answer.at("/spec/nodeName") != Value::Null).await?;
    let deleted = context.delete("pods/a", &json!({ "gracePeriodSeconds": 20 })).await?;
    let found = json!([
        at(deleted.expect(200)?, "/kind"),
        deleted.at("/metadata/deletionGracePeriodSeconds"),
        deleted.at("/metadata/generation")
    ]);
    same("marked", &found, &json!(["Pod", 20, 2]))?;
    let longer = context.delete("pods/a", &json!({ "gracePeriodSeconds": 25 })).await?;
    same("never longer", &at(longer.expect(200)?, "/metadata/deletionGracePeriodSeconds"), &json!(20))?;
    let shorter = context.delete("pods/a", &json!({ "gracePeriodSeconds": 5 })).await?;
    same("shorter", &at(shorter.expect(200)?, "/metadata/deletionGracePeriodSeconds"), &json!(5))?;
    context.delete("pods/a", &json!({ "gracePeriodSeconds": 0 })).await?.expect(200)?;
    gone(&context, &node).await?;
    same("at once", &json!(context.get("pods/a").await?.code), &json!(404))
}

async fn an_unbound_pod_goes_at_once(context: Context) -> Result<()> {
    context.made("pods", &gated("a")).await?;
    let deleted = context.delete("pods/a", &Value::Null).await?;
    same("its last state", &at(deleted.expect(200)?, "/kind"), &json!("Pod"))?;
    same("gone", &json!(context.get("pods/a").await?.code), &json!(404))
}

async fn an_unknown_field_is_dropped_with_a_warning(context: Context) -> Result<()> {
    let mut sent = pod("a", "1", "1Gi");
    sent["spec"]["sise"] = json!(1);
    let made = context.made("pods", &sent).await?;
    same("the field", &made.at("/spec/sise"), &Value::Null)?;
    same("warnings", &json!(made.warnings()), &json!(["299 - \"unknown field \\\"spec.sise\\\"\""]))?;
    let refused = context.post("pods?fieldValidation=Strict", &sent).await?.refusal()?;
    let message =
        "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.sise\"";
    same("refused where asked", &refused, &json!({ "code": 400, "reason": "BadRequest", "message": message }))
}
