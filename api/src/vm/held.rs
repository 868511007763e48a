//! How much a VM may hold, as its status tells (rule 1). Containment rests on it; it knows nothing of why a size is aimed at.

use super::{Grant, VirtualMachineStatus, VmmStatus};
use crate::size::Size;

impl VirtualMachineStatus {
    /// The daemon's report, where it is about this Pod.
    pub fn report_about(&self, pod_uid: &str) -> Option<&VmmStatus> {
        self.vmm.as_ref().filter(|report| report.pod_uid == pod_uid)
    }

    /// Grants that the daemon of this Pod may still act on: not older than the one it has acknowledged.
    pub fn live_grants(&self, pod_uid: &str) -> impl Iterator<Item = &Grant> {
        let acked = self.report_about(pod_uid).map_or(0, |report| report.ack_seq);
        let all = self.resize.iter().flat_map(|resize| resize.outstanding.iter().chain(&resize.grant));
        all.filter(move |grant| grant.pod_uid == pod_uid && grant.seq >= acked)
    }

    /// The most that the VM may hold in this Pod: the largest of what the VMM was asked for, what the guest has, and every grant that the daemon
    /// may still act on. Unknown while no daemon has reported about the Pod.
    pub fn held_in(&self, pod_uid: &str) -> Option<Size> {
        let report = self.report_about(pod_uid)?;
        let seen = report.requested().max(report.actual());
        Some(self.live_grants(pod_uid).fold(seen, |held, grant| held.max(grant.size())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status() -> VirtualMachineStatus {
        let grant =
            |pod: &str, seq, vcpus, memory| json!({"podUID": pod, "seq": seq, "vcpus": vcpus, "memory": memory});
        let size = json!({"vcpus": 1, "memory": "1Gi"});
        serde_json::from_value(json!({
            "resize": {
                "podUID": "p", "generation": 2, "target": size, "aim": size,
                "grant": grant("p", 7, 1, "1Gi"),
                "outstanding": [grant("p", 5, 9, "9Gi"), grant("p", 6, 4, "2Gi"), grant("old", 9, 8, "8Gi")],
            },
            "vmm": {
                "podUID": "p", "process": {"pid": 1, "startTime": 1}, "ackSeq": 6,
                "vcpusRequested": 2, "vcpusPresent": 3, "memoryRequested": "3Gi", "memoryActual": "2Gi",
                "boot": {"minVcpus": 1, "maxVcpus": 8, "minMemory": "1Gi", "maxMemory": "16Gi"},
            },
        }))
        .unwrap()
    }

    #[test]
    fn what_was_asked_what_is_there_and_what_may_still_be_asked_count() {
        let held = status().held_in("p").unwrap();
        assert_eq!(held.to_string(), "4 vCPU, 3Gi");
    }

    #[test]
    fn a_report_about_another_pod_tells_nothing() {
        assert_eq!(status().held_in("new"), None);
    }
}
