//! Deletion: preconditions, finalizers, owners, many at once, trying.

use super::prelude::*;

cases!("deletion", ApiServer:
    a_delete_answers_with_a_status,
    a_delete_may_carry_preconditions,
    a_finalizer_keeps_an_object,
    the_last_finalizer_lets_it_go,
    a_terminating_object_takes_no_new_finalizer,
    a_second_delete_changes_nothing,
    a_collection_is_deleted_by_selector,
    a_delete_can_be_tried,
    a_foreground_delete_waits_with_a_finalizer,
    an_orphaning_delete_waits_with_a_finalizer,
    an_unknown_propagation_is_refused,
    owner_references_are_checked,
    a_generation_grows_when_deletion_is_asked_for,
);

async fn a_delete_answers_with_a_status(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let deleted = context.delete("configmaps/a", &Value::Null).await?;
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": { "name": "a", "kind": "configmaps", "uid": made.at("/metadata/uid") },
    });
    same("a core kind", deleted.expect(200)?, &expected)?;
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let deleted = context.delete("widgets/a", &Value::Null).await?;
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": { "name": "a", "group": "conformance.reef.dev", "kind": "widgets", "uid": made.at("/metadata/uid") },
    });
    same("a custom resource", deleted.expect(200)?, &expected)
}

async fn a_delete_may_carry_preconditions(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let (uid, version) = (made.text_at("/metadata/uid"), made.text_at("/metadata/resourceVersion"));
    let conflict = |why: String| {
        json!({ "code": 409, "reason": "Conflict", "details": { "name": "a", "kind": "ConfigMap" },
            "message": format!("Operation cannot be fulfilled on ConfigMap \"a\": {why}") })
    };
    let refused = context.delete("configmaps/a", &json!({ "preconditions": { "uid": "other" } })).await?.refusal()?;
    let why = format!(
        "the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    same("uid", &refused, &conflict(why))?;
    let refused =
        context.delete("configmaps/a", &json!({ "preconditions": { "resourceVersion": "1" } })).await?.refusal()?;
    let why = format!(
        "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({version}). The object might have been modified"
    );
    same("version", &refused, &conflict(why))?;
    let right = json!({ "preconditions": { "uid": uid, "resourceVersion": version } });
    context.delete("configmaps/a", &right).await?.expect(200)?;
    same("gone", &json!(context.get("configmaps/a").await?.code), &json!(404))
}

fn finalized(name: &str) -> Value {
    let mut object = widget(name, &json!({ "size": 1 }));
    object["metadata"]["finalizers"] = json!(["conformance.reef.dev/a", "conformance.reef.dev/b"]);
    object
}

async fn a_finalizer_keeps_an_object(context: Context) -> Result<()> {
    context.made("widgets", &finalized("a")).await?;
    let deleted = context.delete("widgets/a", &Value::Null).await?;
    let object = deleted.expect(200)?;
    same(
        "the object",
        &json!([at(object, "/kind"), at(object, "/metadata/deletionGracePeriodSeconds")]),
        &json!(["Widget", 0]),
    )?;
    ensure!(!text_at(object, "/metadata/deletionTimestamp").is_empty(), "{object}");
    same("there", &json!(context.get("widgets/a").await?.code), &json!(200))?;
    let taken = context.post("widgets", &finalized("a")).await?.refusal()?;
    let message = "object is being deleted: widgets.conformance.reef.dev \"a\" already exists";
    same("the name is taken", &json!([at(&taken, "/code"), at(&taken, "/message")]), &json!([409, message]))
}

async fn the_last_finalizer_lets_it_go(context: Context) -> Result<()> {
    context.made("widgets", &finalized("a")).await?;
    context.delete("widgets/a", &Value::Null).await?.expect(200)?;
    context.merged("widgets/a", &json!({ "metadata": { "finalizers": ["conformance.reef.dev/b"] } })).await?;
    same("still there", &json!(context.get("widgets/a").await?.code), &json!(200))?;
    let last = context.merged("widgets/a", &json!({ "metadata": { "finalizers": null } })).await?;
    same("the answer is its last state", &last.at("/kind"), &json!("Widget"))?;
    same("gone", &json!(context.get("widgets/a").await?.code), &json!(404))
}

async fn a_terminating_object_takes_no_new_finalizer(context: Context) -> Result<()> {
    context.made("widgets", &finalized("a")).await?;
    context.delete("widgets/a", &Value::Null).await?.expect(200)?;
    let more = json!({ "metadata": { "finalizers": ["conformance.reef.dev/a", "conformance.reef.dev/b", "conformance.reef.dev/c"] } });
    let refused = context.patch("widgets/a", PatchKind::Merge, &more).await?.refusal()?;
    let said = "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"conformance.reef.dev/c\"}";
    let causes = json!([{ "reason": "FieldValueForbidden", "message": said, "field": "metadata.finalizers" }]);
    same("the causes", &at(&refused, "/details/causes"), &causes)?;
    let changed = context.merged("widgets/a", &json!({ "spec": { "size": 2 } })).await?;
    same("other changes pass", &changed.at("/spec/size"), &json!(2))
}

async fn a_second_delete_changes_nothing(context: Context) -> Result<()> {
    context.made("widgets", &finalized("a")).await?;
    let first = context.delete("widgets/a", &Value::Null).await?;
    let second = context.delete("widgets/a", &Value::Null).await?;
    same("the object", second.expect(200)?, first.expect(200)?)
}

async fn a_collection_is_deleted_by_selector(context: Context) -> Result<()> {
    for name in ["a", "b", "c"] {
        context.made("configmaps", &config(name)).await?;
    }
    let deleted = context.delete("configmaps?labelSelector=app!%3Db,app", &Value::Null).await?;
    let items = at(deleted.expect(200)?, "/items");
    let names: Vec<Value> = items.as_array().into_iter().flatten().map(|item| at(item, "/metadata/name")).collect();
    same("the answer", &json!([deleted.at("/kind"), names]), &json!(["ConfigMapList", ["a", "c"]]))?;
    let left = context.get("configmaps?labelSelector=app").await?;
    same("what is left", &left.at("/items/0/metadata/name"), &json!("b"))
}

async fn a_delete_can_be_tried(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let tried = context.delete("configmaps/a?dryRun=All", &Value::Null).await?;
    same("the answer", &json!([tried.code, tried.at("/status")]), &json!([200, "Success"]))?;
    let tried = context.delete("configmaps/a", &json!({ "dryRun": ["All"] })).await?;
    tried.expect(200)?;
    same("there", &json!(context.get("configmaps/a").await?.code), &json!(200))
}

async fn a_foreground_delete_waits_with_a_finalizer(context: Context) -> Result<()> {
    let owner = context.made("configmaps", &config("owner")).await?;
    let reference = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.at("/metadata/uid"), "blockOwnerDeletion": true }]);
    let mut held = config("held");
    held["metadata"]["ownerReferences"] = reference;
    held["metadata"]["finalizers"] = json!(["conformance.reef.dev/a"]);
    context.made("configmaps", &held).await?;
    let deleted = context.delete("configmaps/owner", &json!({ "propagationPolicy": "Foreground" })).await?;
    same("finalizers", &at(deleted.expect(200)?, "/metadata/finalizers"), &json!(["foregroundDeletion"]))?;
    let there = context.get("configmaps/owner").await?;
    same("there", &json!(there.code), &json!(200))?;
    context.merged("configmaps/held", &json!({ "metadata": { "finalizers": null } })).await?;
    Ok(())
}

async fn an_orphaning_delete_waits_with_a_finalizer(context: Context) -> Result<()> {
    let owner = context.made("configmaps", &config("owner")).await?;
    let reference =
        json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.at("/metadata/uid") }]);
    let mut held = config("held");
    held["metadata"]["ownerReferences"] = reference;
    context.made("configmaps", &held).await?;
    let deleted = context.delete("configmaps/owner", &json!({ "propagationPolicy": "Orphan" })).await?;
    same("finalizers", &at(deleted.expect(200)?, "/metadata/finalizers"), &json!(["orphan"]))
}

async fn an_unknown_propagation_is_refused(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let refused = context.delete("configmaps/a", &json!({ "propagationPolicy": "Sideways" })).await?.refusal()?;
    let found = json!([at(&refused, "/code"), at(&refused, "/reason"), at(&refused, "/details/causes/0/field")]);
    same("the refusal", &found, &json!([422, "Invalid", "propagationPolicy"]))
}

async fn owner_references_are_checked(context: Context) -> Result<()> {
    let with = |reference: Value| json!({ "metadata": { "name": "a", "ownerReferences": [reference] } });
    let refused = context
        .post("configmaps", &with(json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "o" })))
        .await?
        .refusal()?;
    let causes = json!([{ "reason": "FieldValueInvalid", "message": "Invalid value: \"\": must not be empty", "field": "metadata.ownerReferences.uid" }]);
    same("no uid", &at(&refused, "/details/causes"), &causes)?;
    let twice = json!({ "metadata": { "name": "a", "ownerReferences": [
        { "apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1", "controller": true },
        { "apiVersion": "v1", "kind": "ConfigMap", "name": "p", "uid": "2", "controller": true },
    ] } });
    let refused = context.post("configmaps", &twice).await?.refusal()?;
    same("two controllers", &at(&refused, "/details/causes/0/field"), &json!("metadata.ownerReferences"))
}

async fn a_generation_grows_when_deletion_is_asked_for(context: Context) -> Result<()> {
    context.made("widgets", &finalized("a")).await?;
    let deleted = context.delete("widgets/a", &Value::Null).await?;
    same("the generation", &at(deleted.expect(200)?, "/metadata/generation"), &json!(2))
}
