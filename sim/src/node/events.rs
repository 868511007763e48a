//! Events about Pods, by deterministic names: the same event again is counted, not repeated.

use serde_json::{Value, json};

use super::pod::PodView;
use crate::store::{ObjectKey, ResourceId, Store, meta};

/// Whether an event is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Records an event about a Pod.
pub fn record(store: &Store, component: &str, pod: &PodView, tone: Tone, reason: &str, message: &str) {
    let namespace = pod.key.namespace.clone().unwrap_or_default();
    let name = format!("{}.{:016x}", pod.key.name, hash(&[&pod.uid, component, reason, message]));
    let key = ObjectKey::namespaced(ResourceId::core("events"), namespace.clone(), name.clone());
    let now = meta::time(store.now());
    let again = store.update(&key, None, component, |event| count(event, &now));
    if again.is_ok() {
        return;
    }
    let event = json!({
        "metadata": { "name": name, "namespace": namespace },
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "name": pod.key.name, "namespace": namespace, "uid": pod.uid,
        },
        "type": match tone { Tone::Normal => "Normal", Tone::Warning => "Warning" },
        "reason": reason, "message": message, "count": 1,
        "firstTimestamp": now, "lastTimestamp": now, "eventTime": null,
        "source": { "component": component, "host": pod.node }, "reportingComponent": component,
        "reportingInstance": pod.node,
    });
    if let Err(error) = store.create(&key.resource, event) {
        // A namespace that is being deleted takes no events.
        tracing::debug!(%error, pod = %pod.key, reason, "event dropped");
    }
}

fn count(event: &mut Value, now: &Value) {
    let count = event.get("count").and_then(Value::as_u64).unwrap_or(0).saturating_add(1);
    if let Some(map) = event.as_object_mut() {
        map.insert("count".to_owned(), json!(count));
        map.insert("lastTimestamp".to_owned(), now.clone());
    }
}

/// FNV-1a over the parts: stable over runs and versions, unlike std's hasher.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
