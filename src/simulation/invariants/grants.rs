//! Grants: when one may be raised, and what a Pod must carry because of those that may still be acted on.

use super::containment::needed;
use super::facts::{GrantFacts, PodFacts, VmFacts};
use super::{Invariant, State};
use reef_api::Size;
use reef_sim::store::{Change, ChangeKind};
use serde_json::Value;

impl State {
    /// Takes in the grants of a VM's status, and checks those that are new.
    pub(super) fn take_grants(&mut self, before: Option<&VmFacts>, vm: &VmFacts) {
        let all = vm.outstanding.iter().chain(&vm.grant);
        let fresh: Vec<GrantFacts> = all.filter(|grant| self.known(grant) != Some(grant.size)).cloned().collect();
        for grant in fresh {
            let is_current = vm.grant.as_ref() == Some(&grant);
            self.check_new(before, vm, &grant, is_current);
            self.grants.entry(grant.pod_uid.clone()).or_default().insert(grant.seq, grant.size);
        }
        self.check_ack(before, vm);
    }

    fn known(&self, grant: &GrantFacts) -> Option<Size> {
        self.grants.get(&grant.pod_uid)?.get(&grant.seq).copied()
    }

    /// A grant's number is used once and only grows; a larger grant needs a Pod that covers it.
    fn check_new(&mut self, before: Option<&VmFacts>, vm: &VmFacts, grant: &GrantFacts, is_current: bool) {
        let name = Some(vm.name.as_str());
        if !is_current {
            // Old grants that are folded into one that is as large as each of them.
            return;
        }
        self.check_granted(&vm.name, grant);
        let last =
            self.grants.get(&grant.pod_uid).and_then(|all| all.last_key_value()).map(|(seq, size)| (*seq, *size));
        if last.is_some_and(|(seq, _)| seq >= grant.seq) {
            self.fail(Invariant::Identity, name, format!("grant {} is written though {last:?} is newer", grant.seq));
        }
        let reported = || before?.report.as_ref().filter(|report| report.pod_uid == grant.pod_uid);
        let from = last.map(|(_, size)| size).or_else(|| reported().map(|report| report.requested));
        let Some(from) = from else { return };
        let raised = Size::new(
            if grant.size.vcpus > from.vcpus { grant.size.vcpus } else { reef_api::Vcpus::ZERO },
            if grant.size.memory > from.memory { grant.size.memory } else { reef_api::Bytes::ZERO },
        );
        if raised == Size::new(reef_api::Vcpus::ZERO, reef_api::Bytes::ZERO) || self.is_meddled(name) {
            return;
        }
        let overhead = if raised.memory == reef_api::Bytes::ZERO { raised.memory } else { self.overhead };
        let wanted = needed(raised, overhead);
        let uncovered = self.uncovered_by(&grant.pod_uid, wanted);
        if let Some(side) = uncovered {
            let told =
                format!("grant {} is raised from {from} to {}, and the Pod's {side} is less", grant.seq, grant.size);
            self.fail(Invariant::GrowOrder, name, told);
        }
    }

    fn uncovered_by(&self, pod_uid: &str, wanted: super::facts::Amounts) -> Option<&'static str> {
        let pod = self.pods.get(pod_uid)?;
        let cgroup = self.running.get(pod_uid)?.limits;
        let sides = [("spec", pod.limits?), ("allocated", pod.allocated?), ("limit in effect", cgroup)];
        sides.into_iter().find(|(_, has)| !has.covers(wanted)).map(|(side, _)| side)
    }

    /// An acknowledgement is of a grant that exists, and never taken back.
    fn check_ack(&mut self, before: Option<&VmFacts>, vm: &VmFacts) {
        let name = Some(vm.name.as_str());
        let Some(report) = &vm.report else { return };
        let same_pod = |other: &&super::facts::ReportFacts| other.pod_uid == report.pod_uid;
        let earlier = before.and_then(|before| before.report.as_ref()).filter(same_pod);
        if earlier.is_some_and(|earlier| earlier.ack > report.ack) {
            self.fail(Invariant::Identity, name, format!("grant {} is acknowledged after a newer one", report.ack));
        }
        let known =
            report.ack == 0 || self.grants.get(&report.pod_uid).is_some_and(|all| all.contains_key(&report.ack));
        if !known {
            self.fail(Invariant::Identity, name, format!("grant {} is acknowledged and was never given", report.ack));
        }
    }

    /// A Pod has changed: its wish may be lowered only to what the VM may hold at most, and nothing else of it may change.
    pub(super) fn check_pod_change(&mut self, before: Option<&PodFacts>, pod: &PodFacts, change: &Change) {
        let name = pod.vm.as_deref();
        let (Some(before), ChangeKind::Modified) = (before, change.kind) else { return };
        let killed = pod.ended_by == "OOMKilled" && before.ended_by != "OOMKilled";
        if killed && !self.tells_of_killing(name) && !self.is_meddled(name) {
            self.fail(Invariant::Life, name, format!("the container of Pod {} was killed for its memory", pod.name));
        }
        if before.generation == pod.generation {
            return;
        }
        if let Some(previous) = &change.previous
            && without_resources(previous) != without_resources(&change.object)
        {
            self.fail(Invariant::PodShape, name, format!("more than the resources of Pod {} has changed", pod.name));
        }
        let lowered = pod.limits.zip(before.limits).is_some_and(|(now, then)| !now.covers(then));
        if lowered && !self.is_meddled(name) {
            self.check_lowered(pod);
        }
    }

    fn check_lowered(&mut self, pod: &PodFacts) {
        let Some(vm) = pod.vm.as_deref().and_then(|name| self.vms.get(name)) else { return };
        let report = vm.report.as_ref().filter(|report| report.pod_uid == pod.uid);
        let acked = report.map_or(0, |report| report.ack);
        let live = self.grants.get(&pod.uid).into_iter().flat_map(|all| all.range(acked..)).map(|(_, size)| *size);
        let Some(most) = live.reduce(Size::max) else { return };
        let wanted = needed(most, self.overhead);
        if pod.limits.is_some_and(|limits| !limits.covers(wanted)) {
            let told = format!("Pod {} is lowered below {most}, which may still be asked for", pod.name);
            let name = vm.name.clone();
            self.fail(Invariant::ShrinkOrder, Some(&name), told);
        }
    }
}

/// A Pod's spec without the resources of its containers.
fn without_resources(pod: &Value) -> Value {
    let mut spec = pod.get("spec").cloned().unwrap_or_default();
    // The scheduler's binding.
    spec.as_object_mut().map(|spec| spec.remove("nodeName"));
    let containers = spec.get_mut("containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        if let Some(container) = container.as_object_mut() {
            container.remove("resources");
        }
    }
    spec
}
