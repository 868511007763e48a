//! What people are told, as prose.

use super::{Reader, vm};

/// Reads one file and gives everything that is said about it.
fn told(text: &str) -> String {
    let mut reader = Reader::default();
    let desired = reader.read("c1", &[("team/vm.yaml", text)]);
    [desired.said(), desired.warned()].iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}

fn changed(from: &str, to: &str) -> String {
    let good = vm("web", "2Gi");
    assert!(good.contains(from), "{from}");
    told(&good.replace(from, to))
}

#[test]
fn a_key_that_stands_twice_is_refused_where_it_stands_again() {
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 2\n      sockets: 3"), @r#"
    team/vm.yaml:9:7: VirtualMachine team/web: duplicate mapping key `sockets` is not allowed here
    8 |       sockets: 2
    9 |       sockets: 3
      |       ^
    "#);
}

#[test]
fn a_misspelt_field_names_the_nearest_known_one() {
    insta::assert_snapshot!(changed("sockets: 2", "socketss: 2"), @r#"
    team/vm.yaml:8:7: VirtualMachine team/web: unknown field `spec.instance.cpu.socketss`; did you mean `sockets`?
    7 |     cpu:
    8 |       socketss: 2
      |       ^
    "#);
    insta::assert_snapshot!(changed("spec:", "spec:\n  resources: {limits: {memroy: 4Gi}}"), @r#"
    team/vm.yaml:6:24: VirtualMachine team/web: unknown field `spec.resources.limits.memroy`; did you mean `memory`?
    5 | spec:
    6 |   resources: {limits: {memroy: 4Gi}}
      |                        ^
    "#);
}

#[test]
fn a_misspelt_part_of_the_size_is_refused_instead_of_being_taken_for_the_default() {
    insta::assert_snapshot!(changed("    cpu:", "    cpuss:"), @r#"
    team/vm.yaml:7:5: VirtualMachine team/web: unknown field `spec.instance.cpuss`; did you mean `cpu`?
    6 |   instance:
    7 |     cpuss:
      |     ^
    "#);
}

#[test]
fn a_suspension_is_refused_where_git_states_it() {
    insta::assert_snapshot!(changed("spec:", "  annotations: {reef.dev/suspended: '{}'}\nspec:"), @r#"
    team/vm.yaml:5:17: VirtualMachine team/web: the annotation reef.dev/suspended cannot be stated in Git, where it would keep the commit from being applied that takes it away; use `reef suspend`, or spec.suspend of the GitSource
    4 |   name: web
    5 |   annotations: {reef.dev/suspended: '{}'}
      |                 ^
    "#);
}

#[test]
fn the_source_of_a_volume_is_no_unknown_field() {
    let volumes =
        "  volumes:\n    - name: root\n      containerRootfs: { image: registry.example.com/guests/a:1, size: 4Gi }\n";
    assert_eq!(changed("spec:\n", &format!("spec:\n{volumes}")), "");
}

#[test]
fn an_unknown_field_elsewhere_is_kept_with_a_warning() {
    insta::assert_snapshot!(changed("    cpu:", "    disk: []\n    cpu:"), @r#"
    team/vm.yaml:7:5: VirtualMachine team/web: field `spec.instance.disk` is kept, and nothing reads it; did you mean `disks`?
    6 |   instance:
    7 |     disk: []
      |     ^
    "#);
    insta::assert_snapshot!(changed("name: web", "name: web\n  namespce: x"), @r#"
    team/vm.yaml:5:3: VirtualMachine team/web: field `metadata.namespce` is kept, and nothing reads it; did you mean `namespace`?
    4 |   name: web
    5 |   namespce: x
      |   ^
    "#);
    insta::assert_snapshot!(changed("spec:", "status: {phase: Running}\nspec:"), @r#"
    team/vm.yaml:5:9: VirtualMachine team/web: the status is left out: Reef writes it
    4 |   name: web
    5 | status: {phase: Running}
      |         ^
    "#);
}

#[test]
fn counts_are_decimal_whole_numbers() {
    insta::assert_snapshot!(changed("sockets: 2", "sockets: two"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid type: string "two", expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: two
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 0x10"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: write this number with decimal digits only, or quote it if it is text
    7 |     cpu:
    8 |       sockets: 0x10
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 0o17"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: write this number with decimal digits only, or quote it if it is text
    7 |     cpu:
    8 |       sockets: 0o17
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 010"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid type: string "010", expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: 010
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 1_000"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid type: string "1_000", expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: 1_000
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 1:30"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid type: string "1:30", expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: 1:30
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 1e3"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid type: floating point `1000.0`, expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: 1e3
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: yes"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid type: string "yes", expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: yes
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: .nan"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: value `.nan` is not a finite number
    7 |     cpu:
    8 |       sockets: .nan
      |                ^
    "#);
}

#[test]
fn counts_have_limits() {
    insta::assert_snapshot!(changed("sockets: 2", "sockets: -1"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: spec.instance.cpu.sockets is -1, but the least is 1; state a positive count
    7 |     cpu:
    8 |       sockets: -1
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 0"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: spec.instance.cpu.sockets is 0, but the least is 1; state a positive count
    7 |     cpu:
    8 |       sockets: 0
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 5000000000"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid value: integer `5000000000`, expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: 5000000000
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 18446744073709551616"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: invalid type: floating point `18446744073709552000.0`, expected a whole number of at most 2147483647
    7 |     cpu:
    8 |       sockets: 18446744073709551616
      |                ^
    "#);
    insta::assert_snapshot!(changed("sockets: 2", "sockets: 9e400"), @r#"
    team/vm.yaml:8:16: VirtualMachine team/web: value `9e400` is not a finite number
    7 |     cpu:
    8 |       sockets: 9e400
      |                ^
    "#);
}

#[test]
fn sizes_are_quantities_with_limits() {
    insta::assert_snapshot!(changed("size: 2Gi", "size: 2GB"), @r#"
    team/vm.yaml:10:13: VirtualMachine team/web: "2GB" has the unknown suffix "GB": write "2G" (times 10^9) or "2Gi" (times 2^30)
     9 |     memory:
    10 |       size: 2GB
       |             ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: 0"), @r#"
    team/vm.yaml:10:13: VirtualMachine team/web: spec.instance.memory.size is 0, but the least is 128Mi; state a size such as 2Gi
     9 |     memory:
    10 |       size: 0
       |             ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: ''"), @r#"
    team/vm.yaml:10:13: VirtualMachine team/web: the value is empty: write a quantity such as "2", "500m" or "4Gi"
     9 |     memory:
    10 |       size: ''
       |             ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: -1Gi"), @r#"
    team/vm.yaml:10:13: VirtualMachine team/web: "-1Gi" is negative: memory must be zero or more
     9 |     memory:
    10 |       size: -1Gi
       |             ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: 16Ei"), @r#"
    team/vm.yaml:10:13: VirtualMachine team/web: "16Ei" is too large: the largest amount of memory is 18446744073709551615 bytes
     9 |     memory:
    10 |       size: 16Ei
       |             ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: 100Mi"), @r#"
    team/vm.yaml:10:13: VirtualMachine team/web: spec.instance.memory.size is 100Mi, but guests plug memory in blocks of 128Mi; state 128Mi
     9 |     memory:
    10 |       size: 100Mi
       |             ^
    "#);
}

#[test]
fn names_are_texts_that_kubernetes_accepts() {
    insta::assert_snapshot!(changed("name: web", "name: 123"), @r#"
    team/vm.yaml:4:9: invalid type: integer `123`, expected a string
    3 | metadata:
    4 |   name: 123
      |         ^
    "#);
    insta::assert_snapshot!(changed("name: web", "name: 1e3"), @r#"
    team/vm.yaml:4:9: invalid type: floating point `1000.0`, expected a string
    3 | metadata:
    4 |   name: 1e3
      |         ^
    "#);
    insta::assert_snapshot!(changed("name: web", "name: null"), @r#"
    team/vm.yaml:4:9: metadata.name is "", but a VM's name is a DNS label (the name "" has an empty part: write at least one letter or digit); rename the VM
    3 | metadata:
    4 |   name: null
      |         ^
    "#);
    insta::assert_snapshot!(changed("name: web", "name: Web"), @r#"
    team/vm.yaml:4:9: VirtualMachine team/Web: metadata.name is "Web", but a VM's name is a DNS label (the name "Web" has "W" at character 1: use lower-case letters a-z, digits and "-" only); rename the VM
    3 | metadata:
    4 |   name: Web
      |         ^
    "#);
    insta::assert_snapshot!(changed("name: web", "name: wеb"), @r#"
    team/vm.yaml:4:9: VirtualMachine team/wеb: metadata.name is "wеb", but a VM's name is a DNS label (the name "wеb" has "U+0435" at character 2: use lower-case letters a-z, digits and "-" only); rename the VM
    3 | metadata:
    4 |   name: wеb
      |         ^
    "#);
    insta::assert_snapshot!(changed("name: web", "name: 💾"), @r#"
    team/vm.yaml:4:9: VirtualMachine team/💾: metadata.name is "💾", but a VM's name is a DNS label (the name "💾" has "U+1F4BE" at character 1: use lower-case letters a-z, digits and "-" only); rename the VM
    3 | metadata:
    4 |   name: 💾
      |         ^
    "#);
    insta::assert_snapshot!(changed("name: web", "name: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), @r#"
    team/vm.yaml:4:9: VirtualMachine team/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: metadata.name is "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", but a VM's name is a DNS label (the name "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" has 64 bytes: at most 63 are allowed); rename the VM
    3 | metadata:
    4 |   name: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      |         ^
    "#);
}

#[test]
fn another_namespace_is_refused() {
    insta::assert_snapshot!(changed("name: web", "name: web\n  namespace: other"), @r#"
    team/vm.yaml:5:14: VirtualMachine other/web: the source may write to namespace `team` only; leave metadata.namespace out, give `other` a source of its own, or state in spec.serviceAccountName of the source an account of `team` that may write there
    4 |   name: web
    5 |   namespace: other
      |              ^
    "#);
}

#[test]
fn templates_and_merge_marks_are_hinted_at() {
    insta::assert_snapshot!(changed("size: 2Gi", "size: {{ .Values.size }}"), @r#"
    team/vm.yaml:10:14: VirtualMachine team/web: expected string scalar; this looks like a template that was not rendered; commit the rendered text
     9 |     memory:
    10 |       size: {{ .Values.size }}
       |              ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: ${SIZE}"), @r#"
    team/vm.yaml:10:13: VirtualMachine team/web: "${SIZE}" is not a quantity: it must start with decimal digits, such as "4Gi"; this looks like a template that was not rendered; commit the rendered text
     9 |     memory:
    10 |       size: ${SIZE}
       |             ^
    "#);
    insta::assert_snapshot!(changed("    memory:\n", "<<<<<<< HEAD\n    memory:\n"), @r#"
    team/vm.yaml:9:1: the file holds the marks of an unfinished merge; solve the conflict and commit again
    8 |       sockets: 2
    9 | <<<<<<< HEAD
      | ^
    "#);
}

#[test]
fn anchors_aliases_merge_keys_and_tags_are_refused() {
    insta::assert_snapshot!(changed("metadata:", "metadata: &a"), @r#"
    team/vm.yaml:4:3: VirtualMachine team/web: anchors and aliases are not accepted; write the value out
    3 | metadata: &a
    4 |   name: web
      |   ^
    "#);
    insta::assert_snapshot!(changed("metadata:", "x: *a\nmetadata:"), @r#"
    team/vm.yaml:3:4: VirtualMachine team/web: reference to unknown value
    2 | kind: VirtualMachine
    3 | x: *a
      |    ^
    "#);
    insta::assert_snapshot!(changed("metadata:", "<<: {a: b}\nmetadata:"), @r#"
    team/vm.yaml:3:1: VirtualMachine team/web: merge keys (`<<`) are not accepted; write the fields out
    2 | kind: VirtualMachine
    3 | <<: {a: b}
      | ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: !!str 2Gi"), @r#"
    team/vm.yaml:10:19: VirtualMachine team/web: tags (`!`, `!!`) are not accepted; write a plain value
     9 |     memory:
    10 |       size: !!str 2Gi
       |                   ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: !Ref 2Gi"), @r#"
    team/vm.yaml:10:18: VirtualMachine team/web: unsupported tag `!Ref`
     9 |     memory:
    10 |       size: !Ref 2Gi
       |                  ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: !!python/object:x 2Gi"), @r#"
    team/vm.yaml:10:31: VirtualMachine team/web: unsupported tag `!!python/object:x`
     9 |     memory:
    10 |       size: !!python/object:x 2Gi
       |                               ^
    "#);
}

#[test]
fn kinds_and_versions_that_are_nearly_ours_are_refused() {
    insta::assert_snapshot!(changed("kind: VirtualMachine", "kind: VirtualMachin"), @r#"
    team/vm.yaml:2:7: kind `VirtualMachin` is not known; did you mean `VirtualMachine`?
    1 | apiVersion: cloudhypervisor.quill.today/v1beta1
    2 | kind: VirtualMachin
      |       ^
    "#);
    insta::assert_snapshot!(changed("v1beta1", "v2"), @r#"
    team/vm.yaml:1:13: VirtualMachine team/web: VirtualMachine of version `cloudhypervisor.quill.today/v2` is not known to this Reef; it reads cloudhypervisor.quill.today/v1beta1
    1 | apiVersion: cloudhypervisor.quill.today/v2
      |             ^
    "#);
    insta::assert_snapshot!(changed("quill.today", "quil.today"), @r#"
    team/vm.yaml:1:13: VirtualMachine team/web: apiVersion `cloudhypervisor.quil.today/v1beta1` is not known; did you mean `cloudhypervisor.quill.today/v1beta1`?
    1 | apiVersion: cloudhypervisor.quil.today/v1beta1
      |             ^
    "#);
    insta::assert_snapshot!(changed("kind: VirtualMachine\n", ""), @r#"
    team/vm.yaml:1:1: `kind` is missing, or is no text
    1 | apiVersion: cloudhypervisor.quill.today/v1beta1
      | ^
    "#);
}

#[test]
fn text_that_is_no_yaml_is_refused_where_it_ends_to_be() {
    insta::assert_snapshot!(changed("  instance:", "\tinstance:"), @r#"
    team/vm.yaml:6:2: VirtualMachine team/web: tabs disallowed within this context (block indentation)
    5 | spec:
    6 |  instance:
      |  ^
    "#);
    insta::assert_snapshot!(changed("  instance:", "  instanc:"), @r#"
    team/vm.yaml:6:3: VirtualMachine team/web: missing field `instance`
    5 | spec:
    6 |   instanc:
      |   ^
    "#);
    insta::assert_snapshot!(changed("size: 2Gi", "size: 2Gi\n garbage"), @r#"
    team/vm.yaml:11:2: VirtualMachine team/web: while parsing a block mapping, did not find expected key
    10 |       size: 2Gi
    11 |  garbage
       |  ^
    "#);
}

fn check(spec: &str) -> String {
    format!(
        "apiVersion: reef.dev/v1alpha1\nkind: CapacityCheck\nmetadata:\n  name: gate\n  annotations:\n    argocd.argoproj.io/hook: PreSync\nspec:\n{spec}"
    )
}

#[test]
fn a_capacity_check_is_no_object_of_a_source_and_its_mistakes_are_told_where_they_stand() {
    assert_eq!(told(&check("  sourceRef:\n    name: vms\n  failOn: [Blocked, Restart]\n  timeout: 90s\n")), "");
    let mut reader = Reader::default();
    let desired = reader.read("c1", &[("gate.yaml", &check("  sourceRef: {name: vms}\n"))]);
    assert_eq!((desired.vms.len(), desired.foreign.get("CapacityCheck")), (0, Some(&1)));
    let good = check("  sourceRef: {name: vms}\n");
    for (text, at, why) in [
        (
            check("  sourceRef:\n    name: vms\n  failsOn: [Blocked]\n"),
            "10:3",
            "unknown field `spec.failsOn`; did you mean `failOn`?",
        ),
        (check("  sourceRef:\n    name: vms\n  failOn: [Blockd]\n"), "10:12", "Blockd"),
        (check("  sourceRef:\n    name: vms\n  timeout: 1s\n"), "10:12", "it is a duration from 5s to 1h"),
        (check("  timeout: 1m\n"), "8:3", "missing field `sourceRef`"),
        (good.replace("v1alpha1", "v1"), "1:13", "it reads reef.dev/v1alpha1"),
    ] {
        let said = told(&text);
        assert!(said.starts_with(&format!("team/vm.yaml:{at}: ")) && said.contains(why), "{said}");
    }
}
