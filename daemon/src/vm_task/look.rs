//! Looking: what the node and the VMM show, put together into one value.
//!
//! Reads only. What cannot be seen is an error here, and what to do about it is decided elsewhere.

use super::VmTask;
use super::incarnation::Incarnation;
use crate::decide::VmmObserved;
use crate::decide::classify::RefusalKind;
use crate::decide::report::Identity;
use crate::decide::used::used;
use crate::host::{HostError, HostObserved};
use crate::vmm::{CloudHypervisor, CountedVmm, Peer, Qemu, Vmm, VmmError, VmmReport};
use reef_api::vm::Grant;
use reef_api::{Bytes, Size, Vcpus, VmmKind};

/// Why there was nothing to see.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The node does not show the VMM.
    #[error("the node does not show the VMM")]
    Host(#[from] HostError),
    /// The VMM does not answer.
    #[error("the VMM does not answer")]
    Vmm(#[from] VmmError),
}

impl Trouble {
    pub(super) const fn category(&self) -> &'static str {
        match self {
            Self::Host(error) => error.category(),
            Self::Vmm(error) => error.category(),
        }
    }
}

/// What was seen, and of which version of the VMM.
pub(super) struct Seen {
    pub(super) observed: VmmObserved,
    pub(super) version: String,
}

impl VmTask {
    /// Looks once. The VMM is asked after the host, so that its answer is about the process that the host showed.
    pub(super) async fn look(&mut self) -> Result<Seen, Trouble> {
        let now = self.now();
        let shown = self.shared.host.observe(&self.pod)?;
        self.incarnate(&shown)?;
        let Some(incarnation) = self.incarnation.as_mut() else {
            return Err(HostError::ProcessChanged { pid: shown.process.pid }.into());
        };
        let told = incarnation.vmm.observe().await?;
        incarnation.accounting = incarnation.accounting.answered(told.connection);
        if let Some(vcpus) = told.vcpus_refused {
            let message = "the guest does not let go of a vCPU".to_owned();
            incarnation.pace.vcpus_refused(vcpus, RefusalKind::RemovalPending, message, now);
        }
        let actual = Size::new(vcpus_present(&shown, &told), told.memory_actual);
        incarnation.pace.seen(incarnation.taken.as_ref().map(Grant::size), actual, told.state, now);
        let mut observed = observed(incarnation, &shown, &told);
        observed.grown = incarnation.baseline.grown(told.guest.map(|guest| guest.said), shown.used);
        observed.risen = incarnation.rise.seen(used(&observed).map(|used| used.bytes), now);
        Ok(Seen { observed, version: told.version })
    }

    /// Begins anew where the host shows another process than before.
    fn incarnate(&mut self, shown: &HostObserved) -> Result<(), HostError> {
        let identity = Identity { pod_uid: self.pod.pod_uid.clone(), process: shown.process };
        if self.incarnation.as_ref().is_some_and(|known| known.identity == identity) {
            return Ok(());
        }
        tracing::info!(vm = %self.view.key, pod = identity.pod_uid, pid = identity.process.pid, "VMM process is new");
        let vmm = self.client(shown)?;
        self.incarnation = Some(Incarnation::new(identity, vmm));
        self.waited = None;
        Ok(())
    }

    /// The client for the VMM that runs, whichever the spec names by now: a spec takes effect at the next start.
    fn client(&self, shown: &HostObserved) -> Result<Box<dyn Vmm>, HostError> {
        let host = &self.shared.host;
        let socket = host.socket(&self.pod, shown.vmm)?;
        let peer = Peer::shown(host.clone(), self.pod.clone(), shown.process);
        let (dial, limits) = (self.shared.dial.clone(), self.shared.settings.vmm);
        let vmm: Box<dyn Vmm> = match shown.vmm {
            VmmKind::CloudHypervisor => Box::new(CloudHypervisor::new(dial, socket, peer, limits)),
            VmmKind::Qemu => Box::new(Qemu::new(dial, socket, peer, limits)),
        };
        Ok(Box::new(CountedVmm::new(vmm, shown.vmm, self.shared.metrics.clone())))
    }
}

fn observed(incarnation: &Incarnation, shown: &HostObserved, told: &VmmReport) -> VmmObserved {
    VmmObserved {
        taken: incarnation.taken.clone(),
        pledged: incarnation.pledged,
        accounting: incarnation.accounting,
        state: told.state,
        requested: Size::new(told.vcpus_requested, told.memory_requested),
        actual: Size::new(vcpus_present(shown, told), told.memory_actual),
        boot: told.boot,
        vcpu_device: told.vcpu_device,
        memory_device: told.memory_device,
        limits: shown.limits,
        used: shown.used,
        guest: told.guest,
        grown: Bytes::ZERO,
        risen: None,
        pace: incarnation.pace.clone(),
    }
}

/// The larger of the threads that the host shows and the vCPUs that the VMM tells of: what is held must never be told
/// too small. A VMM may leave its threads without names, and between the two looks one may have come or gone.
fn vcpus_present(shown: &HostObserved, told: &VmmReport) -> Vcpus {
    told.vcpus_present.map_or(shown.vcpus_present, |told| told.max(shown.vcpus_present))
}
