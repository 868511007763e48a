//! The effective VM: a spec with everything that it leaves open filled in.
//!
//! Filling in only. Values are taken as they come, so a `Vm` that did not pass `validate` may carry a size that nobody can have.

use crate::devices::{Devices, devices};
use crate::filled;
use crate::names::VmKey;
use crate::policy::{EffectivePolicy, Meanwhile, PartialSize, ShrinkGate};
use crate::size::{PodSize, Size};
use crate::units::{Bytes, Lease, Overcommit, Vcpus};
use crate::vm::{Cpu, Memory, RunPolicy, VirtualMachine, VmmKind};

/// Guest memory where a spec names none.
pub const DEFAULT_MEMORY: Bytes = Bytes(1024 * 1024 * 1024);
/// Ceiling of vCPUs where nothing names one: this many times the size, as ch-vmm does.
pub const CEILING_VCPUS_FACTOR: u32 = 2;
/// Ceiling of memory where nothing names one: this many times the size, as ch-vmm does.
pub const CEILING_MEMORY_FACTOR: u64 = 5;

/// A VM as Reef handles it: nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vm {
    /// Namespace and name.
    pub key: VmKey,
    /// What the spec asks for.
    pub size: Size,
    /// Smallest size that it can be shrunk to while it runs, if it boots now.
    pub floor: Size,
    /// Largest size that it can grow to while it runs, if it boots now.
    pub ceiling: Size,
    /// The VMM that runs it.
    pub vmm: VmmKind,
    /// When it runs.
    pub run_policy: RunPolicy,
    /// What the VMM needs beside the guest.
    pub overhead: Bytes,
    /// vCPUs for each CPU that the Pod requests.
    pub overcommit: Overcommit,
    /// What a step of a shrink has to pass.
    pub shrink_gate: ShrinkGate,
    /// How long a wish without room stands.
    pub lease: Lease,
    /// What it gets while it waits for room.
    pub meanwhile: Meanwhile,
    /// Pod size that a person states; larger than what size and overhead need, or the same.
    pub stated: Option<PodSize>,
    /// What it boots from.
    pub devices: Devices,
}

impl Vm {
    /// The Pod size that carries `size`; never below what a person states.
    pub fn pod_size(&self, size: Size) -> PodSize {
        let needed = PodSize::carrying(size, self.overhead, self.overcommit);
        self.stated.map_or(needed, |stated| stated.max(needed))
    }
}

/// Fills in what a spec leaves open, by policy and by the defaults of this file.
pub fn defaulted(vm: &VirtualMachine, policy: &EffectivePolicy) -> Vm {
    let instance = &vm.spec.instance;
    let cpu = instance.cpu.clone().unwrap_or_default();
    let memory = instance.memory.clone().unwrap_or_default();
    let size = Size::new(stated_vcpus(&cpu), memory.size.unwrap_or(DEFAULT_MEMORY));
    let vmm = vm.spec.vmm.unwrap_or_default();
    Vm {
        key: VmKey::new(
            vm.metadata.namespace.clone().unwrap_or_default(),
            vm.metadata.name.clone().unwrap_or_default(),
        ),
        size,
        floor: floor(size, &cpu, &memory, policy, vmm),
        ceiling: ceiling(size, &cpu, &memory, policy),
        vmm,
        run_policy: vm.spec.run_policy.unwrap_or_default(),
        overhead: policy.overhead,
        overcommit: policy.overcommit,
        shrink_gate: policy.shrink_gate,
        lease: policy.lease,
        meanwhile: policy.meanwhile,
        stated: filled::stated(vm),
        devices: devices(&vm.spec).0,
    }
}

/// vCPUs of a spec; a count that is not positive becomes 0, a product that does not fit becomes the largest count.
fn stated_vcpus(cpu: &Cpu) -> Vcpus {
    let sockets = u32::try_from(cpu.sockets.unwrap_or(1)).unwrap_or(0);
    let cores = u32::try_from(cpu.cores_per_socket.unwrap_or(1)).unwrap_or(0);
    Vcpus(sockets.saturating_mul(cores))
}

fn count(value: Option<i32>) -> Option<Vcpus> {
    value.map(|value| Vcpus(u32::try_from(value).unwrap_or(0)))
}

/// A guest without virtio-mem loses what lies above the floor, so memory's floor is the size unless somebody says otherwise.
/// Cloud Hypervisor can remove any vCPU but the first; dedicated CPUs and QEMU's boot CPUs cannot be removed.
fn floor(size: Size, cpu: &Cpu, memory: &Memory, policy: &EffectivePolicy, vmm: VmmKind) -> Size {
    let boot = policy.boot.min.unwrap_or_default();
    let removable = vmm == VmmKind::CloudHypervisor && cpu.dedicated_cpu_placement != Some(true);
    let default_vcpus = if removable { Vcpus(1) } else { size.vcpus };
    let vcpus = count(cpu.min).or(boot.vcpus.map(|floor| floor.min(size.vcpus))).unwrap_or(default_vcpus);
    let bytes = memory.min.or(boot.memory.map(|floor| floor.min(size.memory))).unwrap_or(size.memory);
    Size::new(vcpus, bytes)
}

fn ceiling(size: Size, cpu: &Cpu, memory: &Memory, policy: &EffectivePolicy) -> Size {
    let boot = policy.boot.max.unwrap_or_default();
    let bound = policy.bounds.max.unwrap_or_default();
    let twice = Vcpus(size.vcpus.0.saturating_mul(CEILING_VCPUS_FACTOR));
    let fivefold = Bytes(size.memory.0.saturating_mul(CEILING_MEMORY_FACTOR));
    let fallback = within(Size::new(twice, fivefold), bound).max(size);
    let vcpus = if cpu.dedicated_cpu_placement == Some(true) { Some(size.vcpus) } else { count(cpu.max) };
    Size::new(
        vcpus.or(boot.vcpus.map(|ceiling| ceiling.max(size.vcpus))).unwrap_or(fallback.vcpus),
        memory.max.or(boot.memory.map(|ceiling| ceiling.max(size.memory))).unwrap_or(fallback.memory),
    )
}

fn within(size: Size, bound: PartialSize) -> Size {
    Size::new(
        bound.vcpus.map_or(size.vcpus, |most| most.min(size.vcpus)),
        bound.memory.map_or(size.memory, |most| most.min(size.memory)),
    )
}
