//! Names: given, generated, refused.

use super::prelude::*;

cases!("names", ApiServer:
    a_generated_name_begins_as_asked,
    a_long_prefix_is_cut_so_that_the_name_fits,
    an_object_needs_a_name,
    a_name_that_breaks_the_rules_is_refused,
    a_namespace_has_stricter_rules,
    a_stated_name_beats_a_prefix,
);

async fn a_generated_name_begins_as_asked(context: Context) -> Result<()> {
    let sent = json!({ "metadata": { "generateName": "web-" } });
    let made = context.made("configmaps", &sent).await?;
    let name = made.text_at("/metadata/name");
    let suffix = name.strip_prefix("web-").unwrap_or_default().to_owned();
    let fine = suffix.len() == 5 && suffix.chars().all(|letter| "bcdfghjklmnpqrstvwxz2456789".contains(letter));
    ensure!(fine, "generated {name}");
    same("the prefix stays", &made.at("/metadata/generateName"), &json!("web-"))?;
    let other = context.made("configmaps", &sent).await?;
    ensure!(other.text_at("/metadata/name") != name, "twice {name}");
    Ok(())
}

async fn a_long_prefix_is_cut_so_that_the_name_fits(context: Context) -> Result<()> {
    let made = context.made("configmaps", &json!({ "metadata": { "generateName": "a".repeat(100) } })).await?;
    same("the length", &json!(made.text_at("/metadata/name").len()), &json!(63))
}

async fn an_object_needs_a_name(context: Context) -> Result<()> {
    let refused = context.post("configmaps", &json!({ "data": {} })).await?.refusal()?;
    let cause = json!({ "reason": "FieldValueRequired", "message": "Required value: name or generateName is required", "field": "metadata.name" });
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        "details": { "kind": "ConfigMap", "causes": [cause] },
    });
    same("the refusal", &refused, &expected)
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

async fn a_name_that_breaks_the_rules_is_refused(context: Context) -> Result<()> {
    let refused = context.post("configmaps", &config("Bad_Name")).await?.refusal()?;
    let said = format!("Invalid value: \"Bad_Name\": {SUBDOMAIN}");
    let expected = json!({
        "code": 422, "reason": "Invalid", "message": format!("ConfigMap \"Bad_Name\" is invalid: metadata.name: {said}"),
        "details": { "name": "Bad_Name", "kind": "ConfigMap", "causes": [{ "reason": "FieldValueInvalid", "message": said, "field": "metadata.name" }] },
    });
    same("characters", &refused, &expected)?;
    let long = "a".repeat(254);
    let refused = context.post("widgets", &widget(&long, &json!({ "size": 1 }))).await?.refusal()?;
    let causes = json!([{ "reason": "FieldValueInvalid", "message": format!("Invalid value: \"{long}\": must be no more than 253 characters"), "field": "metadata.name" }]);
    same("length", &at(&refused, "/details/causes"), &causes)
}

async fn a_namespace_has_stricter_rules(context: Context) -> Result<()> {
    let label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    for (name, why) in [("a.b", "must not contain dots"), ("A_b", label)] {
        let refused = context.post("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await?.refusal()?;
        let said = format!("Invalid value: \"{name}\": {why}");
        let expected = json!({
            "code": 422, "reason": "Invalid", "message": format!("Namespace \"{name}\" is invalid: metadata.name: {said}"),
            "details": { "name": name, "kind": "Namespace", "causes": [{ "reason": "FieldValueInvalid", "message": said, "field": "metadata.name" }] },
        });
        same(name, &refused, &expected)?;
    }
    Ok(())
}

async fn a_stated_name_beats_a_prefix(context: Context) -> Result<()> {
    let made = context.made("configmaps", &json!({ "metadata": { "name": "a", "generateName": "web-" } })).await?;
    same("the name", &made.at("/metadata/name"), &json!("a"))
}
