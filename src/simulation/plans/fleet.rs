//! A small fleet as somebody keeps it in Git, and who changes it at random: sizes, new VMs, VMs that are stopped and started.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use reef_api::{Bytes, GIB, MilliCpu, Size, Vcpus};
use reef_sim::node::NodeOptions;

/// The largest size that a VM boots to grow to.
const CEILING: u32 = 8;

/// Gives two nodes so many CPUs and GiB, and the second one a little more.
pub fn sized(nodes: &mut [NodeOptions], cpus: u64, gib: u64) {
    for (more, node) in (0..).zip(nodes) {
        node.cpu = MilliCpu((cpus + more) * 1000);
        node.memory = Bytes((gib + 2 * more) * GIB.get());
    }
}

/// What a VM's file says.
#[derive(Clone, Copy)]
struct Stated {
    size: Size,
    halted: bool,
}

/// VMs by name, and the chance that changes them.
pub struct Fleet {
    vms: BTreeMap<String, Stated>,
    chance: ChaCha8Rng,
}

impl Fleet {
    /// Some VMs that fit wherever they are put.
    pub fn new(mut chance: ChaCha8Rng) -> Self {
        let count = chance.random_range(2..=5);
        let small = |chance: &mut ChaCha8Rng| size(chance.random_range(1..=2), chance.random_range(1..=2));
        let vms =
            (1..=count).map(|number| (format!("vm-{number}"), Stated { size: small(&mut chance), halted: false }));
        Self { vms: vms.collect(), chance }
    }

    /// Changes some of them.
    pub fn change(&mut self) {
        let chance = &mut self.chance;
        for vm in self.vms.values_mut() {
            match chance.random_range(0..20) {
                0..8 => vm.size = size(chance.random_range(1..=CEILING), chance.random_range(1..=u64::from(CEILING))),
                // Beyond what it boots to grow to.
                8 => vm.size = size(CEILING + chance.random_range(1..=6), vm.size.memory.0 / GIB.get()),
                9 => vm.halted = !vm.halted,
                _ => {}
            }
        }
        if self.vms.len() < 8 && chance.random_bool(0.25) {
            let size = size(chance.random_range(1..=6), chance.random_range(1..=20));
            self.vms.insert(format!("vm-{}", self.vms.len() + 1), Stated { size, halted: false });
        }
    }

    /// The repository.
    pub fn files(&self) -> BTreeMap<String, String> {
        self.vms.iter().map(|(name, vm)| (format!("{name}.yaml"), manifest(name, *vm))).collect()
    }
}

fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(gib.saturating_mul(GIB.get())))
}

fn manifest(name: &str, vm: Stated) -> String {
    let policy = if vm.halted { "Halted" } else { "Always" };
    let most = vm.size.max(size(CEILING, u64::from(CEILING)));
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: {name}\n\
         spec:\n  runPolicy: {policy}\n  instance:\n    cpu:\n      coresPerSocket: {}\n      min: 1\n      max: {}\n    \
         memory:\n      size: {}\n      min: 1Gi\n      max: {}\n",
        vm.size.vcpus, most.vcpus, vm.size.memory, most.memory
    )
}
