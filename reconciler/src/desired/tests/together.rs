//! Several files and several commits: what stays, what changes, what is gone.

use std::sync::Arc;

use super::*;
use crate::source::SkipReason;

fn name(name: &str) -> ObjectName {
    ObjectName { kind: Kind::VirtualMachine, namespace: "team".into(), name: name.into() }
}

fn key(name: &str) -> VmKey {
    VmKey::new("team", name)
}

fn removed(desired: &Desired) -> Vec<String> {
    desired.removed().map(|(name, listed)| format!("{name} {}", listed.path)).collect()
}

fn policy(name: &str, overhead: &str) -> String {
    format!(
        "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: {name}\nspec:\n  overhead: {overhead}\n"
    )
}

#[test]
fn files_of_several_documents_and_formats_are_read() {
    let several = format!(
        "# team\n---\n{}---\n# nothing\n---\n{}...\n{}---\nkind: Service\napiVersion: v1\n",
        vm("a", "1Gi"),
        vm("b", "2Gi"),
        policy("p", "512Mi"),
    );
    let json = "\u{feff}{\"apiVersion\": \"cloudhypervisor.quill.today/v1beta1\",\r\n\t\"kind\": \"VirtualMachine\", \"metadata\": {\"name\": \"c\"},\r\n\"spec\": {\"instance\": {\"memory\": {\"size\": 4294967296}}}}";
    let mut reader = Reader::default();
    let desired = reader.read("c1", &[("c.json", json), ("team/all.yaml", &several), ("values.yaml", "replicas: 3\n")]);
    assert_eq!((desired.said(), desired.warned()), (String::new(), String::new()));
    assert_eq!(desired.sizes(), sizes(&[("a", "1Gi"), ("b", "2Gi"), ("c", "4Gi")]));
    assert_eq!(desired.foreign, BTreeMap::from([("(no kind)".to_owned(), 1), ("Service".to_owned(), 1)]));
    let origin = Origin { file: "team/all.yaml".into(), document: 3, line: 16, column: 0 };
    assert_eq!(desired.vms[&key("b")].origin, origin);
    assert_eq!(desired.policies.keys().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["p"]);
    let manifest = &desired.vms[&key("c")].manifest;
    assert_eq!(manifest.value().pointer("/spec/instance/memory/size"), Some(&serde_json::json!(4_294_967_296_u64)));
    assert_eq!(manifest.value().pointer("/metadata/namespace"), None, "what Git does not state is not in the manifest");
    assert_eq!(desired.vms[&key("c")].vm("team").unwrap().metadata.namespace.as_deref(), Some("team"));
}

#[test]
fn the_revision_is_the_commit_that_changed_this_vm() {
    let mut reader = Reader::default();
    reader.read("c1", &[("a.yaml", &vm("a", "1Gi")), ("b.yaml", &vm("b", "1Gi"))]);
    let before = Arc::clone(&reader.desired.vms[&key("b")]);
    assert_eq!((before.revision.as_ref(), before.since), ("c1", Since::Unknown));
    let commented = format!("# a comment moves the lines\n{}", vm("a", "2Gi"));
    let desired = reader.read("c2", &[("a.yaml", &commented), ("b.yaml", &vm("b", "1Gi"))]);
    let a = &desired.vms[&key("a")];
    assert_eq!((a.revision.as_ref(), a.since, a.origin.line), ("c2", Since::Seen, 2));
    assert!(Arc::ptr_eq(&before, &desired.vms[&key("b")]));
    let desired = reader.read("c3", &[("a.yaml", &vm("a", "2Gi")), ("sub/b.yaml", &vm("b", "1Gi"))]);
    let (a, b) = (&desired.vms[&key("a")], &desired.vms[&key("b")]);
    assert_eq!((a.revision.as_ref(), a.origin.line), ("c2", 1), "a moved line is no change of the VM");
    assert_eq!(
        (b.revision.as_ref(), b.origin.file.as_ref()),
        ("c1", "sub/b.yaml"),
        "a moved file is no change of the VM"
    );
    assert_eq!(removed(desired), [""; 0]);
}

#[test]
fn only_files_that_changed_are_parsed_again() {
    let files: Vec<(String, String)> = (0..100).map(|n| (format!("{n}.yaml"), vm(&format!("vm{n}"), "1Gi"))).collect();
    let mut listed: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut reader = Reader::default();
    reader.read("c1", &listed);
    assert_eq!(reader.cache.files_parsed(), 100);
    let grown = vm("vm7", "2Gi");
    listed[7].1 = &grown;
    let desired = reader.read("c2", &listed);
    let changed: Vec<&str> =
        desired.vms.iter().filter(|(_, vm)| &*vm.revision == "c2").map(|(key, _)| key.name.as_str()).collect();
    assert_eq!(changed, ["vm7"]);
    assert_eq!(reader.cache.files_parsed(), 101);
}

#[test]
fn one_bad_file_of_a_thousand_costs_only_itself() {
    let files: Vec<(String, String)> = (0..1000).map(|n| (format!("{n}.yaml"), vm(&format!("vm{n}"), "1Gi"))).collect();
    let mut listed: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut reader = Reader::default();
    reader.read("c1", &listed);
    let grown: Vec<String> = (0..1000).map(|n| vm(&format!("vm{n}"), "2Gi")).collect();
    listed.iter_mut().zip(&grown).for_each(|(file, text)| file.1 = text);
    listed[7].1 = "kind: [";
    let desired = reader.read("c2", &listed);
    assert_eq!((desired.problems.len(), desired.vms.len(), removed(desired).len()), (1, 1000, 0));
    let old: Vec<_> = desired.sizes().into_iter().filter(|(_, size)| size == "1Gi").map(|(name, _)| name).collect();
    assert_eq!(old, ["vm7"]);
}

#[test]
fn a_broken_document_keeps_its_vm_and_the_others_of_its_file_go_on() {
    let mut reader = Reader::default();
    let file = |a: &str, b: &str| format!("{}---\n{}", vm("a", a), vm("b", b));
    reader.read("c1", &[("all.yaml", &file("1Gi", "1Gi"))]);
    let desired = reader.read("c2", &[("all.yaml", &file("2Gi", "2GB"))]);
    assert_eq!(desired.sizes(), sizes(&[("a", "2Gi"), ("b", "1Gi")]));
    assert_eq!(desired.problems.iter().map(|problem| problem.object.clone()).collect::<Vec<_>>(), [Some(name("b"))]);
    assert_eq!((desired.problems[0].origin.document, desired.problems[0].origin.line), (2, 21));
    let desired = reader.read("c3", &[("all.yaml", "kind: VirtualMachine\n {{ broken\n")]);
    assert_eq!(desired.sizes(), sizes(&[("a", "2Gi"), ("b", "1Gi")]));
    let desired = reader.read("c4", &[("all.yaml", &file("2Gi", "4Gi"))]);
    assert_eq!(desired.sizes(), sizes(&[("a", "2Gi"), ("b", "4Gi")]));
    assert_eq!((desired.vms[&key("a")].revision.as_ref(), desired.vms[&key("b")].revision.as_ref()), ("c2", "c4"));
}

#[test]
fn two_definitions_of_one_vm_are_both_refused_and_named() {
    let mut reader = Reader::default();
    reader.read("c1", &[("a.yaml", &vm("a", "1Gi")), ("other.yaml", &vm("o", "1Gi"))]);
    let files = [("a.yaml", vm("a", "2Gi")), ("b.yaml", vm("a", "4Gi")), ("other.yaml", vm("o", "2Gi"))];
    let desired = reader.read("c2", &files.each_ref().map(|(path, text)| (*path, text.as_str())));
    assert_eq!(desired.sizes(), sizes(&[("a", "1Gi"), ("o", "2Gi")]));
    insta::assert_snapshot!(desired.said(), @r"
    a.yaml:1: VirtualMachine team/a: it is defined in b.yaml:1 too, and none of them is used; keep one
    b.yaml:1: VirtualMachine team/a: it is defined in a.yaml:1 too, and none of them is used; keep one
    ");
    assert_eq!(removed(desired), [""; 0]);
    let twice = format!("{}---\n{}", vm("n", "1Gi"), vm("n", "2Gi"));
    let desired = reader.read("c3", &[("n.yaml", &twice)]);
    assert_eq!((desired.problems.len(), desired.vms.contains_key(&key("n"))), (2, false));
}

#[test]
fn a_vm_that_left_a_readable_tip_is_removed_until_it_is_back() {
    let mut reader = Reader::default();
    reader.read("c1", &[("a.yaml", &vm("a", "1Gi")), ("b.yaml", &vm("b", "1Gi"))]);
    let desired = reader.read("c2", &[("a.yaml", &vm("a", "1Gi"))]);
    assert_eq!(
        (desired.sizes(), removed(desired)),
        (sizes(&[("a", "1Gi")]), vec!["VirtualMachine team/b b.yaml".to_owned()])
    );
    let desired = reader.read("c3", &[("a.yaml", "kind: [")]);
    assert_eq!(
        (desired.sizes(), removed(desired)),
        (sizes(&[("a", "1Gi")]), vec!["VirtualMachine team/b b.yaml".to_owned()])
    );
    let desired = reader.read("c4", &[("a.yaml", &vm("a", "1Gi")), ("b.yaml", &vm("b", "1Gi"))]);
    assert_eq!((removed(desired), desired.vms[&key("b")].revision.as_ref()), (Vec::new(), "c4"));
}

#[test]
fn a_file_without_content_removes_nothing() {
    for empty in ["", "# nothing\n", "null\n", "---\n---\n", "{}"] {
        let mut reader = Reader::default();
        reader.read("c1", &[("a.yaml", &vm("a", "1Gi"))]);
        let desired = reader.read("c2", &[("a.yaml", empty)]);
        assert_eq!(
            (desired.sizes(), removed(desired), desired.said()),
            (sizes(&[("a", "1Gi")]), vec![], String::new())
        );
        insta::allow_duplicates! {
            insta::assert_snapshot!(desired.warned(), @"a.yaml: the file defines nothing; what it defined before is kept: delete the file to remove it");
        }
    }
}

#[test]
fn what_could_not_be_read_of_the_tree_removes_nothing() {
    let mut reader = Reader::default();
    reader.read(
        "c1",
        &[("a.yaml", &vm("a", "1Gi")), ("deep/x/b.yaml", &vm("b", "1Gi")), ("deeper.yaml", &vm("c", "1Gi"))],
    );
    reader.skipped = vec![
        Skipped { path: "a.yaml".into(), reason: SkipReason::TooLarge { size: 2_000_000, limit: 1_048_576 } },
        Skipped { path: "deep".into(), reason: SkipReason::CaseCollision { other: "Deep".into() } },
    ];
    let desired = reader.read("c2", &[]);
    assert_eq!(desired.sizes(), sizes(&[("a", "1Gi"), ("b", "1Gi")]));
    assert_eq!(removed(desired), ["VirtualMachine team/c deeper.yaml"]);
    insta::assert_snapshot!(desired.said(), @"a.yaml: `a.yaml` has 2000000 bytes, and 1048576 are allowed");
}

#[test]
fn another_namespace_is_refused_and_touches_nothing() {
    let mut reader = Reader::default();
    reader.read("c1", &[("a.yaml", &vm("a", "1Gi"))]);
    let moved = vm("a", "2Gi").replace("name: a", "name: a\n  namespace: prod");
    let desired = reader.read("c2", &[("a.yaml", &moved)]);
    assert_eq!((desired.sizes(), desired.problems.len(), removed(desired).len()), (sizes(&[("a", "1Gi")]), 1, 0));
    let same = vm("a", "2Gi").replace("name: a", "name: a\n  namespace: team");
    assert_eq!(reader.read("c3", &[("a.yaml", &same)]).sizes(), sizes(&[("a", "2Gi")]));
}

#[test]
fn after_a_restart_what_was_applied_tells_what_was_there() {
    let listed = |path: &str| Listed { path: path.into(), removed: false };
    let applied =
        BTreeMap::from([(name("a"), listed("a.yaml")), (name("b"), listed("b.yaml")), (name("c"), listed("c.yaml"))]);
    let mut reader = Reader { desired: Desired::remembered(applied), ..Reader::default() };
    let desired = reader.read("c9", &[("a.yaml", &vm("a", "1Gi")), ("b.yaml", "kind: [")]);
    assert_eq!(desired.sizes(), sizes(&[("a", "1Gi")]));
    assert_eq!(
        (desired.vms[&key("a")].since, removed(desired)),
        (Since::Unknown, vec!["VirtualMachine team/c c.yaml".into()])
    );
    assert_eq!(desired.left[&name("b")], listed("b.yaml"));
    let told: Vec<_> = desired.source_problems(20).into_iter().map(|problem| (problem.path, problem.line)).collect();
    assert_eq!(told, [("b.yaml".to_owned(), Some(1))]);
}

#[test]
fn foreign_documents_are_not_looked_into_and_kubevirt_is_foreign() {
    let mut reader = Reader::default();
    let chart = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n";
    let kubevirt = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: k}\n";
    let desired = reader.read("c1", &[("chart.yaml", chart), ("k.yaml", kubevirt)]);
    assert_eq!((desired.said(), desired.warned()), (String::new(), String::new()));
    assert_eq!(desired.foreign, BTreeMap::from([("Deployment".to_owned(), 1), ("VirtualMachine".to_owned(), 1)]));
    let both = "kind: Deployment\nkind: VirtualMachine\n";
    assert_eq!(reader.read("c2", &[("x.yaml", both)]).problems.len(), 1, "a kind that is said twice is no foreign one");
}

#[test]
fn what_the_pod_needs_is_judged_by_the_clusters_policies_and_not_here() {
    let tight = vm("a", "1Gi").replace("spec:\n", "spec:\n  resources: {limits: {cpu: 2, memory: 1100Mi}}\n");
    let mut reader = Reader::default();
    assert_eq!(reader.read("c1", &[("a.yaml", &tight)]).said(), "");
}
