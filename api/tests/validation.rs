//! Validation and defaulting of VirtualMachines, as a person who writes manifests meets them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reef_api::policy::{PartialSize, Range};
use reef_api::{Bytes, EffectivePolicy, Size, Vcpus, VirtualMachine, boot_layout, defaulted, validate};
use serde_json::{Value, json};

fn vm(instance: Value) -> VirtualMachine {
    serde_json::from_value(json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web-1", "namespace": "web"},
        "spec": {"instance": instance}
    }))
    .unwrap()
}

fn mib(count: u64) -> Bytes {
    Bytes(count * 1024 * 1024)
}

fn messages(vm: &VirtualMachine, policy: &EffectivePolicy) -> Vec<String> {
    validate(vm, policy).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_spec_without_bounds_keeps_its_memory_as_floor_and_gets_room_above() {
    let vm = defaulted(
        &vm(json!({"cpu": {"sockets": 1, "coresPerSocket": 2}, "memory": {"size": "2Gi"}})),
        &EffectivePolicy::default(),
    );
    assert_eq!(vm.size, Size::new(Vcpus(2), mib(2048)));
    assert_eq!(vm.floor, Size::new(Vcpus(1), mib(2048)));
    assert_eq!(vm.ceiling, Size::new(Vcpus(4), mib(5 * 2048)));
}

#[test]
fn the_spec_wins_over_the_policy_and_the_policy_over_the_defaults() {
    let range = Range {
        min: Some(PartialSize { vcpus: None, memory: Some(mib(512)) }),
        max: Some(PartialSize { vcpus: Some(Vcpus(8)), memory: Some(mib(16384)) }),
    };
    let policy = EffectivePolicy { boot: range, ..EffectivePolicy::default() };
    let vm = validate(&vm(json!({"memory": {"size": "2Gi", "max": "4Gi"}})), &policy).unwrap();
    let layout = boot_layout(&vm);
    assert_eq!((layout.min_memory, layout.max_memory, layout.max_vcpus), (mib(512), mib(4096), Vcpus(8)));
}

#[test]
fn every_violation_is_reported_at_once_with_limit_value_and_remedy() {
    let bad = vm(json!({"cpu": {"sockets": 0}, "memory": {"size": "1000Mi", "max": "512Mi"}}));
    assert_eq!(
        messages(&bad, &EffectivePolicy::default()),
        [
            "spec.instance.cpu.sockets is 0, but the least is 1; state a positive count",
            "spec.instance.memory.size is 1000Mi, but guests plug memory in blocks of 128Mi; state 896Mi or 1Gi",
            "spec.instance.cpu is 0, but spec.instance.cpu.min is 1; ask for at least 1, or lower spec.instance.cpu.min",
            "spec.instance.memory.size is 1000Mi, but spec.instance.memory.max is 512Mi; ask for at most 512Mi, or raise spec.instance.memory.max",
        ]
    );
}

#[test]
fn stated_resources_have_to_cover_size_and_overhead() {
    let mut small = vm(json!({"memory": {"size": "2Gi"}}));
    small.spec.resources =
        serde_json::from_value(json!({"limits": {"cpu": "1", "memory": "2Gi"}, "requests": {"memory": "2Gi"}}))
            .unwrap();
    assert_eq!(
        messages(&small, &EffectivePolicy::default()),
        [
            "spec.resources is cpu 1, memory 2Gi, but the VM needs cpu 1, memory 2304Mi (its size and 256Mi for the VMM); raise spec.resources, or leave it out and let Reef compute it"
        ]
    );
    // What a webhook filled in counts as absent, as long as it is what the mark says.
    let marked = |mark: &str| Some([("reef.dev/filled-resources".to_owned(), mark.to_owned())].into());
    small.metadata.annotations = marked("cpu 1, memory 4Gi");
    assert!(validate(&small, &EffectivePolicy::default()).is_err());
    small.metadata.annotations = marked("cpu 1, memory 2Gi");
    assert!(validate(&small, &EffectivePolicy::default()).is_ok());
}

#[test]
fn sizes_that_cannot_be_multiplied_do_not_wrap_around() {
    let huge = vm(json!({"cpu": {"sockets": i32::MAX, "coresPerSocket": i32::MAX, "max": i32::MAX}}));
    assert!(validate(&huge, &EffectivePolicy::default()).is_err());
}
