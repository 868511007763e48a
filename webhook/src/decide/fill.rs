//! `spec.resources` as size and overhead need them, where nobody states them. What was filled in is filled in anew when the size changes.

use reef_api::names::FILLED_RESOURCES_ANNOTATION;
use reef_api::{EffectivePolicy, PodSize, VirtualMachine, defaulted, filled};
use serde_json::{Value, json};

use super::patch::Patch;

/// What is changed of a VM on its way in. `object` is the same VM as it was sent.
pub fn filling(object: &Value, vm: &VirtualMachine, policy: &EffectivePolicy) -> Patch {
    let mut patch = Patch::default();
    let marked = annotation(vm).is_some();
    if !is_open(vm) {
        // Somebody has changed what was filled in: it is theirs now.
        if marked {
            patch.unset(object, &["metadata", "annotations", FILLED_RESOURCES_ANNOTATION]);
        }
        return patch;
    }
    let size = wanted(vm, policy);
    if filled::written(vm) != Some(size) {
        patch.set(object, &["spec"], "resources", json!(filled::requirements(size)));
    }
    let mark = filled::mark(size);
    if annotation(vm) != Some(&mark) {
        patch.set(object, &["metadata", "annotations"], FILLED_RESOURCES_ANNOTATION, json!(mark));
    }
    patch
}

fn annotation(vm: &VirtualMachine) -> Option<&String> {
    vm.metadata.annotations.as_ref()?.get(FILLED_RESOURCES_ANNOTATION)
}

/// Whether nobody states resources.
fn is_open(vm: &VirtualMachine) -> bool {
    let empty = vm.spec.resources.as_ref().is_none_or(|resources| {
        let none =
            |quantities: Option<&std::collections::BTreeMap<_, _>>| quantities.is_none_or(|found| found.is_empty());
        none(resources.limits.as_ref()) && none(resources.requests.as_ref()) && resources.claims.is_none()
    });
    empty || filled::is_filled(vm)
}

fn wanted(vm: &VirtualMachine, policy: &EffectivePolicy) -> PodSize {
    let vm = defaulted(vm, policy);
    PodSize::carrying(vm.size, vm.overhead, vm.overcommit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reef_api::Bytes;

    fn pass(mut object: Value, policy: &EffectivePolicy) -> Value {
        let vm: VirtualMachine = serde_json::from_value(object.clone()).unwrap();
        let patch = filling(&object, &vm, policy);
        json_patch::patch(&mut object, &json_patch::Patch(patch.operations())).unwrap();
        object
    }

    fn vm(memory: &str, rest: Value) -> Value {
        let mut vm = json!({
            "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
            "metadata": {"name": "web-1", "namespace": "vms"},
            "spec": {"instance": {"cpu": {"sockets": 1, "coresPerSocket": 2}, "memory": {"size": memory}}, "unknown": {"kept": true}},
        });
        json_patch::merge(&mut vm, &rest);
        vm
    }

    fn resources(vm: &Value) -> Value {
        json!([vm["spec"]["resources"]["limits"], vm["metadata"]["annotations"][FILLED_RESOURCES_ANNOTATION]])
    }

    #[test]
    fn what_is_left_out_is_size_and_overhead_and_marked() {
        let filled = pass(vm("2Gi", json!({})), &EffectivePolicy::default());
        assert_eq!(resources(&filled), json!([{"cpu": "2", "memory": "2304Mi"}, "cpu 2, memory 2304Mi"]));
        assert_eq!(filled["spec"]["unknown"], json!({"kept": true}));
    }

    #[test]
    fn it_follows_the_size_until_somebody_states_it() {
        let policy = EffectivePolicy::default();
        let mut grown = pass(vm("2Gi", json!({})), &policy);
        json_patch::merge(&mut grown, &json!({"spec": {"instance": {"memory": {"size": "4Gi"}}}}));
        let grown = pass(grown, &policy);
        assert_eq!(resources(&grown), json!([{"cpu": "2", "memory": "4352Mi"}, "cpu 2, memory 4352Mi"]));
        let mut stated = grown;
        json_patch::merge(&mut stated, &json!({"spec": {"resources": {"limits": {"memory": "8Gi"}}}}));
        let stated = pass(stated, &policy);
        assert_eq!(resources(&stated), json!([{"cpu": "2", "memory": "8Gi"}, null]));
    }

    #[test]
    fn what_a_person_states_stays() {
        for stated in
            [json!({"limits": {"memory": "8Gi"}}), json!({"requests": {"example.com/nic": "1"}}), json!({"claims": []})]
        {
            let stated = vm("2Gi", json!({"spec": {"resources": stated}}));
            assert_eq!(pass(stated.clone(), &EffectivePolicy::default()), stated);
        }
    }

    #[test]
    fn a_mark_that_somebody_copied_without_the_values_means_nothing() {
        let copied = json!({"metadata": {"annotations": {FILLED_RESOURCES_ANNOTATION: "cpu 1, memory 1Gi"}}});
        let filled = pass(vm("2Gi", copied.clone()), &EffectivePolicy::default());
        assert_eq!(resources(&filled), json!([{"cpu": "2", "memory": "2304Mi"}, "cpu 2, memory 2304Mi"]));
        let stated = json!({"spec": {"resources": {"limits": {"memory": "8Gi"}}}});
        let mut both = vm("2Gi", copied);
        json_patch::merge(&mut both, &stated);
        assert_eq!(resources(&pass(both, &EffectivePolicy::default())), json!([{"memory": "8Gi"}, null]));
    }

    proptest! {
        #[test]
        fn filling_twice_is_filling_once(cores in -1i32..9, memory in 0u64..1 << 44, overhead in 0u64..1 << 34, kind in 0..5) {
            let policy = EffectivePolicy { overhead: Bytes(overhead), ..EffectivePolicy::default() };
            let rest = match kind {
                0 => json!({}),
                1 => json!({"spec": {"resources": {}}}),
                2 => json!({"metadata": {"annotations": {"a/b": "c"}}}),
                3 => json!({"metadata": {"annotations": {FILLED_RESOURCES_ANNOTATION: "x"}}}),
                _ => json!({"spec": {"resources": {"requests": {"cpu": "3", "memory": memory.to_string()}}}}),
            };
            let mut object = vm(&memory.to_string(), rest);
            object["spec"]["instance"]["cpu"]["coresPerSocket"] = json!(cores);
            let once = pass(object, &policy);
            prop_assert_eq!(pass(once.clone(), &policy), once);
        }
    }
}
