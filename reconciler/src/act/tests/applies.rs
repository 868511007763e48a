//! What Git states, applied: which fields, forced when, and how a conflict is told.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::server::{Server, ok, status};
use crate::act::{Applied, Manifest, Outcome, apply};
use crate::observe::{Kind, ObjectKey};
use crate::packed::Packed;

fn manifest(annotations: Value) -> Manifest {
    Manifest {
        kind: Kind::Vm,
        key: ObjectKey::new("team", "web"),
        stated: Packed::from(&json!({
            "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
            "metadata": {"name": "web", "labels": {"tier": "gold"}, "annotations": annotations},
            "spec": {"instance": {"memory": {"size": "2Gi"}}},
        })),
        revision: "c0ffee".to_owned(),
        source: "team/repo".to_owned(),
        origin: "vms/web.yaml:3".to_owned(),
    }
}

fn live(managed: Value) -> ObjectMeta {
    serde_json::from_value(
        json!({"name": "web", "annotations": {"reef.dev/source": "team/repo"}, "managedFields": managed}),
    )
    .unwrap()
}

fn applied_before() -> Value {
    json!([{"manager": "reef-controller", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {
        "f:metadata": {"f:labels": {"f:tier": {}}},
        "f:spec": {"f:instance": {"f:memory": {"f:size": {}, "f:max": {}}}}}}])
}

async fn line_of(annotations: Value, live: Option<&ObjectMeta>) -> String {
    let server = Server::answering([ok(json!({"metadata": {"name": "web"}}))]);
    apply(&server.caller(), &manifest(annotations), live).await;
    server.lines().remove(0)
}

#[tokio::test]
async fn exactly_what_git_states_is_applied_with_where_it_stands() {
    let server = Server::answering([ok(json!({"metadata": {"name": "web"}}))]);
    apply(&server.caller(), &manifest(json!({"note": "x"})), None).await;
    let expected = json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team", "labels": {"tier": "gold"}, "annotations": {
            "note": "x", "reef.dev/revision": "c0ffee", "reef.dev/source": "team/repo", "reef.dev/origin": "vms/web.yaml:3"}},
        "spec": {"instance": {"memory": {"size": "2Gi"}}},
    });
    assert_eq!(server.arrived()[0].body, expected);
    let line = "PATCH /apis/cloudhypervisor.quill.today/v1beta1/namespaces/team/virtualmachines/web?fieldManager=reef-controller&force=false";
    assert_eq!(server.lines(), [line]);
}

#[tokio::test]
async fn an_apply_names_the_object_and_the_version_that_it_was_compared_with() {
    let server = Server::answering([ok(json!({"metadata": {"name": "web"}}))]);
    let mut live = live(applied_before());
    (live.uid, live.resource_version) = (Some("u".to_owned()), Some("7".to_owned()));
    apply(&server.caller(), &manifest(json!({})), Some(&live)).await;
    let meta = &server.arrived()[0].body["metadata"];
    assert_eq!((&meta["uid"], &meta["resourceVersion"]), (&json!("u"), &json!("7")));
}

#[tokio::test]
async fn another_version_meanwhile_is_no_conflict_of_fields() {
    let text = "Operation cannot be fulfilled on virtualmachines \"web\": the object has been modified; please apply your changes to the latest version and try again";
    let server = Server::answering([status(409, "Conflict", text, json!({"name": "web"}))]);
    let applied = apply(&server.caller(), &manifest(json!({})), None).await;
    assert!(matches!(applied, Applied::Outcome(Outcome::Conflict(_))), "{applied:?}");
}

#[tokio::test]
async fn an_object_of_before_is_taken_over_once_and_only_when_its_manifest_says_so() {
    let kubectl = live(json!([{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}]));
    let in_part = live(applied_before());
    let mut owned = applied_before();
    owned[0]["fieldsV1"]["f:metadata"]["f:annotations"] = json!({"f:reef.dev/adopt": {}});
    let taken_over = live(owned);
    let ours_in_status = live(json!([{"manager": "reef-controller", "operation": "Apply", "subresource": "status"}]));
    let adopt = json!({"reef.dev/adopt": "true"});
    let forced = [
        (adopt.clone(), Some(&kubectl), "force=true"),
        (adopt.clone(), Some(&ours_in_status), "force=true"),
        (adopt.clone(), Some(&in_part), "force=true"),
        (adopt.clone(), Some(&taken_over), "force=false"),
        (adopt, None, "force=false"),
        (json!({}), Some(&kubectl), "force=false"),
    ];
    for (annotations, live, expected) in forced {
        let line = line_of(annotations, live).await;
        assert!(line.ends_with(expected), "{line}");
    }
}

#[tokio::test]
async fn a_conflict_names_every_manager_and_its_fields() {
    let cause =
        |manager: &str, field: &str| json!({"reason": "FieldManagerConflict", "field": field, "message": manager});
    let details = json!({"causes": [
        cause(r#"conflict with "kubectl-edit" using cloudhypervisor.quill.today/v1beta1"#, ".spec.instance.memory.size"),
        cause(r#"conflict with "argocd-controller" using v1"#, ".metadata.labels.tier"),
        cause(r#"conflict with "kubectl-edit" using v1"#, ".spec.instance.cpu.sockets"),
    ]});
    let server = Server::answering([status(409, "Conflict", "Apply failed with 3 conflicts", details)]);
    let Applied::Conflict(conflict) = apply(&server.caller(), &manifest(json!({})), None).await else { panic!() };
    let text = "metadata.labels.tier belongs to the field manager \"argocd-controller\"; spec.instance.memory.size, \
                spec.instance.cpu.sockets belongs to the field manager \"kubectl-edit\": let that manager give the field up, \
                or remove the field from Git";
    assert_eq!(conflict.to_string(), text);
}
