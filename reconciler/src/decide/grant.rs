//! The grant: what the daemon may ask of the VMM (rule 2).
//!
//! Lowered at once; raised only when spec, allocated and actual of the Pod all cover it, and did so when they were read twice. Each resource
//! by itself.

use crate::decide::held::{Which, carries, live_grants, wish};
use crate::decide::observed::{PodObserved, Reads, VmObserved};
use reef_api::vm::{Grant, ResizeStatus, VmmStatus};
use reef_api::{Size, Vm};

/// Grants that may be on their way at once. Older ones are folded into one that is as large as the largest of them, which is on the safe side.
const OUTSTANDING_LIMIT: usize = 8;

/// The grants of a resize.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The one that holds.
    pub current: Option<Grant>,
    /// Earlier ones that the daemon may still act on.
    pub outstanding: Vec<Grant>,
    /// Whether a raise waits until the Pod has been read twice.
    pub raise: Raise,
}

/// What becomes of a raise that the Pod covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// There is none, or it is made.
    Settled,
    /// The numbers of the Pod were read only once.
    Unread,
}

/// The grants that should stand, given the aim. The same as those that stand where nothing has to change.
///
/// The gate is part of a grant, so another one is a grant of its own: the daemon goes by what it has acknowledged.
pub fn grants(vm: &Vm, observed: &VmObserved, pod: &PodObserved, report: &VmmStatus, aim: Size) -> Grants {
    let resize = observed.status.resize.as_ref();
    let last = resize.and_then(|resize| resize.grant.as_ref());
    let current = current(observed, pod);
    let mut outstanding: Vec<Grant> = live_grants(observed).filter(|grant| Some(*grant) != current).cloned().collect();
    let from = granted(observed, pod, report);
    let covered = step(vm, pod, from, aim);
    let (next, raise) = match pod.reads {
        Reads::Twice => (covered, Raise::Settled),
        Reads::Once if covered.max(from) == from => (covered, Raise::Settled),
        Reads::Once => (covered.min(from), Raise::Unread),
    };
    let gate = vm.shrink_gate;
    if next == from && current.is_none_or(|grant| grant.gate == gate) {
        return Grants { current: last.cloned(), outstanding, raise };
    }
    outstanding.extend(current.filter(|grant| grant.seq >= report.ack_seq).cloned());
    let seq = last.map_or(0, |grant| grant.seq).max(report.ack_seq).saturating_add(1);
    let grant = Grant { pod_uid: pod.uid.clone(), seq, vcpus: next.vcpus, memory: next.memory, gate };
    Grants { current: Some(grant), outstanding: folded(outstanding), raise }
}

/// The grant that holds for a Pod.
fn current<'a>(observed: &'a VmObserved, pod: &PodObserved) -> Option<&'a Grant> {
    observed.status.resize.as_ref()?.grant.as_ref().filter(|grant| grant.pod_uid == pod.uid)
}

/// What the VMM may be asked for: by the grant that holds, else what it was asked for when it booted.
pub fn granted(observed: &VmObserved, pod: &PodObserved, report: &VmmStatus) -> Size {
    current(observed, pod).map_or_else(|| report.requested(), Grant::size)
}

/// Whether a status grants more than the one before, in one resource at least, or grants to a Pod for the first time.
pub fn raises(before: Option<&ResizeStatus>, after: Option<&ResizeStatus>) -> bool {
    let [before, after] = [before, after].map(|resize| resize.and_then(|resize| resize.grant.as_ref()));
    let Some(after) = after else { return false };
    let before = before.filter(|before| before.pod_uid == after.pod_uid);
    before.is_none_or(|before| before.size().max(after.size()) != before.size())
}

fn step(vm: &Vm, pod: &PodObserved, from: Size, aim: Size) -> Size {
    let needed = wish(vm, pod, aim);
    let cpu = aim.vcpus <= from.vcpus || carries(pod, needed, Which::Cpu);
    let memory = aim.memory <= from.memory || carries(pod, needed, Which::Memory);
    Size::new(if cpu { aim.vcpus } else { from.vcpus }, if memory { aim.memory } else { from.memory })
}

fn folded(mut grants: Vec<Grant>) -> Vec<Grant> {
    while grants.len() > OUTSTANDING_LIMIT {
        let oldest = grants.remove(0);
        if let Some(next) = grants.first_mut() {
            let size = next.size().max(oldest.size());
            (next.vcpus, next.memory) = (size.vcpus, size.memory);
        }
    }
    grants
}
