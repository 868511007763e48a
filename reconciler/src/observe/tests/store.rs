//! The store against views that come late, twice, broken or not at all.

use std::collections::BTreeSet;

use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::observe::{Change, Kind, Object, ObjectKey, Store};

fn object(value: Value) -> Object {
    serde_json::from_value(value).unwrap()
}

fn vm(version: u64, vcpus: i32) -> Object {
    object(json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team", "uid": "u", "resourceVersion": version.to_string()},
        "spec": {"instance": {"cpu": {"coresPerSocket": vcpus}}}
    }))
}

/// Another VM.
fn named(version: u64, name: &str) -> Object {
    let mut vm = vm(version, 1);
    vm.metadata.name = Some(name.to_owned());
    vm
}

fn pod(version: u64, vm: &str) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "team", "uid": "p", "resourceVersion": version.to_string(), "labels": {"reef.dev/vm": vm}},
        "spec": {"containers": []}
    }))
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("team", name)
}

fn vcpus(store: &Store) -> Option<i32> {
    store.vm(&key("web"))?.spec.instance.cpu.as_ref()?.cores_per_socket
}

fn changed(names: &[&str]) -> BTreeSet<Change> {
    names.iter().map(|name| Change::Vm(key(name))).collect()
}

#[test]
fn a_late_watch_event_does_not_undo_the_answer_to_our_own_write() {
    let mut store = Store::default();
    assert_eq!(store.put(Kind::Vm, vm(7, 4)), changed(&["web"]));
    assert_eq!(store.observe(Kind::Vm, Event::Apply(vm(6, 2))), changed(&[]));
    assert_eq!(store.observe(Kind::Vm, Event::Apply(vm(7, 4))), changed(&[]));
    assert_eq!(vcpus(&store), Some(4));
}

#[test]
fn a_late_answer_does_not_bring_a_deleted_object_back() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(7, 4));
    assert_eq!(store.observe(Kind::Vm, Event::Delete(vm(9, 4))), changed(&["web"]));
    assert_eq!(store.put(Kind::Vm, vm(8, 4)), changed(&[]));
    assert_eq!(store.put(Kind::Vm, vm(9, 4)), changed(&[]), "the answer to a deletion has its version");
    assert_eq!(vcpus(&store), None);
    assert_eq!(store.put(Kind::Vm, vm(10, 1)), changed(&["web"]), "a new object of the same name is news");
}

#[test]
fn a_read_that_a_deletion_overtook_does_not_bring_the_object_back() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(7, 4));
    let before = store.version(Kind::Vm, &key("web"));
    store.observe(Kind::Vm, Event::Delete(vm(9, 4)));
    assert_eq!(store.put_read(Kind::Vm, vm(8, 4), before), changed(&[]));
    assert_eq!(vcpus(&store), None);
    assert_eq!(
        store.put_read(Kind::Vm, vm(8, 4), None),
        changed(&["web"]),
        "asked for after the deletion: time went back"
    );
}

#[test]
fn a_late_deletion_does_not_take_the_new_object_of_the_same_name() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(12, 4));
    assert_eq!(store.observe(Kind::Vm, Event::Delete(vm(9, 4))), changed(&[]));
    assert_eq!(vcpus(&store), Some(4));
}

#[test]
fn doubt_ends_by_a_read_and_not_by_a_watch_event() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(7, 4));
    store.doubt(Kind::Vm, &key("web"));
    store.observe(Kind::Vm, Event::Apply(vm(8, 5)));
    assert_eq!(store.doubts_about(&key("web")), [(Kind::Vm, key("web"))]);
    let before = store.version(Kind::Vm, &key("web"));
    store.put_read(Kind::Vm, vm(8, 5), before);
    assert_eq!(store.doubts_about(&key("web")), []);
}

#[test]
fn a_read_is_believed_even_when_the_cluster_was_restored_from_a_backup() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(700, 4));
    store.observe(Kind::Vm, Event::Init);
    store.observe(Kind::Vm, Event::InitApply(vm(30, 2)));
    assert_eq!(store.observe(Kind::Vm, Event::InitDone), changed(&[]));
    assert_eq!(store.doubts_about(&key("web")), [(Kind::Vm, key("web"))]);
    let before = store.version(Kind::Vm, &key("web"));
    store.put_read(Kind::Vm, vm(30, 2), before);
    assert_eq!(vcpus(&store), Some(2));
    store.put(Kind::Vm, vm(31, 3));
    assert_eq!(vcpus(&store), Some(3));
}

#[test]
fn after_a_restore_nothing_is_decided_before_a_list_and_the_list_is_believed_whatever_its_versions() {
    let mut store = Store::default();
    for kind in Kind::ALL {
        store.observe(kind, Event::Init);
        store.observe(kind, Event::InitDone);
    }
    store.put(Kind::Vm, vm(700, 4));
    store.put(Kind::Pod, pod(701, "web"));
    store.observe(Kind::Vm, Event::Delete(named(702, "gone")));
    store.forget_past();
    assert!(!store.synced());
    assert_eq!(vcpus(&store), Some(4), "who looks at it is told what was there");
    for kind in Kind::ALL {
        store.observe(kind, Event::Init);
        if kind == Kind::Vm {
            assert_eq!(store.observe(kind, Event::InitApply(vm(30, 2))), changed(&["web"]));
            assert_eq!(store.observe(kind, Event::InitApply(named(31, "gone"))), changed(&["gone"]));
        }
        store.observe(kind, Event::InitDone);
    }
    assert!(store.synced());
    assert_eq!(vcpus(&store), Some(2));
    assert_eq!(store.doubts_about(&key("gone")), []);
    assert_eq!(store.doubts_about(&key("web")), [(Kind::Pod, key("web-0"))], "the list has left it out");
    store.observe(Kind::Vm, Event::Apply(vm(32, 3)));
    assert_eq!(vcpus(&store), Some(3), "the watch goes on from the list");
}

#[test]
fn an_answer_of_before_a_restore_that_comes_before_the_list_does_not_outlive_it() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(700, 4));
    store.forget_past();
    store.observe(Kind::Vm, Event::Init);
    store.put(Kind::Vm, vm(705, 5));
    store.observe(Kind::Vm, Event::InitApply(vm(30, 2)));
    store.observe(Kind::Vm, Event::InitDone);
    assert_eq!((vcpus(&store), store.doubts_about(&key("web"))), (Some(2), vec![(Kind::Vm, key("web"))]));
}

#[test]
fn a_read_that_was_overtaken_by_a_watch_does_not_replace_it() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(7, 4));
    let before = store.version(Kind::Vm, &key("web"));
    store.put(Kind::Vm, vm(9, 6));
    store.put_read(Kind::Vm, vm(8, 5), before);
    assert_eq!(vcpus(&store), Some(6));
}

#[test]
fn what_a_list_leaves_out_is_read_again_before_it_counts_as_gone() {
    let mut store = Store::default();
    store.put(Kind::Vm, vm(7, 4));
    store.observe(Kind::Vm, Event::Init);
    assert_eq!(store.observe(Kind::Vm, Event::InitDone), changed(&["web"]));
    assert_eq!((vcpus(&store), store.doubts_about(&key("web"))), (Some(4), vec![(Kind::Vm, key("web"))]));
    assert_eq!(store.put_absent(Kind::Vm, &key("web")), changed(&["web"]));
    assert_eq!(vcpus(&store), None);
}

#[test]
fn an_odd_object_is_held_as_such_and_the_rest_goes_on() {
    let mut store = Store::default();
    let odd = object(json!({
        "metadata": {"name": "web", "namespace": "team", "uid": "u", "resourceVersion": "7"},
        "spec": {"instance": {"cpu": "many"}}
    }));
    store.observe(Kind::Vm, Event::Init);
    store.observe(Kind::Vm, Event::InitApply(odd));
    store.observe(Kind::Vm, Event::InitDone);
    assert_eq!(vcpus(&store), None);
    assert!(store.vms.held(&key("web")).unwrap().object.is_err());
    store.observe(Kind::Vm, Event::Apply(vm(8, 2)));
    assert_eq!(vcpus(&store), Some(2));
}

#[test]
fn a_pod_concerns_the_vm_that_its_label_names_now_and_the_one_before() {
    let mut store = Store::default();
    assert_eq!(store.put(Kind::Pod, pod(1, "web")), changed(&["web"]));
    assert_eq!(store.put(Kind::Pod, pod(2, "db")), changed(&["db", "web"]));
    assert_eq!(store.pods_of(&key("web")).count(), 0);
    assert_eq!(store.pods_of(&key("db")).count(), 1);
    assert_eq!(store.observe(Kind::Pod, Event::Delete(pod(3, "db"))), changed(&["db"]));
    assert_eq!(store.pods_of(&key("db")).count(), 0);
}

#[test]
fn the_heartbeat_of_a_node_is_no_change() {
    let node = |version: u64, cpu: &str, beat: &str| {
        object(
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "resourceVersion": version.to_string()},
            "status": {"allocatable": {"cpu": cpu, "memory": "1Gi"},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": beat}]}}),
        )
    };
    let mut store = Store::default();
    let news = BTreeSet::from([Change::Node("n".to_owned())]);
    assert_eq!(store.put(Kind::Node, node(1, "2", "2026-11-01T10:00:00Z")), news);
    assert_eq!(store.put(Kind::Node, node(2, "2", "2026-11-01T10:00:10Z")), BTreeSet::new());
    assert_eq!(store.put(Kind::Node, node(3, "4", "2026-11-01T10:00:20Z")), news);
}
