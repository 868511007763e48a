//! The binary as a user calls it: what it prints, and the codes that it ends with. Needs no cluster.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use serde_json::Value;

fn reef(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reef"))
        .args(arguments)
        .env_clear()
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn manifests_print_three_definitions_as_yaml_and_as_json() {
    let yaml = reef(&["manifests"]);
    assert!(yaml.status.success());
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text(&yaml.stdout)).unwrap();
    let list: Value = serde_json::from_slice(&reef(&["manifests", "-o", "json"]).stdout).unwrap();
    assert_eq!(list["items"], Value::Array(documents.clone()));
    let names: Vec<&str> = documents.iter().map(|document| document["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["virtualmachines.cloudhypervisor.quill.today", "gitsources.reef.dev", "sizingpolicies.reef.dev"]
    );
}

#[test]
fn help_explains_each_role_and_the_three_ways_of_use() {
    insta::assert_snapshot!(text(&reef(&["--help"]).stdout));
}

#[test]
fn an_unknown_word_is_a_mistake_in_use() {
    let output = reef(&["mannifests"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("'manifests'"), "{}", text(&output.stderr));
}
