//! Definitions of custom resources: how they come, change, and go; and Reef's own three.

use super::prelude::*;

cases!("definitions", ApiServer:
    a_definition_is_served_once_it_is_established,
    a_definition_that_goes_takes_its_objects_and_its_paths,
    a_schema_that_is_not_structural_is_refused,
    a_definition_is_named_after_its_resource,
    a_definition_needs_a_schema_and_one_stored_version,
    a_column_that_is_gained_shows_at_once,
    a_default_that_is_gained_shows_in_what_is_read,
    reefs_definitions_are_accepted_whole,
    reefs_kinds_keep_their_status_apart,
    a_machine_with_unknown_size_fields_is_pruned_with_warnings,
    a_machine_keeps_what_reef_does_not_know,
    discovery_tells_of_a_kind,
);

const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A definition of the case's own: its group is the case's namespace.
fn definition(context: &Context, schema: &Value) -> Value {
    let group = format!("{}.dev", context.namespace);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": format!("gears.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced", "names": { "plural": "gears", "kind": "Gear" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    })
}

fn plain() -> Value {
    json!({ "type": "object", "properties": { "spec": { "type": "object", "properties": { "teeth": { "type": "integer" } } } } })
}

const GEARS: &str = "/apis/NS.dev/v1/namespaces/NS/gears";

async fn established(context: &Context, schema: &Value) -> Result<String> {
    let made = context.made(PATH, &definition(context, schema)).await?;
    ensure!(made.text_at("/metadata/name") == "gears.NS.dev", "{}", made.text);
    let name = format!("gears.{}.dev", context.namespace);
    context.until("the definition", GEARS, |answer| answer.code == 200).await?;
    Ok(name)
}

fn gear(name: &str, teeth: u32) -> Value {
    json!({ "apiVersion": "NS.dev/v1", "kind": "Gear", "metadata": { "name": name }, "spec": { "teeth": teeth } })
}

async fn remove(context: &Context, name: &str) -> Result<()> {
    context.delete(&format!("{PATH}/{name}"), &Value::Null).await?.expect(200)?;
    Ok(())
}

async fn a_definition_is_served_once_it_is_established(context: Context) -> Result<()> {
    let name = established(&context, &plain()).await?;
    let read = context.get(&format!("{PATH}/{name}")).await?;
    let conditions: Vec<Value> = read
        .at("/status/conditions")
        .as_array()
        .into_iter()
        .flatten()
        .map(|condition| {
            json!([
                at(condition, "/type"),
                at(condition, "/status"),
                at(condition, "/reason"),
                at(condition, "/message")
            ])
        })
        .collect();
    let expected = json!([
        ["NamesAccepted", "True", "NoConflicts", "no conflicts found"],
        ["Established", "True", "InitialNamesAccepted", "the initial names have been accepted"],
    ]);
    same("the conditions", &json!(conditions), &expected)?;
    let names = json!({ "plural": "gears", "singular": "gear", "kind": "Gear", "listKind": "GearList" });
    same(
        "the names",
        &json!([read.at("/spec/names"), read.at("/status/acceptedNames"), read.at("/status/storedVersions")]),
        &json!([names, names, ["v1"]]),
    )?;
    same("conversion", &read.at("/spec/conversion"), &json!({ "strategy": "None" }))?;
    context.made(GEARS, &gear("a", 12)).await?;
    remove(&context, &name).await
}

async fn a_definition_that_goes_takes_its_objects_and_its_paths(context: Context) -> Result<()> {
    let name = established(&context, &plain()).await?;
    context.made(GEARS, &gear("a", 12)).await?;
    remove(&context, &name).await?;
    let gone = context.until("the end of the paths", GEARS, |answer| answer.code == 404).await?;
    same("nothing is there", &json!(gone.text), &json!("404 page not found\n"))?;
    let name = {
        context.until("the end of the definition", &format!("{PATH}/{name}"), |answer| answer.code == 404).await?;
        established(&context, &plain()).await?
    };
    let list = context.get(GEARS).await?;
    same("the objects are gone", &at(list.expect(200)?, "/items"), &json!([]))?;
    remove(&context, &name).await
}

async fn a_schema_that_is_not_structural_is_refused(context: Context) -> Result<()> {
    let schema =
        json!({ "type": "object", "properties": { "spec": { "properties": { "teeth": { "type": "integer" } } } } });
    let refused = context.post(PATH, &definition(&context, &schema)).await?.refusal()?;
    let field = "spec.validation.openAPIV3Schema.properties[spec].type";
    let causes = json!([{ "reason": "FieldValueRequired", "message": "Required value: must not be empty for specified object fields", "field": field }]);
    same("the causes", &at(&refused, "/details/causes"), &causes)
}

async fn a_definition_is_named_after_its_resource(context: Context) -> Result<()> {
    let mut sent = definition(&context, &plain());
    sent["metadata"]["name"] = json!("gears");
    let refused = context.post(PATH, &sent).await?.refusal()?;
    let said = "Invalid value: \"gears\": must be spec.names.plural+\".\"+spec.group";
    same(
        "the causes",
        &at(&refused, "/details/causes"),
        &json!([{ "reason": "FieldValueInvalid", "message": said, "field": "metadata.name" }]),
    )
}

async fn a_definition_needs_a_schema_and_one_stored_version(context: Context) -> Result<()> {
    let mut sent = definition(&context, &plain());
    sent["spec"]["versions"][0]["storage"] = json!(false);
    let refused = context.post(PATH, &sent).await?.refusal()?;
    let fields: Vec<Value> =
        at(&refused, "/details/causes").as_array().into_iter().flatten().map(|cause| at(cause, "/field")).collect();
    ensure!(fields.contains(&json!("spec.versions")), "{refused}");
    let mut sent = definition(&context, &plain());
    sent["spec"]["versions"][0]["schema"] = Value::Null;
    let refused = context.post(PATH, &sent).await?.refusal()?;
    let causes = json!([{ "reason": "FieldValueRequired", "message": "Required value", "field": "spec.versions[0].schema.openAPIV3Schema" }]);
    same("no schema", &at(&refused, "/details/causes"), &causes)
}

async fn a_column_that_is_gained_shows_at_once(context: Context) -> Result<()> {
    let name = established(&context, &plain()).await?;
    context.made(GEARS, &gear("a", 12)).await?;
    let columns = json!([{ "name": "Teeth", "type": "integer", "jsonPath": ".spec.teeth" }]);
    let steps = json!([{ "op": "add", "path": "/spec/versions/0/additionalPrinterColumns", "value": columns }]);
    let patched = context.patch(&format!("{PATH}/{name}"), PatchKind::Json, &steps).await?;
    same("a change of the definition's wish", &at(patched.expect(200)?, "/metadata/generation"), &json!(2))?;
    let mut found = Value::Null;
    for _ in 0..100 {
        let call = Call::get(GEARS).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
        found = context.send(call).await?.at("/rows/0/cells");
        if found == json!(["a", 12]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    remove(&context, &name).await?;
    same("the row", &found, &json!(["a", 12]))
}

async fn a_default_that_is_gained_shows_in_what_is_read(context: Context) -> Result<()> {
    let name = established(&context, &plain()).await?;
    let made = context.made(GEARS, &gear("a", 12)).await?;
    let steps = json!([{ "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/metal", "value": { "type": "string", "default": "steel" } }]);
    context.patch(&format!("{PATH}/{name}"), PatchKind::Json, &steps).await?.expect(200)?;
    let read =
        context.until("the default", &format!("{GEARS}/a"), |answer| answer.at("/spec/metal") == json!("steel")).await;
    remove(&context, &name).await?;
    same("without a new version", &read?.at("/metadata/resourceVersion"), &made.at("/metadata/resourceVersion"))
}

async fn reefs_definitions_are_accepted_whole(context: Context) -> Result<()> {
    for name in [
        "virtualmachines.cloudhypervisor.quill.today",
        "gitsources.reef.dev",
        "sizingpolicies.reef.dev",
        "capacitychecks.reef.dev",
    ] {
        let read = context.get(&format!("{PATH}/{name}")).await?;
        let conditions = at(read.expect(200)?, "/status/conditions");
        let bad: Vec<Value> = conditions
            .as_array()
            .into_iter()
            .flatten()
            .filter(|condition| {
                text_at(condition, "/type") == "NonStructuralSchema" || text_at(condition, "/status") != "True"
            })
            .cloned()
            .collect();
        same(name, &json!(bad), &json!([]))?;
    }
    Ok(())
}

/// A VM as small as it can be.
fn machine(name: &str, cpu: &Value, memory: &Value) -> Value {
    json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine", "metadata": { "name": name },
        "spec": { "instance": { "cpu": cpu, "memory": memory } },
    })
}

async fn reefs_kinds_keep_their_status_apart(context: Context) -> Result<()> {
    let sent = machine("a", &json!({ "sockets": 1, "coresPerSocket": 2 }), &json!({ "size": "2Gi" }));
    context.made("virtualmachines", &sent).await?;
    let told = context
        .merged(
            "virtualmachines/a/status",
            &json!({ "status": { "phase": "Running" }, "spec": { "runPolicy": "Halted" } }),
        )
        .await?;
    let found = json!([told.at("/status/phase"), told.at("/metadata/generation")]);
    same("the status alone", &found, &json!(["Running", 1]))?;
    let refused = context
        .patch("virtualmachines/a/status", PatchKind::Merge, &json!({ "status": { "phase": "Dancing" } }))
        .await?
        .refusal()?;
    same(
        "a phase that is none",
        &json!([at(&refused, "/code"), at(&refused, "/details/causes/0/field")]),
        &json!([422, "status.phase"]),
    )
}

async fn a_machine_with_unknown_size_fields_is_pruned_with_warnings(context: Context) -> Result<()> {
    let sent = machine(
        "a",
        &json!({ "sockets": 1, "coresPerSocket": 2, "cors": 3 }),
        &json!({ "size": "2Gi", "sise": "3Gi" }),
    );
    let made = context.made("virtualmachines", &sent).await?;
    let warnings = json!([
        "299 - \"unknown field \\\"spec.instance.cpu.cors\\\"\"",
        "299 - \"unknown field \\\"spec.instance.memory.sise\\\"\""
    ]);
    same("warnings", &json!(made.warnings()), &warnings)?;
    let unknown = machine("b", &json!({ "cors": 3 }), &json!({ "size": "2Gi" }));
    let applied = context.apply("virtualmachines/b", "reef", "", &unknown).await?;
    same("an apply", &at(applied.expect(201)?, "/spec/instance/cpu"), &json!({}))?;
    same("without a word", &json!(applied.warnings()), &json!([]))
}

async fn a_machine_keeps_what_reef_does_not_know(context: Context) -> Result<()> {
    let mut sent = machine("a", &json!({ "sockets": 1, "coresPerSocket": 2 }), &json!({ "size": "2Gi" }));
    sent["spec"]["somethingOfChVmm"] = json!({ "deep": [1, { "a": "b" }] });
    let made = context.made("virtualmachines", &sent).await?;
    same("kept", &made.at("/spec/somethingOfChVmm"), &json!({ "deep": [1, { "a": "b" }] }))?;
    let applied = context.apply("virtualmachines/a", "reef", "&force=true", &sent).await?;
    same("an apply too", &at(applied.expect(200)?, "/spec/somethingOfChVmm"), &json!({ "deep": [1, { "a": "b" }] }))
}

async fn discovery_tells_of_a_kind(context: Context) -> Result<()> {
    let list = context.get("/apis/conformance.reef.dev/v1").await?;
    let mut resources: Vec<Value> = at(list.expect(200)?, "/resources").as_array().cloned().unwrap_or_default();
    for resource in &mut resources {
        resource.as_object_mut().map(|map| map.remove("storageVersionHash"));
    }
    let expected = json!([
        { "name": "widgets", "singularName": "widget", "namespaced": true, "kind": "Widget", "shortNames": ["wd"], "categories": ["all"],
            "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"] },
        { "name": "widgets/status", "singularName": "", "namespaced": true, "kind": "Widget", "verbs": ["get", "patch", "update"] },
    ]);
    same("the resources", &json!(resources), &expected)
}
