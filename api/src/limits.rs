//! Who decides a VM's floor and ceiling: its own spec, its policy, or the defaults of `effective`. The values are there.

use crate::policy::EffectivePolicy;
use crate::vm::VirtualMachine;
use serde::{Deserialize, Serialize};

/// Who decides one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecidedBy {
    /// The VM's own spec.
    Spec,
    /// The SizingPolicy.
    Policy,
    /// Neither says anything.
    Default,
}

/// Who decides each end of what a VM can be resized between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitsDecidedBy {
    /// Fewest vCPUs.
    pub min_vcpus: DecidedBy,
    /// Most vCPUs.
    pub max_vcpus: DecidedBy,
    /// Least memory.
    pub min_memory: DecidedBy,
    /// Most memory.
    pub max_memory: DecidedBy,
}

impl LimitsDecidedBy {
    /// Looks at the same fields, in the same order, as filling in does.
    pub fn of(vm: &VirtualMachine, policy: &EffectivePolicy) -> Self {
        let cpu = vm.spec.instance.cpu.clone().unwrap_or_default();
        let memory = vm.spec.instance.memory.clone().unwrap_or_default();
        let (min, max) = (policy.boot.min.unwrap_or_default(), policy.boot.max.unwrap_or_default());
        let dedicated = cpu.dedicated_cpu_placement == Some(true);
        Self {
            min_vcpus: first(cpu.min.is_some(), min.vcpus.is_some()),
            max_vcpus: first(cpu.max.is_some() || dedicated, max.vcpus.is_some()),
            min_memory: first(memory.min.is_some(), min.memory.is_some()),
            max_memory: first(memory.max.is_some(), max.memory.is_some()),
        }
    }
}

const fn first(spec: bool, policy: bool) -> DecidedBy {
    match (spec, policy) {
        (true, _) => DecidedBy::Spec,
        (false, true) => DecidedBy::Policy,
        (false, false) => DecidedBy::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{PartialSize, Range};
    use crate::units::{Bytes, Vcpus};
    use crate::vm::{Cpu, Memory};

    #[test]
    fn the_spec_is_asked_first_then_the_policy() {
        let mut vm = VirtualMachine::new("web-1", crate::VirtualMachineSpec::default());
        vm.spec.instance.cpu = Some(Cpu { min: Some(1), ..Cpu::default() });
        vm.spec.instance.memory = Some(Memory { max: Some(Bytes(1)), ..Memory::default() });
        let all = Some(PartialSize { vcpus: Some(Vcpus(1)), memory: None });
        let policy = EffectivePolicy { boot: Range { min: all, max: all }, ..EffectivePolicy::default() };
        let decided = LimitsDecidedBy {
            min_vcpus: DecidedBy::Spec,
            max_vcpus: DecidedBy::Policy,
            min_memory: DecidedBy::Default,
            max_memory: DecidedBy::Spec,
        };
        assert_eq!(LimitsDecidedBy::of(&vm, &policy), decided);
    }
}
