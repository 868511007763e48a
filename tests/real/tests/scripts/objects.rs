//! Objects as the API server has them: VMs in each state, sources, checks.

use reef_api::condition::{READY, RECONCILING, STALLED};
use serde_json::{Value, json};

/// The generation of every object.
pub const GENERATION: i64 = 3;

/// A condition of that generation.
pub fn condition(kind: &str, truth: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": truth, "reason": reason, "message": message, "observedGeneration": GENERATION,
        "lastTransitionTime": "2026-01-31T18:00:00Z",
    })
}

/// What stands beside a `Ready` that is False.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing: it is not on its way.
    Nothing,
    /// `Reconciling`.
    Moving,
    /// `Stalled`.
    Stuck,
}

/// Each of them.
pub const BESIDE: [Beside; 3] = [Beside::Nothing, Beside::Moving, Beside::Stuck];

/// The conditions of an object that is not ready.
pub fn unready(reason: &str, beside: Beside) -> Value {
    let message = format!("it waits for {reason}");
    let mut conditions = vec![condition(READY, "False", reason, &message)];
    match beside {
        Beside::Nothing => {}
        Beside::Moving => conditions.push(condition(RECONCILING, "True", reason, &message)),
        Beside::Stuck => conditions.push(condition(STALLED, "True", reason, &message)),
    }
    json!(conditions)
}

/// The conditions of an object that is ready.
pub fn ready(reason: &str) -> Value {
    json!([condition(READY, "True", reason, "the guest has 2 vCPU, 2Gi, and the Pod agrees")])
}

/// An object of a kind, with these conditions.
pub fn object(kind: &str, conditions: &Value) -> Value {
    let version = if kind == "VirtualMachine" { "cloudhypervisor.quill.today/v1beta1" } else { "reef.dev/v1alpha1" };
    json!({
        "apiVersion": version, "kind": kind,
        "metadata": { "name": "web-1", "namespace": "vms", "generation": GENERATION, "annotations": { "example.com/mark": "kept" } },
        "spec": {},
        "status": { "conditions": conditions },
    })
}

/// A VM that always runs, in the middle of a growth from two vCPUs to four.
pub fn vm(phase: &str, conditions: &Value) -> Value {
    let size = |vcpus: u32| json!({ "vcpus": vcpus, "memory": "2Gi" });
    let mut vm = object("VirtualMachine", conditions);
    vm["spec"] = json!({ "runPolicy": "Always", "instance": { "kernel": { "image": "registry.example.com/k:1", "cmdline": "" } } });
    vm["status"]["phase"] = json!(phase);
    vm["status"]["resize"] = json!({ "podUID": "p", "generation": GENERATION, "target": size(4), "aim": size(4), "reason": conditions[0]["reason"] });
    vm["status"]["vmm"] = json!({ "podUID": "p", "vcpusPresent": 2, "memoryActual": "2Gi" });
    vm
}

/// The same, where the guest has what was asked for.
pub fn settled() -> Value {
    let mut vm = vm("Running", &ready("Settled"));
    vm["status"]["vmm"]["vcpusPresent"] = json!(4);
    vm
}

/// The same, where somebody has suspended it.
pub fn suspended() -> Value {
    let told = "suspended by ops until it is resumed: a move";
    let mut vm = settled();
    vm["metadata"]["annotations"]["reef.dev/suspended"] = json!(r#"{"reason":"a move"}"#);
    vm["status"]["conditions"] =
        json!([condition(READY, "False", "Suspended", told), condition("Suspended", "True", "Suspended", told)]);
    vm
}

/// An object with something else at a place; what is on the way is made.
pub fn with(mut object: Value, place: &str, value: Value) -> Value {
    let mut at = &mut object;
    for name in place.split('.') {
        at = &mut at[name];
    }
    *at = value;
    object
}

/// An object without what is at a place.
pub fn without(mut object: Value, place: &str) -> Value {
    let (before, last) = place.rsplit_once('.').unwrap_or(("", place));
    let pointer = if before.is_empty() { String::new() } else { format!("/{}", before.replace('.', "/")) };
    object.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove(last);
    object
}
