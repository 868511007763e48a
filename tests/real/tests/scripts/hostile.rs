//! Objects that nobody should write: no script ends in an error, each gives one of Argo CD's words, and none takes them for healthy.

use serde_json::{Value, json};

use crate::batch::{action_script, healths, run};
use crate::objects::{GENERATION, condition, object, settled, with};

const VM: &str = "cloudhypervisor.quill.today_VirtualMachine";
const SOURCE: &str = "reef.dev_GitSource";
const CHECK: &str = "reef.dev_CapacityCheck";

/// Values of every type, and lists and objects of them.
fn odd() -> Vec<Value> {
    vec![
        Value::Null,
        json!("text"),
        json!(""),
        json!(7),
        json!(-0.5),
        json!(true),
        json!([]),
        json!({}),
        json!([[], {}, "a", 1, null]),
        json!({ "a": { "b": [1] } }),
        json!("quotes \" and \\ and \u{1} and \u{fc}"),
    ]
}

/// Places of an object that scripts read.
const PLACES: [&str; 24] = [
    "status",
    "status.conditions",
    "status.phase",
    "status.resize",
    "status.resize.target",
    "status.resize.reason",
    "status.resize.refused",
    "status.resize.podUID",
    "status.vmm",
    "status.vmm.podUID",
    "status.vmm.memoryActual",
    "status.lines",
    "status.summary",
    "spec",
    "spec.runPolicy",
    "metadata.generation",
    "metadata.annotations",
    "metadata.annotations.kept",
    "metadata.labels",
    "metadata.managedFields",
    "metadata.uid",
    "metadata.creationTimestamp",
    "kind2",
    "data",
];

/// Lists of conditions that are none, or not about this generation.
fn conditions() -> Vec<Value> {
    let ready = condition("Ready", "True", "Settled", "");
    let mut found: Vec<Value> = odd().into_iter().map(|value| json!([value, { "type": "Ready" }])).collect();
    for name in ["type", "status", "observedGeneration"] {
        found.extend(odd().into_iter().map(|value| json!([with(ready.clone(), name, value)])));
    }
    for name in ["reason", "message", "lastTransitionTime"] {
        let unready = condition("Ready", "False", "Settled", "");
        found.extend(odd().into_iter().map(|value| json!([with(unready.clone(), name, value)])));
    }
    found.push(json!([condition("Ready", "False", "Settled", ""), ready]));
    found
}

/// Odd objects of a kind that is not ready, and not for this generation.
fn objects(kind: &str) -> Vec<Value> {
    let base = || {
        let mut base = settled();
        base["kind"] = json!(kind);
        base["status"]["conditions"] = json!([condition("Stalled", "True", "Infeasible", "no")]);
        base
    };
    let mut found: Vec<Value> =
        PLACES.iter().flat_map(|place| odd().into_iter().map(|value| with(base(), place, value))).collect();
    found.extend(conditions().into_iter().map(|conditions| with(base(), "status.conditions", conditions)));
    found
}

#[test]
fn what_nobody_should_write_gets_a_word_and_is_not_healthy() {
    for (script, kind) in [(VM, "VirtualMachine"), (SOURCE, "GitSource"), (CHECK, "CapacityCheck")] {
        let objects = objects(kind);
        for (object, (status, message)) in objects.iter().zip(healths(script, &objects)) {
            assert!(
                ["Progressing", "Degraded", "Suspended"].contains(&status.as_str()),
                "{status} {message}: {object}"
            );
        }
    }
}

#[test]
fn the_lists_of_actions_bear_what_nobody_should_write() {
    for (script, kind) in [(VM, "VirtualMachine"), (SOURCE, "GitSource")] {
        for (object, given) in objects(kind).iter().zip(run(&action_script(script, None), &objects(kind))) {
            let given = given.unwrap_or_else(|error| panic!("{error}: {object}"));
            assert!(given.contains("suspend=true") && given.contains("resume=false"), "{given}: {object}");
        }
    }
}

#[test]
fn odd_conditions_of_the_same_generation_are_not_taken_for_good_ones() {
    let mut bad = object("VirtualMachine", &json!([]));
    bad["metadata"]["generation"] = Value::Null;
    bad["status"]["conditions"] = json!([{ "type": "Ready", "status": "True" }]);
    let unsure = [bad, with(settled(), "metadata.generation", json!(GENERATION.to_string()))];
    for (status, message) in healths(VM, &unsure) {
        assert_eq!(status, "Progressing", "{message}");
    }
}
