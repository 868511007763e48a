//! The samples for Argo CD fit each other, the example repository, and Reef's own manifests. What Argo CD's schemas say of them is asked in
//! tests/real/tests/scripts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{path, text};

const APPLICATIONS: [&str; 3] = ["application.yaml", "application-autoscaled.yaml", "applicationset.yaml"];

fn documents(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn sample(name: &str) -> Value {
    documents(&format!("argocd/{name}")).remove(0)
}

/// The `spec` of an Application, also of one that an ApplicationSet makes.
fn application(name: &str) -> Value {
    let sample = sample(name);
    let made = sample.pointer("/spec/template/spec").cloned();
    made.unwrap_or_else(|| sample["spec"].clone())
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn every_file_is_yaml_and_says_what_it_is_for() {
    let mut count = 0;
    for entry in std::fs::read_dir(path("argocd")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".yaml") {
            assert!(!documents(&format!("argocd/{name}")).is_empty(), "{name}");
            assert!(text(&format!("argocd/{name}")).starts_with("# "), "{name} does not say what it is for");
            count += 1;
        }
    }
    assert!(count > 6, "{count}");
}

#[test]
fn no_application_ends_a_vm_and_each_undoes_what_is_changed_by_hand() {
    for name in APPLICATIONS {
        let policy = &application(name)["syncPolicy"];
        assert_eq!(policy["automated"], json!({ "prune": false, "selfHeal": true }), "{name}");
        let options = texts(&policy["syncOptions"]);
        assert!(options.contains(&"CreateNamespace=true") && options.contains(&"ServerSideApply=true"), "{name}");
        assert_eq!(policy["retry"]["refresh"], true, "{name}");
    }
}

#[test]
fn the_project_permits_what_its_applications_do_and_no_more() {
    let project = sample("appproject.yaml");
    for name in APPLICATIONS {
        let spec = application(name);
        assert_eq!(spec["project"], project["metadata"]["name"], "{name}");
        assert_eq!(json!([spec["source"]["repoURL"]]), project["spec"]["sourceRepos"], "{name}");
        assert_eq!(spec["destination"]["namespace"], project["spec"]["destinations"][0]["namespace"], "{name}");
    }
    let made = json!([{ "group": "", "kind": "Namespace", "name": project["spec"]["destinations"][0]["namespace"] }]);
    assert_eq!(project["spec"]["clusterResourceWhitelist"], made);
    let permitted: BTreeSet<&str> = project["spec"]["namespaceResourceWhitelist"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|kind| kind["kind"].as_str())
        .collect();
    assert_eq!(permitted, BTreeSet::from(["CapacityCheck", "SizingPolicy", "VirtualMachine"]));
}

/// The documents of the example repository that are Reef's: their folder of the first level, and their kind.
fn repository(folder: &str, found: &mut BTreeSet<(String, String)>) {
    for entry in std::fs::read_dir(path("examples/repo").join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}{}", entry.file_name().to_str().unwrap());
        if name.starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            repository(&format!("{name}/"), found);
        } else if name.ends_with(".yaml") {
            let first = name.split('/').next().unwrap().to_owned();
            let kinds = documents(&format!("examples/repo/{name}"));
            found.extend(kinds.iter().map(|document| (first.clone(), document["kind"].as_str().unwrap().to_owned())));
        }
    }
}

#[test]
fn the_applications_read_all_folders_of_the_example_repository() {
    let mut found = BTreeSet::new();
    repository("", &mut found);
    let folders: BTreeSet<&str> = found.iter().map(|(folder, _)| folder.as_str()).collect();
    let include: BTreeSet<String> = folders.iter().map(|folder| format!("{folder}/*")).collect();
    let stated = application("application.yaml")["source"]["directory"]["include"].as_str().unwrap().to_owned();
    let stated: BTreeSet<String> = stated.trim_matches(['{', '}']).split(',').map(str::to_owned).collect();
    assert_eq!(stated, include);
    let set = sample("applicationset.yaml");
    let read = &set["spec"]["generators"][0]["matrix"]["generators"][0]["git"]["directories"];
    let read: BTreeSet<&str> =
        read.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().trim_end_matches("/*")).collect();
    assert_eq!(read, folders);
    let autoscaled = application("application-autoscaled.yaml")["source"]["path"].as_str().unwrap().to_owned();
    assert!(path("examples/repo").join(autoscaled).is_dir());
}

#[test]
fn what_is_left_to_an_autoscaler_is_a_field_and_is_left_alone_when_something_else_is_synced() {
    let spec = application("application-autoscaled.yaml");
    let left = &spec["ignoreDifferences"][0];
    assert_eq!((&left["group"], &left["kind"]), (&json!("cloudhypervisor.quill.today"), &json!("VirtualMachine")));
    let schema = reef::wiring::schemas::kind("VirtualMachine").unwrap();
    for pointer in texts(&left["jsonPointers"]) {
        let place = pointer.replace('/', "/properties/");
        assert!(schema.pointer(&place).is_some(), "{pointer} is no field of a VirtualMachine");
    }
    assert!(texts(&spec["syncPolicy"]["syncOptions"]).contains(&"RespectIgnoreDifferences=true"));
    assert!(application("application.yaml").get("ignoreDifferences").is_none());
}

#[test]
fn the_account_that_may_read_applications_is_the_controllers() {
    let own = documents("deploy/rbac.yaml");
    let account = own
        .iter()
        .find(|document| document["kind"] == "ServiceAccount" && document["metadata"]["name"] == "reef-controller");
    let account = &account.unwrap()["metadata"];
    let role = documents("argocd/rbac.yaml");
    let bindings: Vec<&Value> =
        role.iter().filter(|document| document["kind"].as_str().unwrap().ends_with("Binding")).collect();
    assert!(!bindings.is_empty());
    for binding in bindings {
        let subject = json!([{ "kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"] }]);
        assert_eq!(binding["subjects"], subject);
    }
    let reads = json!({ "apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["get"] });
    assert!(role.iter().any(|document| document["kind"] == "Role" && document["rules"] == json!([reads])));
}
