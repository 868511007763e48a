//! A small fleet as somebody keeps it in Git, with a policy or without, and who changes it at random: sizes, new VMs, VMs that are stopped and started,
//! and what they ask of nodes.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use reef_api::{Bytes, GIB, MilliCpu, Size, Vcpus};
use reef_sim::node::NodeOptions;
use reef_sim::vmm::HotplugMethod;

/// The largest size that a VM boots to grow to.
const CEILING: u32 = 8;

/// Gives two nodes so many CPUs and GiB, and the second one a little more; labels by which they can be told apart; and in some worlds a VMM that
/// cannot take memory back.
pub fn equipped(nodes: &mut [NodeOptions], cpus: u64, gib: u64, chance: &mut ChaCha8Rng) {
    for (more, node) in (0..).zip(nodes) {
        node.cpu = MilliCpu((cpus + more) * 1000);
        node.memory = Bytes((gib + 2 * more) * GIB.get());
        let pool = if more == 0 { "a" } else { "b" };
        node.labels.insert("pool".to_owned(), pool.to_owned());
        node.labels.insert("rack".to_owned(), (more + 1).to_string());
        if more == 0 {
            node.labels.insert("disk".to_owned(), "ssd".to_owned());
        }
        match chance.random_range(0..4) {
            0 => "v51.0".clone_into(&mut node.vmm_version),
            1 => node.hotplug = HotplugMethod::Acpi,
            _ => {}
        }
    }
}

/// What a VM may ask of nodes, each as the fields of its spec; the last one leaves none.
const ASKED: [&str; 9] = [
    "  nodeSelector:\n    pool: a\n",
    "  nodeSelector:\n    pool: b\n    kubernetes.io/arch: amd64\n",
    "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [\
       {matchExpressions: [{key: pool, operator: In, values: [a, c]}]}]}}}\n",
    "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [\
       {matchExpressions: [{key: pool, operator: NotIn, values: [a]}, {key: rack, operator: Exists}]}]}}}\n",
    "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [\
       {matchExpressions: [{key: disk, operator: DoesNotExist}]}]}}}\n",
    "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [\
       {matchExpressions: [{key: rack, operator: Gt, values: ['1']}]}, {}]}}}\n",
    "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [\
       {matchExpressions: [{key: pool, operator: In, values: [c]}]}, {matchExpressions: [{key: rack, operator: Lt, values: ['9']}]}]}}}\n",
    "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [\
       {matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]}}}\n",
    "  nodeSelector:\n    pool: c\n",
];

/// One of four asks something of nodes.
fn asked(chance: &mut ChaCha8Rng) -> &'static str {
    ASKED.get(chance.random_range(0..ASKED.len() * 4)).copied().unwrap_or_default()
}

/// What a VM's file says.
#[derive(Clone, Copy)]
struct Stated {
    size: Size,
    halted: bool,
    /// What it asks of nodes.
    nodes: &'static str,
}

/// Rules that a world may have, each as the lines of a policy's spec.
const POLICIES: [&str; 8] = [
    "  bounds:\n    max:\n      vcpus: 6\n      memory: 6Gi\n",
    "  step:\n    vcpus: 2\n    memory: 2Gi\n",
    "  memoryPerVcpu:\n    min: 512Mi\n    max: 2Gi\n",
    "  restart: Never\n",
    "  protected: true\n",
    "  budget:\n    namespace:\n      vms: 2\n      memory: 6Gi\n",
    "  budget:\n    node:\n      vms: 1\n      vcpus: 4\n",
    "  rules:\n  - expression: old == null || change.vcpus <= 3 && change.memory <= memory('3Gi')\n    message: small steps\n  \
       - expression: node == null || 2 * new.vcpus <= node.vcpus\n    message: no more than half of a node\n",
];

/// VMs by name, the policy of their namespace, and the chance that changes them.
pub struct Fleet {
    vms: BTreeMap<String, Stated>,
    policy: Option<&'static str>,
    is_ruled: bool,
    chance: ChaCha8Rng,
}

impl Fleet {
    /// Some VMs that fit wherever they are put.
    pub fn new(mut chance: ChaCha8Rng) -> Self {
        let count = chance.random_range(2..=5);
        let small = |chance: &mut ChaCha8Rng| size(chance.random_range(1..=2), chance.random_range(1..=2));
        let vms = (1..=count).map(|number| {
            let (size, nodes) = (small(&mut chance), asked(&mut chance));
            (format!("vm-{number}"), Stated { size, halted: false, nodes })
        });
        let vms = vms.collect();
        // Two of three worlds have one.
        let policy = POLICIES.get(chance.random_range(0..POLICIES.len() * 3 / 2)).copied();
        Self { vms, policy, is_ruled: false, chance }
    }

    /// From now on the policy is part of the repository, if there is one.
    pub fn rule(&mut self) {
        self.is_ruled = true;
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
                10 => vm.nodes = asked(chance),
                _ => {}
            }
        }
        if self.vms.len() < 8 && chance.random_bool(0.25) {
            let size = size(chance.random_range(1..=6), chance.random_range(1..=20));
            let nodes = asked(chance);
            self.vms.insert(format!("vm-{}", self.vms.len() + 1), Stated { size, halted: false, nodes });
        }
    }

    /// The repository.
    pub fn files(&self) -> BTreeMap<String, String> {
        let policy = self.policy.filter(|_| self.is_ruled).map(|rules| {
            let head = "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: rules\nspec:\n";
            ("policy.yaml".to_owned(), format!("{head}{rules}"))
        });
        self.vms.iter().map(|(name, vm)| (format!("{name}.yaml"), manifest(name, *vm))).chain(policy).collect()
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
         memory:\n      size: {}\n      min: 1Gi\n      max: {}\n{}",
        vm.size.vcpus, most.vcpus, vm.size.memory, most.memory, vm.nodes
    )
}
