//! The grant: what the daemon may ask of the VMM (rule 2).
//!
//! Lowered at once; raised only when spec, allocated and actual of the Pod all cover it. Each resource by itself.

use crate::decide::held::{Which, carries, live_grants, wish};
use crate::decide::observed::{PodObserved, VmObserved};
use reef_api::vm::{Grant, VmmStatus};
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
}

/// The grants that should stand, given the aim. The same as those that stand where nothing has to change.
pub fn grants(vm: &Vm, observed: &VmObserved, pod: &PodObserved, report: &VmmStatus, aim: Size) -> Grants {
    let resize = observed.status.resize.as_ref();
    let last = resize.and_then(|resize| resize.grant.as_ref());
    let current = last.filter(|grant| grant.pod_uid == pod.uid);
    let mut outstanding: Vec<Grant> = live_grants(observed).filter(|grant| Some(*grant) != current).cloned().collect();
    let from = current.map_or_else(|| report.requested(), Grant::size);
    let next = step(vm, pod, from, aim);
    if next == from {
        return Grants { current: last.cloned(), outstanding };
    }
    outstanding.extend(current.filter(|grant| grant.seq >= report.ack_seq).cloned());
    let seq = last.map_or(0, |grant| grant.seq).max(report.ack_seq).saturating_add(1);
    let grant = Grant { pod_uid: pod.uid.clone(), seq, vcpus: next.vcpus, memory: next.memory };
    Grants { current: Some(grant), outstanding: folded(outstanding) }
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
