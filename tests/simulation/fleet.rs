//! A fleet of VMs as somebody keeps it in Git, and who changes it at random.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef_api::{Size, Vcpus};
use std::collections::BTreeMap;
use std::time::Duration;

/// Sizes by name, and the chance that changes them.
pub struct Fleet {
    sizes: BTreeMap<String, Size>,
    chance: ChaCha8Rng,
}

impl Fleet {
    /// So many VMs of two vCPUs and 2Gi.
    pub fn new(seed: u64, count: usize) -> Self {
        let size = size(2, 2);
        let sizes = (1..=count).map(|number| (format!("web-{number}"), size)).collect();
        Self { sizes, chance: ChaCha8Rng::seed_from_u64(seed ^ 0xf1ee7) }
    }

    /// Gives some of the VMs other sizes.
    pub fn change(&mut self) {
        for size_of in self.sizes.values_mut() {
            if self.chance.random_bool(0.5) {
                *size_of = size(self.chance.random_range(1..=4), self.chance.random_range(1..=4));
            }
        }
    }

    /// How long the person waits before the next push: sometimes less than a resize takes.
    pub fn pause(&mut self) -> Duration {
        Duration::from_millis(self.chance.random_range(10..20_000))
    }

    /// What every VM should have.
    pub fn sizes(&self) -> BTreeMap<String, Size> {
        self.sizes.clone()
    }

    /// The repository.
    pub fn files(&self) -> BTreeMap<String, String> {
        self.sizes.iter().map(|(name, size)| (format!("{name}.yaml"), manifest(name, *size))).collect()
    }
}

/// A size in whole GiB.
pub fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), reef_api::Bytes::from_gib(gib).unwrap())
}

/// A manifest of a VM between 1 vCPU, 1Gi and 8 vCPUs, 8Gi.
pub fn manifest(name: &str, size: Size) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\n\
         kind: VirtualMachine\n\
         metadata:\n  name: {name}\n\
         spec:\n  runPolicy: Always\n  instance:\n    cpu:\n      coresPerSocket: {}\n      min: 1\n      max: 8\n    \
         memory:\n      size: {}\n      min: 1Gi\n      max: 8Gi\n",
        size.vcpus, size.memory
    )
}
