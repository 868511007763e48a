//! Plans: each mode, the sentence that goes with it, and what would help.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/planning.rs"]
mod planning;

use planning::{Cluster, GIB, size, subject};
use reef_api::facts::{
    LimitFacts, QuotaFacts, QuotaLimit, QuotaResource, SuspendedSource, SuspensionFacts, TaintFacts,
};
use reef_api::plan::{Action, Change, Mode, Rule};
use reef_api::policy::{Allowance, Budget, PartialSize, PolicyRule, Range, RestartPolicy};
use reef_api::vm::RunPolicy;
use reef_api::{Bytes, EffectivePolicy, MilliCpu, PolicyConflict, Size, Vcpus};
use reef_reconciler::decide::plan::{FieldChange, Planned, Subject, Wanted, plan};

fn modes(planned: &Planned) -> Vec<Mode> {
    planned.changes.iter().map(|change| change.mode).collect()
}

fn only(planned: Planned) -> Change {
    assert_eq!(planned.changes.len(), 1);
    planned.changes.into_iter().next().unwrap()
}

/// A node of 16 CPUs and 64Gi, whose VMs and others have taken so much.
fn node(cpus: u64, gib: u64) -> Cluster {
    Cluster::default().node("node-a", 16, 64, cpus, gib)
}

/// The cluster with one more VM, which is stopped.
fn stopped(cluster: Cluster, name: &str, size: Size) -> Cluster {
    let mut cluster = cluster.vm(name, "", size);
    let vm = cluster.facts.vms.last_mut().unwrap();
    vm.run_policy = Some(RunPolicy::Halted);
    (vm.pod, vm.vmm) = (None, None);
    cluster
}

#[test]
fn a_growth_that_fits_says_what_its_pod_becomes_and_what_is_left() {
    let cluster = node(10, 20).vm("web-1", "node-a", size(2, 2));
    let planned = plan(&[subject("web-1", size(2, 2), size(4, 4))], Some(&cluster.facts));
    let (node, change) = (&planned.nodes[0], &planned.changes[0]);
    assert_eq!((change.mode, change.action, change.turn), (Mode::Live, Action::Resize, 1));
    assert_eq!(change.why(), "its Pod becomes cpu 4, memory 4352Mi on node-a");
    assert_eq!((node.cpu_free_before, node.cpu_free_after), (MilliCpu(6_000), MilliCpu(4_000)));
    assert_eq!((node.memory_free_before, node.memory_free_after), (Bytes(44 * GIB), Bytes(42 * GIB)));
}

#[test]
fn what_the_node_has_not_in_all_is_infeasible_and_another_node_is_named() {
    let cluster = node(10, 20).vm("web-1", "node-a", size(2, 2)).node("node-b", 32, 128, 0, 0);
    let change = only(plan(&[subject("web-1", size(2, 2), size(20, 2))], Some(&cluster.facts)));
    let finding = &change.findings[0];
    assert_eq!((change.mode, finding.rule, change.turn), (Mode::Infeasible, Rule::NodeCapacity, 0));
    assert_eq!(finding.message, "its Pod needs cpu 20, memory 2304Mi, and node-a has cpu 16, memory 64Gi in all");
    assert_eq!(finding.limit.as_deref(), Some("cpu 16, memory 64Gi"));
    assert_eq!(finding.remedy.as_deref(), Some("ask for less, or start it anew on node-b"));
}

#[test]
fn what_the_node_has_not_at_present_is_deferred_and_says_how_much_is_missing() {
    let cluster = node(10, 20).vm("web-1", "node-a", size(2, 2));
    let change = only(plan(&[subject("web-1", size(2, 2), size(2, 60))], Some(&cluster.facts)));
    let finding = &change.findings[0];
    assert_eq!((change.mode, finding.rule), (Mode::Deferred, Rule::NodeRoom));
    assert_eq!(finding.message, "its Pod needs memory 58Gi more, and node-a has cpu 6, memory 44Gi free");
    assert_eq!(finding.remedy.as_deref(), Some("free memory 14Gi on node-a"));
}

#[test]
fn a_size_beyond_what_the_vm_booted_with_needs_a_restart_and_says_whether_a_node_has_room() {
    let cluster = node(2, 3).vm("web-1", "node-a", size(2, 2)).node("node-b", 64, 256, 0, 0);
    let change = only(plan(&[subject("web-1", size(2, 2), size(40, 2))], Some(&cluster.facts)));
    let rules: Vec<Rule> = change.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!((change.mode, rules), (Mode::Restart, vec![Rule::BootLayout, Rule::Fits]));
    assert_eq!(
        change.why(),
        "it booted with 1 to 32 vCPU and 1Gi to 128Gi; its Pod needs cpu 40, memory 2304Mi, and node-b has room for it"
    );
    let change = only(plan(&[subject("web-1", size(2, 2), size(80, 2))], Some(&cluster.facts)));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Infeasible, Rule::NoNode));
}

#[test]
fn a_shrink_of_the_same_commit_makes_room_for_a_growth_and_goes_first() {
    let cluster = node(8, 60).vm("web-1", "node-a", size(2, 2)).vm("web-2", "node-a", size(2, 40));
    let growth = subject("web-1", size(2, 2), size(2, 30));
    assert_eq!(modes(&plan(std::slice::from_ref(&growth), Some(&cluster.facts))), [Mode::Deferred]);
    let planned = plan(&[growth, subject("web-2", size(2, 40), size(2, 10))], Some(&cluster.facts));
    assert_eq!(modes(&planned), [Mode::Live, Mode::Live]);
    let turns: Vec<u32> = planned.changes.iter().map(|change| change.turn).collect();
    assert_eq!((turns, planned.changes[0].after.as_slice()), (vec![2, 1], &["web/web-2".to_owned()][..]));
    assert_eq!(planned.changes[0].why(), "its Pod becomes cpu 2, memory 30976Mi on node-a, once web/web-2 gave room");
}

#[test]
fn growths_that_fit_one_by_one_and_not_together_are_all_told() {
    let cluster = node(8, 40).vm("web-1", "node-a", size(2, 2)).vm("web-2", "node-a", size(2, 2));
    let both = [subject("web-1", size(2, 2), size(2, 20)), subject("web-2", size(2, 2), size(2, 20))];
    let planned = plan(&both, Some(&cluster.facts));
    assert_eq!(modes(&planned), [Mode::Deferred, Mode::Deferred]);
    let finding = &planned.changes[0].findings[0];
    assert_eq!(finding.rule, Rule::Contended);
    assert_eq!(
        finding.message,
        "web/web-1, web/web-2 together ask for memory 36Gi more, and node-a has cpu 8, memory 24Gi free: not all of them fit"
    );
}

#[test]
fn one_that_grows_in_what_nobody_else_wants_is_not_held_up() {
    let cluster = node(8, 40).vm("web-1", "node-a", size(2, 2)).vm("web-2", "node-a", size(2, 2)).vm(
        "web-3",
        "node-a",
        size(2, 2),
    );
    let three = [
        subject("web-1", size(2, 2), size(2, 20)),
        subject("web-2", size(2, 2), size(2, 20)),
        subject("web-3", size(2, 2), size(4, 2)),
    ];
    assert_eq!(modes(&plan(&three, Some(&cluster.facts))), [Mode::Deferred, Mode::Deferred, Mode::Live]);
}

#[test]
fn a_vm_that_waits_already_competes() {
    let cluster = node(8, 40).vm("web-1", "node-a", size(2, 2)).waiting("db-1", "node-a", size(2, 2), size(2, 20));
    let change = only(plan(&[subject("web-1", size(2, 2), size(2, 20))], Some(&cluster.facts)));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Deferred, Rule::Contended));
    assert!(change.why().starts_with("web/web-1, web/db-1 together"), "{}", change.why());
}

#[test]
fn a_pod_that_grows_in_one_resource_and_shrinks_in_the_other_gives_back_only_if_it_grows() {
    let cluster = node(15, 60).vm("web-1", "node-a", size(2, 20)).vm("web-2", "node-a", size(2, 2));
    let mixed = |vcpus| {
        let both = [subject("web-1", size(2, 20), size(vcpus, 4)), subject("web-2", size(2, 2), size(2, 16))];
        modes(&plan(&both, Some(&cluster.facts)))
    };
    assert_eq!(mixed(3), [Mode::Live, Mode::Live]);
    assert_eq!(mixed(4), [Mode::Deferred, Mode::Deferred]);
}

#[test]
fn a_new_vm_goes_where_there_is_room_and_may_stand_in_the_way_of_a_growth() {
    let cluster = node(8, 40).node("node-b", 8, 16, 0, 0).vm("web-1", "node-a", size(2, 2));
    let new = || Subject { before: None, ..subject("web-9", size(1, 1), size(2, 20)) };
    let change = only(plan(&[new()], Some(&cluster.facts)));
    assert_eq!((change.action, change.mode, change.size.from), (Action::Create, Mode::Live, None));
    assert_eq!(change.why(), "a new VM: its Pod needs cpu 2, memory 20736Mi, and node-a has room for it");
    let planned = plan(&[subject("web-1", size(2, 2), size(2, 20)), new()], Some(&cluster.facts));
    assert_eq!(modes(&planned), [Mode::Deferred, Mode::Deferred], "one of the two, and nobody knows which");
    let huge = Subject { before: None, ..subject("web-9", size(1, 1), size(2, 100)) };
    assert_eq!(only(plan(&[huge], Some(&cluster.facts))).mode, Mode::Infeasible);
}

#[test]
fn new_vms_that_fit_together_go_and_those_that_do_not_are_told() {
    let cluster = Cluster::default().node("node-a", 8, 16, 0, 0).node("node-b", 8, 16, 0, 0);
    let new = |name: &str, gib| Subject { before: None, ..subject(name, size(1, 1), size(1, gib)) };
    let planned = |sizes: &[u64]| {
        let subjects: Vec<Subject> =
            sizes.iter().enumerate().map(|(index, gib)| new(&format!("new-{index}"), *gib)).collect();
        modes(&plan(&subjects, Some(&cluster.facts)))
    };
    assert_eq!(planned(&[7, 8]), [Mode::Live, Mode::Live]);
    assert_eq!(planned(&[10, 10, 10]), [Mode::Deferred, Mode::Deferred, Mode::Deferred]);
}

#[test]
fn nodes_that_a_pod_may_not_run_on_are_passed_over() {
    let mut cluster = node(0, 0).node("node-b", 64, 256, 0, 0);
    cluster.facts.nodes[1].taints =
        vec![TaintFacts { key: "gpu".to_owned(), value: String::new(), effect: "NoSchedule".to_owned() }];
    let mut new = Subject { before: None, ..subject("web-9", size(1, 1), size(2, 100)) };
    assert_eq!(only(plan(std::slice::from_ref(&new), Some(&cluster.facts))).mode, Mode::Infeasible);
    let tolerates =
        k8s_openapi::api::core::v1::Toleration { operator: Some("Exists".to_owned()), ..Default::default() };
    new.placement.tolerations = Some(vec![tolerates]);
    assert_eq!(only(plan(std::slice::from_ref(&new), Some(&cluster.facts))).mode, Mode::Live);
    new.placement.node_selector = Some([("disk".to_owned(), "ssd".to_owned())].into());
    assert_eq!(only(plan(&[new], Some(&cluster.facts))).mode, Mode::Infeasible);
}

#[test]
fn a_quota_blocks_what_never_fits_and_defers_what_has_to_wait_for_a_shrink() {
    let quota = |used: u64| QuotaFacts {
        namespace: "web".to_owned(),
        name: "team".to_owned(),
        limits: vec![QuotaLimit { resource: QuotaResource::RequestsMemory, hard: 10 * GIB, used: used * GIB }],
    };
    let mut cluster = node(0, 0).vm("web-1", "node-a", size(2, 2)).vm("web-2", "node-a", size(2, 4));
    cluster.facts.quotas = vec![quota(8)];
    let growth = subject("web-1", size(2, 2), size(2, 6));
    let change = only(plan(std::slice::from_ref(&growth), Some(&cluster.facts)));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Blocked, Rule::Quota));
    assert_eq!(change.findings[0].message, "it needs 4Gi more of requests.memory, and quota team has 2Gi of 10Gi left");
    let planned = plan(&[growth, subject("web-2", size(2, 4), size(2, 1))], Some(&cluster.facts));
    assert_eq!(modes(&planned), [Mode::Deferred, Mode::Live]);
    cluster.facts.quotas[0].namespace = "db".to_owned();
    assert_eq!(modes(&plan(&[subject("web-1", size(2, 2), size(2, 6))], Some(&cluster.facts))), [Mode::Live]);
}

#[test]
fn a_limit_range_blocks_with_its_bound() {
    let mut cluster = node(0, 0).vm("web-1", "node-a", size(2, 2));
    let range = LimitFacts {
        namespace: "web".to_owned(),
        name: "sane".to_owned(),
        min_cpu: None,
        max_cpu: Some(MilliCpu(4_000)),
        min_memory: None,
        max_memory: None,
    };
    cluster.facts.limit_ranges = vec![range];
    let change = only(plan(&[subject("web-1", size(2, 2), size(6, 2))], Some(&cluster.facts)));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Blocked, Rule::LimitRange));
    assert_eq!(change.why(), "LimitRange sane allows at most 4 of CPU for a Pod, and its Pod would have 6");
}

#[test]
fn what_is_blocked_takes_nothing_of_anybody() {
    let cluster = node(8, 40).vm("web-1", "node-a", size(2, 2)).vm("web-2", "node-a", size(2, 2));
    let conflict = PolicyConflict { names: vec!["a".to_owned(), "b".to_owned()] };
    let blocked = Subject { wanted: Wanted::Conflict(conflict), ..subject("web-1", size(2, 2), size(2, 20)) };
    let planned = plan(&[blocked, subject("web-2", size(2, 2), size(2, 20))], Some(&cluster.facts));
    assert_eq!(modes(&planned), [Mode::Blocked, Mode::Live]);
    assert_eq!(planned.changes[0].takes(), reef_api::plan::Amounts::default());
}

#[test]
fn a_vm_of_another_source_is_not_taken_over() {
    let mut cluster = node(8, 40).vm("web-1", "node-a", size(2, 2));
    cluster.facts.vms[0].source = Some("web/theirs".to_owned());
    let ours = Subject { source: Some("web/ours".to_owned()), ..subject("web-1", size(2, 2), size(4, 4)) };
    let change = only(plan(&[ours], Some(&cluster.facts)));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Blocked, Rule::OtherSource));
}

#[test]
fn what_is_suspended_waits_for_its_end_or_is_blocked_where_there_is_none() {
    let suspended = |until: Option<&str>| {
        let until = until.map(|text| text.parse().unwrap());
        SuspensionFacts { told: "suspended by ops".to_owned(), until }
    };
    let mut cluster = node(8, 40).vm("web-1", "node-a", size(2, 2)).vm("web-2", "node-a", size(2, 2));
    cluster.facts.vms[0].suspended = Some(suspended(Some("2027-01-15T08:00:00Z")));
    let both = ["web-1", "web-2"].map(|name| subject(name, size(2, 2), size(3, 3)));
    let planned = plan(&both, Some(&cluster.facts));
    assert_eq!(modes(&planned), [Mode::Deferred, Mode::Live]);
    let finding = &planned.changes[0].findings[0];
    assert_eq!(finding.message, "the VM is suspended by ops; nothing of this is applied before that ends");
    assert_eq!(finding.remedy.as_deref(), Some("it goes on by itself at 2027-01-15T08:00:00Z, or with `reef resume`"));
    cluster.facts.vms[1].source = Some("web/fleet".to_owned());
    let fleet = SuspendedSource { namespace: "web".to_owned(), name: "fleet".to_owned(), suspended: suspended(None) };
    cluster.facts.suspended_sources.push(fleet);
    let planned = plan(&both, Some(&cluster.facts));
    assert_eq!(modes(&planned), [Mode::Deferred, Mode::Blocked]);
    assert_eq!(planned.changes[1].findings[0].rule, Rule::Suspended);
    assert!(planned.changes[1].findings[0].message.starts_with("GitSource web/fleet is suspended by ops; "));
}

#[test]
fn starting_and_stopping_are_placed_and_give_back() {
    let cluster = stopped(node(14, 40).vm("web-1", "node-a", size(8, 8)), "web-2", size(4, 4));
    let stop = planning::running(subject("web-1", size(8, 8), size(8, 8)), RunPolicy::Always, RunPolicy::Halted);
    let start = planning::running(subject("web-2", size(4, 4), size(4, 4)), RunPolicy::Halted, RunPolicy::Always);
    let planned = plan(&[stop, start.clone()], Some(&cluster.facts));
    let actions: Vec<Action> = planned.changes.iter().map(|change| change.action).collect();
    assert_eq!((actions, modes(&planned)), (vec![Action::Stop, Action::Start], vec![Mode::Live, Mode::Live]));
    assert_eq!(modes(&plan(&[start], Some(&cluster.facts))), [Mode::Deferred]);
}

#[test]
fn what_takes_effect_at_the_start_needs_one_unless_the_vm_does_not_run() {
    let cluster = node(8, 40).vm("web-1", "node-a", size(2, 2));
    let edited = |path: &str| {
        let fields = vec![FieldChange::of(path)];
        Subject { fields, ..subject("web-1", size(2, 2), size(2, 2)) }
    };
    let judged = |path| only(plan(&[edited(path)], Some(&cluster.facts)));
    let disks = judged("spec.instance.disks");
    assert_eq!((disks.action, disks.mode), (Action::Edit, Mode::Restart));
    assert_eq!(disks.why(), "spec.instance.disks take effect when the VM is started anew");
    assert_eq!(judged("metadata.labels.tier").mode, Mode::Live);
    let still = stopped(node(0, 0), "web-1", size(2, 2));
    assert_eq!(only(plan(&[edited("spec.instance.disks")], Some(&still.facts))).mode, Mode::Live);
}

#[test]
fn a_vm_that_does_not_run_starts_with_its_size_and_one_that_is_gone_from_git_is_kept() {
    let cluster = stopped(node(8, 40), "web-1", size(2, 2));
    let resized = subject("web-1", size(2, 2), size(4, 4));
    let halted = planning::running(resized, RunPolicy::Halted, RunPolicy::Halted);
    let change = only(plan(&[halted], Some(&cluster.facts)));
    assert_eq!((change.mode, change.why().as_str()), (Mode::Live, "it does not run; it starts with this size"));
    let gone = Subject { wanted: Wanted::Nothing, ..subject("web-1", size(2, 2), size(2, 2)) };
    let change = only(plan(&[gone], Some(&cluster.facts)));
    assert_eq!((change.action, change.mode, change.size.to), (Action::Remove, Mode::Live, None));
}

#[test]
fn without_a_cluster_the_base_tells_what_the_vm_booted_with() {
    let change = only(plan(&[subject("web-1", size(2, 2), size(4, 4))], None));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Live, Rule::NotJudged));
    let mut small = subject("web-1", size(2, 2), size(4, 4));
    small.before.as_mut().unwrap().ceiling.vcpus = Vcpus(3);
    let change = only(plan(&[small], None));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Restart, Rule::BootLayout));
}

#[test]
fn what_a_policy_forbids_is_blocked_with_the_rule_that_forbids_it_and_nothing_beside() {
    let most = PartialSize { vcpus: Some(Vcpus(3)), memory: None };
    let policy = EffectivePolicy {
        name: Some("small".to_owned()),
        bounds: Range { min: None, max: Some(most) },
        ..EffectivePolicy::default()
    };
    let facts = Cluster::default().node("node-a", 8, 32, 4, 8).vm("web-1", "node-a", size(2, 2)).facts;
    let asked = Subject { policy, ..subject("web-1", size(2, 2), size(4, 100)) };
    let change = plan(&[asked], Some(&facts)).changes.remove(0);
    assert_eq!((change.mode, change.pod.to), (Mode::Blocked, change.pod.from));
    assert_eq!(change.why(), "spec.instance.cpu is 4, but SizingPolicy small allows no more than 3");
}

#[test]
fn a_budget_blocks_all_that_a_commit_changes_of_a_policys_vms_and_no_other() {
    let budget = Budget { namespace: Some(Allowance { vms: Some(1), ..Allowance::default() }), node: None };
    let policy = EffectivePolicy { name: Some("few".to_owned()), budget, ..EffectivePolicy::default() };
    let own = |name: &str| Subject { policy: policy.clone(), ..subject(name, size(2, 2), size(2, 4)) };
    let planned = plan(&[own("web-1"), own("web-2"), subject("web-3", size(2, 2), size(2, 4))], None);
    assert_eq!(modes(&planned), [Mode::Blocked, Mode::Blocked, Mode::Live]);
    assert!(planned.changes[0].why().contains("one of 2 VMs that the commit changes"), "{}", planned.changes[0].why());
    assert_eq!(plan(&[own("web-1")], None).changes[0].mode, Mode::Live);
}

#[test]
fn a_change_is_held_against_what_the_cluster_has_accepted_and_not_against_what_the_base_states() {
    let rule =
        PolicyRule { expression: "change.memory <= memory('2Gi')".to_owned(), message: "small steps".to_owned() };
    let policy = EffectivePolicy { name: Some("steps".to_owned()), rules: vec![rule], ..EffectivePolicy::default() };
    let facts = Cluster::default().node("node-a", 8, 32, 4, 8).vm("web-1", "node-a", size(2, 2)).facts;
    // The base states 8Gi, which was refused.
    let asked = Subject { policy, ..subject("web-1", size(2, 8), size(2, 9)) };
    assert_eq!(plan(std::slice::from_ref(&asked), Some(&facts)).changes[0].mode, Mode::Blocked);
    assert_eq!(plan(&[asked], None).changes[0].mode, Mode::Live, "without a cluster the base is all that is known");
}

#[test]
fn a_vm_that_the_cluster_does_not_have_is_new_whatever_the_base_states() {
    let asked = subject("web-1", size(2, 90), size(2, 8));
    let planned = plan(std::slice::from_ref(&asked), Some(&node(8, 40).facts));
    let change = &planned.changes[0];
    assert_eq!((change.action, change.mode, change.size.from), (Action::Create, Mode::Live, None));
    assert!(change.why().starts_with("a new VM: its Pod needs "), "{}", change.why());
    assert_eq!(planned.nodes.len(), 1, "what it takes of its node is told");
    assert_eq!(only(plan(&[asked], Some(&node(15, 40).facts))).mode, Mode::Deferred);
}

#[test]
fn a_stop_that_was_refused_is_a_stop_again_when_it_is_allowed() {
    let cluster = node(8, 40).vm("web-1", "node-a", size(2, 2));
    let mut facts = cluster.facts;
    facts.vms[0].run_policy = Some(RunPolicy::Always);
    let same = subject("web-1", size(2, 2), size(2, 2));
    let stop = planning::running(same.clone(), RunPolicy::Halted, RunPolicy::Halted);
    assert_eq!(only(plan(&[stop], Some(&facts))).action, Action::Stop);
    let back = planning::running(same, RunPolicy::Halted, RunPolicy::Always);
    let change = only(plan(&[back], Some(&facts)));
    assert_eq!((change.action, change.mode), (Action::Edit, Mode::Live));
    assert_eq!(change.why(), "the cluster has this already; the VM goes on as it is");
}

#[test]
fn a_policy_that_forbids_restarts_forbids_a_size_that_needs_one_of_a_vm_that_is_stopped_too() {
    let policy = EffectivePolicy { restart: RestartPolicy::Never, ..EffectivePolicy::default() };
    let cluster = node(8, 40).vm("web-1", "node-a", size(2, 2));
    let asked = |to| {
        let subject = Subject { policy: policy.clone(), ..subject("web-1", size(2, 2), to) };
        planning::running(subject, RunPolicy::Always, RunPolicy::Halted)
    };
    let change = only(plan(&[asked(size(40, 2))], Some(&cluster.facts)));
    assert_eq!((change.mode, change.findings[0].rule), (Mode::Blocked, Rule::RestartForbidden));
    assert_eq!(only(plan(&[asked(size(4, 2))], Some(&cluster.facts))).mode, Mode::Live);
}
