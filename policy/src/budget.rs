//! Budgets: what one commit asks for in all, held against what the policy allows, for its VMs together and for those of each node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use reef_api::plan::Rule;
use reef_api::policy::Allowance;
use reef_api::{Bytes, EffectivePolicy, Size, Vcpus};

use crate::change::{Broken, broken};
use crate::sizes::named;

/// What one VM of a commit asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The VM, in any words by which it is told from others.
    pub vm: String,
    /// What it had; nothing for a new one.
    pub before: Option<Size>,
    /// What it is to have.
    pub after: Size,
    /// The node that it runs on.
    pub node: Option<String>,
}

/// What several VMs ask for together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    vms: u32,
    vcpus: Vcpus,
    memory: Bytes,
}

impl Sum {
    fn plus(self, asked: &Asked) -> Self {
        let before = asked.before.unwrap_or(Size::new(Vcpus(0), Bytes(0)));
        Self {
            vms: self.vms.saturating_add(1),
            vcpus: Vcpus(self.vcpus.0.saturating_add(asked.after.vcpus.saturating_sub(before.vcpus).0)),
            memory: self.memory.saturating_add(asked.after.memory.saturating_sub(before.memory)),
        }
    }
}

/// What of a policy's budget is exceeded, by VM. Where the whole of a commit asks for too much, none of its VMs may change; where those of one node do,
/// none of these. What keeps its size asks for nothing.
pub fn over_budget(policy: &EffectivePolicy, asked: &[Asked]) -> BTreeMap<String, Vec<Broken>> {
    let asked: Vec<&Asked> = asked.iter().filter(|asked| asked.before != Some(asked.after)).collect();
    let mut found: BTreeMap<String, Vec<Broken>> = BTreeMap::new();
    let mut hold = |allowance: Option<Allowance>, askers: &[&Asked], place: &str| {
        let sum = askers.iter().fold(Sum::default(), |sum, asked| sum.plus(asked));
        for broken in exceeded(policy, allowance.unwrap_or_default(), sum, place) {
            for asker in askers {
                found.entry(asker.vm.clone()).or_default().push(broken.clone());
            }
        }
    };
    hold(policy.budget.namespace, &asked, "");
    let nodes: BTreeSet<&str> = asked.iter().filter_map(|asked| asked.node.as_deref()).collect();
    for node in nodes {
        let own: Vec<&Asked> = asked.iter().filter(|asked| asked.node.as_deref() == Some(node)).copied().collect();
        hold(policy.budget.node, &own, &format!(" on {node}"));
    }
    found
}

fn exceeded(policy: &EffectivePolicy, allowance: Allowance, sum: Sum, place: &str) -> Vec<Broken> {
    let over = |found: String, most: &dyn fmt::Display| {
        let found = format!("{found}{place}");
        let limit = format!("{} allows {most} for one commit", named(policy));
        let remedy = "split the commit and let one part settle before the next, or have the budget raised";
        broken(Rule::Budget, "spec.instance", found, limit, remedy)
    };
    let vms = allowance.vms.filter(|most| sum.vms > *most);
    let vcpus = allowance.vcpus.filter(|most| sum.vcpus > *most);
    let memory = allowance.memory.filter(|most| sum.memory > *most);
    let found = [
        vms.map(|most| over(format!("one of {} VMs that the commit changes", sum.vms), &most)),
        vcpus.map(|most| over(format!("part of {} vCPUs that the commit adds", sum.vcpus), &most)),
        memory.map(|most| over(format!("part of {} that the commit adds", sum.memory), &most)),
    ];
    found.into_iter().flatten().collect()
}
