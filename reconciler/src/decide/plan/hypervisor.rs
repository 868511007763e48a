//! What of a VM's hypervisor, its version or what it booted with keeps a size from the VM while it runs, and what would help.
//!
//! By the daemon's own report: it decides by the same facts, so what it reports as a limitation it will not do.

use reef_api::facts::VmmFacts;
use reef_api::plan::{Finding, Rule};
use reef_api::vm::{BootStatus, Limitation, VmmKind};
use reef_api::{Bytes, Size, Vcpus};

/// Why a size needs a restart, the VMM's own reasons first; nothing where it can be reached while the VM runs.
pub(super) fn obstacles(vmm: &VmmFacts, size: Size) -> Vec<Finding> {
    let vcpus = of_vcpus(vmm, size.vcpus);
    let memory = of_memory(vmm, size);
    // What the VMM's own reason explains is not told again as a matter of the layout.
    let rest = Size::new(
        if vcpus.is_some() { vmm.actual.vcpus } else { size.vcpus },
        if memory.is_some() { vmm.actual.memory } else { size.memory },
    );
    let layout = (!vmm.boot.allows(rest)).then(|| beyond(vmm.boot, size, "it booted with"));
    vcpus.into_iter().chain(memory).chain(layout).collect()
}

/// That a size lies outside of what the VM booted with.
pub(super) fn beyond(boot: BootStatus, size: Size, how: &str) -> Finding {
    let limit = format!("{} to {} vCPU and {} to {}", boot.min_vcpus, boot.max_vcpus, boot.min_memory, boot.max_memory);
    Finding::says(Rule::BootLayout, format!("{how} {limit}"))
        .against(limit, size.to_string())
        .remedied("start it anew when it suits, or ask for a size within these limits")
}

fn of_vcpus(vmm: &VmmFacts, vcpus: Vcpus) -> Option<Finding> {
    let (least, has) = (vmm.boot.min_vcpus, vmm.actual.vcpus);
    if kind(vmm) == VmmKind::Qemu && vcpus < least {
        let message = format!("{} cannot remove the {least} vCPU that the VM booted with", name(vmm));
        let remedy = format!(
            "start it anew when it suits, with spec.instance.cpu.min {vcpus} if it is to shrink so far while it runs, or ask for at \
             least {least}"
        );
        return Some(
            of("spec.instance.cpu", message).against(format!("at least {least}"), vcpus.to_string()).remedied(remedy),
        );
    }
    if vcpus > has && vmm.limitations.contains(&Limitation::VcpusOnlyShrink) {
        let message = format!(
            "a vCPU was removed from this VM, which {} emulates without KVM, and it ends when one is added after that",
            name(vmm)
        );
        let remedy = format!("start it anew when it suits, or ask for at most {has}");
        return Some(
            of("spec.instance.cpu", message).against(format!("at most {has}"), vcpus.to_string()).remedied(remedy),
        );
    }
    None
}

fn of_memory(vmm: &VmmFacts, size: Size) -> Option<Finding> {
    let has = vmm.actual;
    let stands = |limitation: &&Limitation| match limitation {
        Limitation::VcpusOnlyShrink => false,
        Limitation::MemoryByAcpi | Limitation::MemoryEndUnseen | Limitation::MemoryFixed => {
            !limitation.allows(has, size)
        }
    };
    let (message, limit, remedy) = match vmm.limitations.iter().find(stands)? {
        Limitation::VcpusOnlyShrink => return None,
        Limitation::MemoryByAcpi => (
            format!("{} has added its memory by ACPI, which never really gives it back", name(vmm)),
            format!("at least {}", has.memory),
            or_at_least("start it anew when it suits, with virtio-mem if it is to shrink while it runs", has.memory),
        ),
        Limitation::MemoryEndUnseen => (
            format!("{} tells requested memory as plugged, so that the end of a shrink could not be seen", name(vmm)),
            format!("at least {}", has.memory),
            or_at_least("update Cloud Hypervisor to v52 or later and start it anew", has.memory),
        ),
        Limitation::MemoryFixed => (
            format!("{} booted it without memory that can be added or removed", name(vmm)),
            has.memory.to_string(),
            "start it anew when it suits, with spec.instance.memory.min and max apart if it is to be resized while it runs"
                .to_owned(),
        ),
    };
    Some(of("spec.instance.memory.size", message).against(limit, size.memory.to_string()).remedied(remedy))
}

fn of(path: &str, message: String) -> Finding {
    Finding { path: Some(path.to_owned()), ..Finding::says(Rule::Hypervisor, message) }
}

fn or_at_least(first: &str, memory: Bytes) -> String {
    format!("{first}, or ask for at least {memory}")
}

/// What runs, by its own word; the spec may name another one for the next start.
fn kind(vmm: &VmmFacts) -> VmmKind {
    match vmm.version.as_deref() {
        Some(version) if version.starts_with(QEMU) => VmmKind::Qemu,
        Some(_) => VmmKind::CloudHypervisor,
        None => vmm.kind,
    }
}

/// Name and version, as far as it tells one: QEMU's daemon puts the name before it.
fn name(vmm: &VmmFacts) -> String {
    let version = vmm.version.as_deref().unwrap_or_default();
    match kind(vmm) {
        VmmKind::Qemu if version.is_empty() => QEMU.to_owned(),
        VmmKind::Qemu => version.to_owned(),
        VmmKind::CloudHypervisor => format!("Cloud Hypervisor {version}").trim_end().to_owned(),
    }
}

/// How the version of a QEMU begins.
const QEMU: &str = "QEMU";
