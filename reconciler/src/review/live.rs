//! The cluster as the base of a plan: of each VM that the head states, what the cluster has of the same fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use reef_api::names::{ORIGIN_ANNOTATION, SOURCE_ANNOTATION};
use reef_api::{VirtualMachine, VmKey};
use serde_json::{Map, Value};

use crate::desired::{Desired, DesiredVm, Origin};
use crate::packed::Packed;

/// What the cluster has, as if a commit stated it. VMs that `source` has applied and the head does not state are part of it; others are not looked at.
pub fn live_base(head: &Desired, live: &[VirtualMachine], source: Option<&str>) -> Desired {
    let objects: BTreeMap<VmKey, Value> =
        live.iter().filter_map(|vm| Some((key(vm), serde_json::to_value(vm).ok()?))).collect();
    let mut base = Desired { commit: "cluster".to_owned(), ..Desired::default() };
    for (key, stated) in &head.vms {
        let Some(object) = objects.get(key) else { continue };
        let manifest = Packed::from(&seen(&stated.manifest.value(), object));
        base.vms.insert(key.clone(), Arc::new(DesiredVm { manifest, ..DesiredVm::clone(stated) }));
    }
    for (key, object) in objects.iter().filter(|(key, _)| !head.vms.contains_key(*key)) {
        let annotation = |name: &str| object.pointer("/metadata/annotations")?.get(name)?.as_str();
        if source.is_some() && annotation(SOURCE_ANNOTATION) == source {
            let origin = annotation(ORIGIN_ANNOTATION).map(origin).unwrap_or_default();
            let vm = DesiredVm {
                manifest: Packed::from(object),
                origin,
                revision: Arc::from("cluster"),
                since: crate::desired::Since::Unknown,
            };
            base.vms.insert(key.clone(), Arc::new(vm));
        }
    }
    base.policies = head.policies.clone();
    base
}

fn key(vm: &VirtualMachine) -> VmKey {
    VmKey::new(vm.metadata.namespace.clone().unwrap_or_default(), vm.metadata.name.clone().unwrap_or_default())
}

/// `FILE:LINE`, as the controller writes it.
fn origin(text: &str) -> Origin {
    let (file, line) = text.rsplit_once(':').unwrap_or((text, ""));
    Origin { file: Arc::from(file), document: 1, line: line.parse().unwrap_or(0), column: 0 }
}

/// Of a live object the fields that are stated, with the values that it has.
fn seen(stated: &Value, live: &Value) -> Value {
    match (stated, live) {
        (Value::Object(stated), Value::Object(live)) => {
            let fields = stated.iter().filter_map(|(name, value)| Some((name.clone(), seen(value, live.get(name)?))));
            Value::Object(fields.collect::<Map<String, Value>>())
        }
        (_, live) => live.clone(),
    }
}
