//! The end: when faults have ended, every VM has settled or says for good why not, and it is so.

use super::containment::needed;
use super::facts::{PodFacts, VmFacts};
use super::{Inspector, State, Statement};
use reef_api::Size;
use std::collections::BTreeSet;

impl Inspector {
    /// The first VM that has neither settled nor said for good why not, with what it says instead. So has one that the tip states and that is not
    /// there, or not of that size.
    pub fn unsettled(&self, tip: &Statement, files: &BTreeSet<String>) -> Option<(String, String)> {
        let state = self.state();
        for (name, size) in &tip.sizes {
            let Some(vm) = state.vms.get(name) else {
                return Some((name.clone(), "it is stated and not in the cluster".to_owned()));
            };
            if vm.size != Some(*size) && !state.people.is_edited(name) {
                return Some((name.clone(), format!("its spec says {:?}, and the tip {size}", vm.size)));
            }
        }
        state.vms.values().find_map(|vm| Some((vm.name.clone(), state.why_unsettled(vm, files.contains(&vm.name))?)))
    }
}

impl State {
    fn why_unsettled(&self, vm: &VmFacts, in_tip: bool) -> Option<String> {
        let Some(ready) = &vm.ready else { return Some("it says nothing".to_owned()) };
        let says = format!("it says {} ({}), {}", ready.reason, ready.message, vm.phase);
        if ready.generation != vm.generation {
            return Some(format!("{says}, about generation {} and not {}", ready.generation, vm.generation));
        }
        let pod = vm.pod_uid.as_ref().and_then(|uid| self.pods.get(uid)).map(AsRef::as_ref);
        let excused = |words: &[&str]| {
            self.people.excuses.get(&vm.name).is_some_and(|all| words.iter().any(|word| all.contains(word)))
        };
        let one_way = pod.is_some_and(|pod| self.people.one_way.contains(&pod.node));
        let so = match ready.reason.as_str() {
            "Settled" => return self.why_untrue(vm, pod).map(|why| format!("{says}, but {why}")),
            "Halted" => vm.run_policy == "Halted" && pod.is_none_or(|pod| !pod.is_alive()),
            "Ended" => matches!(vm.run_policy.as_str(), "Once" | "RerunOnFailure" | "") && vm.stuck,
            "Infeasible" => vm.stuck,
            "Deferred" => vm.stuck || vm.tries_again,
            "RaisingPod" | "WaitingForGuest" => vm.tries_again,
            "RestartRequired" => one_way || excused(&["beyond"]),
            "GuestPressure" => true,
            "CpuRemovalPending" => excused(&["vcpus", "paused"]),
            "VmmRefused" => vm.stuck && one_way,
            "Stalled" => vm.stuck && excused(&["vcpus", "memory", "paused"]),
            "Partial" => vm.stuck && excused(&["vcpus", "memory", "paused", "settled"]),
            "Paused" => excused(&["paused"]),
            "FieldConflict" => self.people.is_edited(&vm.name),
            "Scheduling" => pod.is_some_and(|pod| pod.node.is_empty()),
            "RemovedFromGit" => !in_tip,
            _ => false,
        };
        (!so).then_some(says)
    }

    /// Settled: what the VMM has is what the spec says, and what the Pod has is that and the overhead.
    fn why_untrue(&self, vm: &VmFacts, pod: Option<&PodFacts>) -> Option<String> {
        let Some(size) = vm.size else { return Some("its size cannot be read".to_owned()) };
        let Some(pod) = pod else { return Some("it has no Pod".to_owned()) };
        let Some(running) = self.running.get(&pod.uid) else { return Some("no VMM runs".to_owned()) };
        let whole: [(&str, Size); 2] = [("requested", running.requested), ("actual", running.actual)];
        if let Some((what, has)) = whole.into_iter().find(|(_, has)| *has != size) {
            return Some(format!("the VMM's {what} is {has} and not {size}"));
        }
        let wanted = needed(size, self.overhead);
        let sides = [
            ("limits", pod.limits),
            ("requests", pod.requests),
            ("allocated", pod.allocated),
            ("status", pod.in_effect),
            ("cgroup", Some(running.limits)),
        ];
        let differs = sides.into_iter().find(|(_, has)| *has != Some(wanted));
        differs.map(|(what, has)| format!("the Pod's {what} are {has:?} and not {wanted:?}"))
    }
}
