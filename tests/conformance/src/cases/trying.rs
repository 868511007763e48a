//! Dry runs: everything is said, nothing is done.

use super::prelude::*;

cases!("trying", ApiServer:
    a_create_can_be_tried,
    a_patch_can_be_tried,
    an_apply_can_be_tried,
    a_replace_can_be_tried,
    what_would_be_refused_is_refused,
    a_generated_name_is_made_up,
);

async fn a_create_can_be_tried(context: Context) -> Result<()> {
    let tried = context.made("widgets?dryRun=All", &widget("a", &json!({ "size": 1 }))).await?;
    let found =
        json!([tried.at("/spec/mode"), tried.at("/metadata/generation"), tried.at("/metadata/resourceVersion")]);
    same("what would be", &found, &json!(["Live", 1, null]))?;
    ensure!(!tried.text_at("/metadata/uid").is_empty(), "{}", tried.text);
    same("what is", &json!(context.get("widgets/a").await?.code), &json!(404))
}

async fn a_patch_can_be_tried(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 1 }))).await?;
    let tried = context.merged("widgets/a?dryRun=All", &json!({ "spec": { "size": 2 } })).await?;
    let found =
        json!([tried.at("/spec/size"), tried.at("/metadata/generation"), tried.at("/metadata/resourceVersion")]);
    same("what would be", &found, &json!([2, 2, made.at("/metadata/resourceVersion")]))?;
    same("what is", &context.get("widgets/a").await?.body, &made.body)
}

async fn an_apply_can_be_tried(context: Context) -> Result<()> {
    let body = widget("a", &json!({ "size": 1 }));
    context.apply("widgets/a", "alice", "&dryRun=All", &body).await?.expect(201)?;
    same("nothing is there", &json!(context.get("widgets/a").await?.code), &json!(404))?;
    let made = context.apply("widgets/a", "alice", "", &body).await?;
    made.expect(201)?;
    let tried =
        context.apply("widgets/a", "bob", "&dryRun=All&force=true", &widget("a", &json!({ "size": 2 }))).await?;
    same_owners(tried.expect(200)?, &json!([["bob", "Apply", null, { "f:spec": { "f:size": {} } }]]))?;
    same("what is", &context.get("widgets/a").await?.body, &made.body)
}

async fn a_replace_can_be_tried(context: Context) -> Result<()> {
    let made = context.made("configmaps", &config("a")).await?;
    let tried =
        context.put("configmaps/a?dryRun=All", &json!({ "metadata": { "name": "a" }, "data": { "z": "1" } })).await?;
    same("what would be", &at(tried.expect(200)?, "/data"), &json!({ "z": "1" }))?;
    same("what is", &context.get("configmaps/a").await?.body, &made.body)
}

async fn what_would_be_refused_is_refused(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let taken = context.post("configmaps?dryRun=All", &config("a")).await?;
    same("a taken name", &json!(taken.code), &json!(409))?;
    let bad = context.post("widgets?dryRun=All", &widget("a", &json!({ "size": 0 }))).await?;
    same("a broken rule", &json!(bad.code), &json!(422))
}

async fn a_generated_name_is_made_up(context: Context) -> Result<()> {
    let tried = context.made("configmaps?dryRun=All", &json!({ "metadata": { "generateName": "web-" } })).await?;
    ensure!(tried.text_at("/metadata/name").len() == 9, "{}", tried.text);
    Ok(())
}
