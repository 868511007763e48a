//! What a VM's status and events say: true at the moment of writing, in order, and written by whom they belong to.

use super::facts::{VmFacts, text};
use super::{Invariant, State};
use jiff::Timestamp;
use reef_sim::store::fields::{Owners, Step};
use reef_sim::store::{At, Change, ChangeKind, Stored};
use serde_json::Value;

/// Sizes that a history remembers.
const REMEMBERED: usize = 10;

impl State {
    pub(super) fn check_status(&mut self, before: Option<&VmFacts>, vm: &VmFacts, written: &Stored) {
        self.check_settled(before, vm);
        if let Some(wrong) = wrong_history(&written.object) {
            self.fail(Invariant::Truth, Some(&vm.name), format!("status.history: {wrong}"));
        }
        if let Some(wrong) = wrong_writer(&written.owners) {
            self.fail(Invariant::Writers, Some(&vm.name), wrong);
        }
    }

    /// Who says that a VM of this generation runs as it should has read, in the very object that it writes on, that the VMM was asked for the size
    /// and has it.
    fn check_settled(&mut self, before: Option<&VmFacts>, vm: &VmFacts) {
        let says = |vm: &VmFacts| {
            vm.ready
                .as_ref()
                .is_some_and(|ready| ready.holds && ready.reason == "Settled" && ready.generation == vm.generation)
        };
        if !says(vm) || before.is_some_and(says) {
            return;
        }
        let (target, report) = (vm.target, vm.report.as_ref());
        let reported = report.filter(|report| Some(&report.pod_uid) == vm.pod_uid.as_ref());
        let has = reported.map(|report| (report.requested, report.actual));
        let acked = vm.grant.as_ref().is_none_or(|grant| {
            Some(&grant.pod_uid) != vm.pod_uid.as_ref() || reported.is_some_and(|report| report.ack == grant.seq)
        });
        let agrees = target.is_some() && target == vm.size && vm.aim == target && has == target.zip(target) && acked;
        if !agrees {
            let told = format!("Ready says Settled; spec {:?}, target {target:?}, report {report:?}", vm.size);
            self.fail(Invariant::Truth, Some(&vm.name), told);
        }
    }

    /// Events about VMs are made and never changed.
    pub(super) fn event_written(&mut self, change: &Change) {
        if text(&change.object, "/involvedObject/kind") != "VirtualMachine" {
            return;
        }
        let vm = text(&change.object, "/involvedObject/name");
        let name = text(&change.object, "/metadata/name");
        let (at, reason) = (self.now(), text(&change.object, "/reason"));
        let message = text(&change.object, "/message");
        self.record.line(at, Some(&vm), || format!("event {reason}: {message}"));
        let ends = name.ends_with(&format!(".{}", reason.to_ascii_lowercase())) && name.starts_with(&vm);
        if change.kind != ChangeKind::Added || !ends {
            self.fail(Invariant::Events, Some(&vm), format!("event {name} ({reason}) was {:?}", change.kind));
        }
    }
}

fn wrong_history(vm: &Value) -> Option<String> {
    let entries = vm.at("/status/history").and_then(Value::as_array)?;
    if entries.len() > REMEMBERED {
        return Some(format!("it has {} entries", entries.len()));
    }
    let (last, earlier) = entries.split_last()?;
    if let Some(open) = earlier.iter().find(|entry| text(entry, "/outcome") == "InProgress") {
        return Some(format!("an entry before the last is still in progress: {open}"));
    }
    let all = || earlier.iter().chain([last]);
    let ended = |entry: &&Value| (text(entry, "/outcome") == "InProgress") == entry.get("finishedAt").is_some();
    if let Some(entry) = all().find(ended) {
        return Some(format!("an entry is finished without an end, or the other way round: {entry}"));
    }
    let time = |entry: &Value, field: &str| text(entry, field).parse::<Timestamp>().ok();
    all().find(|entry| time(entry, "/startedAt").is_none()).map(|entry| format!("an entry has no time: {entry}"))
}

/// `status.vmm` is the daemon's, everything else of the status the controller's.
fn wrong_writer(owners: &Owners) -> Option<String> {
    let mut of_status = owners.entries().iter().filter(|entry| entry.subresource == "status");
    of_status.find_map(|entry| {
        let status = entry.fields.field("status")?;
        if status.member && entry.manager != "reef-controller" {
            return Some(format!("{} owns the status itself", entry.manager));
        }
        let mut fields = status.below.firsts();
        let reports = |field: &Step| matches!(field, Step::Field(name) if **name == *"vmm");
        let foreign = fields.find(|field| match entry.manager.as_str() {
            "reef-daemon" => !reports(field),
            "reef-controller" => reports(field),
            _ => true,
        })?;
        Some(format!("{} owns {} of the status", entry.manager, foreign.to_wire()))
    })
}
