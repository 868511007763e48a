//! What runs are made of: requests by role and kind, writes by resource, and what there was in the end.

use std::collections::BTreeMap;

use reef::simulation::{Call, World};
use reef_api::VirtualMachine;
use reef_sim::store::{Change, ResourceId};

/// Counts by name. They add up over runs.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// What one world has come to.
    pub fn of(world: &World) -> Self {
        let mut counts = Self::default();
        for call in world.faults.calls() {
            let role = if call.role == "controller" { "controller" } else { "daemons" };
            counts.one(format!("request: {role} {} {}", call.method, kind(&call)));
        }
        counts.some("writes in all".to_owned(), world.cluster.store().version());
        let vms = world.vms();
        counts.some("VMs in the end".to_owned(), vms.len() as u64);
        let settled = vms.values().filter(|vm| VirtualMachine::is_settled(vm)).count();
        counts.some("VMs settled in the end".to_owned(), settled as u64);
        counts
    }

    /// Counts a write.
    pub fn write(&mut self, change: &Change) {
        let ResourceId { plural, .. } = &change.key.resource;
        self.one(format!("write: {plural} {:?}", change.kind));
    }

    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        others.0.iter().for_each(|(name, count)| self.some(name.clone(), *count));
    }

    /// The mean of each over so many runs.
    pub fn table(&self, runs: f64) -> String {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let line = |(name, count): (&String, &u64)| format!("{:>12.1}  {name}\n", *count as f64 / runs);
        self.0.iter().map(line).collect()
    }

    fn one(&mut self, name: String) {
        self.some(name, 1);
    }

    fn some(&mut self, name: String, count: u64) {
        *self.0.entry(name).or_default() += count;
    }
}

/// What a request is about: the resource, and the part of it.
fn kind(call: &Call) -> String {
    const NAMES: [&str; 7] = ["virtualmachines", "pods", "nodes", "events", "gitsources", "sizingpolicies", "secrets"];
    let mut parts = call.path.split('/');
    let name = parts.find(|part| NAMES.contains(part)).unwrap_or("other");
    let part = parts.nth(1).map(|part| format!("/{part}")).unwrap_or_default();
    format!("{name}{part}")
}
