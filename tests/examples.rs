//! Holds the example repository to Reef's own words: every document is one of its kinds, valid, and fits into the
//! embedded cluster. It judges the files alone; nothing is applied.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reef_api::policy::EffectivePolicy;
use reef_api::{Bytes, MilliCpu, SizingPolicy, VirtualMachine, Vm, validate};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A node of the embedded cluster, as the demo starts it.
const NODE_CPU: MilliCpu = MilliCpu(16_000);
const NODE_MEMORY: Bytes = Bytes(64 << 30);

/// What Reef reads: names that begin with a dot are others'.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

/// Every document of the repository, with the file that holds it.
fn documents() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/repo");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a readable file");
        let found =
            serde_saphyr::from_multiple::<Value>(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        found.into_iter().map(move |document| (path.display().to_string(), document))
    };
    paths.into_iter().flat_map(read).collect()
}

fn of_kind<T: DeserializeOwned>(kind: &str) -> Vec<(Value, T)> {
    let found = documents().into_iter().filter(|(_, document)| document["kind"] == kind);
    let typed = |(path, document): (String, Value)| {
        let object = serde_json::from_value(document.clone()).unwrap_or_else(|why| panic!("{path}: {why}"));
        (document, object)
    };
    found.map(typed).collect()
}

fn validated() -> Vec<Vm> {
    let policies: Vec<(Value, SizingPolicy)> = of_kind("SizingPolicy");
    let machine = |(_, vm): (Value, VirtualMachine)| {
        let labels: BTreeMap<String, String> = vm.metadata.labels.clone().unwrap_or_default();
        let named = policies.iter().map(|(_, policy)| (policy.metadata.name.as_deref().unwrap_or(""), &policy.spec));
        let policy = EffectivePolicy::select(named, &labels).expect("one policy for each VM");
        validate(&vm, &policy).unwrap_or_else(|why| panic!("{:?}: {why:?}", vm.metadata.name))
    };
    of_kind("VirtualMachine").into_iter().map(machine).collect()
}

#[test]
fn the_repository_holds_eight_valid_machines_and_two_policies() {
    let vms = validated();
    let names: BTreeSet<&str> = vms.iter().map(|vm| vm.key.name.as_str()).collect();
    assert_eq!(names, ["batch-1", "batch-2", "ci-1", "ci-2", "db-1", "db-2", "web-1", "web-2"].into());
    assert_eq!((vms.len(), documents().len()), (8, 10));
}

#[test]
fn no_field_of_a_size_or_a_policy_is_misspelt() {
    for (document, vm) in of_kind::<VirtualMachine>("VirtualMachine") {
        let known = serde_json::to_value(&vm.spec.instance).expect("an instance as JSON");
        for part in ["cpu", "memory"] {
            assert_eq!(known[part], document["spec"]["instance"][part], "{:?}", vm.metadata.name);
        }
    }
    for (document, policy) in of_kind::<SizingPolicy>("SizingPolicy") {
        assert_eq!(serde_json::to_value(&policy.spec).expect("a policy as JSON"), document["spec"]);
    }
}

#[test]
fn all_machines_fit_twice_and_one_can_ask_for_more_than_a_node() {
    let vms = validated();
    let sizes = || vms.iter().map(|vm| vm.pod_size(vm.size));
    assert!(sizes().map(|size| size.cpu_request.0).sum::<u64>() <= NODE_CPU.0);
    assert!(sizes().map(|size| size.memory.0).sum::<u64>() <= NODE_MEMORY.0);
    let largest = |vm: &Vm| vm.pod_size(vm.ceiling);
    assert!(vms.iter().any(|vm| largest(vm).cpu_request > NODE_CPU && largest(vm).memory > NODE_MEMORY));
}
