//! Objects: made, read, replaced, tried, gone.

use super::prelude::*;

cases!("objects", ApiServer:
    a_new_object_gets_its_identity_from_the_server,
    a_taken_name_is_a_conflict,
    what_is_not_there_is_not_found,
    a_replace_at_an_old_version_is_a_conflict,
    a_replace_without_a_version_replaces_whatever_is_there,
    a_replace_of_another_incarnation_is_a_conflict,
    a_replace_of_nothing_is_not_found,
    what_clients_cannot_change_comes_back,
    a_write_that_changes_nothing_keeps_the_version,
    a_status_sent_at_creation_is_dropped,
    a_version_has_no_place_in_a_new_object,
    another_namespace_in_the_body_is_refused,
    another_name_in_the_body_is_refused,
    a_body_of_another_kind_is_refused,
    versions_are_numbers_that_grow,
    a_read_may_ask_for_a_version_that_has_been,
    a_read_of_a_version_to_come_is_a_time_out,
    a_yaml_body_is_understood,
    immutable_configuration_stays,
    generation_counts_changes_of_the_wish,
);

async fn a_new_object_gets_its_identity_from_the_server(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let expected = json!({
        "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": { "name": "a", "namespace": "NS", "uid": "UID", "resourceVersion": "VERSION", "creationTimestamp": "TIME", "labels": { "app": "a" } },
        "data": { "a": "1" },
    });
    same("the answer", &made.object()?, &expected)?;
    let read = context.get("configmaps/a").await?;
    same("what is read", read.expect(200)?, &made.body)?;
    ensure!(made.header("content-type") == "application/json", "content type {}", made.header("content-type"));
    let sent = json!({ "metadata": { "name": "b", "uid": "mine", "creationTimestamp": "2020-01-01T00:00:00Z", "generation": 7, "deletionTimestamp": "2020-01-01T00:00:00Z" } });
    let made = context.made("configmaps", &sent).await?;
    ensure!(made.text_at("/metadata/uid") != "mine", "the client chose the uid");
    ensure!(made.text_at("/metadata/creationTimestamp") != "2020-01-01T00:00:00Z", "the client chose the time");
    same("deletion", &made.at("/metadata/deletionTimestamp"), &Value::Null)
}

async fn a_taken_name_is_a_conflict(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let refused = context.post("configmaps", &config("a")).await?.refusal()?;
    let expected = json!({ "code": 409, "reason": "AlreadyExists", "message": "configmaps \"a\" already exists", "details": { "name": "a", "kind": "configmaps" } });
    same("the refusal", &refused, &expected)?;
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let refused = context.post("widgets", &widget("a", &json!({ "size": 1 }))).await?.refusal()?;
    let expected = json!({
        "code": 409, "reason": "AlreadyExists", "message": "widgets.conformance.reef.dev \"a\" already exists",
        "details": { "name": "a", "group": "conformance.reef.dev", "kind": "widgets" },
    });
    same("the refusal of a custom resource", &refused, &expected)
}

async fn what_is_not_there_is_not_found(context: Context) -> Result<()> {
    let expected = json!({ "code": 404, "reason": "NotFound", "message": "configmaps \"gone\" not found", "details": { "name": "gone", "kind": "configmaps" } });
    same("a read", &context.get("configmaps/gone").await?.refusal()?, &expected)?;
    same("a delete", &context.delete("configmaps/gone", &Value::Null).await?.refusal()?, &expected)?;
    let patched = context.patch("configmaps/gone", PatchKind::Merge, &json!({ "data": { "a": "2" } })).await?;
    same("a patch", &patched.refusal()?, &expected)?;
    let expected = json!({
        "code": 404, "reason": "NotFound", "message": "widgets.conformance.reef.dev \"gone\" not found",
        "details": { "name": "gone", "group": "conformance.reef.dev", "kind": "widgets" },
    });
    same("a custom resource", &context.get("widgets/gone").await?.refusal()?, &expected)?;
    let refused = context.post("/api/v1/namespaces/nowhere-at-all/configmaps", &config("a")).await?.refusal()?;
    let expected = json!({ "code": 404, "reason": "NotFound", "message": "namespaces \"nowhere-at-all\" not found", "details": { "name": "nowhere-at-all", "kind": "namespaces" } });
    same("a namespace", &refused, &expected)?;
    let listed = context.get("/api/v1/namespaces/nowhere-at-all/configmaps").await?;
    same("a list there", &at(listed.expect(200)?, "/items"), &json!([]))
}

async fn a_replace_at_an_old_version_is_a_conflict(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    context.merged("configmaps/a", &json!({ "data": { "b": "2" } })).await?;
    let refused = context.put("configmaps/a", &made.body).await?.refusal()?;
    let expected = json!({
        "code": 409, "reason": "Conflict", "details": { "name": "a", "kind": "configmaps" },
        "message": "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
    });
    same("a replace", &refused, &expected)?;
    let stale =
        json!({ "metadata": { "resourceVersion": made.at("/metadata/resourceVersion") }, "data": { "c": "3" } });
    let patched = context.patch("configmaps/a", PatchKind::Merge, &stale).await?;
    same("a merge patch", &patched.refusal()?, &expected)?;
    let patched = context.patch("configmaps/a", PatchKind::Strategic, &stale).await?;
    same("a strategic patch", &patched.refusal()?, &expected)
}

async fn a_replace_without_a_version_replaces_whatever_is_there(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let replaced = context.put("configmaps/a", &json!({ "metadata": { "name": "a" }, "data": { "z": "9" } })).await?;
    same("the data", &at(replaced.expect(200)?, "/data"), &json!({ "z": "9" }))?;
    same("the labels", &replaced.at("/metadata/labels"), &Value::Null)?;
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let refused = context.put("widgets/a", &widget("a", &json!({ "size": 2 }))).await?.refusal()?;
    let expected = json!({
        "code": 422, "reason": "Invalid",
        "message": "widgets.conformance.reef.dev \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update",
        "details": { "name": "a", "group": "conformance.reef.dev", "kind": "widgets",
            "causes": [{ "reason": "FieldValueInvalid", "message": "Invalid value: 0: must be specified for an update", "field": "metadata.resourceVersion" }] },
    });
    same("a custom resource wants one", &refused, &expected)
}

async fn a_replace_of_another_incarnation_is_a_conflict(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let mut other = made.body.clone();
    other["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let refused = context.put("configmaps/a", &other).await?.refusal()?;
    let uid = made.text_at("/metadata/uid");
    let message = format!(
        "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: 4, Key: /registry/configmaps/NS/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: 00000000-0000-0000-0000-000000000000, UID in object meta: {uid}"
    );
    let expected = json!({ "code": 409, "reason": "Conflict", "message": message, "details": { "name": "a", "kind": "configmaps" } });
    same("the refusal", &refused, &expected)
}

async fn a_replace_of_nothing_is_not_found(context: Context) -> Result<()> {
    let refused = context.put("configmaps/a", &config("a")).await?.refusal()?;
    let expected = json!({ "code": 404, "reason": "NotFound", "message": "configmaps \"a\" not found", "details": { "name": "a", "kind": "configmaps" } });
    same("the refusal", &refused, &expected)
}

async fn what_clients_cannot_change_comes_back(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let patch =
        json!({ "metadata": { "creationTimestamp": "2020-01-01T00:00:00Z", "generation": 9, "selfLink": "x" } });
    let patched = context.merged("widgets/a", &patch).await?;
    same("nothing changed", &patched.body, &made.body)?;
    let patch = json!({ "metadata": { "deletionTimestamp": "2020-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3 } });
    let refused = context.patch("widgets/a", PatchKind::Merge, &patch).await?.refusal()?;
    let cause = |value: &str, field: &str| json!({ "reason": "FieldValueInvalid", "message": format!("Invalid value: {value}: field is immutable"), "field": field });
    let causes = json!([
        cause("3", "metadata.deletionGracePeriodSeconds"),
        cause("\"2020-01-01T00:00:00Z\"", "metadata.deletionTimestamp"),
    ]);
    same("deletion is asked for otherwise", &at(&refused, "/details/causes"), &causes)?;
    let renamed = context.patch("widgets/a", PatchKind::Merge, &json!({ "metadata": { "name": "b" } })).await?;
    let expected = json!({ "code": 400, "reason": "BadRequest", "message": "the name of the object (b) does not match the name on the URL (a)" });
    same("another name", &renamed.refusal()?, &expected)?;
    let moved =
        context.patch("widgets/a", PatchKind::Merge, &json!({ "metadata": { "namespace": "default" } })).await?;
    let expected = json!({ "code": 400, "reason": "BadRequest", "message": "the namespace of the provided object does not match the namespace sent on the request" });
    same("another namespace", &moved.refusal()?, &expected)
}

async fn a_write_that_changes_nothing_keeps_the_version(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let patched = context.merged("configmaps/a", &json!({ "data": { "a": "1" } })).await?;
    same("a patch", &patched.body, &made.body)?;
    let replaced = context.put("configmaps/a", &made.body).await?;
    same("a replace", replaced.expect(200)?, &made.body)
}

async fn a_status_sent_at_creation_is_dropped(context: Context) -> Result<()> {
    let mut sent = widget("a", &json!({ "size": 1 }));
    sent["status"] = json!({ "phase": "Mine" });
    let made = context.made("widgets", &sent).await?;
    same("the status", &made.at("/status"), &Value::Null)
}

async fn a_version_has_no_place_in_a_new_object(context: Context) -> Result<()> {
    let sent = json!({ "metadata": { "name": "a", "resourceVersion": "5" } });
    let expected = json!({ "code": 500, "message": "resourceVersion should not be set on objects to be created" });
    same("the refusal", &context.post("configmaps", &sent).await?.refusal()?, &expected)
}

async fn another_namespace_in_the_body_is_refused(context: Context) -> Result<()> {
    let sent = json!({ "metadata": { "name": "a", "namespace": "default" } });
    let expected = json!({ "code": 400, "reason": "BadRequest", "message": "the namespace of the provided object does not match the namespace sent on the request" });
    same("a create", &context.post("configmaps", &sent).await?.refusal()?, &expected)?;
    context.made("configmaps", &config("a")).await?;
    same("a replace", &context.put("configmaps/a", &sent).await?.refusal()?, &expected)
}

async fn another_name_in_the_body_is_refused(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let expected = json!({ "code": 400, "reason": "BadRequest", "message": "the name of the object (b) does not match the name on the URL (a)" });
    same("a replace", &context.put("configmaps/a", &config("b")).await?.refusal()?, &expected)
}

async fn a_body_of_another_kind_is_refused(context: Context) -> Result<()> {
    let sent = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" } });
    let expected = json!({ "code": 400, "reason": "BadRequest", "message": "Secret in version \"v1\" cannot be handled as a ConfigMap: no kind \"Secret\" is registered for version \"v1\"" });
    let refused = context.post("configmaps", &sent).await?.refusal()?;
    same("the code", &at(&refused, "/code"), &at(&expected, "/code"))?;
    same("the reason", &at(&refused, "/reason"), &at(&expected, "/reason"))?;
    let sent = json!({ "apiVersion": "v1", "kind": "Widget", "metadata": { "name": "a" }, "spec": { "size": 1 } });
    let refused = context.post("widgets", &sent).await?.refusal()?;
    let expected = json!({ "code": 400, "reason": "BadRequest", "message": "the API version in the data (v1) does not match the expected API version (conformance.reef.dev/v1)" });
    same("another version of a custom resource", &refused, &expected)
}

async fn versions_are_numbers_that_grow(context: Context) -> Result<()> {
    let first = context.made("configmaps", &config("a")).await?.number_at("/metadata/resourceVersion")?;
    let second =
        context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?.number_at("/metadata/resourceVersion")?;
    let third = context
        .merged("configmaps/a", &json!({ "data": { "b": "2" } }))
        .await?
        .number_at("/metadata/resourceVersion")?;
    let gone = context.delete("widgets/a", &Value::Null).await?;
    gone.expect(200)?;
    let list = context.version().await?;
    ensure!(first < second && second < third && third < list, "{first} {second} {third} {list}");
    Ok(())
}

async fn a_read_may_ask_for_a_version_that_has_been(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let version = made.text_at("/metadata/resourceVersion");
    let changed = context.merged("configmaps/a", &json!({ "data": { "a": "2" } })).await?;
    let read = context.get(&format!("configmaps/a?resourceVersion={version}")).await?;
    // A server may answer with anything from there on: with what it was, or with what it has become.
    let answers = [&made.body, &changed.body];
    ensure!(answers.contains(&read.expect(200)?), "not older than {version}: {}", read.body);
    let any = context.get("configmaps/a?resourceVersion=0").await?;
    any.expect(200)?;
    Ok(())
}

async fn a_read_of_a_version_to_come_is_a_time_out(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let current = context.version().await?;
    let read = context.get("configmaps/a?resourceVersion=999999999").await?;
    let refused = read.refusal()?;
    same("code and reason", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([504, "Timeout"]))?;
    let causes = json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]);
    same("the causes", &at(&refused, "/details/causes"), &causes)?;
    same("when to come back", &at(&refused, "/details/retryAfterSeconds"), &json!(1))?;
    let message = text_at(&refused, "/message");
    ensure!(message.starts_with("Timeout: Too large resource version: 999999999, current: "), "{message} ({current})");
    Ok(())
}

async fn a_yaml_body_is_understood(context: Context) -> Result<()> {
    let call = Call::new("POST", "configmaps").typed("application/yaml", "metadata: {name: a}\ndata: {a: '1'}\n");
    let made = context.send(call).await?;
    same("the data", &at(made.expect(201)?, "/data"), &json!({ "a": "1" }))
}

async fn immutable_configuration_stays(context: Context) -> Result<()> {
    let sent = json!({ "metadata": { "name": "a" }, "data": { "a": "1" }, "immutable": true });
    context.made("configmaps", &sent).await?;
    let refused = context.patch("configmaps/a", PatchKind::Merge, &json!({ "data": { "a": "2" } })).await?.refusal()?;
    let cause = json!({ "reason": "FieldValueForbidden", "message": "Forbidden: field is immutable when `immutable` is set", "field": "data" });
    let expected = json!({
        "code": 422, "reason": "Invalid",
        "message": "ConfigMap \"a\" is invalid: data: Forbidden: field is immutable when `immutable` is set",
        "details": { "name": "a", "kind": "ConfigMap", "causes": [cause] },
    });
    same("the refusal", &refused, &expected)
}

async fn generation_counts_changes_of_the_wish(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    same("new", &made.at("/metadata/generation"), &json!(1))?;
    let labelled = context.merged("widgets/a", &json!({ "metadata": { "labels": { "x": "y" } } })).await?;
    same("labels", &labelled.at("/metadata/generation"), &json!(1))?;
    let wished = context.merged("widgets/a", &json!({ "spec": { "size": 2 } })).await?;
    same("spec", &wished.at("/metadata/generation"), &json!(2))?;
    let told = context.merged("widgets/a/status", &json!({ "status": { "phase": "Ready" } })).await?;
    same("status", &told.at("/metadata/generation"), &json!(2))?;
    let config = context.made("configmaps", &config("a")).await?;
    same("a kind without a wish", &config.at("/metadata/generation"), &Value::Null)
}
