//! Plans: what of a VM's hypervisor and its version stands in the way, and which nodes its affinity leaves.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/planning.rs"]
mod planning;

use k8s_openapi::api::core::v1::Affinity;
use planning::{Cluster, GIB, size, subject};
use reef_api::plan::{Change, Mode, Rule};
use reef_api::policy::RestartPolicy;
use reef_api::vm::{Limitation, RunPolicy, VmmKind};
use reef_api::{Bytes, EffectivePolicy, MilliCpu, PodSize, Size, Vcpus};
use reef_reconciler::decide::plan::{FieldChange, Subject, plan};
use serde_json::{Value, json};

/// A VM of 4 vCPU and 4Gi on a node with room, in a VMM of this kind, version and limitations, that is to have another size.
fn resized(kind: VmmKind, version: &str, limitations: &[Limitation], to: Size) -> Change {
    judged(&subject("web-1", size(4, 4), to), kind, version, limitations)
}

fn judged(subject: &Subject, kind: VmmKind, version: &str, limitations: &[Limitation]) -> Change {
    let mut cluster = Cluster::default().node("node-a", 16, 64, 8, 8).vm("web-1", "node-a", size(4, 4));
    let vmm = cluster.facts.vms[0].vmm.as_mut().unwrap();
    vmm.kind = kind;
    vmm.version = Some(version.to_owned());
    vmm.limitations = limitations.to_vec();
    if kind == VmmKind::Qemu {
        vmm.boot.min_vcpus = Vcpus(2);
    }
    plan(std::slice::from_ref(subject), Some(&cluster.facts)).changes.remove(0)
}

fn told(change: &Change) -> (Mode, Vec<Rule>) {
    (change.mode, change.findings.iter().map(|finding| finding.rule).collect())
}

#[test]
fn vcpus_that_qemu_booted_with_stay_and_the_finding_says_so() {
    let change = resized(VmmKind::Qemu, "QEMU 7.2.0", &[], size(1, 4));
    assert_eq!(told(&change), (Mode::Restart, vec![Rule::Hypervisor, Rule::Fits]));
    let finding = &change.findings[0];
    assert_eq!(finding.message, "QEMU 7.2.0 cannot remove the 2 vCPU that the VM booted with");
    assert_eq!((finding.limit.as_deref(), finding.found.as_deref()), (Some("at least 2"), Some("1")));
    let remedy = "start it anew when it suits, with spec.instance.cpu.min 1 if it is to shrink so far while it runs, or ask for at least 2";
    assert_eq!((finding.remedy.as_deref(), finding.path.as_deref()), (Some(remedy), Some("spec.instance.cpu")));
    assert_eq!(resized(VmmKind::Qemu, "QEMU 7.2.0", &[], size(2, 4)).mode, Mode::Live);
    // What lies beyond the layout in the other resource is told beside it.
    let both = resized(VmmKind::Qemu, "QEMU 7.2.0", &[], size(1, 200));
    assert_eq!(told(&both), (Mode::Infeasible, vec![Rule::NoNode, Rule::Hypervisor, Rule::BootLayout]));
    // The VMM that runs counts, not the one that the spec names for the next start.
    let named = resized(VmmKind::Qemu, "v53.0", &[], size(1, 4));
    assert_eq!(told(&named), (Mode::Restart, vec![Rule::BootLayout, Rule::Fits]));
}

#[test]
fn a_shrink_whose_end_could_not_be_seen_needs_a_restart_and_keeps_its_pod() {
    let old = |to| resized(VmmKind::CloudHypervisor, "v51.0", &[Limitation::MemoryEndUnseen], to);
    let change = old(size(4, 2));
    assert_eq!(told(&change), (Mode::Restart, vec![Rule::Hypervisor]));
    assert_eq!(
        change.why(),
        "Cloud Hypervisor v51.0 tells requested memory as plugged, so that the end of a shrink could not be seen"
    );
    let remedy = "update Cloud Hypervisor to v52 or later and start it anew, or ask for at least 4Gi";
    assert_eq!(change.findings[0].remedy.as_deref(), Some(remedy));
    assert_eq!((change.pod.to, change.turn), (change.pod.from, 0));
    assert_eq!(told(&old(size(6, 2))), (Mode::Restart, vec![Rule::Hypervisor, Rule::Fits]), "its vCPUs go on");
    assert_eq!(told(&old(size(2, 8))), (Mode::Live, vec![Rule::Fits]));
    assert_eq!(resized(VmmKind::CloudHypervisor, "v53.0", &[], size(4, 2)).mode, Mode::Live);
}

#[test]
fn memory_that_is_fixed_or_added_by_acpi_says_why_it_needs_a_restart() {
    let acpi = resized(VmmKind::CloudHypervisor, "v53.0", &[Limitation::MemoryByAcpi], size(4, 2));
    assert_eq!(acpi.mode, Mode::Restart);
    assert_eq!(acpi.why(), "Cloud Hypervisor v53.0 has added its memory by ACPI, which never really gives it back");
    let fixed = resized(VmmKind::Qemu, "QEMU 9.0.1", &[Limitation::MemoryFixed], size(4, 8));
    assert_eq!(told(&fixed).0, Mode::Restart);
    assert_eq!(fixed.findings[0].message, "QEMU 9.0.1 booted it without memory that can be added or removed");
}

#[test]
fn an_emulated_qemu_that_lost_a_vcpu_gets_no_other_one_and_its_pod_grows_all_the_same() {
    let spent = |to| resized(VmmKind::Qemu, "QEMU 7.2.0", &[Limitation::VcpusOnlyShrink], to);
    let change = spent(size(6, 4));
    assert_eq!(told(&change), (Mode::Restart, vec![Rule::Hypervisor, Rule::Fits]));
    assert_eq!(change.findings[0].limit.as_deref(), Some("at most 4"));
    assert_eq!(change.pod.to.map(|pod| pod.cpu_request), Some(MilliCpu(6_000)));
    assert_eq!(told(&spent(size(40, 4))).0, Mode::Infeasible);
    assert_eq!((spent(size(3, 4)).mode, spent(size(4, 8)).mode), (Mode::Live, Mode::Live));
    assert_eq!(spent(size(14, 4)).mode, Mode::Deferred, "room on its node decides first");
}

#[test]
fn a_policy_that_forbids_restarts_forbids_what_the_hypervisor_cannot_do() {
    let policy =
        EffectivePolicy { name: Some("on".to_owned()), restart: RestartPolicy::Never, ..EffectivePolicy::default() };
    let asked = Subject { policy, ..subject("web-1", size(4, 4), size(4, 2)) };
    let change = judged(&asked, VmmKind::CloudHypervisor, "v51.0", &[Limitation::MemoryEndUnseen]);
    assert_eq!(told(&change), (Mode::Blocked, vec![Rule::RestartForbidden, Rule::Hypervisor]));
}

/// The verdict on a new VM that requires this of nodes, where node-a has the more room.
fn placed(affinity: Value) -> Change {
    asking(Subject { before: None, ..subject("web-9", size(1, 1), size(2, 2)) }, affinity)
}

fn asking(mut subject: Subject, affinity: Value) -> Change {
    let mut cluster = Cluster::default().node("node-a", 16, 64, 0, 0).node("node-b", 16, 32, 0, 0);
    cluster.facts.nodes[0].labels = [("pool".to_owned(), "a".to_owned()), ("rack".to_owned(), "7".to_owned())].into();
    cluster.facts.nodes[1].labels = [("pool".to_owned(), "b".to_owned())].into();
    subject.placement.affinity = Some(serde_json::from_value::<Affinity>(affinity).unwrap());
    plan(&[subject], Some(&cluster.facts)).changes.remove(0)
}

fn required(terms: Value) -> Value {
    json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } } })
}

/// Which of the two nodes are left by one requirement on labels.
fn left(operator: &str, key: &str, values: &[&str]) -> Vec<&'static str> {
    let requirement = json!({ "key": key, "operator": operator, "values": values });
    let only = |name: &str| {
        let field = json!({ "key": "metadata.name", "operator": "In", "values": [name] });
        placed(required(json!([{ "matchExpressions": [requirement], "matchFields": [field] }]))).mode == Mode::Live
    };
    ["node-a", "node-b"].into_iter().filter(|name| only(name)).collect()
}

#[test]
fn a_node_affinity_is_read_as_the_scheduler_reads_it() {
    assert_eq!(left("In", "pool", &["b", "c"]), ["node-b"]);
    assert_eq!(left("NotIn", "pool", &["b"]), ["node-a"]);
    assert_eq!(left("NotIn", "rack", &["7"]), ["node-b"], "who has no such label is not in it");
    assert_eq!(left("Exists", "rack", &[]), ["node-a"]);
    assert_eq!(left("DoesNotExist", "rack", &[]), ["node-b"]);
    assert_eq!(left("Gt", "rack", &["6"]), ["node-a"]);
    assert_eq!(left("Lt", "rack", &["7"]), [] as [&str; 0]);
    assert_eq!(left("Gt", "pool", &["6"]), [] as [&str; 0], "no number");
    for (operator, values) in [("In", &[][..]), ("Exists", &["7"][..]), ("Gt", &["1", "2"][..]), ("Is", &["7"][..])] {
        assert_eq!(left(operator, "rack", values), [] as [&str; 0], "{operator} cannot be");
    }
}

#[test]
fn one_term_is_enough_and_an_empty_one_matches_nothing() {
    let term = |pool: &str| json!({ "matchExpressions": [{ "key": "pool", "operator": "In", "values": [pool] }] });
    let change = placed(required(json!([term("c"), term("b")])));
    assert_eq!(change.why(), "a new VM: its Pod needs cpu 2, memory 2304Mi, and node-b has room for it");
    assert_eq!(placed(required(json!([{}, term("a")]))).mode, Mode::Live);
    let none = placed(required(json!([{}])));
    assert_eq!((none.mode, none.findings[0].rule), (Mode::Infeasible, Rule::NoNode));
    assert_eq!(
        none.why(),
        "its nodeSelector, its affinity and the taints of the nodes leave no node that it may run on"
    );
    let started = planning::running(subject("web-8", size(1, 1), size(1, 1)), RunPolicy::Halted, RunPolicy::Always);
    assert_eq!(asking(started, required(json!([term("c")]))).mode, Mode::Infeasible, "one that is started as well");
    let preferred = json!({ "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution":
        [{ "weight": 1, "preference": term("c") }] } });
    assert_eq!(placed(preferred).mode, Mode::Live);
}

#[test]
fn what_depends_on_other_pods_is_not_promised() {
    let term =
        json!([{ "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": { "app": "web" } } }]);
    let apart = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": term } });
    let change = placed(apart.clone());
    assert_eq!(told(&change), (Mode::Live, vec![Rule::Fits, Rule::NotJudged]));
    assert_eq!(
        change.findings[1].message,
        "its podAntiAffinity is not judged: the scheduler may refuse a node that has room"
    );
    let preferred = json!({ "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [] } });
    assert_eq!(told(&placed(preferred)), (Mode::Live, vec![Rule::Fits]));
    let cluster =
        Cluster::default().node("node-a", 16, 64, 8, 8).node("node-b", 64, 256, 0, 0).vm("web-1", "node-a", size(2, 2));
    let mut asked = subject("web-1", size(2, 2), size(20, 2));
    let remedy = |asked: &Subject| {
        let planned = plan(std::slice::from_ref(asked), Some(&cluster.facts));
        planned.changes[0].findings[0].remedy.clone()
    };
    assert_eq!(remedy(&asked).as_deref(), Some("ask for less, or start it anew on node-b"));
    asked.placement.affinity = Some(serde_json::from_value(apart).unwrap());
    assert_eq!(remedy(&asked).as_deref(), Some("ask for less"));
}

#[test]
fn a_vm_whose_pod_waits_for_a_node_is_placed_anew_when_what_it_asks_of_nodes_changes() {
    let mut cluster = Cluster::default().node("node-a", 16, 64, 0, 0).vm("web-1", "node-a", size(2, 2));
    let vm = &mut cluster.facts.vms[0];
    vm.vmm = None;
    vm.pod.as_mut().unwrap().node = None;
    let edited =
        Subject { fields: vec![FieldChange::of("spec.nodeSelector.pool")], ..subject("web-1", size(2, 2), size(2, 2)) };
    let change = plan(&[edited], Some(&cluster.facts)).changes.remove(0);
    assert_eq!(change.mode, Mode::Live, "{}", change.why());
    assert!(change.why().contains("node-a has room for it"), "{}", change.why());
}

#[test]
fn a_neighbour_that_waits_is_counted_with_the_resources_that_somebody_states_for_it() {
    let mut cluster = Cluster::default().node("node-a", 16, 64, 8, 40).vm("web-1", "node-a", size(2, 2)).vm(
        "db-1",
        "node-a",
        size(2, 2),
    );
    let growth = subject("web-1", size(2, 2), size(2, 20));
    assert_eq!(plan(std::slice::from_ref(&growth), Some(&cluster.facts)).changes[0].mode, Mode::Live);
    // The wish was taken back and is made again as soon as there is room.
    let stated = PodSize { cpu_request: MilliCpu(2_000), cpu_limit: MilliCpu(2_000), memory: Bytes(20 * GIB) };
    cluster.facts.vms[1].stated = Some(stated);
    let change = plan(&[growth], Some(&cluster.facts)).changes.remove(0);
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Deferred, Rule::Contended));
    assert!(change.why().starts_with("web/web-1, web/db-1 together"), "{}", change.why());
}
