//! What policies say of changes: each rule with its sentence, what is not judged, and rules of one's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use reef_api::plan::Rule;
use reef_api::policy::{Allowance, Budget, MemoryRange, PartialSize, PolicyRule, Range};
use reef_api::{Bytes, EffectivePolicy, GIB, MilliCpu, RestartPolicy, Size, Vcpus, VirtualMachine, Vm, defaulted};
use reef_policy::{Asked, Before, Change, Host, Rulebook, check, over_budget};
use serde_json::json;

fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(gib * GIB.get()))
}

fn vm(size: Size) -> Vm {
    let raw: VirtualMachine = serde_json::from_value(json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web-1", "namespace": "vms"},
        "spec": {"instance": {"cpu": {"coresPerSocket": size.vcpus.0}, "memory": {"size": size.memory.to_string()}}},
    }))
    .unwrap();
    defaulted(&raw, &EffectivePolicy::default())
}

fn policy(change: impl FnOnce(&mut EffectivePolicy)) -> EffectivePolicy {
    let mut policy = EffectivePolicy { name: Some("gold".to_owned()), ..EffectivePolicy::default() };
    change(&mut policy);
    policy
}

fn ruled(expression: &str) -> EffectivePolicy {
    let rule = PolicyRule { expression: expression.to_owned(), message: "ask the owners".to_owned() };
    policy(|policy| policy.rules = vec![rule])
}

struct Case {
    before: Before,
    after: Vm,
    labels: BTreeMap<String, String>,
    stops: bool,
    restart: bool,
    host: Host<'static>,
}

fn grows(from: Size, to: Size) -> Case {
    Case {
        before: Before::Had(from),
        after: vm(to),
        labels: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
        stops: false,
        restart: false,
        host: Host::Node { name: "node-a", cpu: MilliCpu(8000), memory: Bytes(32 * GIB.get()) },
    }
}

impl Case {
    fn judged(&self, policy: &EffectivePolicy) -> Vec<String> {
        let change = self.change();
        Rulebook::of(policy).judge(&change).broken.iter().map(ToString::to_string).collect()
    }

    fn change(&self) -> Change<'_> {
        let Self { before, after, labels, stops, restart, host } = self;
        Change { before: *before, after, labels, stops: *stops, restart: *restart, host: *host }
    }
}

#[test]
fn what_lies_outside_of_bounds_step_or_ratio_is_told_with_what_to_ask_for() {
    let bounded = policy(|policy| {
        let least = PartialSize { vcpus: Some(Vcpus(2)), memory: Some(Bytes(2 * GIB.get())) };
        let most = PartialSize { vcpus: Some(Vcpus(8)), memory: Some(Bytes(16 * GIB.get())) };
        policy.bounds = Range { min: Some(least), max: Some(most) };
    });
    assert_eq!(
        grows(size(2, 4), size(16, 32)).judged(&bounded),
        [
            "spec.instance.cpu is 16, but SizingPolicy gold allows no more than 8; ask for a size within the bounds, or have the policy changed",
            "spec.instance.memory.size is 32Gi, but SizingPolicy gold allows no more than 16Gi; ask for a size within the bounds, or have the policy changed",
        ]
    );
    assert_eq!(grows(size(2, 4), size(1, 1)).judged(&bounded).len(), 2);
    let stepped = policy(|policy| {
        policy.step = PartialSize { vcpus: Some(Vcpus(2)), memory: Some(Bytes(4 * GIB.get())) };
    });
    assert_eq!(
        grows(size(2, 4), size(3, 2)).judged(&stepped),
        [
            "spec.instance.cpu is 3, but SizingPolicy gold allows steps of 2; ask for 2 or 4",
            "spec.instance.memory.size is 2Gi, but SizingPolicy gold allows steps of 4Gi; ask for 4Gi",
        ]
    );
    let even = policy(|policy| {
        policy.memory_per_vcpu = MemoryRange { min: Some(Bytes(GIB.get())), max: Some(Bytes(4 * GIB.get())) };
    });
    assert_eq!(grows(size(2, 4), size(2, 8)).judged(&even), Vec::<String>::new());
    assert_eq!(
        grows(size(2, 4), size(2, 9)).judged(&even),
        [
            "spec.instance.memory.size is 2 vCPU, 9Gi, but SizingPolicy gold allows no more than 4Gi for each vCPU; ask for at most 8Gi with 2 vCPU"
        ]
    );
    assert_eq!(grows(size(2, 4), size(8, 7)).judged(&even).len(), 1);
}

#[test]
fn a_size_that_does_not_change_is_not_judged() {
    let tight = policy(|policy| {
        let most = PartialSize { vcpus: Some(Vcpus(1)), memory: None };
        policy.bounds = Range { min: None, max: Some(most) };
        policy.rules = vec![PolicyRule { expression: "false".to_owned(), message: "never".to_owned() }];
    });
    assert_eq!(grows(size(2, 4), size(2, 4)).judged(&tight), Vec::<String>::new());
    let new = Case { before: Before::New, ..grows(size(2, 4), size(2, 4)) };
    assert_eq!(new.judged(&tight).len(), 2);
}

#[test]
fn a_protected_vm_is_neither_resized_nor_stopped() {
    let protecting = policy(|policy| policy.protected = true);
    assert_eq!(
        grows(size(2, 4), size(2, 8)).judged(&protecting),
        [
            "spec.instance is 2 vCPU, 8Gi instead of 2 vCPU, 4Gi, but SizingPolicy gold protects it; leave it as it is, or have the policy changed first"
        ]
    );
    let stopped = Case { stops: true, ..grows(size(2, 4), size(2, 4)) };
    assert_eq!(stopped.judged(&protecting).len(), 1);
    assert_eq!(stopped.judged(&EffectivePolicy::default()), Vec::<String>::new());
    let new = Case { before: Before::New, ..grows(size(2, 4), size(2, 4)) };
    assert_eq!(new.judged(&protecting), Vec::<String>::new());
}

#[test]
fn a_size_that_needs_a_restart_is_refused_where_the_policy_says_never() {
    let case = Case { restart: true, ..grows(size(2, 4), size(2, 64)) };
    assert_eq!(case.judged(&policy(|policy| policy.restart = RestartPolicy::Manual)), Vec::<String>::new());
    let never = policy(|policy| policy.restart = RestartPolicy::Never);
    assert_eq!(case.judged(&never).len(), 1);
    assert_eq!(Rulebook::of(&never).judge(&case.change()).broken[0].rule, Rule::RestartForbidden);
}

#[test]
fn a_rule_sees_what_the_vm_had_gets_and_runs_on() {
    let allowed = [
        "new.vcpus <= 2 * old.vcpus",
        "change.memory == memory('4Gi') && change.vcpus == 0",
        "node.vcpus == 8 && node.memory == memory('32Gi') && node.name.startsWith('node-')",
        "new.labels.tier == 'gold' && new.name == 'web-1' && new.namespace == 'vms'",
        "!change.restart",
        "has(new.labels.tier) && !has(new.labels.owner)",
        "!('owner' in new.labels)",
        "new.memory / new.vcpus <= memory('4Gi')",
        "new.name in ['web-1', 'web-2']",
        "old == null || new.vcpus <= 4",
    ];
    let case = grows(size(2, 4), size(2, 8));
    for expression in allowed {
        assert_eq!(case.judged(&ruled(expression)), Vec::<String>::new(), "{expression}");
    }
    assert_eq!(
        case.judged(&ruled("change.memory <=\n  memory('2Gi')")),
        [
            "spec.instance is 2 vCPU, 8Gi instead of 2 vCPU, 4Gi, but SizingPolicy gold says: ask the owners; ask for a size for which `change.memory <= memory('2Gi')` is true"
        ]
    );
}

#[test]
fn a_rule_without_an_answer_forbids_and_says_why() {
    let new = Case { before: Before::New, host: Host::None, ..grows(size(2, 4), size(2, 8)) };
    for (expression, hint) in [
        ("new.vcpus <= 2 * old.vcpus", "`old` is null for a new VM, so begin with `old == null ||`"),
        ("node.vcpus > 2", "`node` is null while the VM does not run, so begin with `node == null ||`"),
        ("new.labels.owner == 'me'", "has no answer"),
        ("new.vcpus", "neither true nor false"),
        ("new.vcpus / 0 > 1", "has no answer"),
        ("memory('lots') > 1", "has no answer"),
        ("new.vcpus + new.name == 3", "has no answer"),
        ("9223372036854775807 + new.vcpus > 1", "has no answer"),
    ] {
        let told = new.judged(&ruled(expression));
        assert!(told.len() == 1 && told[0].contains(hint), "{expression}: {told:?}");
    }
    assert_eq!(new.judged(&ruled("old == null || new.vcpus <= old.vcpus")), Vec::<String>::new());
}

#[test]
fn what_is_not_known_leaves_rules_about_it_open() {
    let case = Case { before: Before::Unknown, host: Host::Unknown, ..grows(size(2, 4), size(2, 8)) };
    for expression in ["old.vcpus > 7", "change.vcpus > 7", "node == null"] {
        let judgement = Rulebook::of(&ruled(expression)).judge(&case.change());
        assert_eq!((judgement.broken.len(), judgement.open), (0, vec![format!("`{expression}`")]));
    }
    assert_eq!(case.judged(&ruled("new.vcpus > 7")).len(), 1);
}

#[test]
fn what_is_wrong_with_a_rule_is_told_with_its_place() {
    let told = |expression: &str| {
        let rules = [PolicyRule { expression: expression.to_owned(), message: String::new() }];
        check(&rules).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(told("new.vcpus <= 4"), "");
    for (expression, expected) in [
        ("new.vcpu <= 4", "rules[0].expression:1:4: `vcpu` is no field of `new`; did you mean `vcpus`?"),
        ("nwe.vcpus <= 4", "rules[0].expression:1:1: `nwe` is no variable; did you mean `new`?"),
        (
            "true &&\n  memry('1Gi') > 1",
            "rules[0].expression:2:8: `memry` is no function (and there are no loops); did you mean `memory`?",
        ),
        ("", "rules[0].expression:1:1: it is empty; state what has to be true of a change"),
    ] {
        assert_eq!(told(expression), expected);
    }
    for (expression, expected) in [
        ("new.vcpus <= ", "rules[0].expression:1:"),
        ("[1, 2].all(x, x > 0)", "there are no loops"),
        ("new.labels.exists(key, key == 'a')", "there are no loops"),
        ("Thing{a: 1} == 1", "`Thing` is no type"),
        ("1 2", "rules[0].expression:1:"),
        ("'open", "rules[0].expression:1:"),
    ] {
        assert!(told(expression).contains(expected), "{expression}: {}", told(expression));
    }
    assert!(told(&"1".repeat(1025)).contains("the most are 1024"));
    assert!(told(&vec!["1"; 202].join("+")).contains("the most are 200"));
    assert!(told(&format!("{}true{}", "(".repeat(17), ")".repeat(17))).contains("nested deeper than 16"));
    assert!(told(&format!("{}true", "!".repeat(17))).contains("nested deeper than 16"));
    assert!(told(&format!("{}1", "true ? 1 : ".repeat(17))).contains("nested deeper than 16"));
}

#[test]
fn the_costliest_expressions_stay_within_a_small_stack() {
    let texts = [
        format!("{}true{}", "(".repeat(16), ")".repeat(16)),
        format!("{}1{} == 1", "[".repeat(16), "]".repeat(16)),
        vec!["true"; 101].join(" && "),
        vec!["1"; 201].join("+"),
        format!("new{}", ".labels".repeat(140)),
        format!("{}true", "true ? true : ".repeat(16)),
        format!("'{}' == ''", "a".repeat(900)),
    ];
    let work = move || {
        for text in &texts {
            eprintln!("{}", &text[..40.min(text.len())]);
            let _ = grows(size(2, 4), size(2, 8)).judged(&ruled(text));
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_budget_is_held_against_the_whole_commit_and_against_each_node() {
    let asked = |vm: &str, before: Option<Size>, after: Size, node: Option<&str>| Asked {
        vm: vm.to_owned(),
        before,
        after,
        node: node.map(str::to_owned),
    };
    let commit = [
        asked("a", Some(size(2, 4)), size(4, 8), Some("n1")),
        asked("b", Some(size(2, 4)), size(4, 8), Some("n1")),
        asked("c", Some(size(8, 8)), size(2, 4), Some("n2")),
        asked("d", None, size(1, 1), None),
        asked("e", Some(size(1, 1)), size(1, 1), Some("n1")),
    ];
    let over = |allowance: Allowance, of_node: Allowance| {
        let budgeted = policy(|policy| policy.budget = Budget { namespace: Some(allowance), node: Some(of_node) });
        over_budget(&budgeted, &commit).into_iter().map(|(vm, broken)| (vm, broken.len())).collect::<Vec<_>>()
    };
    let none = Allowance::default();
    let of = |vms: u32, vcpus: u32, gib: u64| Allowance {
        vms: Some(vms),
        vcpus: Some(Vcpus(vcpus)),
        memory: Some(Bytes(gib * GIB.get())),
    };
    let named = |vms: &[&str], count: usize| vms.iter().map(|vm| ((*vm).to_owned(), count)).collect::<Vec<_>>();
    assert_eq!(over(none, none), []);
    assert_eq!(over(of(4, 5, 9), none), [], "four VMs, five vCPUs and 9Gi are what the commit asks for");
    assert_eq!(over(of(3, 5, 9), none), named(&["a", "b", "c", "d"], 1));
    assert_eq!(over(of(3, 4, 8), none), named(&["a", "b", "c", "d"], 3));
    assert_eq!(over(none, of(1, 4, 8)), named(&["a", "b"], 1));
    assert_eq!(over(none, of(2, 3, 8)), named(&["a", "b"], 1));
    let budgeted = policy(|policy| policy.budget.node = Some(of(1, 9, 9)));
    assert_eq!(
        over_budget(&budgeted, &commit)["a"][0].to_string(),
        "spec.instance is one of 2 VMs that the commit changes on n1, but SizingPolicy gold allows 1 for one commit; split the commit and let one part settle before the next, or have the budget raised"
    );
}

proptest! {
    #[test]
    fn no_text_is_too_strange_for_a_rule(expression in "\\PC{0,60}|[a-z.()!&|<>=0-9'\\[\\]{}?: ,+*/-]{0,80}") {
        let judged = grows(size(2, 4), size(2, 8)).judged(&ruled(&expression));
        prop_assert!(judged.len() <= 1);
    }
}
