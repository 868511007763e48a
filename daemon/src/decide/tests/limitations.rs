//! What a report tells beforehand of a VMM's limitations is what the decision then refuses.

use super::super::report::{Identity, report};
use super::super::*;
use super::{grant, step, taken};
use reef_api::Reason;
use reef_api::vm::{Limitation, Process, VmmStatus};

fn told(observed: &VmmObserved, step: &VmmStep) -> VmmStatus {
    let identity = Identity { pod_uid: "pod-1".to_owned(), process: Process { pid: 7, start_time: 9 } };
    report(&identity, "v53.0", observed, step)
}

#[test]
fn a_size_that_a_report_does_not_allow_is_one_that_needs_a_restart_and_no_other() {
    let vcpu_devices = [VcpuDevice::Counted, VcpuDevice::Slots, VcpuDevice::SpentSlots];
    let memory_devices =
        [MemoryDevice::VirtioMem, MemoryDevice::VirtioMemEcho, MemoryDevice::Acpi, MemoryDevice::Fixed];
    for (vcpu_device, memory_device) in
        vcpu_devices.iter().flat_map(|vcpu| memory_devices.map(|memory| (*vcpu, memory)))
    {
        for (vcpus, gib) in (1..=9).flat_map(|vcpus| (0..=9).map(move |gib| (vcpus, gib))) {
            let granted = grant(5, vcpus, gib);
            let observed = VmmObserved { vcpu_device, memory_device, ..taken(&granted) };
            let step = step(&granted, &observed);
            let waits = [&step.waiting_on.memory, &step.waiting_on.vcpus];
            let refused = waits.into_iter().flatten().filter_map(Wait::reported);
            let restart = refused.into_iter().any(|waiting| waiting.reason == Reason::RestartRequired);
            let allowed = told(&observed, &step).allows(granted.size());
            assert_eq!(allowed, !restart, "{vcpu_device:?} {memory_device:?} {vcpus} vCPU {gib}Gi");
        }
    }
}

#[test]
fn a_vm_that_can_do_everything_reports_no_limitation() {
    let here = grant(5, 2, 2);
    let limitations = |observed: &VmmObserved| told(observed, &step(&here, observed)).limitations;
    assert_eq!(limitations(&taken(&here)), []);
    let odd =
        VmmObserved { vcpu_device: VcpuDevice::SpentSlots, memory_device: MemoryDevice::VirtioMemEcho, ..taken(&here) };
    assert_eq!(limitations(&odd), [Limitation::VcpusOnlyShrink, Limitation::MemoryEndUnseen]);
}
