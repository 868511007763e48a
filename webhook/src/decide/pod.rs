//! A resize of a VM's Pod by somebody else than Reef: never below what the VM may hold, because the kernel would kill it.

use k8s_openapi::api::core::v1::{Container, Pod};
use reef_api::names::VMM_CONTAINER;
use reef_api::{EffectivePolicy, PodSize, VirtualMachine, VmKey, filled};

use super::Verdict;

/// What is said of a resize of a VM's Pod. `vm` is nothing where the cluster has no such VM.
pub fn pod_resize(key: &VmKey, old: &Pod, new: &Pod, vm: Option<&VirtualMachine>, policy: &EffectivePolicy) -> Verdict {
    let (Some(has), Some(wished)) = (size(old), size(new)) else { return Verdict::allowed() };
    if has == wished || new.metadata.deletion_timestamp.is_some() {
        return Verdict::allowed();
    }
    let Some(vm) = vm else { return Verdict::allowed() };
    match carried(vm, new, policy) {
        Some(needed) => below(key, has, wished, needed, policy),
        // Before the first report any cut may be one too many.
        None => below(key, has, wished, has, policy),
    }
    .unwrap_or_else(|| Verdict {
        warnings: vec![format!(
            "Reef keeps the Pod of VM {key} at the size of its VM and will bring it back; change spec.instance of the VirtualMachine instead"
        )],
        ..Verdict::default()
    })
}

/// What the Pod has to carry: all that the VM may hold, and its VMM.
fn carried(vm: &VirtualMachine, pod: &Pod, policy: &EffectivePolicy) -> Option<PodSize> {
    let held = vm.status.as_ref()?.held_in(pod.metadata.uid.as_deref()?)?;
    Some(PodSize::carrying(held, policy.overhead, policy.overcommit))
}

/// A cut is refused; a Pod that is too small already may grow by less than it lacks.
fn below(key: &VmKey, has: PodSize, wished: PodSize, needed: PodSize, policy: &EffectivePolicy) -> Option<Verdict> {
    let container = format!("of container {VMM_CONTAINER}");
    let remedy =
        "change spec.instance of the VirtualMachine, and Reef takes from the guest first and from the Pod after it";
    let mut refused = Vec::new();
    if wished.memory < needed.memory && wished.memory < has.memory {
        refused.push(format!(
            "resources.limits.memory {container} is {}, but VM {key} may hold {} and its VMM needs {}: below {} the kernel kills it; {remedy}",
            wished.memory,
            needed.memory.saturating_sub(policy.overhead),
            policy.overhead,
            needed.memory
        ));
    }
    if wished.cpu_limit < needed.cpu_limit && wished.cpu_limit < has.cpu_limit {
        refused.push(format!(
            "resources.limits.cpu {container} is {}, but VM {key} may have vCPUs for {}: they would wait for one another; {remedy}",
            wished.cpu_limit, needed.cpu_limit
        ));
    }
    (!refused.is_empty()).then_some(Verdict { refused, warnings: Vec::new() })
}

fn size(pod: &Pod) -> Option<PodSize> {
    let containers = &pod.spec.as_ref()?.containers;
    let container: &Container = containers.iter().find(|container| container.name == VMM_CONTAINER)?;
    filled::size_of(container.resources.as_ref()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(cpu: &str, memory: &str) -> Pod {
        let resources = json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}});
        serde_json::from_value(json!({
            "metadata": {"name": "web-1-x", "namespace": "vms", "uid": "p"},
            "spec": {"containers": [{"name": "other"}, {"name": VMM_CONTAINER, "resources": resources}]},
        }))
        .unwrap()
    }

    /// Asked for 2Gi, still has 3Gi, and was just granted 4 vCPUs.
    fn vm(pod_uid: &str) -> VirtualMachine {
        let size = json!({"vcpus": 2, "memory": "2Gi"});
        let status: Value = json!({
            "resize": {"podUID": "p", "generation": 1, "target": size, "aim": size, "grant": {"podUID": "p", "seq": 3, "vcpus": 4, "memory": "2Gi"}},
            "vmm": {
                "podUID": pod_uid, "process": {"pid": 1, "startTime": 1}, "ackSeq": 2,
                "vcpusRequested": 2, "vcpusPresent": 2, "memoryRequested": "2Gi", "memoryActual": "3Gi",
                "boot": {"minVcpus": 1, "maxVcpus": 8, "minMemory": "1Gi", "maxMemory": "16Gi"},
            },
        });
        VirtualMachine { status: serde_json::from_value(status).unwrap(), ..VirtualMachine::default() }
    }

    fn asked(vm: Option<&VirtualMachine>, old: (&str, &str), new: (&str, &str)) -> Verdict {
        let key = VmKey::new("vms", "web-1");
        pod_resize(&key, &pod(old.0, old.1), &pod(new.0, new.1), vm, &EffectivePolicy::default())
    }

    #[test]
    fn less_than_the_vm_may_hold_is_refused_with_the_numbers() {
        let verdict = asked(Some(&vm("p")), ("4", "4352Mi"), ("4", "3Gi"));
        assert_eq!(
            verdict.refused,
            [
                "resources.limits.memory of container vm-manager is 3Gi, but VM vms/web-1 may hold 3Gi and its VMM needs 256Mi: \
below 3328Mi the kernel kills it; change spec.instance of the VirtualMachine, and Reef takes from the guest first and from the Pod after it"
            ]
        );
        let verdict = asked(Some(&vm("p")), ("4", "4352Mi"), ("2", "4352Mi"));
        assert!(verdict.refused.first().is_some_and(|why| why.contains("may have vCPUs for 4")), "{verdict:?}");
    }

    #[test]
    fn what_still_carries_the_vm_is_allowed_with_a_word() {
        for new in [("4", "3328Mi"), ("8", "8Gi")] {
            let verdict = asked(Some(&vm("p")), ("4", "4352Mi"), new);
            assert_eq!((verdict.refused.len(), verdict.warnings.len()), (0, 1), "{verdict:?}");
        }
    }

    #[test]
    fn a_pod_that_is_too_small_may_grow_and_not_shrink() {
        assert_eq!(asked(Some(&vm("p")), ("4", "1Gi"), ("4", "2Gi")).refused.len(), 0);
        assert_eq!(asked(Some(&vm("p")), ("4", "2Gi"), ("4", "1Gi")).refused.len(), 1);
    }

    #[test]
    fn before_a_report_about_this_pod_nothing_is_cut() {
        assert_eq!(asked(Some(&vm("older")), ("4", "4352Mi"), ("4", "4351Mi")).refused.len(), 1);
        assert_eq!(asked(Some(&vm("older")), ("4", "4352Mi"), ("4", "5Gi")).refused.len(), 0);
    }

    #[test]
    fn a_pod_without_a_vm_is_nobodys() {
        assert_eq!(asked(None, ("4", "4352Mi"), ("1", "1Gi")), Verdict::allowed());
        assert_eq!(asked(Some(&vm("p")), ("4", "4352Mi"), ("4", "4352Mi")), Verdict::allowed());
    }
}
