//! The schemas: those that are kept in `docs/` are those that `reef schema` prints, and what Reef writes is valid by them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::repository::{Repository, snapshot, vm};
use crate::{json, plan};

pub fn schema(of: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_reef")).args(["schema", of]).env_clear().output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn kept(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn faults(value: &Value, schema: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schemas_that_are_kept_are_those_that_are_printed() {
    for (of, file) in [("CapacityPlan", "plan.schema.json"), ("ClusterSnapshot", "snapshot.schema.json")] {
        assert_eq!(schema(of), kept(file), "run `reef schema {of} > docs/{file}`, and add fields only");
    }
}

#[test]
fn what_is_written_is_valid_by_its_schema_and_what_is_not_is_told() {
    let made = Repository::of_vms();
    made.edit("teams/web.yaml", "size: 2Gi", "size: 48Gi");
    made.write("new.yaml", &vm("new-1", 2, "4Gi", ""));
    made.write("broken.yaml", "kind: VirtualMachine\n  a: [\n");
    made.edit("policy.yaml", "memory: 32Gi", "memory: 4Gi");
    let file = made.snapshot(&snapshot());
    let document = json(&plan(made.path(), &["--snapshot", file.to_str().unwrap(), "-o", "json"]));
    assert_eq!(faults(&document, &schema("CapacityPlan")), Vec::<String>::new());
    assert_eq!(faults(&snapshot(), &schema("ClusterSnapshot")), Vec::<String>::new());
    let mut odd = document;
    odd["summary"]["outcome"] = "splendid".into();
    odd["changes"][0]["mode"] = Value::Null;
    assert_eq!(faults(&odd, &schema("CapacityPlan")).len(), 2);
}

#[test]
fn each_kind_has_a_schema_that_its_files_are_valid_by() {
    let schema = schema("VirtualMachine");
    let valid: Value = serde_saphyr::from_str(&vm("web-1", 2, "2Gi", "  runPolicy: Always\n")).unwrap();
    assert_eq!(faults(&valid, &schema), Vec::<String>::new());
    let mut odd = valid;
    odd["spec"]["runPolicy"] = "Sometimes".into();
    odd["kind"] = "Pod".into();
    assert_eq!(faults(&odd, &schema).len(), 2, "{:?}", faults(&odd, &schema));
}
