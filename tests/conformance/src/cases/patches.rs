//! The kinds of patches, on objects of built-in kinds and custom resources.

use super::prelude::*;

cases!("patches", ApiServer:
    a_merge_patch_merges_maps_and_replaces_lists,
    a_json_patch_goes_step_by_step,
    a_json_patch_that_does_not_fit_changes_nothing,
    a_test_that_fails_refuses_a_json_patch,
    a_strategic_patch_merges_lists_by_key,
    a_strategic_patch_of_a_custom_resource_is_an_unsupported_type,
    a_patch_of_an_unknown_type_is_unsupported,
    a_body_that_does_not_parse_is_refused,
    force_is_for_apply_alone,
    a_wrong_uid_in_a_patch_is_refused,
    a_uid_in_a_status_patch_holds_for_built_in_kinds_alone,
    a_right_version_and_uid_let_a_patch_pass,
    a_patch_may_empty_a_map,
);

async fn a_merge_patch_merges_maps_and_replaces_lists(context: Context) -> Result<()> {
    let spec = json!({ "size": 1, "plain": ["a", "b"], "parts": [{ "name": "x" }, { "name": "y" }], "inner": { "note": "n" } });
    context.made("widgets", &widget("a", &spec)).await?;
    let patch = json!({ "spec": { "plain": ["c"], "parts": [{ "name": "z" }], "inner": { "note": null, "depth": 5 }, "color": "red" } });
    let patched = context.merged("widgets/a", &patch).await?;
    let expected = json!({ "size": 1, "mode": "Live", "plain": ["c"], "parts": [{ "name": "z", "count": 1 }], "inner": { "depth": 5 }, "color": "red" });
    same("the spec", &patched.at("/spec"), &expected)
}

async fn a_json_patch_goes_step_by_step(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 1, "plain": ["a", "b"] }))).await?;
    let steps = json!([
        { "op": "test", "path": "/spec/size", "value": 1 },
        { "op": "replace", "path": "/spec/size", "value": 2 },
        { "op": "add", "path": "/spec/plain/-", "value": "c" },
        { "op": "remove", "path": "/spec/plain/0" },
        { "op": "copy", "from": "/spec/plain/0", "path": "/spec/color" },
        { "op": "add", "path": "/metadata/labels", "value": { "a~b/c": "d" } },
        { "op": "replace", "path": "/metadata/labels/a~0b~1c", "value": "e" },
    ]);
    let patched = context.patch("widgets/a", PatchKind::Json, &steps).await?;
    // The colour is too short; the server must have gone through all steps before it says so.
    let message = "Widget.conformance.reef.dev \"a\" is invalid: ";
    ensure!(patched.text_at("/message").starts_with(message), "{}", patched.text);
    let steps: Vec<Value> = steps.as_array().into_iter().flatten().take(4).cloned().collect();
    let patched = context.patch("widgets/a", PatchKind::Json, &json!(steps)).await?;
    let expected = json!({ "size": 2, "mode": "Live", "plain": ["b", "c"], "inner": { "depth": 3 } });
    same("the spec", &at(patched.expect(200)?, "/spec"), &expected)
}

async fn a_json_patch_that_does_not_fit_changes_nothing(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let steps = json!([{ "op": "replace", "path": "/data/a", "value": "2" }, { "op": "remove", "path": "/data/gone" }]);
    let patched = context.patch("configmaps/a", PatchKind::Json, &steps).await?;
    let refused = patched.refusal()?;
    let found = json!([at(&refused, "/code"), at(&refused, "/reason"), at(&refused, "/message")]);
    same(
        "the refusal",
        &found,
        &json!([422, "Invalid", "the server rejected our request due to an error in our request"]),
    )?;
    same("the data", &context.get("configmaps/a").await?.at("/data"), &json!({ "a": "1" }))
}

async fn a_test_that_fails_refuses_a_json_patch(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let steps = json!([{ "op": "test", "path": "/data/a", "value": "9" }, { "op": "replace", "path": "/data/a", "value": "2" }]);
    let refused = context.patch("configmaps/a", PatchKind::Json, &steps).await?.refusal()?;
    same("the code", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([422, "Invalid"]))
}

async fn a_strategic_patch_merges_lists_by_key(context: Context) -> Result<()> {
    let sent = json!({ "metadata": { "name": "n" }, "status": { "conditions": [{ "type": "A", "status": "True" }, { "type": "B", "status": "True" }] } });
    let name = format!("node-{}", context.namespace);
    let mut sent = sent;
    sent["metadata"]["name"] = json!(name);
    context.made("/api/v1/nodes", &sent).await?;
    let patch =
        json!({ "status": { "conditions": [{ "type": "B", "status": "False" }, { "type": "C", "status": "True" }] } });
    let patched = context.patch(&format!("/api/v1/nodes/{name}/status"), PatchKind::Strategic, &patch).await?;
    let conditions: Vec<Value> = at(patched.expect(200)?, "/status/conditions")
        .as_array()
        .into_iter()
        .flatten()
        .map(|condition| json!([at(condition, "/type"), at(condition, "/status")]))
        .collect();
    let deleted = context.delete(&format!("/api/v1/nodes/{name}"), &Value::Null).await?;
    deleted.expect(200)?;
    same("conditions", &json!(conditions), &json!([["A", "True"], ["B", "False"], ["C", "True"]]))
}

async fn a_strategic_patch_of_a_custom_resource_is_an_unsupported_type(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let refused =
        context.patch("widgets/a", PatchKind::Strategic, &json!({ "spec": { "size": 2 } })).await?.refusal()?;
    let message = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
    same("the refusal", &refused, &json!({ "code": 415, "reason": "UnsupportedMediaType", "message": message }))
}

async fn a_patch_of_an_unknown_type_is_unsupported(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    for media in ["application/json", "text/plain"] {
        let refused = context.send(Call::new("PATCH", "configmaps/a").typed(media, "{}")).await?.refusal()?;
        let expected = json!({ "code": 415, "reason": "UnsupportedMediaType", "message": "415: Unsupported Media Type", "details": {} });
        same(media, &refused, &expected)?;
    }
    Ok(())
}

async fn a_body_that_does_not_parse_is_refused(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    for path in ["configmaps/a", "widgets/a"] {
        for kind in PatchKind::ALL {
            if kind == PatchKind::Strategic && path == "widgets/a" {
                continue;
            }
            let path = if kind == PatchKind::Apply { format!("{path}?fieldManager=me") } else { path.to_owned() };
            let answer = context.send(Call::new("PATCH", path.as_str()).typed(kind.media(), "{\"a\":")).await?;
            let refused = answer.refusal()?;
            let found = json!([at(&refused, "/code"), at(&refused, "/reason")]);
            same(&format!("{kind:?} of {path}"), &found, &json!([400, "BadRequest"]))?;
        }
    }
    let answer = context.send(Call::new("POST", "configmaps").typed("application/json", "{\"a\":")).await?;
    let refused = answer.refusal()?;
    same("a create", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([400, "BadRequest"]))
}

async fn force_is_for_apply_alone(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let refused = context
        .patch("configmaps/a?force=true", PatchKind::Merge, &json!({ "data": { "a": "2" } }))
        .await?
        .refusal()?;
    let said = "Forbidden: may not be specified for non-apply patch";
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": format!("PatchOptions.meta.k8s.io \"\" is invalid: force: {said}"),
        "details": { "group": "meta.k8s.io", "kind": "PatchOptions", "causes": [{ "reason": "FieldValueForbidden", "message": said, "field": "force" }] },
    });
    same("the refusal", &refused, &expected)
}

async fn a_wrong_uid_in_a_patch_is_refused(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let cause = json!({ "reason": "FieldValueInvalid", "message": "Invalid value: \"other\": field is immutable", "field": "metadata.uid" });
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"other\": field is immutable",
        "details": { "name": "a", "kind": "ConfigMap", "causes": [cause] },
    });
    let patch = json!({ "metadata": { "uid": "other" }, "data": { "a": "2" } });
    same("merge", &context.patch("configmaps/a", PatchKind::Merge, &patch).await?.refusal()?, &expected)?;
    same("strategic", &context.patch("configmaps/a", PatchKind::Strategic, &patch).await?.refusal()?, &expected)?;
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": "Widget.conformance.reef.dev \"a\" is invalid: metadata.uid: Invalid value: \"other\": field is immutable",
        "details": { "name": "a", "group": "conformance.reef.dev", "kind": "Widget", "causes": [cause] },
    });
    let patch = json!({ "metadata": { "uid": "other" }, "spec": { "size": 2 } });
    same("custom", &context.patch("widgets/a", PatchKind::Merge, &patch).await?.refusal()?, &expected)
}

async fn a_uid_in_a_status_patch_holds_for_built_in_kinds_alone(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let patch = json!({ "metadata": { "uid": "other" }, "status": { "phase": "Up" } });
    let told = context.merged("widgets/a/status", &patch).await?;
    let found = json!([told.at("/metadata/uid"), told.at("/status/phase")]);
    same("a custom resource ignores it", &found, &json!([made.at("/metadata/uid"), "Up"]))?;
    let mut body = widget("a", &json!({}));
    body["metadata"]["uid"] = json!("other");
    body["status"] = json!({ "count": 1 });
    let told = context.apply("widgets/a/status", "alice", "", &body).await?;
    same("also in an apply", &at(told.expect(200)?, "/status/count"), &json!(1))?;
    let stale = json!({ "metadata": { "resourceVersion": made.at("/metadata/resourceVersion") }, "status": { "phase": "Down" } });
    let refused = context.patch("widgets/a/status", PatchKind::Merge, &stale).await?;
    same("the version counts", &json!([refused.code, refused.text_at("/reason")]), &json!([409, "Conflict"]))?;
    let name = format!("status-{}", context.namespace);
    context.made("/api/v1/nodes", &json!({ "metadata": { "name": name } })).await?;
    let path = format!("/api/v1/nodes/{name}");
    let refused = context.patch(&format!("{path}/status"), PatchKind::Strategic, &patch).await?;
    context.delete(&path, &Value::Null).await?.expect(200)?;
    same(
        "a node does not",
        &json!([refused.code, refused.text_at("/details/causes/0/field")]),
        &json!([422, "metadata.uid"]),
    )
}

async fn a_right_version_and_uid_let_a_patch_pass(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let identity = json!({ "uid": made.at("/metadata/uid"), "resourceVersion": made.at("/metadata/resourceVersion") });
    let patched = context.merged("widgets/a", &json!({ "metadata": identity, "spec": { "size": 2 } })).await?;
    same("the spec", &patched.at("/spec/size"), &json!(2))?;
    let again =
        context.patch("widgets/a", PatchKind::Merge, &json!({ "metadata": identity, "spec": { "size": 3 } })).await?;
    let expected = json!({
        "code": 409, "reason": "Conflict", "details": { "name": "a", "group": "conformance.reef.dev", "kind": "widgets" },
        "message": "Operation cannot be fulfilled on widgets.conformance.reef.dev \"a\": the object has been modified; please apply your changes to the latest version and try again",
    });
    same("a second time", &again.refusal()?, &expected)
}

async fn a_patch_may_empty_a_map(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let patched = context
        .merged("configmaps/a", &json!({ "data": { "a": null }, "metadata": { "labels": { "app": null } } }))
        .await?;
    same("core kinds drop it", &json!([patched.at("/data"), patched.at("/metadata/labels")]), &json!([null, null]))?;
    context.made("widgets", &widget("a", &json!({ "size": 1, "labels": { "a": "b" } }))).await?;
    let patched = context.merged("widgets/a", &json!({ "spec": { "labels": { "a": null } } })).await?;
    same("custom resources keep it", &patched.at("/spec/labels"), &json!({}))
}
