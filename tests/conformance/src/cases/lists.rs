//! Lists: order, selectors, pages, versions.

use super::prelude::*;

cases!("lists", ApiServer:
    a_list_is_ordered_and_has_a_version,
    a_list_over_all_namespaces_names_them,
    label_selectors_narrow_a_list,
    field_selectors_narrow_a_list,
    a_selector_that_does_not_parse_is_refused,
    a_field_that_cannot_be_selected_by_is_refused,
    pages_show_one_state_while_it_changes,
    a_token_of_another_kind_is_refused,
    a_list_of_an_exact_version_shows_that_state,
    a_list_not_older_than_a_version_shows_a_later_state,
    a_match_without_a_version_is_refused,
    exact_and_zero_exclude_each_other,
    a_list_of_a_version_to_come_is_a_time_out,
    a_forgotten_version_is_gone,
    a_forgotten_page_is_gone_and_offers_to_go_on,
    a_version_that_is_no_number_is_refused,
);

async fn three(context: &Context) -> Result<()> {
    for name in ["c", "a", "b"] {
        context.made("configmaps", &config(name)).await?;
    }
    Ok(())
}

fn names(list: &Value) -> Value {
    let items = list.get("items").and_then(Value::as_array);
    items.into_iter().flatten().map(|item| at(item, "/metadata/name")).collect()
}

async fn a_list_is_ordered_and_has_a_version(context: Context) -> Result<()> {
    three(&context).await?;
    let list = context.get("configmaps").await?;
    same("names", &names(list.expect(200)?), &json!(["a", "b", "c"]))?;
    same("type", &json!([list.at("/kind"), list.at("/apiVersion")]), &json!(["ConfigMapList", "v1"]))?;
    let items = list.at("/items/0");
    same("items have no type", &json!([at(&items, "/kind"), at(&items, "/apiVersion")]), &json!([null, null]))?;
    ensure!(list.number_at("/metadata/resourceVersion")? > 0, "{}", list.text);
    context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let list = context.get("widgets").await?;
    same("custom", &json!([list.at("/kind"), list.at("/items/0/kind")]), &json!(["WidgetList", "Widget"]))
}

async fn a_list_over_all_namespaces_names_them(context: Context) -> Result<()> {
    three(&context).await?;
    let list = context.get("/api/v1/configmaps?fieldSelector=metadata.namespace%3DNS,metadata.name%3Db").await?;
    let found = json!([names(list.expect(200)?), list.at("/items/0/metadata/namespace")]);
    same("what is found", &found, &json!([["b"], "NS"]))
}

async fn label_selectors_narrow_a_list(context: Context) -> Result<()> {
    three(&context).await?;
    context.made("configmaps", &json!({ "metadata": { "name": "n", "labels": { "n": "5" } } })).await?;
    let table = [
        ("app%3Da", json!(["a"])),
        ("app%3D%3Da", json!(["a"])),
        ("app!%3Da", json!(["b", "c", "n"])),
        ("app%20in%20(a,c)", json!(["a", "c"])),
        ("app%20notin%20(a,c)", json!(["b", "n"])),
        ("app", json!(["a", "b", "c"])),
        ("!app", json!(["n"])),
        ("n%3E4", json!(["n"])),
        ("n%3C5", json!([])),
        ("app,app!%3Db", json!(["a", "c"])),
        ("app%20in%20()", json!([])),
    ];
    for (selector, expected) in table {
        let list = context.get(&format!("configmaps?labelSelector={selector}")).await?;
        same(selector, &names(list.expect(200)?), &expected)?;
    }
    Ok(())
}

async fn field_selectors_narrow_a_list(context: Context) -> Result<()> {
    three(&context).await?;
    for (selector, expected) in [
        ("metadata.name%3Da", json!(["a"])),
        ("metadata.name!%3Da", json!(["b", "c"])),
        ("metadata.name%3Da,metadata.namespace%3Ddefault", json!([])),
    ] {
        let list = context.get(&format!("configmaps?fieldSelector={selector}")).await?;
        same(selector, &names(list.expect(200)?), &expected)?;
    }
    for (name, color) in [("w", "red"), ("x", "green")] {
        context.made("widgets", &widget(name, &json!({ "size": 1, "color": color }))).await?;
    }
    let list = context.get("widgets?fieldSelector=spec.color%3Dred").await?;
    same("a field that the definition names", &names(list.expect(200)?), &json!(["w"]))
}

async fn a_selector_that_does_not_parse_is_refused(context: Context) -> Result<()> {
    let refused = context.get("configmaps?labelSelector=a%20b").await?.refusal()?;
    let expected = json!({ "code": 400, "reason": "BadRequest", "message": "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt" });
    same(
        "labels",
        &json!([at(&refused, "/code"), at(&refused, "/reason")]),
        &json!([at(&expected, "/code"), at(&expected, "/reason")]),
    )?;
    let refused = context.get("configmaps?fieldSelector=metadata.name").await?.refusal()?;
    let message = "invalid selector: 'metadata.name'; can't understand 'metadata.name'";
    same("fields", &refused, &json!({ "code": 400, "reason": "BadRequest", "message": message }))
}

async fn a_field_that_cannot_be_selected_by_is_refused(context: Context) -> Result<()> {
    let refused = context.get("widgets?fieldSelector=spec.size%3D1").await?.refusal()?;
    same(
        "custom",
        &refused,
        &json!({ "code": 400, "reason": "BadRequest", "message": "field label not supported: spec.size" }),
    )?;
    let refused = context.get("configmaps?fieldSelector=data.a%3D1").await?.refusal()?;
    let message = "\"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    same("core", &refused, &json!({ "code": 400, "reason": "BadRequest", "message": message }))?;
    let refused = context.get("pods?fieldSelector=spec.hostname%3Da").await?.refusal()?;
    same(
        "pods",
        &refused,
        &json!({ "code": 400, "reason": "BadRequest", "message": "field label not supported: spec.hostname" }),
    )
}

async fn pages_show_one_state_while_it_changes(context: Context) -> Result<()> {
    three(&context).await?;
    context.made("configmaps", &config("d")).await?;
    let first = context.get("configmaps?limit=2").await?;
    let found = json!([names(first.expect(200)?), first.at("/metadata/remainingItemCount")]);
    same("the first page", &found, &json!([["a", "b"], 2]))?;
    context.delete("configmaps/c", &Value::Null).await?.expect(200)?;
    context.made("configmaps", &config("e")).await?;
    let token = first.text_at("/metadata/continue");
    let second = context.get(&format!("configmaps?limit=5&continue={token}")).await?;
    same("the second page", &names(second.expect(200)?), &json!(["c", "d"]))?;
    let versions = json!([
        first.at("/metadata/resourceVersion"),
        second.at("/metadata/continue"),
        second.at("/metadata/remainingItemCount")
    ]);
    same("one version", &versions, &json!([second.at("/metadata/resourceVersion"), null, null]))?;
    let selected = context.get("configmaps?limit=1&labelSelector=app").await?;
    same("no count with a selector", &selected.at("/metadata/remainingItemCount"), &Value::Null)?;
    ensure!(!selected.text_at("/metadata/continue").is_empty(), "a page with a selector goes on: {}", selected.text);
    Ok(())
}

async fn a_token_of_another_kind_is_refused(context: Context) -> Result<()> {
    let refused = context.get("configmaps?limit=2&continue=nonsense").await?.refusal()?;
    same("code and reason", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([400, "BadRequest"]))?;
    let message = text_at(&refused, "/message");
    ensure!(message.contains("continue key is not valid"), "{message}");
    three(&context).await?;
    let token = context.get("configmaps?limit=1").await?.text_at("/metadata/continue");
    let both = context.get(&format!("configmaps?limit=1&continue={token}&resourceVersion=7")).await?.refusal()?;
    let message = "specifying resource version is not allowed when using continue";
    same("a token and a version", &both, &json!({ "code": 400, "reason": "BadRequest", "message": message }))
}

async fn a_list_of_an_exact_version_shows_that_state(context: Context) -> Result<()> {
    three(&context).await?;
    let version = context.version().await?;
    context.delete("configmaps/b", &Value::Null).await?.expect(200)?;
    context.merged("configmaps/a", &json!({ "data": { "a": "2" } })).await?;
    let list = context.get(&format!("configmaps?resourceVersionMatch=Exact&resourceVersion={version}")).await?;
    let found =
        json!([names(list.expect(200)?), list.at("/items/0/data/a"), list.number_at("/metadata/resourceVersion")?]);
    same("the state", &found, &json!([["a", "b", "c"], "1", version]))
}

async fn a_list_not_older_than_a_version_shows_a_later_state(context: Context) -> Result<()> {
    three(&context).await?;
    let version = context.version().await?;
    context.delete("configmaps/b", &Value::Null).await?.expect(200)?;
    let now = context.version().await?;
    let list = context.get(&format!("configmaps?resourceVersionMatch=NotOlderThan&resourceVersion={now}")).await?;
    same("the state", &names(list.expect(200)?), &json!(["a", "c"]))?;
    let plain = context.get(&format!("configmaps?resourceVersion={version}")).await?;
    ensure!(plain.number_at("/metadata/resourceVersion")? >= version, "{}", plain.text);
    Ok(())
}

fn list_options(field: &str, message: &str) -> Value {
    let cause = json!({ "reason": "FieldValueForbidden", "message": message, "field": field });
    json!({
        "code": 422, "reason": "Invalid", "message": format!("ListOptions.meta.k8s.io \"\" is invalid: {field}: {message}"),
        "details": { "group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause] },
    })
}

async fn a_match_without_a_version_is_refused(context: Context) -> Result<()> {
    let refused = context.get("configmaps?resourceVersionMatch=Exact").await?.refusal()?;
    let message = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
    same("the refusal", &refused, &list_options("resourceVersionMatch", message))
}

async fn exact_and_zero_exclude_each_other(context: Context) -> Result<()> {
    let refused = context.get("configmaps?resourceVersionMatch=Exact&resourceVersion=0").await?.refusal()?;
    let message = "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
    same("the refusal", &refused, &list_options("resourceVersionMatch", message))
}

async fn a_list_of_a_version_to_come_is_a_time_out(context: Context) -> Result<()> {
    let refused = context.get("configmaps?resourceVersion=999999999").await?.refusal()?;
    same("code and reason", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([504, "Timeout"]))?;
    let causes = json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]);
    same("the causes", &at(&refused, "/details/causes"), &causes)
}

/// Events, which an API server keeps no copy of in memory: what etcd forgot is forgotten.
async fn happened(context: &Context, name: &str) -> Result<()> {
    let event = json!({
        "metadata": { "name": name }, "reason": "Tested", "type": "Normal",
        "involvedObject": { "kind": "ConfigMap", "namespace": context.namespace, "name": "a" },
    });
    context.made("events", &event).await.map(|_| ())
}

async fn a_forgotten_version_is_gone(context: Context) -> Result<()> {
    happened(&context, "a").await?;
    let version = context.version().await?;
    happened(&context, "b").await?;
    (context.hands.compact)().await?;
    let refused =
        context.get(&format!("events?resourceVersionMatch=Exact&resourceVersion={version}")).await?.refusal()?;
    let message = "The resourceVersion for the provided list is too old.";
    same("the refusal", &refused, &json!({ "code": 410, "reason": "Expired", "message": message }))
}

async fn a_forgotten_page_is_gone_and_offers_to_go_on(context: Context) -> Result<()> {
    for name in ["a", "b", "c"] {
        happened(&context, name).await?;
    }
    let token = context.get("events?limit=1").await?.text_at("/metadata/continue");
    happened(&context, "d").await?;
    (context.hands.compact)().await?;
    let answer = context.get(&format!("events?limit=1&continue={token}")).await?;
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
    same("the refusal", &answer.refusal()?, &json!({ "code": 410, "reason": "Expired", "message": message }))?;
    let next = answer.text_at("/metadata/continue");
    let list = context.get(&format!("events?limit=9&continue={next}")).await?;
    same("the rest as it is now", &names(list.expect(200)?), &json!(["b", "c", "d"]))
}

async fn a_version_that_is_no_number_is_refused(context: Context) -> Result<()> {
    let refused = context.get("configmaps?resourceVersion=abc").await?.refusal()?;
    let code = at(&refused, "/code");
    ensure!(code == json!(400) || code == json!(422), "{refused}");
    Ok(())
}
