//! Objects in other forms: tables for people, metadata alone.

use super::prelude::*;

cases!("tables", ApiServer:
    a_custom_resource_has_the_columns_of_its_definition,
    a_configuration_has_the_columns_of_its_kind,
    rows_carry_as_much_of_the_object_as_asked,
    one_object_is_a_table_too,
    a_watch_tells_tables,
    metadata_comes_alone_for_those_who_ask,
    nested_and_missing_values_are_shown,
);

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

async fn shown(context: &Context, path: &str, form: &str) -> Result<Value> {
    let answer = context.send(Call::get(path).header("accept", form)).await?;
    Ok(answer.expect(200)?.clone())
}

fn cells(table: &Value) -> Value {
    at(table, "/rows").as_array().into_iter().flatten().map(|row| at(row, "/cells")).collect()
}

/// Ages move: a second more or less says nothing.
fn aged(cells: &Value) -> Value {
    let age = |cell: &Value| cell.as_str().is_some_and(|text| text.ends_with('s') && text.len() <= 3);
    let row = |row: &Value| -> Value {
        row.as_array().into_iter().flatten().map(|cell| if age(cell) { json!("AGE") } else { cell.clone() }).collect()
    };
    cells.as_array().into_iter().flatten().map(row).collect()
}

async fn a_custom_resource_has_the_columns_of_its_definition(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 2, "mode": "Restart" }))).await?;
    let ready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
    context.merged("widgets/a/status", &ready).await?;
    context.made("widgets", &widget("b", &json!({ "size": 3 }))).await?;
    let table = shown(&context, "widgets", TABLE).await?;
    same("the kind", &json!([at(&table, "/kind"), at(&table, "/apiVersion")]), &json!(["Table", "meta.k8s.io/v1"]))?;
    let columns: Vec<Value> = at(&table, "/columnDefinitions")
        .as_array()
        .into_iter()
        .flatten()
        .map(|column| json!([at(column, "/name"), at(column, "/type"), at(column, "/format"), at(column, "/priority")]))
        .collect();
    let expected = json!([
        ["Name", "string", "name", 0],
        ["Size", "integer", "", 0],
        ["Ready", "string", "", 0],
        ["Mode", "string", "", 1],
        ["Age", "date", "", 0]
    ]);
    same("the columns", &json!(columns), &expected)?;
    let said = json!([at(&table, "/columnDefinitions/1/description"), at(&table, "/columnDefinitions/3/description")]);
    same(
        "what they say",
        &said,
        &json!(["How large it is.", "Custom resource definition column (in JSONPath format): .spec.mode"]),
    )?;
    same("the rows", &aged(&cells(&table)), &json!([["a", 2, "True", "Restart", "AGE"], ["b", 3, null, "Live", "AGE"]]))
}

async fn a_configuration_has_the_columns_of_its_kind(context: Context) -> Result<()> {
    context.made("configmaps", &config("a")).await?;
    let table = shown(&context, "configmaps?fieldSelector=metadata.name%3Da", TABLE).await?;
    let names: Vec<Value> =
        at(&table, "/columnDefinitions").as_array().into_iter().flatten().map(|column| at(column, "/name")).collect();
    same("the columns", &json!(names), &json!(["Name", "Data", "Age"]))?;
    same("the rows", &aged(&cells(&table)), &json!([["a", 1, "AGE"]]))
}

async fn rows_carry_as_much_of_the_object_as_asked(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 2 }))).await?;
    let of = |table: Value| at(&table, "/rows/0/object");
    let plain = of(shown(&context, "widgets", TABLE).await?);
    same(
        "metadata",
        &json!([at(&plain, "/kind"), at(&plain, "/metadata/name"), at(&plain, "/spec")]),
        &json!(["PartialObjectMetadata", "a", null]),
    )?;
    let none = of(shown(&context, "widgets?includeObject=None", TABLE).await?);
    same("nothing", &none, &Value::Null)?;
    let whole = of(shown(&context, "widgets?includeObject=Object", TABLE).await?);
    same("all", &json!([at(&whole, "/kind"), at(&whole, "/spec/size")]), &json!(["Widget", 2]))
}

async fn one_object_is_a_table_too(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 2 }))).await?;
    let table = shown(&context, "widgets/a", TABLE).await?;
    same("the rows", &aged(&cells(&table)), &json!([["a", 2, null, "Live", "AGE"]]))?;
    same("the version", &at(&table, "/metadata/resourceVersion"), &made.at("/metadata/resourceVersion"))
}

async fn a_watch_tells_tables(context: Context) -> Result<()> {
    let version = context.version().await?;
    let call =
        Call::get(format!("widgets?watch=true&resourceVersion={version}&timeoutSeconds=2")).header("accept", TABLE);
    context.made("widgets", &widget("a", &json!({ "size": 2 }))).await?;
    context.made("widgets", &widget("b", &json!({ "size": 3 }))).await?;
    let answer = context.send(call).await?;
    let lines: Vec<Value> = answer.text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let brief = |event: &Value| {
        json!([
            at(event, "/type"),
            at(event, "/object/kind"),
            at(event, "/object/rows/0/cells/0"),
            at(event, "/object/columnDefinitions").as_array().map(Vec::len)
        ])
    };
    let found: Vec<Value> = lines.iter().map(brief).collect();
    same("the events", &json!(found), &json!([["ADDED", "Table", "a", 5], ["ADDED", "Table", "b", null]]))
}

async fn metadata_comes_alone_for_those_who_ask(context: Context) -> Result<()> {
    let made = context.made("widgets", &widget("a", &json!({ "size": 2 }))).await?;
    let one = shown(&context, "widgets/a", METADATA).await?;
    let expected =
        json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made.at("/metadata") });
    same("one", &one, &expected)?;
    let list = shown(&context, "widgets", METADATA_LIST).await?;
    same(
        "the list",
        &json!([at(&list, "/kind"), at(&list, "/apiVersion")]),
        &json!(["PartialObjectMetadataList", "meta.k8s.io/v1"]),
    )?;
    same("its items", &at(&list, "/items/0"), &expected)?;
    context.made("configmaps", &config("a")).await?;
    let list = shown(&context, "configmaps?fieldSelector=metadata.name%3Da", METADATA_LIST).await?;
    let item = json!([at(&list, "/items/0/kind"), at(&list, "/items/0/metadata/name"), at(&list, "/items/0/data")]);
    same("of a core kind", &item, &json!(["PartialObjectMetadata", "a", null]))
}

async fn nested_and_missing_values_are_shown(context: Context) -> Result<()> {
    context.made("widgets", &widget("a", &json!({ "size": 2 }))).await?;
    let status = json!({ "status": { "conditions": [{ "type": "Other", "status": "True" }, { "type": "Ready", "status": "False" }] } });
    context.merged("widgets/a/status", &status).await?;
    let table = shown(&context, "widgets", TABLE).await?;
    same("the condition", &at(&table, "/rows/0/cells/2"), &json!("False"))
}
