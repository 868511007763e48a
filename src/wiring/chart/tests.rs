//! The chart without Helm: rendered by a few replacements, it is what is printed. What Helm makes of it is told in `tests/real/tests/helm`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::wiring::manifests::Part;

fn images() -> Images {
    Images { reef: "registry.example.com/reef:1".to_owned(), vmm: "registry.example.com:5000/vmm:2".to_owned() }
}

fn documents(text: &str) -> Vec<Value> {
    let all = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    all.filter(|document| !document.is_null()).collect()
}

/// As Helm does with a template of marks.
fn rendered(template: &str, values: &Value, namespace: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, action)) = rest.split_once("{{") {
        let (action, after) = action.split_once("}}").unwrap();
        let (action, at) = (action.trim_start_matches('-').trim(), |path: &str| {
            values.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or_else(|| panic!("no value {path}")).clone()
        });
        text += before;
        match (action, action.strip_prefix("toJson .Values."), action.strip_prefix(".Values.")) {
            (r#""{{""#, ..) => text += "{{",
            (".Release.Namespace", ..) => text += namespace,
            (_, Some(path), _) => text += &at(path).to_string(),
            (_, _, Some(path)) => text += at(path).as_str().unwrap(),
            ("end", ..) => {}
            (other, ..) if other.starts_with("if .Values.") => {}
            (other, ..) => panic!("{other:?} is no action of a mark"),
        }
        rest = after;
    }
    text + rest
}

/// What the templates render to with these values, the namespace of old.
fn objects(files: &Files, values: &Value) -> Vec<Value> {
    let order = ["kinds", "rbac", "nodes", "workloads", "admission", "monitoring"];
    let each = order.map(|name| rendered(&files[&format!("templates/{name}.yaml")], values, "reef-system"));
    each.iter().flat_map(|text| documents(text)).collect()
}

fn defaults(files: &Files) -> Value {
    serde_yaml::from_str(&files["values.yaml"]).unwrap()
}

#[test]
fn with_its_defaults_it_renders_to_what_is_printed_but_for_the_namespace_and_that_kinds_are_kept() {
    let files = files(&images()).unwrap();
    let mut rendered = objects(&files, &defaults(&files));
    for object in rendered.iter_mut().filter(|object| object["kind"] == "CustomResourceDefinition") {
        let annotations = object["metadata"]["annotations"].take();
        assert_eq!(annotations, json!({ "helm.sh/resource-policy": "keep" }));
        object["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    let mut printed = documents(&manifests::yaml(&images(), Part::Applied, Part::Applied).unwrap());
    printed.retain(|object| object["kind"] != "Namespace");
    assert_eq!(rendered, printed);
}

#[test]
fn values_are_typed_and_a_misspelt_one_is_refused() {
    let files = files(&images()).unwrap();
    let schema: Value = serde_json::from_str(&files["values.schema.json"]).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let refused = |change: fn(&mut Value)| {
        let mut values = defaults(&files);
        change(&mut values);
        !schema.is_valid(&values)
    };
    assert!(!refused(|_| {}));
    assert!(!refused(|values| values["global"] = json!({})));
    assert!(refused(|values| values["controler"] = json!({ "replicas": 1 })));
    assert!(refused(|values| values["controller"]["replica"] = json!(1)));
    assert!(refused(|values| values["controller"]["replicas"] = json!("two")));
    assert!(refused(|values| values["controller"]["replicas"] = json!(-1)));
    assert!(refused(|values| values["daemon"]["kubeletDir"] = json!("/var lib")));
    assert!(refused(|values| values["vmmImage"] = json!("a\" b: c")));
    assert!(refused(|values| values["monitoring"]["enabled"] = json!("yes")));
    assert!(!refused(|values| values["monitoring"]["runbooks"] = json!("https://example.com/a?b=c&d=%20")));
}

#[test]
fn a_folder_is_written_anew_where_reef_made_it_and_nothing_else_is_touched() {
    let (files, folder) = (files(&images()).unwrap(), tempfile::tempdir().unwrap());
    let chart = folder.path().join("there/reef");
    write(&chart, &files).unwrap();
    std::fs::write(chart.join("values.yaml"), "image: old\n").unwrap();
    write(&chart, &files).unwrap();
    assert_eq!(std::fs::read_to_string(chart.join("values.yaml")).unwrap(), files["values.yaml"]);
    let other = chart.join("templates/own.yaml");
    std::fs::write(&other, "kept").unwrap();
    let told = write(&chart, &files).unwrap_err().to_string();
    assert!(told.contains("templates/own.yaml is no file of this chart"), "{told}");
    std::fs::remove_file(&other).unwrap();
    for (name, text) in [("Chart.yaml", "name: other\n"), ("notes.txt", "mine"), ("templates/x", "")] {
        let foreign = tempfile::tempdir().unwrap();
        std::fs::create_dir(foreign.path().join("templates")).unwrap();
        std::fs::write(foreign.path().join(name), text).unwrap();
        let told = write(foreign.path(), &files).unwrap_err().to_string();
        assert!(told.contains("is no chart that Reef made"), "{told}");
        assert_eq!(std::fs::read_to_string(foreign.path().join(name)).unwrap(), text);
    }
}
