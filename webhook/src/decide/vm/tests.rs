//! What is said of writes of VMs, on values.

use super::*;
use reef_api::policy::{PartialSize, PolicyRule, Range};
use reef_api::{RestartPolicy, Vcpus};
use serde_json::json;

fn object(patch: &Value) -> Value {
    let mut vm = json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web-1", "namespace": "vms"},
        "spec": {"runPolicy": "Always", "instance": {"cpu": {"sockets": 1, "coresPerSocket": 2}, "memory": {"size": "2Gi"}}},
    });
    json_patch::merge(&mut vm, patch);
    vm
}

/// One that runs, and booted for up to 4 vCPU and 4Gi.
fn running() -> Value {
    object(&json!({"status": {
        "vmPodUID": "p",
        "vmm": {
            "podUID": "p", "process": {"pid": 1, "startTime": 1}, "ackSeq": 1,
            "vcpusRequested": 2, "vcpusPresent": 2, "memoryRequested": "2Gi", "memoryActual": "2Gi",
            "boot": {"minVcpus": 1, "maxVcpus": 4, "minMemory": "2Gi", "maxMemory": "4Gi"},
        },
    }}))
}

fn asked(old: Option<&Value>, new: &Value, policy: EffectivePolicy, owner: Option<&Owner>) -> Verdict {
    let read = |value: &Value| -> VirtualMachine { serde_json::from_value(value.clone()).unwrap() };
    let (typed, typed_old) = (read(new), old.map(read));
    vm(&VmQuestion { new: &typed, new_object: new, old: typed_old.as_ref().zip(old), policy: &Ok(policy), owner })
}

fn sized(old: &Value, memory: &str) -> Value {
    let mut new = old.clone();
    json_patch::merge(&mut new, &json!({"spec": {"instance": {"memory": {"size": memory}}}}));
    new
}

#[test]
fn everything_that_is_wrong_is_told_with_path_limit_value_and_remedy() {
    let wrong = object(
        &json!({"spec": {"instance": {"cpu": {"coresPerSocket": 0}, "memory": {"size": "100Mi"}}, "networks": []}}),
    );
    let verdict = asked(None, &wrong, EffectivePolicy::default(), None);
    assert!(
        verdict.refused.iter().any(|why| why.starts_with("spec.instance.cpu.coresPerSocket is 0, but the least is 1")),
        "{verdict:?}"
    );
    assert!(verdict.refused.iter().any(|why| {
        why.starts_with("spec.instance.memory.size is 100Mi, but guests plug memory in blocks of 128Mi; state 128Mi")
    }));
}

#[test]
fn what_the_policy_forbids_is_refused_by_its_name() {
    let most = PartialSize { vcpus: Some(Vcpus(1)), memory: None };
    let bounds = Range { min: None, max: Some(most) };
    let policy = EffectivePolicy { name: Some("small".to_owned()), bounds, ..EffectivePolicy::default() };
    let verdict = asked(None, &object(&json!({})), policy, None);
    assert_eq!(
        verdict.refused,
        [
            "spec.instance.cpu is 2, but SizingPolicy small allows no more than 1; ask for a size within the bounds, or have the policy changed"
        ]
    );
}

#[test]
fn rules_of_ones_own_are_asked_and_a_size_that_stays_is_not_judged() {
    let rule =
        PolicyRule { expression: "change.memory <= memory('1Gi')".to_owned(), message: "step by step".to_owned() };
    let policy = EffectivePolicy { name: Some("steps".to_owned()), rules: vec![rule], ..EffectivePolicy::default() };
    let old = running();
    let verdict = asked(Some(&old), &sized(&old, "4Gi"), policy.clone(), None);
    assert!(
        verdict.refused.first().is_some_and(|why| why.contains("SizingPolicy steps says: step by step")),
        "{verdict:?}"
    );
    let mut labelled = old.clone();
    json_patch::merge(&mut labelled, &json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(asked(Some(&old), &labelled, policy, None), Verdict::allowed());
}

#[test]
fn finalizers_annotations_and_what_goes_away_are_never_held_up() {
    let invalid = object(&json!({"spec": {"instance": {"memory": {"size": "1"}}}}));
    let mut marked = invalid.clone();
    json_patch::merge(&mut marked, &json!({"metadata": {"annotations": {"a": "b"}, "finalizers": []}}));
    assert_eq!(asked(Some(&invalid), &marked, EffectivePolicy::default(), None), Verdict::allowed());
    let mut ending = invalid.clone();
    json_patch::merge(
        &mut ending,
        &json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"runPolicy": "Halted"}}),
    );
    assert_eq!(asked(Some(&invalid), &ending, EffectivePolicy::default(), None), Verdict::allowed());
}

#[test]
fn a_size_beyond_what_it_booted_with_is_a_warning_or_forbidden() {
    let old = running();
    let verdict = asked(Some(&old), &sized(&old, "8Gi"), EffectivePolicy::default(), None);
    assert_eq!(
        verdict.warnings,
        ["2 vCPU, 8Gi takes a restart: the VM booted for 1 vCPU, 2Gi to 4 vCPU, 4Gi, and keeps 2 vCPU, 2Gi until then"]
    );
    assert_eq!(verdict.refused, Vec::<String>::new());
    let never = EffectivePolicy { restart: RestartPolicy::Never, ..EffectivePolicy::default() };
    assert_eq!(asked(Some(&old), &sized(&old, "8Gi"), never, None).refused.len(), 1);
}

#[test]
fn what_takes_effect_later_and_what_lies_idle_is_told() {
    let old = running();
    let mut new = old.clone();
    let patch = json!({"spec": {"vmm": "QEMU", "instance": {"memory": {"max": "8Gi"}}, "resources": {"limits": {"cpu": "2", "memory": "8Gi"}}}});
    json_patch::merge(&mut new, &patch);
    let verdict = asked(Some(&old), &new, EffectivePolicy::default(), None);
    assert_eq!(
        verdict.warnings,
        [
            "spec.vmm, spec.instance.memory.max take effect when the VM is started anew",
            "spec.resources sets cpu 2, memory 8Gi aside, and the VM can use cpu 2, memory 2304Mi of it",
        ]
    );
}

fn stated_by_git() -> Value {
    let mut old = running();
    json_patch::merge(
        &mut old,
        &json!({"metadata": {
            "annotations": {"reef.dev/source": "vms/fleet", "reef.dev/origin": "teams/web.yaml:3"},
            "managedFields": [{"manager": "reef-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:instance": {"f:memory": {"f:size": {}}}}}}],
        }}),
    );
    old
}

#[test]
fn a_change_of_what_git_states_goes_by_the_source() {
    let old = stated_by_git();
    let by = |drift| {
        let owner = Owner { source: "vms/fleet".to_owned(), drift };
        asked(Some(&old), &sized(&old, "3Gi"), EffectivePolicy::default(), Some(&owner))
    };
    assert_eq!(by(DriftPolicy::Allow), Verdict::allowed());
    assert_eq!(
        by(DriftPolicy::Warn).warnings,
        [
            "spec.instance.memory.size is stated by GitSource vms/fleet, teams/web.yaml:3: change it there, it will be brought back"
        ]
    );
    assert_eq!(by(DriftPolicy::Warn).refused, Vec::<String>::new());
    let denied = by(DriftPolicy::Deny).refused;
    assert!(
        denied.first().is_some_and(|why| why
            .starts_with("spec.instance.memory.size is stated by GitSource vms/fleet, teams/web.yaml:3, which denies")),
        "{denied:?}"
    );
}

#[test]
fn policies_in_conflict_hold_up_a_size_and_nothing_else() {
    let conflict = Err(PolicyConflict { names: vec!["a".to_owned(), "b".to_owned()] });
    let read = |value: &Value| -> VirtualMachine { serde_json::from_value(value.clone()).unwrap() };
    let old = running();
    let ask = |new: &Value| {
        let (typed, typed_old) = (read(new), read(&old));
        vm(&VmQuestion { new: &typed, new_object: new, old: Some((&typed_old, &old)), policy: &conflict, owner: None })
    };
    assert_eq!(ask(&sized(&old, "3Gi")).refused.len(), 1);
    let mut other = old.clone();
    json_patch::merge(&mut other, &json!({"spec": {"nodeSelector": {"a": "b"}}}));
    let verdict = ask(&other);
    assert_eq!((verdict.refused.len(), verdict.warnings.len()), (0, 1));
}
