//! Custom resources: pruned, filled in, judged by their schema; status apart from the wish.

use super::prelude::*;

cases!("custom", ApiServer:
    unknown_fields_are_pruned_with_a_warning,
    unknown_fields_are_refused_where_asked,
    duplicate_fields_are_told,
    unknown_fields_are_pruned_silently_where_asked,
    defaults_fill_what_is_missing,
    a_null_takes_the_default,
    each_fault_is_named_at_its_path,
    a_missing_part_of_the_schema_is_required,
    the_status_changes_alone,
    a_status_is_judged_by_the_schema,
    a_write_to_the_object_leaves_the_status,
    a_replace_of_the_status_keeps_the_wish,
    a_status_write_may_not_touch_finalizers,
    numbers_stay_what_they_are,
    keyed_lists_have_no_duplicates,
    preserved_parts_are_kept_whole,
);

async fn unknown_fields_are_pruned_with_a_warning(context: Context) -> Result<()> {
    let spec = json!({ "size": 1, "sise": 2, "inner": { "deep": 1 }, "parts": [{ "name": "x", "what": 1 }] });
    let mut sent = widget("a", &spec);
    sent["extra"] = json!(1);
    let made = context.made("widgets", &sent).await?;
    let expected =
        json!({ "size": 1, "mode": "Live", "inner": { "depth": 3 }, "parts": [{ "name": "x", "count": 1 }] });
    same("the spec", &made.at("/spec"), &expected)?;
    same("the rest", &made.at("/extra"), &Value::Null)?;
    let warnings = json!([
        "299 - \"unknown field \\\"extra\\\"\"",
        "299 - \"unknown field \\\"spec.inner.deep\\\"\"",
        "299 - \"unknown field \\\"spec.parts[0].what\\\"\"",
        "299 - \"unknown field \\\"spec.sise\\\"\"",
    ]);
    same("warnings", &json!(made.warnings()), &warnings)
}

async fn unknown_fields_are_refused_where_asked(context: Context) -> Result<()> {
    let sent = widget("a", &json!({ "size": 1, "sise": 2, "inner": { "deep": 1 } }));
    let refused = context.post("widgets?fieldValidation=Strict", &sent).await?.refusal()?;
    let message = "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.inner.deep\", unknown field \"spec.sise\"";
    same("a create", &refused, &json!({ "code": 400, "reason": "BadRequest", "message": message }))?;
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let patch = json!({ "spec": { "sise": 2 } });
    let refused = context.patch("widgets/a?fieldValidation=Strict", PatchKind::Merge, &patch).await?.refusal()?;
    same("a patch", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([422, "Invalid"]))?;
    let message = text_at(&refused, "/details/causes/0/message");
    ensure!(message.contains("unknown field \"spec.sise\""), "{refused}");
    let refused = context.post("widgets?fieldValidation=Sometimes", &sent).await?.refusal()?;
    let said = "Unsupported value: \"Sometimes\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"";
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": format!("CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: {said}"),
        "details": { "group": "meta.k8s.io", "kind": "CreateOptions", "causes": [{ "reason": "FieldValueNotSupported", "message": said, "field": "fieldValidation" }] },
    });
    same("an unknown word", &refused, &expected)
}

async fn duplicate_fields_are_told(context: Context) -> Result<()> {
    let text = r#"{"apiVersion":"conformance.reef.dev/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"size":1,"size":2}}"#;
    let made = context.send(Call::new("POST", "widgets").typed("application/json", text)).await?;
    same("the last one wins", &at(made.expect(201)?, "/spec/size"), &json!(2))?;
    same("warnings", &json!(made.warnings()), &json!(["299 - \"duplicate field \\\"spec.size\\\"\""]))?;
    let refused =
        context.send(Call::new("POST", "widgets?fieldValidation=Strict").typed("application/json", text)).await?;
    ensure!(refused.refusal()?.to_string().contains("duplicate field"), "{}", refused.text);
    Ok(())
}

async fn unknown_fields_are_pruned_silently_where_asked(context: Context) -> Result<()> {
    let made = context.made("widgets?fieldValidation=Ignore", &widget("a", &json!({ "size": 1, "sise": 2 }))).await?;
    same("no warning", &json!(made.warnings()), &json!([]))?;
    same("pruned", &made.at("/spec/sise"), &Value::Null)
}

async fn defaults_fill_what_is_missing(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1, "inner": { "note": "n" } }))).await?;
    same("the spec", &made.at("/spec"), &json!({ "size": 1, "mode": "Live", "inner": { "note": "n", "depth": 3 } }))?;
    let removed = context.merged("widgets/a", &json!({ "spec": { "mode": null, "inner": null } })).await?;
    same("again", &removed.at("/spec"), &json!({ "size": 1, "mode": "Live", "inner": { "depth": 3 } }))
}

async fn a_null_takes_the_default(context: Context) -> Result<()> {
    let spec = json!({ "size": 1, "mode": null, "maybe": null, "color": null });
    let made = context.made("widgets", &widget("a", &spec)).await?;
    same(
        "a default, a null that may be, and one that may not",
        &made.at("/spec"),
        &json!({ "size": 1, "mode": "Live", "maybe": null, "inner": { "depth": 3 } }),
    )?;
    let steps = json!([{ "op": "add", "path": "/spec/color", "value": null }]);
    let patched = context.patch("widgets/a", PatchKind::Json, &steps).await?;
    same("nothing changed", patched.expect(200)?, &made.body)
}

async fn each_fault_is_named_at_its_path(context: Context) -> Result<()> {
    let table = [
        (json!({}), "FieldValueRequired", "spec.size", "Required value"),
        (
            json!({ "size": 0 }),
            "FieldValueInvalid",
            "spec.size",
            "Invalid value: 0: spec.size in body should be greater than or equal to 1",
        ),
        (
            json!({ "size": 65 }),
            "FieldValueInvalid",
            "spec.size",
            "Invalid value: 65: spec.size in body should be less than or equal to 64",
        ),
        (
            json!({ "size": "two" }),
            "FieldValueTypeInvalid",
            "spec.size",
            "Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({ "size": 1, "step": 3 }),
            "FieldValueInvalid",
            "spec.step",
            "Invalid value: 3: spec.step in body should be a multiple of 2",
        ),
        (
            json!({ "size": 1, "mode": "Never" }),
            "FieldValueNotSupported",
            "spec.mode",
            "Unsupported value: \"Never\": supported values: \"Live\", \"Restart\"",
        ),
        (
            json!({ "size": 1, "color": "RED" }),
            "FieldValueInvalid",
            "spec.color",
            "Invalid value: \"RED\": spec.color in body should match '^[a-z]+$'",
        ),
        (
            json!({ "size": 1, "color": "r" }),
            "FieldValueInvalid",
            "spec.color",
            "Invalid value: \"r\": spec.color in body should be at least 2 chars long",
        ),
        (
            json!({ "size": 1, "color": "ultramarine" }),
            "FieldValueTooLong",
            "spec.color",
            "Too long: may not be more than 8 bytes",
        ),
        (
            json!({ "size": 1, "memory": true }),
            "FieldValueTypeInvalid",
            "spec.memory",
            "Invalid value: \"boolean\": spec.memory in body must be of type integer,string: \"boolean\"",
        ),
        (
            json!({ "size": 1, "labels": { "a": 1 } }),
            "FieldValueTypeInvalid",
            "spec.labels.a",
            "Invalid value: \"integer\": spec.labels.a in body must be of type string: \"integer\"",
        ),
        (
            json!({ "size": 1, "plain": ["a", "b", "c", "d"] }),
            "FieldValueTooMany",
            "spec.plain",
            "Too many: 4: must have at most 3 items",
        ),
        (
            json!({ "size": 1, "plain": "a" }),
            "FieldValueTypeInvalid",
            "spec.plain",
            "Invalid value: \"string\": spec.plain in body must be of type array: \"string\"",
        ),
        (
            json!({ "size": 1, "parts": [{ "note": "n" }] }),
            "FieldValueRequired",
            "spec.parts[0].name",
            "Required value",
        ),
        (json!({ "size": 1, "tags": ["a", "a"] }), "FieldValueDuplicate", "spec.tags[1]", "Duplicate value: \"a\""),
        (
            json!({ "size": 1, "on": "yes" }),
            "FieldValueTypeInvalid",
            "spec.on",
            "Invalid value: \"string\": spec.on in body must be of type boolean: \"string\"",
        ),
    ];
    for (spec, reason, field, message) in table {
        let refused = context.post("widgets", &widget("a", &spec)).await?.refusal()?;
        let causes = json!([{ "reason": reason, "message": message, "field": field }]);
        let expected = json!({
            "code": 422, "reason": "Invalid", "message": format!("Widget.conformance.reef.dev \"a\" is invalid: {field}: {message}"),
            "details": { "name": "a", "group": "conformance.reef.dev", "kind": "Widget", "causes": causes },
        });
        same(&spec.to_string(), &refused, &expected)?;
    }
    let refused = context.post("widgets", &widget("a", &json!({ "size": 0, "color": "RED" }))).await?.refusal()?;
    let color = "spec.color: Invalid value: \"RED\": spec.color in body should match '^[a-z]+$'";
    let size = "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1";
    // In which order is left to chance there.
    let said =
        |one: &str, other: &str| json!(format!("Widget.conformance.reef.dev \"a\" is invalid: [{one}, {other}]"));
    let message = at(&refused, "/message");
    ensure!(message == said(color, size) || message == said(size, color), "{message}");
    Ok(())
}

async fn a_missing_part_of_the_schema_is_required(context: Context) -> Result<()> {
    let sent = json!({ "apiVersion": "conformance.reef.dev/v1", "kind": "Widget", "metadata": { "name": "a" } });
    let refused = context.post("widgets", &sent).await?.refusal()?;
    same(
        "the causes",
        &at(&refused, "/details/causes"),
        &json!([{ "reason": "FieldValueRequired", "message": "Required value", "field": "spec" }]),
    )
}

async fn the_status_changes_alone(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let patch = json!({ "metadata": { "labels": { "x": "y" }, "annotations": { "p": "q" } }, "spec": { "size": 2 }, "status": { "phase": "Up" } });
    let told = context.merged("widgets/a/status", &patch).await?;
    let mut expected = made.object()?;
    expected["status"] = json!({ "phase": "Up" });
    same("the object", &told.object()?, &expected)?;
    let read = context.get("widgets/a/status").await?;
    same("the part reads as the whole", read.expect(200)?, &told.body)
}

async fn a_status_is_judged_by_the_schema(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let patch = json!({ "status": { "count": -1 } });
    let refused = context.patch("widgets/a/status", PatchKind::Merge, &patch).await?.refusal()?;
    let said = "Invalid value: -1: count in body should be greater than or equal to 0";
    same(
        "the causes",
        &at(&refused, "/details/causes"),
        &json!([{ "reason": "FieldValueInvalid", "message": said, "field": "status.count" }]),
    )?;
    let told = context.merged("widgets/a/status", &json!({ "status": { "phase": "Up", "unknown": 1 } })).await?;
    same("pruned", &told.at("/status"), &json!({ "phase": "Up" }))
}

async fn a_write_to_the_object_leaves_the_status(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let told = context.merged("widgets/a/status", &json!({ "status": { "phase": "Up" } })).await?;
    let patched = context.merged("widgets/a", &json!({ "status": { "phase": "Down" } })).await?;
    same("nothing changed", &patched.body, &told.body)?;
    let mut object = told.body.clone();
    object["status"] = json!({});
    object["spec"]["size"] = json!(2);
    let replaced = context.put("widgets/a", &object).await?;
    same("the status", &at(replaced.expect(200)?, "/status"), &json!({ "phase": "Up" }))
}

async fn a_replace_of_the_status_keeps_the_wish(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let mut object = made.body.clone();
    object["status"] = json!({ "phase": "Up" });
    object["spec"]["size"] = json!(7);
    object["metadata"]["labels"] = json!({ "x": "y" });
    let told = context.put("widgets/a/status", &object).await?;
    let found = json!([
        at(told.expect(200)?, "/spec/size"),
        told.at("/status/phase"),
        told.at("/metadata/labels"),
        told.at("/metadata/generation")
    ]);
    same("the object", &found, &json!([1, "Up", null, 1]))
}

async fn a_status_write_may_not_touch_finalizers(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let patch =
        json!({ "metadata": { "finalizers": ["x.dev/y"], "ownerReferences": [] }, "status": { "phase": "Up" } });
    let told = context.merged("widgets/a/status", &patch).await?;
    same("finalizers", &told.at("/metadata/finalizers"), &Value::Null)
}

async fn numbers_stay_what_they_are(context: Context) -> Result<()> {
    let free = json!({ "large": 9007199254740993_i64, "float": 1.5, "negative": -3, "text": "010", "exact": 1.0 });
    let made = context.made("widgets", &widget("a", &json!({ "size": 1, "free": free }))).await?;
    let found = made.at("/spec/free");
    same("large", &at(&found, "/large"), &json!(9007199254740993_i64))?;
    same(
        "the rest",
        &json!([at(&found, "/float"), at(&found, "/negative"), at(&found, "/text")]),
        &json!([1.5, -3, "010"]),
    )
}

async fn keyed_lists_have_no_duplicates(context: Context) -> Result<()> {
    let spec = json!({ "size": 1, "parts": [{ "name": "x" }, { "name": "y" }, { "name": "x", "count": 2 }] });
    let refused = context.post("widgets", &widget("a", &spec)).await?.refusal()?;
    let causes = at(&refused, "/details/causes/0");
    same(
        "the cause",
        &json!([at(&causes, "/reason"), at(&causes, "/field")]),
        &json!(["FieldValueDuplicate", "spec.parts[2]"]),
    )?;
    same("the message", &at(&causes, "/message"), &json!("Duplicate value: {\"name\":\"x\"}"))
}

async fn preserved_parts_are_kept_whole(context: Context) -> Result<()> {
    let free = json!({ "a": { "b": [1, { "c": null }] }, "d": "e" });
    let made = context.made("widgets", &widget("a", &json!({ "size": 1, "free": free }))).await?;
    same("the part", &made.at("/spec/free"), &free)?;
    same("no warning", &json!(made.warnings()), &json!([]))
}
