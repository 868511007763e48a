//! `pods/resize` as an API server alone treats it: what may change, how it is said, what is refused.

use super::pods::pod;
use super::prelude::*;

cases!("resize", ApiServer:
    a_resize_changes_amounts_alone,
    a_resize_counts_as_a_wish,
    a_merge_patch_replaces_the_list,
    a_json_patch_by_place_works,
    an_apply_by_name_works,
    an_apply_meets_those_who_resized_before,
    a_container_that_is_not_there_is_refused,
    init_containers_stay_as_they_are_before_1_36,
    the_class_cannot_change,
    limits_cannot_be_removed,
    a_request_above_its_limit_is_refused,
    only_cpu_and_memory_can_be_resized,
    a_negative_amount_is_refused,
    a_policy_cannot_change_with_it,
    a_wrong_uid_or_version_is_refused,
    containers_change_together_in_the_pods_own_order,
    the_same_again_changes_nothing,
    a_resize_can_be_tried,
    a_pod_that_is_not_there_is_not_found,
    the_part_reads_as_the_whole,
    the_object_itself_cannot_be_resized,
    a_request_that_is_taken_out_follows_its_limit,
);

fn sized(container: &str, cpu: &str, memory: &str) -> Value {
    let amounts = json!({ "cpu": cpu, "memory": memory });
    json!({ "spec": { "containers": [{ "name": container, "resources": { "requests": amounts, "limits": amounts } }] } })
}

/// A Pod that nobody places.
fn waiting(name: &str) -> Value {
    let mut sent = pod(name, "1", "512Mi");
    sent["spec"]["schedulerName"] = json!("nobody");
    sent
}

fn of_container(patch: Value) -> Value {
    let mut container = patch;
    container["name"] = json!("vm-manager");
    json!({ "spec": { "containers": [container] } })
}

fn cause(reason: &str, field: &str, message: &str) -> Value {
    json!({ "reason": reason, "message": message, "field": field })
}

async fn refused_causes(context: &Context, patch: &Value) -> Result<Value> {
    let refused = context.patch("pods/a/resize", PatchKind::Strategic, patch).await?.refusal()?;
    same("code and reason", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([422, "Invalid"]))?;
    Ok(at(&refused, "/details/causes"))
}

fn class_kept() -> Value {
    cause(
        "FieldValueInvalid",
        "spec",
        "Invalid value: \"Guaranteed\": Pod QOS Class may not change as a result of resizing",
    )
}

async fn a_resize_changes_amounts_alone(context: Context) -> Result<()> {
    let made = context.made("pods", &waiting("a")).await?;
    let mut patch = sized("vm-manager", "2", "1Gi");
    patch["metadata"] = json!({ "labels": { "x": "y" } });
    patch["spec"]["containers"][0]["image"] = json!("other:1");
    patch["spec"]["activeDeadlineSeconds"] = json!(5);
    patch["status"] = json!({ "phase": "Running" });
    let resized = context.patch("pods/a/resize", PatchKind::Strategic, &patch).await?;
    let mut expected = made.object()?;
    let amounts = json!({ "cpu": "2", "memory": "1Gi" });
    expected["spec"]["containers"][0]["resources"] = json!({ "requests": amounts, "limits": amounts });
    expected["metadata"]["generation"] = json!(2);
    same("the pod", &resized.object()?, &expected)
}

async fn a_resize_counts_as_a_wish(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    for (cpu, generation) in [("2", 2), ("3", 3), ("3000m", 3), ("1", 4)] {
        let resized = context.patch("pods/a/resize", PatchKind::Strategic, &sized("vm-manager", cpu, "512Mi")).await?;
        same(cpu, &at(resized.expect(200)?, "/metadata/generation"), &json!(generation))?;
        same("no condition by the server", &resized.at("/status/conditions"), &Value::Null)?;
    }
    Ok(())
}

/// A Pod of two containers that nobody places.
fn pair(name: &str) -> Value {
    let mut sent = waiting(name);
    let first = at(&sent, "/spec/containers/0");
    let amounts = json!({ "limits": { "cpu": "100m", "memory": "64Mi" } });
    sent["spec"]["containers"] = json!([first, { "name": "side", "image": "conformance:1", "resources": amounts }]);
    sent
}

async fn a_merge_patch_replaces_the_list(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let resized = context.patch("pods/a/resize", PatchKind::Merge, &sized("vm-manager", "2", "1Gi")).await?;
    let found = json!([
        at(resized.expect(200)?, "/spec/containers/0/image"),
        resized.at("/spec/containers/0/resources/limits/cpu")
    ]);
    same("all of one container is all of them", &found, &json!(["conformance:1", "2"]))?;
    context.made("pods", &pair("b")).await?;
    let refused =
        context.patch("pods/b/resize", PatchKind::Merge, &sized("vm-manager", "2", "1Gi")).await?.refusal()?;
    let causes = json!([
        cause("FieldValueForbidden", "spec.containers", "Forbidden: containers may not be added or removed on resize"),
        cause("FieldValueRequired", "spec.containers[0].image", "Required value"),
    ]);
    same(
        "one of two is too few",
        &json!([at(&refused, "/code"), at(&refused, "/details/causes")]),
        &json!([422, causes]),
    )
}

async fn a_json_patch_by_place_works(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let steps = json!([
        { "op": "test", "path": "/spec/containers/0/name", "value": "vm-manager" },
        { "op": "replace", "path": "/spec/containers/0/resources/limits/cpu", "value": "3" },
        { "op": "replace", "path": "/spec/containers/0/resources/requests/cpu", "value": "3" },
    ]);
    let resized = context.patch("pods/a/resize", PatchKind::Json, &steps).await?;
    same("the amount", &at(resized.expect(200)?, "/spec/containers/0/resources/limits/cpu"), &json!("3"))
}

fn applied(cpu: &str, memory: &str) -> Value {
    let mut body = sized("vm-manager", cpu, memory);
    body["apiVersion"] = json!("v1");
    body["kind"] = json!("Pod");
    body["metadata"] = json!({ "name": "a" });
    body
}

async fn an_apply_by_name_works(context: Context) -> Result<()> {
    context.made("pods?fieldManager=creator", &waiting("a")).await?;
    let refused = context.apply("pods/a/resize", "reef", "", &applied("2", "512Mi")).await?.refusal()?;
    let said = "conflict with \"creator\" using v1";
    let field = |which: &str| format!(".spec.containers[name=\"vm-manager\"].resources.{which}.cpu");
    let causes = json!([
        cause("FieldManagerConflict", &field("limits"), said),
        cause("FieldManagerConflict", &field("requests"), said)
    ]);
    same("who made it owns it", &at(&refused, "/details/causes"), &causes)?;
    let resized = context.apply("pods/a/resize", "reef", "&force=true", &applied("2", "512Mi")).await?;
    same("the amount", &at(resized.expect(200)?, "/spec/containers/0/resources/requests/cpu"), &json!("2"))?;
    let owned = owners(&resized.body).into_iter().find(|owner| text_at(owner, "/0") == "reef").unwrap_or_default();
    let fields = json!({ "f:spec": { "f:containers": { "k:{\"name\":\"vm-manager\"}": { ".": {}, "f:name": {},
        "f:resources": { "f:limits": { "f:cpu": {}, "f:memory": {} }, "f:requests": { "f:cpu": {}, "f:memory": {} } } } } } });
    same("the owner", &owned, &json!(["reef", "Apply", "resize", fields]))
}

async fn an_apply_meets_those_who_resized_before(context: Context) -> Result<()> {
    context.made("pods?fieldManager=creator", &waiting("a")).await?;
    let patched = context
        .patch("pods/a/resize?fieldManager=other", PatchKind::Strategic, &sized("vm-manager", "2", "512Mi"))
        .await?;
    patched.expect(200)?;
    let refused = context.apply("pods/a/resize", "reef", "", &applied("3", "512Mi")).await?.refusal()?;
    let said = "conflict with \"other\" with subresource \"resize\" using v1";
    same("the cause", &at(&refused, "/details/causes/0/message"), &json!(said))
}

async fn a_container_that_is_not_there_is_refused(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let causes = refused_causes(&context, &sized("other", "2", "1Gi")).await?;
    let expected = json!([
        cause("FieldValueForbidden", "spec.containers", "Forbidden: containers may not be added or removed on resize"),
        cause("FieldValueRequired", "spec.containers[0].image", "Required value"),
    ]);
    same("the causes", &causes, &expected)
}

async fn init_containers_stay_as_they_are_before_1_36(context: Context) -> Result<()> {
    let mut sent = waiting("a");
    let amounts = json!({ "limits": { "cpu": "10m", "memory": "16Mi" } });
    sent["spec"]["initContainers"] = json!([{ "name": "init", "image": "conformance:1", "resources": amounts }]);
    context.made("pods", &sent).await?;
    let patch = json!({ "spec": { "initContainers": [{ "name": "init", "resources": { "limits": { "cpu": "20m" }, "requests": { "cpu": "20m" } } }] } });
    if context.minor >= 36 {
        let resized = context.patch("pods/a/resize", PatchKind::Strategic, &patch).await?;
        return same(
            "from 1.36 on they change",
            &at(resized.expect(200)?, "/spec/initContainers/0/resources/limits/cpu"),
            &json!("20m"),
        );
    }
    let causes = refused_causes(&context, &patch).await?;
    let said = "Forbidden: resources for non-sidecar init containers are immutable";
    same("the causes", &causes, &json!([cause("FieldValueForbidden", "spec", said)]))
}

async fn the_class_cannot_change(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let causes = refused_causes(&context, &of_container(json!({ "resources": { "limits": { "cpu": "3" } } }))).await?;
    same("the causes", &causes, &json!([class_kept()]))
}

async fn limits_cannot_be_removed(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let causes = refused_causes(&context, &of_container(json!({ "resources": { "limits": null } }))).await?;
    let said = "Forbidden: resource limits cannot be removed";
    let expected = json!([class_kept(), cause("FieldValueForbidden", "spec.containers[0].resources.limits", said)]);
    same("the causes", &causes, &expected)
}

async fn a_request_above_its_limit_is_refused(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let causes =
        refused_causes(&context, &of_container(json!({ "resources": { "requests": { "cpu": "5" } } }))).await?;
    let said = "Invalid value: \"5\": must be less than or equal to cpu limit of 1";
    let expected = json!([class_kept(), cause("FieldValueInvalid", "spec.containers[0].resources.requests", said)]);
    same("the causes", &causes, &expected)
}

async fn only_cpu_and_memory_can_be_resized(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let causes =
        refused_causes(&context, &of_container(json!({ "resources": { "requests": { "ephemeral-storage": "1Gi" } } })))
            .await?;
    let said = "Forbidden: only cpu and memory resources are mutable";
    same("the causes", &causes, &json!([cause("FieldValueForbidden", "spec", said)]))
}

async fn a_negative_amount_is_refused(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let patch = of_container(json!({ "resources": { "requests": { "cpu": "-1" }, "limits": { "cpu": "-1" } } }));
    let causes = refused_causes(&context, &patch).await?;
    let said = "Invalid value: \"-1\": must be greater than or equal to 0";
    let expected = json!([
        class_kept(),
        cause("FieldValueInvalid", "spec.containers[0].resources.limits[cpu]", said),
        cause("FieldValueInvalid", "spec.containers[0].resources.requests[cpu]", said),
    ]);
    same("the causes", &causes, &expected)
}

async fn a_policy_cannot_change_with_it(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let amounts = json!({ "cpu": "2", "memory": "512Mi" });
    let policy = json!([{ "resourceName": "cpu", "restartPolicy": "NotRequired" }]);
    let patch =
        of_container(json!({ "resizePolicy": policy, "resources": { "requests": amounts, "limits": amounts } }));
    let causes = refused_causes(&context, &patch).await?;
    let said = "Forbidden: only cpu and memory resources are mutable";
    same("the causes", &causes, &json!([cause("FieldValueForbidden", "spec", said)]))
}

async fn a_wrong_uid_or_version_is_refused(context: Context) -> Result<()> {
    let made = context.made("pods", &waiting("a")).await?;
    let with = |metadata: Value| {
        let mut patch = sized("vm-manager", "2", "512Mi");
        patch["metadata"] = metadata;
        patch
    };
    let causes = refused_causes(&context, &with(json!({ "uid": "other" }))).await?;
    same(
        "uid",
        &causes,
        &json!([cause("FieldValueInvalid", "metadata.uid", "Invalid value: \"other\": field is immutable")]),
    )?;
    let stale = context
        .patch("pods/a/resize", PatchKind::Strategic, &with(json!({ "resourceVersion": "1" })))
        .await?
        .refusal()?;
    let message = "Operation cannot be fulfilled on pods \"a\": the object has been modified; please apply your changes to the latest version and try again";
    same(
        "version",
        &stale,
        &json!({ "code": 409, "reason": "Conflict", "message": message, "details": { "name": "a", "kind": "pods" } }),
    )?;
    let right = json!({ "uid": made.at("/metadata/uid"), "resourceVersion": made.at("/metadata/resourceVersion") });
    let resized = context.patch("pods/a/resize", PatchKind::Strategic, &with(right)).await?;
    same("both right", &json!(resized.code), &json!(200))
}

async fn containers_change_together_in_the_pods_own_order(context: Context) -> Result<()> {
    context.made("pods", &pair("a")).await?;
    let part = |name: &str, cpu: &str| json!({ "name": name, "resources": { "requests": { "cpu": cpu }, "limits": { "cpu": cpu } } });
    let patch = |parts: Value| json!({ "spec": { "containers": parts } });
    let turned = patch(json!([part("side", "200m"), part("vm-manager", "2")]));
    let causes = refused_causes(&context, &turned).await?;
    let said = "Forbidden: containers may not be renamed or reordered on resize";
    let expected = json!([
        cause("FieldValueForbidden", "spec.containers[0].name", said),
        cause("FieldValueForbidden", "spec.containers[1].name", said),
    ]);
    same("the other way round", &causes, &expected)?;
    for (parts, expected) in [
        (json!([part("vm-manager", "2"), part("side", "200m")]), json!(["2", "200m"])),
        (json!([part("side", "300m")]), json!(["2", "300m"])),
        (json!([part("vm-manager", "3")]), json!(["3", "300m"])),
    ] {
        let resized = context.patch("pods/a/resize", PatchKind::Strategic, &patch(parts)).await?;
        let found = json!([
            at(resized.expect(200)?, "/spec/containers/0/resources/limits/cpu"),
            resized.at("/spec/containers/1/resources/limits/cpu")
        ]);
        same("the amounts", &found, &expected)?;
    }
    Ok(())
}

async fn the_same_again_changes_nothing(context: Context) -> Result<()> {
    let made = context.made("pods", &waiting("a")).await?;
    let resized = context.patch("pods/a/resize", PatchKind::Strategic, &sized("vm-manager", "1", "512Mi")).await?;
    same("the pod", resized.expect(200)?, &made.body)?;
    let empty = context.patch("pods/a/resize", PatchKind::Strategic, &json!({})).await?;
    same("an empty patch", empty.expect(200)?, &made.body)
}

async fn a_resize_can_be_tried(context: Context) -> Result<()> {
    let made = context.made("pods", &waiting("a")).await?;
    let tried =
        context.patch("pods/a/resize?dryRun=All", PatchKind::Strategic, &sized("vm-manager", "2", "1Gi")).await?;
    same("what would be", &at(tried.expect(200)?, "/spec/containers/0/resources/limits/cpu"), &json!("2"))?;
    same("what is", &context.get("pods/a").await?.body, &made.body)
}

async fn a_pod_that_is_not_there_is_not_found(context: Context) -> Result<()> {
    let refused =
        context.patch("pods/a/resize", PatchKind::Strategic, &sized("vm-manager", "2", "1Gi")).await?.refusal()?;
    let expected = json!({ "code": 404, "reason": "NotFound", "message": "pods \"a\" not found", "details": { "name": "a", "kind": "pods" } });
    same("the refusal", &refused, &expected)
}

async fn the_part_reads_as_the_whole(context: Context) -> Result<()> {
    let made = context.made("pods", &waiting("a")).await?;
    same("the pod", context.get("pods/a/resize").await?.expect(200)?, &made.body)
}

async fn the_object_itself_cannot_be_resized(context: Context) -> Result<()> {
    context.made("pods", &waiting("a")).await?;
    let refused = context.patch("pods/a", PatchKind::Strategic, &sized("vm-manager", "2", "1Gi")).await?.refusal()?;
    same("the code", &json!([at(&refused, "/code"), at(&refused, "/details/causes/0/field")]), &json!([422, "spec"]))
}

async fn a_request_that_is_taken_out_follows_its_limit(context: Context) -> Result<()> {
    let made = context.made("pods", &waiting("a")).await?;
    let patched = context
        .patch(
            "pods/a/resize",
            PatchKind::Strategic,
            &of_container(json!({ "resources": { "requests": { "cpu": null } } })),
        )
        .await?;
    same("the pod", &tidy(patched.expect(200)?), &made.object()?)
}
