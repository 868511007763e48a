//! `spec.resources` as a webhook fills it in, and how it is told from what a person states.
//!
//! The annotation holds the very values that were filled in. Where the spec has others, a person has changed them, and they are stated.

use crate::names::FILLED_RESOURCES_ANNOTATION;
use crate::size::PodSize;
use crate::units::{Bytes, MilliCpu};
use crate::vm::VirtualMachine;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as RawQuantity;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Resources of a container of this size.
pub fn requirements(size: PodSize) -> ResourceRequirements {
    let of = |cpu: MilliCpu| {
        let pairs = [("cpu", cpu.to_string()), ("memory", size.memory.to_string())];
        Some(pairs.into_iter().map(|(name, value)| (name.to_owned(), RawQuantity(value))).collect())
    };
    ResourceRequirements { requests: of(size.cpu_request), limits: of(size.cpu_limit), claims: None }
}

/// What the annotation says of values that were filled in.
pub fn mark(size: PodSize) -> String {
    size.to_string()
}

/// The Pod size of `spec.resources`, whoever wrote it.
pub fn written(vm: &VirtualMachine) -> Option<PodSize> {
    size_of(vm.spec.resources.as_ref()?)
}

/// The size of a container with these resources. A value that is absent or cannot be read counts as zero; nothing where both are.
pub fn size_of(resources: &ResourceRequirements) -> Option<PodSize> {
    let (limits, requests) = (resources.limits.as_ref(), resources.requests.as_ref());
    let cpu_limit: Option<MilliCpu> = read(limits, "cpu").or(read(requests, "cpu"));
    let memory: Option<Bytes> = read(limits, "memory").or(read(requests, "memory"));
    if cpu_limit.is_none() && memory.is_none() {
        return None;
    }
    let cpu_limit = cpu_limit.unwrap_or(MilliCpu(0));
    let cpu_request = read(requests, "cpu").unwrap_or(cpu_limit);
    Some(PodSize { cpu_request, cpu_limit, memory: memory.unwrap_or(Bytes(0)) })
}

/// Whether `spec.resources` is as a webhook left it.
pub fn is_filled(vm: &VirtualMachine) -> bool {
    let mark_of = |found: &BTreeMap<String, String>| found.get(FILLED_RESOURCES_ANNOTATION).cloned();
    let marked = vm.metadata.annotations.as_ref().and_then(mark_of);
    marked.is_some() && marked == written(vm).map(mark) && vm.spec.resources.as_ref().is_some_and(has_sizes_alone)
}

/// Whether nothing else than CPU and memory is asked for.
fn has_sizes_alone(resources: &ResourceRequirements) -> bool {
    let names = |quantities: &Option<BTreeMap<String, RawQuantity>>| {
        quantities.iter().flatten().all(|(name, _)| name == "cpu" || name == "memory")
    };
    names(&resources.limits) && names(&resources.requests) && resources.claims.is_none()
}

/// The Pod size that a person states.
pub fn stated(vm: &VirtualMachine) -> Option<PodSize> {
    if is_filled(vm) { None } else { written(vm) }
}

/// One value of requests or limits, where it is there and can be read.
fn read<T: FromStr>(quantities: Option<&BTreeMap<String, RawQuantity>>, name: &str) -> Option<T> {
    quantities?.get(name)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Size;
    use crate::units::{GIB, Overcommit, Vcpus};

    fn filled(size: PodSize) -> VirtualMachine {
        let mut vm = VirtualMachine::default();
        vm.spec.resources = Some(requirements(size));
        vm.metadata.annotations = Some(BTreeMap::from([(FILLED_RESOURCES_ANNOTATION.to_owned(), mark(size))]));
        vm
    }

    #[test]
    fn what_was_filled_in_is_not_stated_until_somebody_changes_it() {
        let half = Overcommit::from_str("1.5").unwrap();
        for overcommit in [Overcommit::NONE, half] {
            let size = PodSize::carrying(Size::new(Vcpus(3), GIB), Bytes(GIB.0 / 4), overcommit);
            let mut vm = filled(size);
            assert_eq!((written(&vm), stated(&vm)), (Some(size), None));
            let limits = vm.spec.resources.as_mut().and_then(|resources| resources.limits.as_mut()).unwrap();
            limits.insert("memory".to_owned(), RawQuantity("9Gi".to_owned()));
            assert_eq!(stated(&vm).map(|stated| stated.memory), Some(Bytes(9 * GIB.0)));
        }
    }

    #[test]
    fn the_same_value_in_other_words_is_the_same() {
        let mut vm = filled(PodSize::carrying(Size::new(Vcpus(2), GIB), Bytes(0), Overcommit::NONE));
        let limits = vm.spec.resources.as_mut().and_then(|resources| resources.limits.as_mut()).unwrap();
        limits.insert("memory".to_owned(), RawQuantity("1024Mi".to_owned()));
        limits.insert("cpu".to_owned(), RawQuantity("2000m".to_owned()));
        assert!(is_filled(&vm));
    }
}
