//! Server-side apply: who owns what, conflicts, giving up, and writes of other kinds beside it.

use super::prelude::*;

cases!("apply", ApiServer:
    an_apply_makes_what_is_not_there,
    an_apply_that_changes_nothing_keeps_the_version,
    a_field_that_is_not_applied_any_more_goes_away,
    a_field_that_another_applies_too_stays,
    another_value_for_an_owned_field_is_a_conflict,
    several_conflicts_are_listed_by_manager,
    force_takes_the_field_over,
    the_same_value_is_shared,
    an_update_takes_fields_from_an_applier,
    an_apply_over_an_update_is_a_conflict,
    status_has_owners_of_its_own,
    items_of_keyed_lists_are_owned_one_by_one,
    a_set_is_owned_value_by_value,
    a_plain_list_is_owned_as_a_whole,
    an_atomic_map_is_owned_as_a_whole,
    a_field_that_no_schema_knows_is_an_error_of_the_server,
    an_apply_needs_a_manager,
    an_apply_may_not_state_owners,
    an_apply_carries_preconditions,
    a_removed_manager_gives_its_fields_up,
    an_empty_owners_list_forgets_all,
    a_manager_is_named_by_its_program,
    an_apply_of_status_to_nothing_is_not_found,
    a_null_is_a_value_of_the_wrong_type,
    a_removed_item_that_is_shared_stays,
    defaults_belong_to_nobody_who_applies,
    a_create_owns_what_it_sent_and_what_was_filled_in,
);

fn applied(name: &str, spec: &Value) -> Value {
    widget(name, spec)
}

async fn an_apply_makes_what_is_not_there(context: Context) -> Result<()> {
    let made = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "color": "red" }))).await?;
    made.expect(201)?;
    let expected = json!({
        "apiVersion": "conformance.reef.dev/v1", "kind": "Widget",
        "metadata": { "name": "a", "namespace": "NS", "uid": "UID", "resourceVersion": "VERSION", "creationTimestamp": "TIME", "generation": 1 },
        "spec": { "size": 1, "color": "red", "mode": "Live", "inner": { "depth": 3 } },
    });
    same("the object", &made.object()?, &expected)?;
    let owned = json!([["alice", "Apply", null, { "f:spec": { "f:color": {}, "f:size": {} } }]]);
    same_owners(&made.body, &owned)?;
    let entry = made.at("/metadata/managedFields/0");
    let frame = json!([at(&entry, "/apiVersion"), at(&entry, "/fieldsType")]);
    same("the entry", &frame, &json!(["conformance.reef.dev/v1", "FieldsV1"]))
}

async fn an_apply_that_changes_nothing_keeps_the_version(context: Context) -> Result<()> {
    let body = applied("a", &json!({ "size": 1 }));
    let made = context.apply("widgets/a", "alice", "", &body).await?;
    let again = context.apply("widgets/a", "alice", "", &body).await?;
    same("the object", again.expect(200)?, &made.body)
}

async fn a_field_that_is_not_applied_any_more_goes_away(context: Context) -> Result<()> {
    let full =
        json!({ "size": 1, "color": "red", "inner": { "note": "n" }, "labels": { "a": "1", "b": "2" }, "on": true });
    context.apply("widgets/a", "alice", "", &applied("a", &full)).await?.expect(201)?;
    let less = json!({ "size": 1, "labels": { "a": "1" } });
    let after = context.apply("widgets/a", "alice", "", &applied("a", &less)).await?;
    let expected = json!({ "size": 1, "mode": "Live", "inner": { "depth": 3 }, "labels": { "a": "1" } });
    same("the spec", &at(after.expect(200)?, "/spec"), &expected)?;
    same("generation", &after.at("/metadata/generation"), &json!(2))
}

async fn a_field_that_another_applies_too_stays(context: Context) -> Result<()> {
    let body = applied("a", &json!({ "size": 1, "color": "red" }));
    context.apply("widgets/a", "alice", "", &body).await?.expect(201)?;
    context.apply("widgets/a", "bob", "", &applied("a", &json!({ "size": 1, "color": "red" }))).await?.expect(200)?;
    let after = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?;
    same("the colour", &at(after.expect(200)?, "/spec/color"), &json!("red"))?;
    let owned = json!([
        ["alice", "Apply", null, { "f:spec": { "f:size": {} } }],
        ["bob", "Apply", null, { "f:spec": { "f:color": {}, "f:size": {} } }],
    ]);
    same_owners(&after.body, &owned)
}

async fn another_value_for_an_owned_field_is_a_conflict(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?.expect(201)?;
    let refused = context.apply("widgets/a", "bob", "", &applied("a", &json!({ "size": 2 }))).await?.refusal()?;
    let expected = json!({
        "code": 409, "reason": "Conflict", "message": "Apply failed with 1 conflict: conflict with \"alice\": .spec.size",
        "details": { "causes": [{ "reason": "FieldManagerConflict", "message": "conflict with \"alice\"", "field": ".spec.size" }] },
    });
    same("the refusal", &refused, &expected)
}

async fn several_conflicts_are_listed_by_manager(context: Context) -> Result<()> {
    context
        .apply(
            "widgets/a",
            "alice",
            "",
            &applied("a", &json!({ "size": 1, "parts": [{ "name": "x", "note": "one" }] })),
        )
        .await?
        .expect(201)?;
    context.apply("widgets/a", "carol", "", &applied("a", &json!({ "color": "red" }))).await?.expect(200)?;
    let body = applied("a", &json!({ "size": 2, "color": "blue", "parts": [{ "name": "x", "note": "two" }] }));
    let refused = context.apply("widgets/a", "bob", "", &body).await?.refusal()?;
    let cause = |who: &str, field: &str| json!({ "reason": "FieldManagerConflict", "message": format!("conflict with \"{who}\""), "field": field });
    let expected = json!({
        "code": 409, "reason": "Conflict",
        "message": "Apply failed with 3 conflicts: conflicts with \"alice\":\n- .spec.size\n- .spec.parts[name=\"x\"].note\nconflicts with \"carol\":\n- .spec.color",
        "details": { "causes": [cause("carol", ".spec.color"), cause("alice", ".spec.parts[name=\"x\"].note"), cause("alice", ".spec.size")] },
    });
    same("the refusal", &refused, &expected)
}

async fn force_takes_the_field_over(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "color": "red" }))).await?.expect(201)?;
    let taken = context.apply("widgets/a", "bob", "&force=true", &applied("a", &json!({ "size": 2 }))).await?;
    same("the size", &at(taken.expect(200)?, "/spec/size"), &json!(2))?;
    let owned = json!([
        ["alice", "Apply", null, { "f:spec": { "f:color": {} } }],
        ["bob", "Apply", null, { "f:spec": { "f:size": {} } }],
    ]);
    same_owners(&taken.body, &owned)?;
    let back = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "color": "red" }))).await?;
    same("a field that was lost is not removed", &at(back.expect(200)?, "/spec/size"), &json!(2))
}

async fn the_same_value_is_shared(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?.expect(201)?;
    let shared = context.apply("widgets/a", "bob", "", &applied("a", &json!({ "size": 1 }))).await?;
    shared.expect(200)?;
    let owned = json!([
        ["alice", "Apply", null, { "f:spec": { "f:size": {} } }],
        ["bob", "Apply", null, { "f:spec": { "f:size": {} } }],
    ]);
    same_owners(&shared.body, &owned)?;
    let refused = context.apply("widgets/a", "bob", "", &applied("a", &json!({ "size": 2 }))).await?;
    same("neither changes it alone", &json!(refused.code), &json!(409))
}

async fn an_update_takes_fields_from_an_applier(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "color": "red" }))).await?.expect(201)?;
    let updated =
        context.patch("widgets/a?fieldManager=kubectl", PatchKind::Merge, &json!({ "spec": { "size": 2 } })).await?;
    updated.expect(200)?;
    let owned = json!([
        ["alice", "Apply", null, { "f:spec": { "f:color": {} } }],
        ["kubectl", "Update", null, { "f:spec": { "f:size": {} } }],
    ]);
    same_owners(&updated.body, &owned)
}

async fn an_apply_over_an_update_is_a_conflict(context: Context) -> Result<()> {
    context.made("widgets?fieldManager=creator", &widget("a", &json!({ "size": 1 }))).await?;
    let refused = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 2 }))).await?.refusal()?;
    let said = "conflict with \"creator\" using conformance.reef.dev/v1";
    let expected = json!({
        "code": 409, "reason": "Conflict", "message": format!("Apply failed with 1 conflict: {said}: .spec.size"),
        "details": { "causes": [{ "reason": "FieldManagerConflict", "message": said, "field": ".spec.size" }] },
    });
    same("the refusal", &refused, &expected)
}

async fn status_has_owners_of_its_own(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?.expect(201)?;
    let status = |value: Value| json!({ "apiVersion": "conformance.reef.dev/v1", "kind": "Widget", "metadata": { "name": "a" }, "spec": { "size": 9 }, "status": value });
    let conditions = json!([{ "type": "Ready", "status": "True" }]);
    let told = context
        .apply("widgets/a/status", "alice", "", &status(json!({ "phase": "Up", "conditions": conditions })))
        .await?;
    same("the wish stays", &at(told.expect(200)?, "/spec/size"), &json!(1))?;
    let owned = json!([
        ["alice", "Apply", null, { "f:spec": { "f:size": {} } }],
        ["alice", "Apply", "status", { "f:status": {
            "f:conditions": { "k:{\"type\":\"Ready\"}": { ".": {}, "f:status": {}, "f:type": {} } }, "f:phase": {} } }],
    ]);
    same_owners(&told.body, &owned)?;
    let refused = context.apply("widgets/a/status", "bob", "", &status(json!({ "phase": "Down" }))).await?.refusal()?;
    let expected = "Apply failed with 1 conflict: conflict with \"alice\" with subresource \"status\": .status.phase";
    same("a conflict", &at(&refused, "/message"), &json!(expected))?;
    let less = context.apply("widgets/a/status", "alice", "", &status(json!({ "phase": "Up" }))).await?;
    same("given up", &at(less.expect(200)?, "/status"), &json!({ "phase": "Up" }))?;
    let none = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?;
    same("untouched by the object", &at(none.expect(200)?, "/status"), &json!({ "phase": "Up" }))
}

async fn items_of_keyed_lists_are_owned_one_by_one(context: Context) -> Result<()> {
    context
        .apply(
            "widgets/a",
            "alice",
            "",
            &applied("a", &json!({ "size": 1, "parts": [{ "name": "x", "note": "mine" }] })),
        )
        .await?
        .expect(201)?;
    let both = context
        .apply("widgets/a", "bob", "", &applied("a", &json!({ "parts": [{ "name": "y", "count": 2 }] })))
        .await?;
    let parts = json!([{ "name": "x", "note": "mine", "count": 1 }, { "name": "y", "count": 2 }]);
    same("parts", &at(both.expect(200)?, "/spec/parts"), &parts)?;
    let gone = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?;
    same("one is given up", &at(gone.expect(200)?, "/spec/parts"), &json!([{ "name": "y", "count": 2 }]))?;
    let owned = json!([
        ["alice", "Apply", null, { "f:spec": { "f:size": {} } }],
        ["bob", "Apply", null, { "f:spec": { "f:parts": { "k:{\"name\":\"y\"}": { ".": {}, "f:count": {}, "f:name": {} } } } }],
    ]);
    same_owners(&gone.body, &owned)?;
    let last = context.apply("widgets/a", "bob", "", &applied("a", &json!({}))).await?;
    same("the last one too", &at(last.expect(200)?, "/spec/parts"), &Value::Null)
}

async fn a_set_is_owned_value_by_value(context: Context) -> Result<()> {
    context
        .apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "tags": ["a", "b"] })))
        .await?
        .expect(201)?;
    let both = context.apply("widgets/a", "bob", "", &applied("a", &json!({ "tags": ["b", "c"] }))).await?;
    same("the union", &at(both.expect(200)?, "/spec/tags"), &json!(["a", "b", "c"]))?;
    let less = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?;
    same("what bob has", &at(less.expect(200)?, "/spec/tags"), &json!(["b", "c"]))?;
    let owned = json!([
        ["alice", "Apply", null, { "f:spec": { "f:size": {} } }],
        ["bob", "Apply", null, { "f:spec": { "f:tags": { "v:\"b\"": {}, "v:\"c\"": {} } } }],
    ]);
    same_owners(&less.body, &owned)
}

async fn a_plain_list_is_owned_as_a_whole(context: Context) -> Result<()> {
    let made = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "plain": ["a"] }))).await?;
    same_owners(&made.body, &json!([["alice", "Apply", null, { "f:spec": { "f:plain": {}, "f:size": {} } }]]))?;
    let refused = context.apply("widgets/a", "bob", "", &applied("a", &json!({ "plain": ["b"] }))).await?.refusal()?;
    same("a conflict", &at(&refused, "/details/causes/0/field"), &json!(".spec.plain"))
}

async fn an_atomic_map_is_owned_as_a_whole(context: Context) -> Result<()> {
    let made =
        context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "whole": { "a": "1" } }))).await?;
    same_owners(&made.body, &json!([["alice", "Apply", null, { "f:spec": { "f:size": {}, "f:whole": {} } }]]))?;
    let taken =
        context.apply("widgets/a", "bob", "&force=true", &applied("a", &json!({ "whole": { "b": "2" } }))).await?;
    same("replaced", &at(taken.expect(200)?, "/spec/whole"), &json!({ "b": "2" }))
}

async fn a_field_that_no_schema_knows_is_an_error_of_the_server(context: Context) -> Result<()> {
    let expected = json!({ "code": 500, "message": "failed to create typed patch object (/a; conformance.reef.dev/v1, Kind=Widget): .spec.sise: field not declared in schema" });
    for validation in ["", "&fieldValidation=Strict", "&fieldValidation=Ignore"] {
        let refused =
            context.apply("widgets/a", "alice", validation, &applied("a", &json!({ "sise": 2 }))).await?.refusal()?;
        same(validation, &refused, &expected)?;
    }
    Ok(())
}

async fn an_apply_needs_a_manager(context: Context) -> Result<()> {
    let refused =
        context.patch("widgets/a", PatchKind::Apply, &applied("a", &json!({ "size": 1 }))).await?.refusal()?;
    let said = "Required value: is required for apply patch";
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": format!("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: {said}"),
        "details": { "group": "meta.k8s.io", "kind": "PatchOptions", "causes": [{ "reason": "FieldValueRequired", "message": said, "field": "fieldManager" }] },
    });
    same("the refusal", &refused, &expected)
}

async fn an_apply_may_not_state_owners(context: Context) -> Result<()> {
    let made = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?;
    let mut body = applied("a", &json!({ "size": 1 }));
    body["metadata"]["managedFields"] = made.at("/metadata/managedFields");
    let refused = context.apply("widgets/a", "alice", "", &body).await?.refusal()?;
    same(
        "the refusal",
        &refused,
        &json!({ "code": 400, "reason": "BadRequest", "message": "metadata.managedFields must be nil" }),
    )
}

async fn an_apply_carries_preconditions(context: Context) -> Result<()> {
    let mut body = applied("a", &json!({ "size": 1 }));
    body["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let refused = context.apply("widgets/a", "alice", "", &body).await?.refusal()?;
    let expected = json!({
        "code": 409, "reason": "Conflict", "details": { "name": "a", "group": "conformance.reef.dev", "kind": "widgets" },
        "message": "Operation cannot be fulfilled on widgets.conformance.reef.dev \"a\": uid mismatch: the provided object specified uid 00000000-0000-0000-0000-000000000000, and no existing object was found",
    });
    same("a uid of nothing", &refused, &expected)?;
    let made = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?;
    let mut body = applied("a", &json!({ "size": 2 }));
    body["metadata"]["uid"] = made.at("/metadata/uid");
    body["metadata"]["resourceVersion"] = made.at("/metadata/resourceVersion");
    context.apply("widgets/a", "alice", "", &body).await?.expect(200)?;
    body["spec"]["size"] = json!(3);
    let stale = context.apply("widgets/a", "alice", "", &body).await?.refusal()?;
    same("an old version", &json!([at(&stale, "/code"), at(&stale, "/reason")]), &json!([409, "Conflict"]))?;
    let message = text_at(&stale, "/message");
    ensure!(message.contains("the object has been modified"), "{message}");
    body["metadata"] = json!({ "name": "a", "uid": "other" });
    let other = context.apply("widgets/a", "alice", "", &body).await?.refusal()?;
    same(
        "another uid",
        &json!([at(&other, "/code"), at(&other, "/details/causes/0/field")]),
        &json!([422, "metadata.uid"]),
    )
}

async fn a_removed_manager_gives_its_fields_up(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?.expect(201)?;
    context.apply("widgets/a", "bob", "", &applied("a", &json!({ "color": "red" }))).await?.expect(200)?;
    let object = context.get("widgets/a").await?.body;
    let left: Vec<Value> = at(&object, "/metadata/managedFields")
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| text_at(entry, "/manager") != "alice")
        .cloned()
        .collect();
    let patched =
        context.merged("widgets/a?fieldManager=cleaner", &json!({ "metadata": { "managedFields": left } })).await?;
    let owned = json!([["bob", "Apply", null, { "f:spec": { "f:color": {} } }]]);
    same_owners(&patched.body, &owned)?;
    context.apply("widgets/a", "bob", "", &applied("a", &json!({ "color": "red", "size": 5 }))).await?.expect(200)?;
    Ok(())
}

async fn an_empty_owners_list_forgets_all(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?.expect(201)?;
    let patched = context.merged("widgets/a", &json!({ "metadata": { "managedFields": [{}] } })).await?;
    same("nobody", &patched.at("/metadata/managedFields"), &Value::Null)?;
    let next = context.apply("widgets/a", "bob", "", &applied("a", &json!({ "color": "red" }))).await?;
    next.expect(200)?;
    let before = owners(&next.body).iter().map(|owner| json!([at(owner, "/0"), at(owner, "/1")])).collect::<Vec<_>>();
    same(
        "what was there has an owner from then on",
        &json!(before),
        &json!([["before-first-apply", "Update"], ["bob", "Apply"]]),
    )
}

async fn a_manager_is_named_by_its_program(context: Context) -> Result<()> {
    let call = Call::post("configmaps", &config("a")).header("user-agent", "reef/1.2 (linux) x");
    let made = context.send(call).await?;
    same("the manager", &at(made.expect(201)?, "/metadata/managedFields/0/manager"), &json!("reef"))?;
    let long = "m".repeat(129);
    let refused = context.apply("widgets/a", &long, "", &applied("a", &json!({ "size": 1 }))).await?.refusal()?;
    let said = "Too long: may not be more than 128 bytes";
    same(
        "a name that is too long",
        &at(&refused, "/details/causes"),
        &json!([{ "reason": "FieldValueTooLong", "message": said, "field": "fieldManager" }]),
    )
}

async fn an_apply_of_status_to_nothing_is_not_found(context: Context) -> Result<()> {
    let body = json!({ "apiVersion": "conformance.reef.dev/v1", "kind": "Widget", "metadata": { "name": "a" }, "status": { "phase": "Up" } });
    let refused = context.apply("widgets/a/status", "alice", "", &body).await?.refusal()?;
    let expected = json!({
        "code": 404, "reason": "NotFound", "message": "widgets.conformance.reef.dev \"a\" not found",
        "details": { "name": "a", "group": "conformance.reef.dev", "kind": "widgets" },
    });
    same("the refusal", &refused, &expected)
}

async fn a_null_is_a_value_of_the_wrong_type(context: Context) -> Result<()> {
    let refused = context
        .apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "color": null })))
        .await?
        .refusal()?;
    let said = "Invalid value: \"null\": spec.color in body must be of type string: \"null\"";
    let causes = json!([{ "reason": "FieldValueTypeInvalid", "message": said, "field": "spec.color" }]);
    same("where it may not be", &at(&refused, "/details/causes"), &causes)?;
    let made = context
        .apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "mode": null, "maybe": null })))
        .await?;
    let found = json!([at(made.expect(201)?, "/spec/mode"), made.body.pointer("/spec/maybe").is_some()]);
    same("where it has a default, and where it may be", &found, &json!(["Live", true]))?;
    same_owners(
        &made.body,
        &json!([["alice", "Apply", null, { "f:spec": { "f:maybe": {}, "f:mode": {}, "f:size": {} } }]]),
    )
}

async fn a_removed_item_that_is_shared_stays(context: Context) -> Result<()> {
    let parts = json!([{ "name": "x", "note": "n" }]);
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1, "parts": parts }))).await?.expect(201)?;
    context.apply("widgets/a", "bob", "", &applied("a", &json!({ "parts": [{ "name": "x" }] }))).await?.expect(200)?;
    let after = context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?;
    same(
        "bob's item without alice's note",
        &at(after.expect(200)?, "/spec/parts"),
        &json!([{ "name": "x", "count": 1 }]),
    )
}

async fn defaults_belong_to_nobody_who_applies(context: Context) -> Result<()> {
    context.apply("widgets/a", "alice", "", &applied("a", &json!({ "size": 1 }))).await?.expect(201)?;
    let set = context.apply("widgets/a", "bob", "", &applied("a", &json!({ "mode": "Restart" }))).await?;
    same("no conflict", &at(set.expect(200)?, "/spec/mode"), &json!("Restart"))?;
    let back = context.apply("widgets/a", "bob", "", &applied("a", &json!({}))).await?;
    same("the default is back", &at(back.expect(200)?, "/spec/mode"), &json!("Live"))
}

async fn a_create_owns_what_it_sent_and_what_was_filled_in(context: Context) -> Result<()> {
    let made = context
        .made("widgets?fieldManager=creator", &widget("a", &json!({ "size": 1, "parts": [{ "name": "x" }] })))
        .await?;
    let owned = json!([["creator", "Update", null, { "f:spec": {
        ".": {}, "f:inner": { ".": {}, "f:depth": {} }, "f:mode": {},
        "f:parts": { ".": {}, "k:{\"name\":\"x\"}": { ".": {}, "f:count": {}, "f:name": {} } }, "f:size": {} } }]]);
    same("a custom resource", &json!(owners(&made.body)), &owned)?;
    let made = context.made("configmaps?fieldManager=creator", &config("a")).await?;
    let owned = json!([["creator", "Update", null, { "f:data": { ".": {}, "f:a": {} }, "f:metadata": { "f:labels": { ".": {}, "f:app": {} } } }]]);
    same("a configuration", &json!(owners(&made.body)), &owned)
}
