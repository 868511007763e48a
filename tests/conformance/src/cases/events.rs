//! Events in both of their APIs, and leases.

use super::prelude::*;

cases!("events", ApiServer:
    an_event_is_one_object_with_two_faces,
    an_event_of_the_new_kind_shows_in_the_old_one,
    events_are_selected_by_what_they_are_about,
    an_event_lives_where_its_object_does,
    an_event_of_the_new_kind_says_what_was_done,
    a_lease_is_taken_by_version,
    a_lease_without_a_spec_is_fine,
    a_lease_has_a_length_above_zero,
);

fn event(context: &Context, name: &str, reason: &str) -> Value {
    json!({
        "metadata": { "name": name }, "reason": reason, "message": "Something happened.", "type": "Normal", "count": 1,
        "involvedObject": { "apiVersion": "v1", "kind": "ConfigMap", "namespace": context.namespace, "name": "a", "uid": "1-2-3" },
        "source": { "component": "reef-controller" }, "firstTimestamp": "2026-11-22T00:00:00Z", "lastTimestamp": "2026-11-22T00:00:00Z",
    })
}

const NEW: &str = "/apis/events.k8s.io/v1/namespaces/NS/events";

async fn an_event_is_one_object_with_two_faces(context: Context) -> Result<()> {
    let made = context.made("events", &event(&context, "a", "Tested")).await?;
    let old = json!({
        "kind": "Event", "apiVersion": "v1", "eventTime": null, "reportingComponent": "", "reportingInstance": "",
        "metadata": { "name": "a", "namespace": "NS", "uid": "UID", "resourceVersion": "VERSION", "creationTimestamp": "TIME" },
        "reason": "Tested", "message": "Something happened.", "type": "Normal", "count": 1,
        "involvedObject": { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "NS", "name": "a", "uid": "1-2-3" },
        "source": { "component": "reef-controller" }, "firstTimestamp": "2026-11-22T00:00:00Z", "lastTimestamp": "2026-11-22T00:00:00Z",
    });
    same("the old face", &made.object()?, &old)?;
    let read = context.get(&format!("{NEW}/a")).await?;
    let new = json!({
        "kind": "Event", "apiVersion": "events.k8s.io/v1", "eventTime": null,
        "metadata": { "name": "a", "namespace": "NS", "uid": "UID", "resourceVersion": "VERSION", "creationTimestamp": "TIME" },
        "reason": "Tested", "note": "Something happened.", "type": "Normal", "deprecatedCount": 1,
        "regarding": { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "NS", "name": "a", "uid": "1-2-3" },
        "deprecatedSource": { "component": "reef-controller" }, "deprecatedFirstTimestamp": "2026-11-22T00:00:00Z", "deprecatedLastTimestamp": "2026-11-22T00:00:00Z",
    });
    same("the new face", &read.object()?, &new)
}

fn new_event(context: &Context, name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": name }, "eventTime": "2026-11-22T00:00:00.123456Z",
        "reason": "Tested", "action": "Testing", "note": "Something happened.", "type": "Warning",
        "regarding": { "apiVersion": "v1", "kind": "ConfigMap", "namespace": context.namespace, "name": "a" },
        "reportingController": "reef.dev/controller", "reportingInstance": "reef-0",
    })
}

async fn an_event_of_the_new_kind_shows_in_the_old_one(context: Context) -> Result<()> {
    context.made(NEW, &new_event(&context, "a")).await?;
    let read = context.get("events/a").await?;
    let found = json!([
        at(read.expect(200)?, "/message"),
        read.at("/involvedObject/name"),
        read.at("/reportingComponent"),
        read.at("/action"),
        read.at("/eventTime"),
    ]);
    let expected = json!(["Something happened.", "a", "reef.dev/controller", "Testing", "2026-11-22T00:00:00.123456Z"]);
    same("the old face", &found, &expected)
}

async fn events_are_selected_by_what_they_are_about(context: Context) -> Result<()> {
    context.made("events", &event(&context, "a", "Tested")).await?;
    context.made("events", &event(&context, "b", "Failed")).await?;
    for (selector, expected) in [
        ("involvedObject.name%3Da,reason%3DFailed", json!(["b"])),
        ("involvedObject.kind%3DConfigMap,involvedObject.uid%3D1-2-3", json!(["a", "b"])),
        ("type!%3DNormal", json!([])),
        ("source%3Dreef-controller", json!(["a", "b"])),
    ] {
        let list = context.get(&format!("events?fieldSelector={selector}")).await?;
        let names: Vec<Value> = at(list.expect(200)?, "/items")
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| at(item, "/metadata/name"))
            .collect();
        same(selector, &json!(names), &expected)?;
    }
    let list = context.get(&format!("{NEW}?fieldSelector=regarding.name%3Da,reason%3DFailed")).await?;
    same("the new face", &at(list.expect(200)?, "/items/0/metadata/name"), &json!("b"))
}

async fn an_event_lives_where_its_object_does(context: Context) -> Result<()> {
    let mut sent = event(&context, "a", "Tested");
    sent["involvedObject"]["namespace"] = json!("default");
    let refused = context.post("events", &sent).await?.refusal()?;
    let said = "Invalid value: \"default\": does not match event.namespace";
    let causes = json!([{ "reason": "FieldValueInvalid", "message": said, "field": "involvedObject.namespace" }]);
    same("the causes", &at(&refused, "/details/causes"), &causes)
}

async fn an_event_of_the_new_kind_says_what_was_done(context: Context) -> Result<()> {
    let mut sent = new_event(&context, "a");
    for field in ["action", "reportingController", "reportingInstance"] {
        sent[field] = json!("");
    }
    let refused = context.post(NEW, &sent).await?.refusal()?;
    let mut fields: Vec<String> = at(&refused, "/details/causes")
        .as_array()
        .into_iter()
        .flatten()
        .map(|cause| text_at(cause, "/field"))
        .collect();
    fields.dedup();
    same("what is missing", &json!(fields), &json!(["action", "reportingController", "reportingInstance"]))
}

fn lease(holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "a" },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": "2026-11-22T00:00:00.123456Z", "renewTime": "2026-11-22T00:00:00.123456Z", "leaseTransitions": 0 },
    })
}

async fn a_lease_is_taken_by_version(context: Context) -> Result<()> {
    let made = context.made("leases", &lease("one")).await?;
    same("the spec", &made.at("/spec"), &at(&lease("one"), "/spec"))?;
    let mut renewed = made.body.clone();
    renewed["spec"]["renewTime"] = json!("2026-11-22T00:00:05.000000Z");
    context.put("leases/a", &renewed).await?.expect(200)?;
    let mut stolen = made.body.clone();
    stolen["spec"]["holderIdentity"] = json!("two");
    let refused = context.put("leases/a", &stolen).await?.refusal()?;
    let expected = json!({
        "code": 409, "reason": "Conflict", "details": { "name": "a", "group": "coordination.k8s.io", "kind": "leases" },
        "message": "Operation cannot be fulfilled on leases.coordination.k8s.io \"a\": the object has been modified; please apply your changes to the latest version and try again",
    });
    same("who comes late", &refused, &expected)?;
    same("no generation", &made.at("/metadata/generation"), &Value::Null)
}

async fn a_lease_without_a_spec_is_fine(context: Context) -> Result<()> {
    let made = context.made("leases", &json!({ "metadata": { "name": "a" } })).await?;
    same("the spec", &made.at("/spec"), &json!({}))
}

async fn a_lease_has_a_length_above_zero(context: Context) -> Result<()> {
    let mut sent = lease("one");
    sent["spec"]["leaseDurationSeconds"] = json!(0);
    let refused = context.post("leases", &sent).await?.refusal()?;
    let causes = json!([{ "reason": "FieldValueInvalid", "message": "Invalid value: 0: must be greater than 0", "field": "spec.leaseDurationSeconds" }]);
    same("the causes", &at(&refused, "/details/causes"), &causes)
}
