//! The change between a VM as the cluster has it and as it is to be, for whoever has both objects: the controller and admission.

use std::collections::BTreeMap;

use reef_api::vm::RunPolicy;
use reef_api::{EffectivePolicy, Size, VirtualMachine, Vm, defaulted};

use crate::change::{Before, Change, Host};

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

impl<'a> Change<'a> {
    /// What becomes of a VM. `raw` is the object that `vm` was made of; `live` is what the cluster has, nothing for a new one.
    ///
    /// A restart is needed only where the VM runs by what its daemon told: who knows that it does not run says so.
    pub fn between(live: Option<&VirtualMachine>, vm: &'a Vm, raw: &'a VirtualMachine, host: Host<'a>) -> Self {
        let report = live.and_then(|live| live.status.as_ref()?.vmm.as_ref());
        Self {
            before: live.map_or(Before::New, |live| Before::Had(accepted(live))),
            after: vm,
            labels: raw.metadata.labels.as_ref().unwrap_or(&NO_LABELS),
            stops: live.is_some_and(runs) && vm.run_policy == RunPolicy::Halted,
            restart: host != Host::None && report.is_some_and(|report| !report.allows(vm.size)),
            host,
        }
    }
}

fn runs(vm: &VirtualMachine) -> bool {
    vm.spec.run_policy.unwrap_or_default() != RunPolicy::Halted
}

/// The size that a VM of the cluster was promised last, or what its spec asks for where it has never run.
pub fn accepted(live: &VirtualMachine) -> Size {
    let promised = live.status.as_ref().and_then(|status| status.resize.as_ref()).map(|resize| resize.target);
    promised.unwrap_or_else(|| defaulted(live, &EffectivePolicy::default()).size)
}
