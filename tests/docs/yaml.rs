//! Every block of YAML is read. A document of Reef's kinds has to pass `reef lint`, or for a GitSource what its controller asks of it, and the schema of
//! its kind. A part of one says behind the fence which kind it is of (`yaml SizingPolicy`), and is looked at within the least object of that kind.

use reef_api::GitSource;
use reef_reconciler::controller::check_source;
use reef_reconciler::source::FileUrls;
use serde_json::{Value, json};
use std::process::Command;

use crate::page::{At, Block, Page, pages};

/// The kinds that stand in repositories of VMs.
const LINTED: [&str; 3] = ["VirtualMachine", "SizingPolicy", "CapacityCheck"];

/// The least object of a kind, for parts of its spec.
fn least(kind: &str) -> Option<Value> {
    let (version, spec) = match kind {
        "VirtualMachine" => (
            "cloudhypervisor.quill.today/v1beta1",
            json!({ "instance": { "kernel": { "image": "registry.example.com/k:1", "cmdline": "" } } }),
        ),
        "SizingPolicy" => ("reef.dev/v1alpha1", json!({})),
        "CapacityCheck" => ("reef.dev/v1alpha1", json!({ "sourceRef": { "name": "vms" } })),
        "GitSource" => ("reef.dev/v1alpha1", json!({ "url": "https://git.example.com/vms.git" })),
        _ => return None,
    };
    Some(json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "part" }, "spec": spec }))
}

fn laid_over(base: &mut Value, part: Value) {
    match (base, part) {
        (Value::Object(base), Value::Object(part)) => {
            for (name, value) in part {
                laid_over(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, part) => *base = part,
    }
}

/// The documents of a block, parts made whole.
fn documents(block: &Block) -> Result<Vec<Value>, String> {
    let read: Vec<Value> = serde_saphyr::from_multiple(&block.text).map_err(|why| why.to_string())?;
    let whole = |part: Value| {
        if part.get("kind").is_some() {
            return Ok(part);
        }
        let kind = block.info.split_whitespace().nth(1).unwrap_or_default();
        let mut base = least(kind).ok_or("a part says of which kind it is behind the fence: yaml SizingPolicy")?;
        let part = if part.get("spec").is_some() { part } else { json!({ "spec": part }) };
        laid_over(&mut base, part);
        Ok(base)
    };
    read.into_iter().map(whole).collect()
}

fn against_schema(document: &Value) -> Vec<String> {
    let kind = document["kind"].as_str().unwrap_or_default();
    let Some(schema) = reef::wiring::schemas::kind(kind) else { return Vec::new() };
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn source(document: &Value) -> Vec<String> {
    let read = serde_json::from_value::<GitSource>(document.clone()).map_err(|why| why.to_string());
    let found = read.and_then(|source| check_source(&source.spec, FileUrls::Refused));
    found.err().into_iter().collect()
}

/// What `reef lint` says of a repository that holds these documents and nothing else.
fn lint(documents: &[&Value]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let git = Command::new("git").args(["init", "--quiet"]).arg(folder.path()).status().unwrap();
    assert!(git.success());
    let text: String = documents.iter().map(|document| format!("{document}\n---\n")).collect();
    std::fs::write(folder.path().join("block.yaml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_reef"))
        .args(["lint", "-o", "json", "-C"])
        .arg(folder.path())
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let messages = ["problems", "warnings"].map(|name| told[name].as_array().cloned().unwrap_or_default()).concat();
    messages.iter().map(|remark| remark["message"].as_str().unwrap_or_default().to_owned()).collect()
}

fn faults(block: &Block) -> Vec<String> {
    let documents = match documents(block) {
        Ok(documents) => documents,
        Err(why) => return vec![why],
    };
    let of = |kinds: &[&str]| -> Vec<&Value> {
        documents.iter().filter(|document| kinds.iter().any(|kind| document["kind"] == *kind)).collect()
    };
    let linted = of(&LINTED);
    let mut found: Vec<String> = documents.iter().flat_map(against_schema).collect();
    found.extend(of(&["GitSource"]).into_iter().flat_map(source));
    found.extend(if linted.is_empty() { Vec::new() } else { lint(&linted) });
    found
}

fn blocks(page: &Page) -> Vec<&At<Block>> {
    page.blocks.iter().filter(|block| block.what.info.split_whitespace().next() == Some("yaml")).collect()
}

#[test]
fn every_block_of_yaml_is_valid() {
    let mut found = Vec::new();
    for page in pages() {
        for block in blocks(&page) {
            found.extend(faults(&block.what).into_iter().map(|why| format!("{}:{}: {why}", page.path, block.line)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_is_wrong_in_a_block_is_found() {
    let faults = |info: &str, text: &str| faults(&Block { info: info.to_owned(), text: text.to_owned() }).join("; ");
    assert_eq!(faults("yaml SizingPolicy", "spec: { restart: Never }"), "");
    assert_eq!(faults("yaml GitSource", "suspend: { reason: a freeze }"), "");
    assert_eq!(faults("yaml", "kind: Role\nrules: []"), "");
    for (info, text, expected) in [
        ("yaml", "spec: {}", "a part says of which kind it is"),
        ("yaml SizingPolicy", "spec: { restrat: Never }", "restrat"),
        ("yaml SizingPolicy", "spec: { restart: Sometimes }", "Sometimes"),
        ("yaml VirtualMachine", "spec: { instance: { memory: { size: 100Mi } } }", "128Mi"),
        ("yaml GitSource", "spec: { url: 'ftp://example.com/a' }", "ftp"),
        ("yaml", "a: [", "line"),
    ] {
        assert!(faults(info, text).contains(expected), "{text}: {}", faults(info, text));
    }
}
