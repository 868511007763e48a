//! Watches: where they begin, what they tell, how they end.

use super::prelude::*;

cases!("watches", ApiServer:
    a_watch_tells_what_happens_after_its_version,
    a_watch_from_zero_begins_with_what_is_there,
    a_watch_without_a_version_begins_with_what_is_there,
    a_selector_turns_changes_into_coming_and_going,
    a_deleted_object_comes_with_the_version_of_its_deletion,
    a_watch_of_one_name_tells_of_that_alone,
    a_watch_ends_at_its_time_out,
    bookmarks_come_to_those_who_ask,
    a_streamed_list_says_when_it_is_complete,
    a_streamed_list_needs_its_match,
    a_forgotten_version_is_an_error_event,
    a_version_to_come_is_waited_for,
    custom_resources_are_watched_alike,
    a_watch_over_all_namespaces_sees_each,
    a_write_that_changes_nothing_is_no_event,
);

async fn a_watch_tells_what_happens_after_its_version(context: Context) -> Result<()> {
    context.made("configmaps", &config("old")).await?;
    let version = context.version().await?;
    let made = context.made("configmaps", &config("a")).await?;
    let mut watch = context.watch(&format!("configmaps?watch=true&resourceVersion={version}")).await?;
    let event = watch.event().await?;
    same("added", &event, &json!({ "type": "ADDED", "object": made.body }))?;
    let changed = context.merged("configmaps/a", &json!({ "data": { "b": "2" } })).await?;
    same("modified", &watch.event().await?, &json!({ "type": "MODIFIED", "object": changed.body }))?;
    context.delete("configmaps/a", &Value::Null).await?.expect(200)?;
    let event = watch.event().await?;
    same("deleted", &json!([at(&event, "/type"), at(&event, "/object/metadata/name")]), &json!(["DELETED", "a"]))
}

async fn a_watch_from_zero_begins_with_what_is_there(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let made = context.made("configmaps", &config("b")).await?;
    let version = made.text_at("/metadata/resourceVersion");
    // The server's own copy may be behind for an instant; a read of it at that version waits for it.
    context
        .get(&format!("configmaps?resourceVersion={version}&resourceVersionMatch=NotOlderThan"))
        .await?
        .expect(200)?;
    let mut watch = context.watch("configmaps?watch=true&resourceVersion=0").await?;
    let mut found = [watch.brief().await?, watch.brief().await?];
    found.sort();
    same("both", &json!(found), &json!([["ADDED", "a"], ["ADDED", "b"]]))?;
    context.delete("configmaps/a", &Value::Null).await?.expect(200)?;
    same("then", &json!(watch.brief().await?), &json!(["DELETED", "a"]))
}

async fn a_watch_without_a_version_begins_with_what_is_there(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let mut watch = context.watch("configmaps?watch=true").await?;
    same("first", &json!(watch.brief().await?), &json!(["ADDED", "a"]))?;
    context.made("configmaps", &config("b")).await?;
    same("then", &json!(watch.brief().await?), &json!(["ADDED", "b"]))
}

async fn a_selector_turns_changes_into_coming_and_going(context: Context) -> Result<()> {
    let version = context.version().await?;
    let mut watch =
        context.watch(&format!("configmaps?watch=true&resourceVersion={version}&labelSelector=on%3Dyes")).await?;
    context.made("configmaps", &config("a")).await?;
    context.merged("configmaps/a", &json!({ "metadata": { "labels": { "on": "yes" } } })).await?;
    same("comes", &json!(watch.brief().await?), &json!(["ADDED", "a"]))?;
    context.merged("configmaps/a", &json!({ "data": { "b": "2" } })).await?;
    same("stays", &json!(watch.brief().await?), &json!(["MODIFIED", "a"]))?;
    let left = context.merged("configmaps/a", &json!({ "metadata": { "labels": { "on": "no" } } })).await?;
    let event = watch.event().await?;
    let found = json!([
        at(&event, "/type"),
        at(&event, "/object/metadata/labels/on"),
        at(&event, "/object/metadata/resourceVersion")
    ]);
    same(
        "goes, as it was, at the version of its going",
        &found,
        &json!(["DELETED", "yes", left.at("/metadata/resourceVersion")]),
    )
}

async fn a_deleted_object_comes_with_the_version_of_its_deletion(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let version = made.number_at("/metadata/resourceVersion")?;
    let mut watch = context.watch(&format!("configmaps?watch=true&resourceVersion={version}")).await?;
    context.delete("configmaps/a", &Value::Null).await?.expect(200)?;
    let event = watch.event().await?;
    let deleted: i64 = text_at(&event, "/object/metadata/resourceVersion").parse()?;
    ensure!(deleted > version, "deleted at {deleted}, made at {version}");
    same("never marked", &at(&event, "/object/metadata/deletionTimestamp"), &Value::Null)
}

async fn a_watch_of_one_name_tells_of_that_alone(context: Context) -> Result<()> {
    let version = context.version().await?;
    let path = format!("configmaps?watch=true&resourceVersion={version}&fieldSelector=metadata.name%3Db");
    let mut watch = context.watch(&path).await?;
    context.made("configmaps", &config("a")).await?;
    context.made("configmaps", &config("b")).await?;
    same("by field", &json!(watch.brief().await?), &json!(["ADDED", "b"]))?;
    let mut old = context.watch(&format!("/api/v1/watch/namespaces/NS/configmaps/b?resourceVersion={version}")).await?;
    same("by the old path", &json!(old.brief().await?), &json!(["ADDED", "b"]))
}

async fn a_watch_ends_at_its_time_out(context: Context) -> Result<()> {
    let version = context.version().await?;
    let mut watch = context.watch(&format!("configmaps?watch=true&resourceVersion={version}&timeoutSeconds=1")).await?;
    same("the end", &json!(watch.next().await?), &Value::Null)
}

async fn bookmarks_come_to_those_who_ask(context: Context) -> Result<()> {
    let version = context.version().await?;
    let path = format!("configmaps?watch=true&resourceVersion={version}&timeoutSeconds=5&allowWatchBookmarks=true");
    let mut watch = context.watch(&path).await?;
    let made = context.made("configmaps", &config("a")).await?;
    same("first", &at(&watch.next().await?.unwrap_or_default(), "/type"), &json!("ADDED"))?;
    // Before the watch ends at its time-out, it says how far it has seen.
    let event = watch.next().await?.unwrap_or_default();
    same("then", &at(&event, "/type"), &json!("BOOKMARK"))?;
    let object = at(&event, "/object");
    let bookmarked: i64 = text_at(&object, "/metadata/resourceVersion").parse()?;
    ensure!(bookmarked >= made.number_at("/metadata/resourceVersion")?, "{object}");
    let expected = json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "resourceVersion": "VERSION" } });
    same("the object", &tidy(&object), &expected)
}

async fn a_streamed_list_says_when_it_is_complete(context: Context) -> Result<()> {
    for name in ["b", "a"] {
        context.made("configmaps", &config(name)).await?;
    }
    let path =
        "configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = context.watch(path).await?;
    let mut found = [watch.brief().await?, watch.brief().await?];
    found.sort();
    same("what is there", &json!(found), &json!([["ADDED", "a"], ["ADDED", "b"]]))?;
    let end = watch.next().await?.unwrap_or_default();
    let said = json!([at(&end, "/type"), at(&end, "/object/metadata/annotations")]);
    same("the end", &said, &json!(["BOOKMARK", { "k8s.io/initial-events-end": "true" }]))?;
    context.made("configmaps", &config("c")).await?;
    same("then", &json!(watch.brief().await?), &json!(["ADDED", "c"]))
}

async fn a_streamed_list_needs_its_match(context: Context) -> Result<()> {
    let refused = context.get("configmaps?watch=true&sendInitialEvents=true").await?.refusal()?;
    let message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    let cause = json!({ "reason": "FieldValueForbidden", "message": message, "field": "resourceVersionMatch" });
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": format!("ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: {message}"),
        "details": { "group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause] },
    });
    same("the refusal", &refused, &expected)
}

async fn a_forgotten_version_is_an_error_event(context: Context) -> Result<()> {
    let event = json!({ "metadata": { "name": "a" }, "involvedObject": { "kind": "ConfigMap", "namespace": context.namespace, "name": "a" } });
    let made = context.made("events", &event).await?;
    let version = made.text_at("/metadata/resourceVersion");
    for name in ["later", "last"] {
        context.made("configmaps", &config(name)).await?;
    }
    (context.hands.compact)().await?;
    let mut watch = context.watch(&format!("events?watch=true&resourceVersion={version}")).await?;
    let event = watch.next().await?.unwrap_or_default();
    let object = at(&event, "/object");
    let found = json!([
        at(&event, "/type"),
        at(&object, "/kind"),
        at(&object, "/code"),
        at(&object, "/reason"),
        at(&object, "/status")
    ]);
    same("the event", &found, &json!(["ERROR", "Status", 410, "Expired", "Failure"]))?;
    same("the end", &json!(watch.next().await?), &Value::Null)
}

async fn a_version_to_come_is_waited_for(context: Context) -> Result<()> {
    let mut watch = context
        .watch("configmaps?watch=true&resourceVersion=999999999&timeoutSeconds=5&allowWatchBookmarks=true")
        .await?;
    context.made("configmaps", &config("a")).await?;
    same("the end", &json!(watch.next().await?), &Value::Null)
}

async fn custom_resources_are_watched_alike(context: Context) -> Result<()> {
    let version = context.version().await?;
    let mut watch = context.watch(&format!("widgets?watch=true&resourceVersion={version}")).await?;
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    same("added", &watch.event().await?, &json!({ "type": "ADDED", "object": made.body }))?;
    let told = context.merged("widgets/a/status", &json!({ "status": { "phase": "Ready" } })).await?;
    same("modified", &watch.event().await?, &json!({ "type": "MODIFIED", "object": told.body }))
}

async fn a_watch_over_all_namespaces_sees_each(context: Context) -> Result<()> {
    let version = context.version().await?;
    let mut watch = context
        .watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={version}&labelSelector=app%3Deverywhere"))
        .await?;
    context.made("configmaps", &config("everywhere")).await?;
    same("the event", &json!(watch.brief().await?), &json!(["ADDED", "everywhere"]))
}

async fn a_write_that_changes_nothing_is_no_event(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let version = made.text_at("/metadata/resourceVersion");
    let mut watch = context.watch(&format!("configmaps?watch=true&resourceVersion={version}")).await?;
    context.put("configmaps/a", &made.body).await?.expect(200)?;
    context.made("configmaps", &config("b")).await?;
    same("the event", &json!(watch.brief().await?), &json!(["ADDED", "b"]))
}
