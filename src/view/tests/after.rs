//! What people see after a merge: explanations, histories, diffs, and how far a source has come.

use std::collections::BTreeMap;

use reef_api::names::REQUESTED_AT_ANNOTATION;
use reef_api::policy::SizingPolicySpec;
use reef_api::{Bytes, EffectivePolicy, GIB, Size, Vcpus};
use reef_reconciler::desired::{Kind, ObjectName};
use reef_reconciler::review::{ObjectChange, ObjectDrift, PastSize};
use reef_reconciler::source::Commit;

use super::*;
use crate::view::drift::{self, DriftView};
use crate::view::explain::{self, Explained};
use crate::view::history::{self, History};
use crate::view::past::{CloneAtHand, Past};
use crate::view::settling::{self, Ending, Reconciled, Standing, standing};

const OLDER: &str = "77d15bb0e6b4b8f5d1a3f1f7a0c9d8e71f0c2e9a";

fn commit(id: &str, subject: &str) -> Commit {
    Commit { id: id.to_owned(), subject: subject.to_owned(), author: "Platform Team".to_owned(), time: at(-600) }
}

fn stated(commit: Commit, vcpus: u32, gib: u64) -> PastSize {
    let size = Size::new(Vcpus(vcpus), Bytes(gib * GIB.get()));
    PastSize { commit, size, vcpus_line: 9, memory_line: 12 }
}

/// A clone that has the commit of the size, and an older one of another size.
fn past() -> Past {
    let asked =
        commit(COMMIT, "web-2: four vCPUs and 4Gi for the sale, which begins at noon and ends when everything is sold");
    let older = commit(OLDER, "web-2: smaller over the summer");
    Past {
        clone: CloneAtHand::Found,
        commits: BTreeMap::from([(COMMIT.to_owned(), asked.clone())]),
        sizes: vec![stated(asked, 4, 4), stated(older, 1, 2)],
        cut: false,
    }
}

fn policy(spec: Value) -> Result<EffectivePolicy, reef_api::PolicyConflict> {
    let spec: SizingPolicySpec = parsed(spec);
    EffectivePolicy::select([("default", &spec)], &BTreeMap::new())
}

fn explained(vm: &VirtualMachine, spec: Value, past: &Past) -> String {
    let pod = pod("web-2", "4", "4352Mi");
    let found = Explained::of(vm, VmView::of(vm, &[pod]), &policy(spec), past, at(12));
    explain::text(&found, past, at(12), Paint::Plain, Some(100))
}

fn waiting(reason: &str, message: &str, more: Value) -> VirtualMachine {
    let mut vm =
        serde_json::to_value(machine("web-2", (4, "4Gi"), (4, "2Gi"), &ready("False", reason, message))).unwrap();
    let resize = vm["status"]["resize"].as_object_mut().unwrap();
    resize.extend(more.as_object().unwrap().clone());
    parsed(vm)
}

#[test]
fn an_explanation_names_commit_rules_chain_and_what_helps() {
    let vm = waiting("WaitingForGuest", "the guest is following to 4 vCPU, 4Gi", json!({}));
    let bounds =
        json!({ "bounds": { "max": { "vcpus": 16, "memory": "32Gi" } }, "boot": { "max": { "memory": "16Gi" } } });
    insta::assert_snapshot!(explained(&vm, bounds, &past()));
}

#[test]
fn an_explanation_of_want_of_room_tells_the_room_and_the_lease() {
    let refused = json!({ "generation": 2, "reason": "Deferred", "capacity": "cpu=16,memory=64Gi", "room": { "cpu": "3", "memory": "1Gi" } });
    let vm = waiting("Deferred", "node-1 has no room for it", json!({ "refused": refused, "reasonSince": at(2) }));
    insta::assert_snapshot!(explained(&vm, json!({ "bounds": { "max": { "vcpus": 2 } } }), &Past::default()));
}

#[test]
fn a_vm_that_no_git_states_says_so_and_asks_no_clone() {
    let mut vm = waiting("RestartRequired", "6 vCPU are beyond what it booted with", json!({}));
    vm.metadata.annotations = None;
    let past = Past { clone: CloneAtHand::Unasked, ..Past::default() };
    insta::assert_snapshot!(explained(&vm, json!({}), &past));
}

#[test]
fn since_when_a_size_stands_is_told_only_where_the_clone_knows_it() {
    let vm = waiting("Settled", "", json!({}));
    let since = |past: &Past| {
        let found = Explained::of(&vm, VmView::of(&vm, &[]), &policy(json!({})), past, at(12));
        found.git.size_since.map(|since| since.commit.id)
    };
    assert_eq!(since(&past()).as_deref(), Some(COMMIT));
    let (mut behind, mut shallow, mut other) = (past(), past(), past());
    behind.commits.clear();
    shallow.cut = true;
    shallow.sizes.truncate(1);
    other.sizes.remove(0);
    assert_eq!([behind, shallow, other].each_ref().map(since), [None, None, None]);
}

fn remembering() -> VirtualMachine {
    let mut vm = serde_json::to_value(waiting("Settled", "", json!({}))).unwrap();
    let entry = |revision: &str, vcpus: u32, outcome: &str, start: i64| {
        json!({
            "podUID": "pod-1", "generation": 1, "revision": revision, "target": size(vcpus, "4Gi"), "outcome": outcome,
            "startedAt": at(start), "grantedAt": at(start + 1), "finishedAt": at(start + 4)
        })
    };
    vm["status"]["history"] = json!([entry(COMMIT, 4, "Settled", 0), entry("0000000000", 8, "Infeasible", 60)]);
    parsed(vm)
}

#[test]
fn a_history_fits_the_terminal_and_goes_on_with_git() {
    let history = History::of(&remembering(), &past());
    for width in [None, Some(200), Some(80), Some(60)] {
        let text = history::text(&history, &past(), Paint::Plain, width);
        let widest = text.lines().map(|line| line.chars().count()).take(6).max().unwrap();
        assert!(widest <= usize::from(width.unwrap_or(u16::MAX)), "{text}");
        insta::assert_snapshot!(format!("history_{}", width.unwrap_or(0)), text);
    }
}

#[test]
fn what_git_tells_is_older_than_what_the_status_tells_and_the_same_size_is_told_once() {
    let sizes = |past: &Past| -> Vec<String> {
        let history = History::of(&remembering(), past);
        history.sizes.iter().map(|row| format!("{:?} {}", row.from, row.size)).collect()
    };
    let known = ["Cluster 8 vCPU, 4Gi", "Cluster 4 vCPU, 4Gi"];
    assert_eq!(sizes(&past()), [&known[..], &["Git 1 vCPU, 2Gi"]].concat());
    // The size was committed before the commit that the status names, which changed something else.
    let mut earlier = past();
    earlier.sizes[0].commit.id = "9999999999".to_owned();
    assert_eq!(sizes(&earlier), [&known[..], &["Git 1 vCPU, 2Gi"]].concat());
    assert_eq!(sizes(&Past::default()), known);
}

#[test]
fn tables_fit_the_terminal_by_leaving_out_what_is_spare() {
    let many = [settled(), growing(), unseen()];
    for width in [60_u16, 80, 200] {
        let text = vms(&many, Namespaces::Shown, Paint::Plain, Some(width));
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{text}");
        insta::assert_snapshot!(format!("vms_{width}"), text);
        let coloured = vms(&many, Namespaces::Shown, Paint::Colours, Some(width));
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert!(plain.lines().all(|line| line.trim_end().chars().count() <= usize::from(width)), "{plain}");
    }
}

fn drift_of(change: ObjectChange, live: Value, merged: Value) -> DriftView {
    let name = ObjectName { kind: Kind::VirtualMachine, namespace: "vms".to_owned(), name: "web-1".to_owned() };
    DriftView::of(&ObjectDrift { name, origin: "teams/web.yaml:3".to_owned(), change, live, merged })
}

#[test]
fn a_diff_shows_what_would_be_written_and_remarks_on_the_rest() {
    let object = |vcpus: u32, memory: &str| {
        let instance = json!({ "cpu": { "coresPerSocket": vcpus, "max": 8 }, "memory": { "size": memory } });
        json!({ "kind": "VirtualMachine", "metadata": { "name": "web-1", "namespace": "vms" }, "spec": { "instance": instance } })
    };
    let drifts = [
        drift_of(ObjectChange::Fields, object(2, "2Gi"), object(4, "2Gi")),
        drift_of(ObjectChange::Missing, Value::Null, object(1, "1\u{1b}[2J")),
        drift_of(ObjectChange::OtherSource("vms/other".to_owned()), object(1, "1Gi"), Value::Null),
        drift_of(ObjectChange::Kept, object(1, "1Gi"), Value::Null),
    ];
    assert_eq!(drifts.each_ref().map(DriftView::differs), [true, true, false, false]);
    let remarks: String = drifts.iter().filter_map(DriftView::remark).map(|remark| remark + "\n").collect();
    insta::assert_snapshot!(drift::text(&drifts, Paint::Plain) + &remarks);
    let coloured = drift::text(&drifts, Paint::Colours);
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), drift::text(&drifts, Paint::Plain));
}

fn source(status: &str, reason: &str, handled: &str) -> GitSource {
    parsed(json!({
        "metadata": { "name": "fleet", "namespace": "default", "annotations": { REQUESTED_AT_ANNOTATION: "later" } },
        "spec": { "url": "https://git.example.com/vms.git" },
        "status": {
            "observedCommit": COMMIT, "lastHandledReconcileAt": handled,
            "conditions": [{ "type": "Ready", "status": status, "reason": reason, "message": "said", "lastTransitionTime": at(0) }]
        }
    }))
}

#[test]
fn a_source_is_followed_until_its_vms_have_their_sizes_or_say_why_not() {
    let deferred = |now: i64| {
        let vm = waiting("Deferred", "no room", json!({ "reasonSince": at(2) }));
        (VmView::of(&vm, &[]), at(now))
    };
    let applied = source("True", "Applied", "mine");
    let ended = Standing::Ended;
    let vms = [settled()];
    assert_eq!(standing(&applied, "mine", &vms, at(12)), ended(Ending::Settled));
    assert_eq!(
        standing(&source("True", "Applied", "later"), "mine", &vms, at(12)),
        ended(Ending::Settled),
        "a later request"
    );
    assert!(matches!(standing(&applied, "another", &vms, at(12)), Standing::Moving(_)), "an earlier one");
    assert_eq!(
        standing(&source("False", "Applying", "mine"), "mine", &vms, at(12)),
        Standing::Moving("said".to_owned())
    );
    assert_eq!(standing(&source("False", "Unreachable", "mine"), "mine", &vms, at(12)), ended(Ending::Failed));
    assert_eq!(standing(&source("False", "Problems", "mine"), "mine", &vms, at(12)), ended(Ending::Incomplete));
    assert_eq!(standing(&source("False", "Suspended", "old"), "mine", &vms, at(12)), ended(Ending::Failed));
    let told = "1 of 2 VMs are settled; web-2 WaitingForGuest".to_owned();
    assert_eq!(standing(&applied, "mine", &[settled(), growing()], at(12)), Standing::Moving(told));
    let ((young, early), (old, late)) = (deferred(4), deferred(12));
    assert!(matches!(standing(&applied, "mine", &[young], early), Standing::Moving(_)), "it may be a matter of turns");
    assert_eq!(standing(&applied, "mine", std::slice::from_ref(&old), late), ended(Ending::Incomplete));
    assert!(
        matches!(standing(&applied, "mine", &[old, growing()], late), Standing::Moving(_)),
        "another one still moves"
    );
    assert!(matches!(standing(&applied, "mine", &[unseen()], at(900)), Standing::Moving(_)), "nobody has looked yet");
}

#[test]
fn what_became_of_a_source_is_told_with_what_to_do() {
    let vm = VmView::of(&waiting("Deferred", "node-1 has no room", json!({ "reasonSince": at(2) })), &[]);
    let applied = source("True", "Applied", "mine");
    let told = [
        Reconciled::of(&applied, Ending::Settled, &[settled()]),
        Reconciled::of(&applied, Ending::Incomplete, &[settled(), vm]),
        Reconciled::of(&source("False", "Unreachable", "mine"), Ending::Failed, &[]),
        Reconciled::of(&applied, Ending::Asked, &[]),
    ];
    insta::assert_snapshot!(told.iter().map(settling::text).collect::<String>());
}

#[test]
fn an_explanation_tells_what_a_policy_forbids_and_what_of_the_spec_it_refuses() {
    let vm = waiting("Blocked", "it is not taken up", json!({ "target": { "vcpus": 2, "memory": "4Gi" } }));
    let rules = json!({
        "step": { "vcpus": 2, "memory": "1Gi" },
        "memoryPerVcpu": { "min": "1Gi", "max": "8Gi" },
        "restart": "Never",
        "protected": true,
        "budget": { "namespace": { "vms": 3, "memory": "16Gi" }, "node": { "vcpus": 4 } },
        "rules": [{ "expression": "old == null || change.vcpus <= 1", "message": "small steps" }],
    });
    insta::assert_snapshot!(explained(&vm, rules, &Past::default()));
}
