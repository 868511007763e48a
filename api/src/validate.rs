//! Validation of a VirtualMachine: where a spec becomes a `Vm`, or a list of everything that is wrong with it. What a policy allows is not asked here.
//!
//! Used by the plan, the controller and admission alike. All violations are reported at once; each names path, limit, value found and remedy.

use crate::devices::devices;
use crate::dns::dns1123_label;
use crate::effective::{Vm, defaulted};
use crate::policy::EffectivePolicy;
use crate::units::{Bytes, MEMORY_BLOCK};
use crate::vm::{Cpu, VirtualMachine};
use std::fmt;

/// One thing that is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, as `spec.instance.memory.size`.
    pub path: &'static str,
    /// The value found.
    pub found: String,
    /// The limit that it breaks.
    pub limit: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, but {}; {}", self.path, self.found, self.limit, self.remedy)
    }
}

const SIZE: &str = "spec.instance.memory.size";
const VCPUS: &str = "spec.instance.cpu";

/// Checks a VM against the rules of the API and of the VMM. The policy fills in what the spec leaves open.
///
/// # Errors
/// Every violation, in the order of the fields.
pub fn validate(raw: &VirtualMachine, policy: &EffectivePolicy) -> Result<Vm, Vec<Violation>> {
    let vm = defaulted(raw, policy);
    let mut found = Vec::new();
    check_name(&vm, &mut found);
    check_counts(raw.spec.instance.cpu.as_ref(), &mut found);
    check_memory(&vm, &mut found);
    check_layout(&vm, &mut found);
    check_supported(raw, &mut found);
    found.extend(devices(&raw.spec).1);
    check_resources(&vm, &mut found);
    if found.is_empty() { Ok(vm) } else { Err(found) }
}

/// A violation from its parts.
pub fn violation(
    path: &'static str,
    found: impl fmt::Display,
    limit: impl Into<String>,
    remedy: impl Into<String>,
) -> Violation {
    Violation { path, found: found.to_string(), limit: limit.into(), remedy: remedy.into() }
}

fn check_name(vm: &Vm, found: &mut Vec<Violation>) {
    if let Err(error) = dns1123_label(&vm.key.name) {
        found.push(violation(
            "metadata.name",
            format!("{:?}", vm.key.name),
            format!("a VM's name is a DNS label ({error})"),
            "rename the VM",
        ));
    }
}

fn check_counts(cpu: Option<&Cpu>, found: &mut Vec<Violation>) {
    let Some(cpu) = cpu else { return };
    for (path, value) in [
        ("spec.instance.cpu.sockets", cpu.sockets),
        ("spec.instance.cpu.coresPerSocket", cpu.cores_per_socket),
        ("spec.instance.cpu.min", cpu.min),
        ("spec.instance.cpu.max", cpu.max),
    ] {
        if let Some(value) = value.filter(|value| *value < 1) {
            found.push(violation(path, value, "the least is 1", "state a positive count"));
        }
    }
}

fn check_memory(vm: &Vm, found: &mut Vec<Violation>) {
    let fields = [
        (SIZE, vm.size.memory),
        ("spec.instance.memory.min", vm.floor.memory),
        ("spec.instance.memory.max", vm.ceiling.memory),
    ];
    for (path, value) in fields {
        if value.0 == 0 {
            found.push(violation(path, value, format!("the least is {MEMORY_BLOCK}"), "state a size such as 2Gi"));
        } else if value.0 % MEMORY_BLOCK.0 != 0 && (path == SIZE || value != vm.size.memory) {
            let below = Bytes(value.0 - value.0 % MEMORY_BLOCK.0);
            let above = below.saturating_add(MEMORY_BLOCK);
            let nearest = if below.0 == 0 { above.to_string() } else { format!("{below} or {above}") };
            found.push(violation(
                path,
                value,
                format!("guests plug memory in blocks of {MEMORY_BLOCK}"),
                format!("state {nearest}"),
            ));
        }
    }
}

fn check_layout(vm: &Vm, found: &mut Vec<Violation>) {
    let (size, floor, ceiling) = (vm.size, vm.floor, vm.ceiling);
    if size.vcpus < floor.vcpus {
        found.push(below(VCPUS, size.vcpus, "spec.instance.cpu.min", floor.vcpus));
    }
    if size.vcpus > ceiling.vcpus {
        found.push(above(VCPUS, size.vcpus, "spec.instance.cpu.max", ceiling.vcpus));
    }
    if size.memory < floor.memory {
        found.push(below(SIZE, size.memory, "spec.instance.memory.min", floor.memory));
    }
    if size.memory > ceiling.memory {
        found.push(above(SIZE, size.memory, "spec.instance.memory.max", ceiling.memory));
    }
}

fn below(path: &'static str, value: impl fmt::Display, field: &str, limit: impl fmt::Display) -> Violation {
    violation(path, value, format!("{field} is {limit}"), format!("ask for at least {limit}, or lower {field}"))
}

fn above(path: &'static str, value: impl fmt::Display, field: &str, limit: impl fmt::Display) -> Violation {
    violation(path, value, format!("{field} is {limit}"), format!("ask for at most {limit}, or raise {field}"))
}

fn check_supported(raw: &VirtualMachine, found: &mut Vec<Violation>) {
    if raw.spec.instance.memory.as_ref().is_some_and(|memory| memory.hugepages.is_some()) {
        found.push(violation(
            "spec.instance.memory.hugepages",
            "set",
            "Kubernetes cannot resize huge pages in place",
            "leave hugepages out",
        ));
    }
}

fn check_resources(vm: &Vm, found: &mut Vec<Violation>) {
    let Some(stated) = vm.stated else { return };
    let needed = crate::size::PodSize::carrying(vm.size, vm.overhead, vm.overcommit);
    if !stated.covers(needed) {
        found.push(violation(
            "spec.resources",
            stated,
            format!("the VM needs {needed} (its size and {} for the VMM)", vm.overhead),
            "raise spec.resources, or leave it out and let Reef compute it",
        ));
    }
}
