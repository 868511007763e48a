//! The store's rules, each by itself.

use super::*;

fn store() -> Store {
    let clock: WallClock = Arc::new(|| Timestamp::from_second(1_800_000_000).unwrap());
    Store::new(StoreOptions { history: 100, ..StoreOptions::new(1, clock) })
}

fn pods() -> ResourceId {
    ResourceId::core("pods")
}

fn pod(name: &str) -> ObjectKey {
    ObjectKey::namespaced(pods(), "default", name)
}

fn make_pod(store: &Store, name: &str, more: Value) -> Arc<Value> {
    let mut object = json!({ "metadata": { "name": name, "namespace": "default" }, "spec": { "nodeName": "n1" } });
    for (field, value) in more.as_object().cloned().unwrap_or_default() {
        meta::set(&mut object, &field, value);
    }
    store.create(&pods(), object).unwrap()
}

fn owned_by(owner: &Value) -> Value {
    json!({ "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": meta::name(owner), "uid": meta::uid(owner), "blockOwnerDeletion": true }] })
}

#[test]
fn a_created_object_gets_identity_time_and_generation() {
    let store = store();
    let before = store.version();
    let made = make_pod(&store, "a", json!({}));
    assert_eq!(made["kind"], "Pod");
    assert_eq!(made["apiVersion"], "v1");
    assert_eq!(made["metadata"]["creationTimestamp"], "2027-01-15T08:00:00Z");
    assert_eq!(meta::generation(&made), 1);
    assert_eq!(meta::resource_version(&made), Some(before + 1));
    assert_eq!(store.get(&pod("a")), Some(made));
}

#[test]
fn creation_refuses_a_taken_name_a_missing_namespace_and_a_bad_name() {
    let store = store();
    make_pod(&store, "a", json!({}));
    let code = |name: &str, namespace: &str| {
        let object = json!({ "metadata": { "name": name, "namespace": namespace } });
        store.create(&pods(), object).unwrap_err().code()
    };
    assert_eq!(code("a", "default"), 409);
    assert_eq!(code("b", "nowhere"), 404);
    assert_eq!(code("B", "default"), 422);
    assert_eq!(store.create(&ResourceId::core("ponds"), json!({})).unwrap_err().code(), 404);
}

#[test]
fn generated_names_differ() {
    let store = store();
    let make =
        || store.create(&pods(), json!({ "metadata": { "generateName": "p-", "namespace": "default" } })).unwrap();
    let (one, two) = (make(), make());
    assert!(meta::name(&one).starts_with("p-") && meta::name(&one).len() == 7);
    assert_ne!(meta::name(&one), meta::name(&two));
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let store = store();
    let made = make_pod(&store, "a", json!({}));
    let same = store.update(&pod("a"), None, "kubelet", |_| ()).unwrap();
    assert_eq!(same, made);
    assert_eq!(store.version(), meta::resource_version(&made).unwrap());
}

#[test]
fn the_generation_counts_wishes_and_not_status() {
    let store = store();
    make_pod(&store, "a", json!({}));
    let status = store.update(&pod("a"), Some("status"), "kubelet", |pod| {
        pod["status"] = json!({ "phase": "Running" });
        pod["spec"] = json!({ "nodeName": "other" });
    });
    let status = status.unwrap();
    assert_eq!(
        (meta::generation(&status), &status["spec"]["nodeName"], &status["status"]["phase"]),
        (1, &json!("n1"), &json!("Running"))
    );
    let spec = store.update(&pod("a"), None, "scheduler", |pod| pod["spec"]["priority"] = json!(1)).unwrap();
    assert_eq!(meta::generation(&spec), 2);
}

#[test]
fn identity_cannot_be_changed() {
    let store = store();
    let made = make_pod(&store, "a", json!({}));
    let after = store.update(&pod("a"), None, "x", |pod| {
        pod["metadata"] = json!({ "name": "b", "uid": "other", "labels": { "a": "b" } });
    });
    let after = after.unwrap();
    assert_eq!((meta::name(&after), meta::uid(&after)), ("a", meta::uid(&made)));
    assert_eq!(after["metadata"]["labels"], json!({ "a": "b" }));
}

#[test]
fn a_pod_on_a_node_is_marked_first_and_goes_when_the_node_says_so() {
    let store = store();
    make_pod(&store, "a", json!({}));
    let marked = store.delete(&pod("a"), &DeleteOptions::default()).unwrap();
    assert!(matches!(&marked, Deleted::Pending(object) if object["metadata"]["deletionGracePeriodSeconds"] == 30));
    assert_eq!(meta::generation(marked.object()), 2);
    assert!(matches!(store.delete(&pod("a"), &DeleteOptions::now()).unwrap(), Deleted::Gone(_)));
    assert_eq!(store.get(&pod("a")), None);
}

#[test]
fn a_pod_without_a_node_goes_at_once() {
    let store = store();
    store.create(&pods(), json!({ "metadata": { "name": "a", "namespace": "default" } })).unwrap();
    assert!(matches!(store.delete(&pod("a"), &DeleteOptions::default()).unwrap(), Deleted::Gone(_)));
}

#[test]
fn what_goes_at_once_is_seen_as_it_was() {
    let store = store();
    store.create(&pods(), json!({ "metadata": { "name": "a", "namespace": "default" } })).unwrap();
    let mut changes = store.subscribe();
    store.delete(&pod("a"), &DeleteOptions::default()).unwrap();
    let change = changes.try_next().unwrap().unwrap();
    assert_eq!((change.kind, meta::is_terminating(&change.object)), (ChangeKind::Deleted, false));
    assert_eq!(meta::resource_version(&change.object), Some(change.resource_version));
}

#[test]
fn an_earlier_state_can_be_listed_until_it_is_forgotten() {
    let store = store();
    make_pod(&store, "a", json!({}));
    make_pod(&store, "b", json!({}));
    let (then, version) = store.list_at(&pods(), None);
    store.update(&pod("a"), None, "x", |pod| pod["spec"]["x"] = json!(1)).unwrap();
    store.delete(&pod("b"), &DeleteOptions::now()).unwrap();
    make_pod(&store, "c", json!({}));
    let as_of = store.list_as_of(&pods(), None, version).unwrap();
    assert_eq!(as_of.into_iter().map(|stored| stored.object).collect::<Vec<_>>(), then);
    store.compact();
    assert_eq!(store.list_as_of(&pods(), None, version).unwrap_err().code(), 410);
}

#[test]
fn the_clusters_own_parts_own_what_they_write() {
    let store = store();
    make_pod(&store, "a", json!({}));
    store.update(&pod("a"), Some("status"), "kubelet", |pod| pod["status"] = json!({ "phase": "Running" })).unwrap();
    let after = store.stored(&pod("a")).unwrap().whole();
    let entries = after["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["subresource"] == json!("status")).unwrap();
    assert_eq!(entry["manager"], json!("kubelet"));
    assert_eq!(entry["fieldsV1"], json!({ "f:status": { ".": {}, "f:phase": {} } }));
}

#[test]
fn finalizers_hold_a_deleted_object_until_they_are_gone() {
    let store = store();
    make_pod(&store, "a", json!({ "finalizers": ["reef.dev/x"] }));
    assert!(matches!(store.delete(&pod("a"), &DeleteOptions::now()).unwrap(), Deleted::Pending(_)));
    assert!(meta::is_terminating(&store.get(&pod("a")).unwrap()));
    store.update(&pod("a"), None, "x", |pod| meta::set(pod, "finalizers", json!([]))).unwrap();
    assert_eq!(store.get(&pod("a")), None);
}

#[test]
fn a_failed_precondition_deletes_nothing() {
    let store = store();
    make_pod(&store, "a", json!({}));
    let preconditions = Preconditions { uid: Some("other".to_owned()), resource_version: None };
    let refused = store.delete(&pod("a"), &DeleteOptions { preconditions, ..DeleteOptions::now() }).unwrap_err();
    assert_eq!(refused.code(), 409);
    assert!(refused.message.contains("the UID in the precondition (other) does not match the UID in record ("));
    assert!(store.get(&pod("a")).is_some());
}

#[test]
fn what_an_object_owned_goes_with_it() {
    let store = store();
    let owner = store.create(&pods(), json!({ "metadata": { "name": "owner", "namespace": "default" } })).unwrap();
    make_pod(&store, "child", owned_by(&owner));
    store.delete(&pod("owner"), &DeleteOptions::default()).unwrap();
    assert!(meta::is_terminating(&store.get(&pod("child")).unwrap()));
}

#[test]
fn an_orphan_stays_without_its_reference() {
    let store = store();
    let owner = make_pod(&store, "owner", json!({}));
    make_pod(&store, "child", owned_by(&owner));
    store.delete(&pod("owner"), &DeleteOptions { propagation: Propagation::Orphan, ..DeleteOptions::now() }).unwrap();
    let child = store.get(&pod("child")).unwrap();
    assert!(!meta::is_terminating(&child));
    assert!(meta::owners(&child).is_empty());
}

#[test]
fn in_the_foreground_an_owner_waits_for_what_it_owns() {
    let store = store();
    let owner = make_pod(&store, "owner", json!({}));
    make_pod(&store, "child", owned_by(&owner));
    let options = DeleteOptions { propagation: Propagation::Foreground, ..DeleteOptions::now() };
    assert!(matches!(store.delete(&pod("owner"), &options).unwrap(), Deleted::Pending(_)));
    assert!(meta::is_terminating(&store.get(&pod("child")).unwrap()));
    store.delete(&pod("child"), &DeleteOptions::now()).unwrap();
    assert_eq!(store.list(&pods(), None), Vec::<Arc<Value>>::new());
}

#[test]
fn an_object_whose_owner_is_already_gone_does_not_stay() {
    let store = store();
    let references = json!([{ "apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "gone" }]);
    let object = json!({ "metadata": { "name": "late", "namespace": "default", "ownerReferences": references } });
    store.create(&pods(), object).unwrap();
    assert_eq!(store.get(&pod("late")), None);
}

#[test]
fn a_namespace_takes_its_objects_with_it() {
    let store = store();
    let namespaces = ResourceId::core("namespaces");
    store.create(&namespaces, json!({ "metadata": { "name": "team" } })).unwrap();
    let object = json!({ "metadata": { "name": "a", "namespace": "team", "finalizers": ["reef.dev/x"] } });
    store.create(&pods(), object).unwrap();
    let team = ObjectKey::cluster(namespaces, "team");
    assert!(matches!(store.delete(&team, &DeleteOptions::default()).unwrap(), Deleted::Pending(_)));
    assert_eq!(store.get(&team).unwrap()["status"]["phase"], "Terminating");
    let refused = store.create(&pods(), json!({ "metadata": { "name": "b", "namespace": "team" } })).unwrap_err();
    assert_eq!(refused.code(), 403);
    let key = ObjectKey::namespaced(pods(), "team", "a");
    store.update(&key, None, "x", |pod| meta::set(pod, "finalizers", json!([]))).unwrap();
    assert_eq!(store.get(&team), None);
}

#[test]
fn a_definition_is_served_from_its_creation_to_its_deletion() {
    let store = store();
    let resource = ResourceId::new("x.dev", "things");
    let definition = json!({
        "metadata": { "name": "things.x.dev" },
        "spec": { "group": "x.dev", "scope": "Cluster", "names": { "plural": "things", "kind": "Thing" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "subresources": { "status": {} } }] },
    });
    store.create(&definitions(), definition).unwrap();
    let kind = store.kind(&resource).unwrap();
    assert_eq!((kind.singular.as_str(), kind.has_subresource("status"), kind.namespaced), ("thing", true, false));
    store.create(&resource, json!({ "metadata": { "name": "a" } })).unwrap();
    store.delete(&ObjectKey::cluster(definitions(), "things.x.dev"), &DeleteOptions::default()).unwrap();
    assert_eq!(store.kind(&resource), None);
    assert!(store.list(&resource, None).is_empty());
}

#[test]
fn lists_are_ordered_and_exact_at_their_version() {
    let store = store();
    store.create(&pods(), json!({ "metadata": { "name": "z", "namespace": "kube-system" } })).unwrap();
    make_pod(&store, "b", json!({}));
    make_pod(&store, "a", json!({}));
    let (all, version) = store.list_at(&pods(), None);
    let names: Vec<&str> = all.iter().map(|object| meta::name(object)).collect();
    assert_eq!((names, version), (vec!["a", "b", "z"], store.version()));
    assert_eq!(store.list(&pods(), Some("kube-system")).len(), 1);
}

#[tokio::test]
async fn a_reader_sees_every_change_in_order_and_is_told_when_it_cannot() {
    let store = store();
    let mut reader = store.subscribe();
    make_pod(&store, "a", json!({}));
    store.update(&pod("a"), None, "x", |pod| pod["spec"]["x"] = json!(1)).unwrap();
    store.delete(&pod("a"), &DeleteOptions::now()).unwrap();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(reader.next().await.unwrap().kind);
    }
    assert_eq!(kinds, vec![ChangeKind::Added, ChangeKind::Modified, ChangeKind::Deleted]);
    assert!(reader.try_next().unwrap().is_none());
    make_pod(&store, "b", json!({}));
    store.compact();
    assert!(reader.try_next().is_err());
    reader.skip_to(store.version());
    assert!(reader.try_next().unwrap().is_none());
}

#[tokio::test]
async fn a_restored_store_counts_from_its_backup_and_who_read_on_from_before_lags() {
    let store = store();
    make_pod(&store, "a", json!({}));
    let backup = store.backup();
    let at = store.version();
    let mut of_before = store.subscribe();
    make_pod(&store, "b", json!({}));
    make_pod(&store, "c", json!({}));
    let future = store.version();
    store.restore(backup);
    assert_eq!((store.version(), store.get(&pod("b"))), (at, None));
    assert_eq!(of_before.try_next().unwrap_err(), Lagged { asked: at, oldest: at });
    of_before.skip_to(at);
    let mut ahead = store.subscribe_of(pods(), future);
    for name in ["d", "e"] {
        make_pod(&store, name, json!({}));
        assert_eq!(of_before.try_next().unwrap().unwrap().key, pod(name));
        assert!(ahead.try_next().unwrap().is_none(), "nothing is told before the version that was asked for");
    }
    make_pod(&store, "f", json!({}));
    assert_eq!(ahead.try_next().unwrap().unwrap().key, pod("f"));
    assert!(store.check_reachable(at - 1).is_err());
}
