//! The binary as a user calls it: what it prints, and the codes that it ends with. Needs no cluster.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use serde_json::Value;

fn reef(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reef"))
        .args(arguments)
        .env_clear()
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn manifests_print_four_definitions_as_yaml_and_as_json() {
    let yaml = reef(&["manifests", "--crds"]);
    assert!(yaml.status.success());
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text(&yaml.stdout)).unwrap();
    let list: Value = serde_json::from_slice(&reef(&["manifests", "--crds", "-o", "json"]).stdout).unwrap();
    assert_eq!(list["items"], Value::Array(documents.clone()));
    let names: Vec<&str> = documents.iter().map(|document| document["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "virtualmachines.cloudhypervisor.quill.today",
            "gitsources.reef.dev",
            "sizingpolicies.reef.dev",
            "capacitychecks.reef.dev"
        ]
    );
}

#[test]
fn an_installation_is_one_stream_of_objects_with_the_kinds_first_and_what_asks_the_webhook_last() {
    let printed =
        reef(&["manifests", "--image", "registry.example.com/reef:1", "--vmm-image", "registry.example.com/vmm:1"]);
    assert!(printed.status.success());
    let all: Vec<Value> = serde_saphyr::from_multiple(&text(&printed.stdout)).unwrap();
    let kinds: Vec<&str> = all.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..5], [&["CustomResourceDefinition"; 4][..], &["Namespace"]].concat());
    assert_eq!(kinds[kinds.len() - 2..], ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]);
    let containers = all.iter().filter_map(|object| object.pointer("/spec/template/spec/containers/0"));
    let images: Vec<&Value> = containers.map(|container| &container["image"]).collect();
    assert_eq!(images, ["registry.example.com/reef:1"; 3]);
    assert!(!text(&printed.stdout).contains("_IMAGE"));
    let account = |object: &&Value| object["kind"] == "ServiceAccount";
    let accounts: Vec<&Value> = all.iter().filter(account).map(|object| &object["metadata"]["name"]).collect();
    let runs_as = all.iter().filter_map(|object| object.pointer("/spec/template/spec/serviceAccountName"));
    assert!(runs_as.clone().count() == 3 && runs_as.clone().all(|name| accounts.contains(&name)), "{accounts:?}");
}

#[test]
fn what_watches_reef_is_printed_on_request_with_the_rules_and_the_dashboard_in_it() {
    let root = env!("CARGO_MANIFEST_DIR");
    let without = text(&reef(&["manifests"]).stdout);
    let with = text(&reef(&["manifests", "--monitoring"]).stdout);
    let added = with.strip_prefix(&without).unwrap();
    assert!(!without.contains("monitoring.coreos.com"));
    // What is to be deleted has no kinds in it, and nothing else is missing.
    let (kinds, rest) = (text(&reef(&["manifests", "--crds"]).stdout), text(&reef(&["manifests", "--no-crds"]).stdout));
    assert_eq!(without, kinds + &rest);
    assert!(!rest.contains("kind: CustomResourceDefinition"));
    let added: Vec<Value> = serde_saphyr::from_multiple(added).unwrap();
    let kinds: Vec<&str> = added.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PodMonitor", "PrometheusRule", "ConfigMap"]);
    let file = |name: &str| std::fs::read_to_string(format!("{root}/deploy/observability/{name}")).unwrap();
    assert_eq!(added[1]["spec"], serde_saphyr::from_str::<Value>(&file("rules.yaml")).unwrap());
    let dashboard: Value = serde_json::from_str(added[2]["data"]["reef.json"].as_str().unwrap()).unwrap();
    assert_eq!(dashboard, serde_json::from_str::<Value>(&file("dashboard.json")).unwrap());
    // Each role has the port that is asked, and the labels that it is found by.
    let all: Vec<Value> = serde_saphyr::from_multiple(&without).unwrap();
    let pods = all.iter().filter_map(|object| object.pointer("/spec/template"));
    let port = |pod: &Value| {
        pod["spec"]["containers"][0]["ports"].as_array().unwrap().iter().any(|port| port["name"] == "health")
    };
    let found = |pod: &&Value| pod["metadata"]["labels"]["app.kubernetes.io/name"] == "reef" && port(pod);
    assert_eq!((pods.clone().count(), pods.filter(found).count()), (3, 3));
}

#[test]
fn a_chart_is_written_into_a_folder_of_its_own_and_over_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (chart, other) = (folder.path().join("reef"), folder.path().to_str().unwrap());
    let written = reef(&["manifests", "--image", "r/reef:1", "--chart", chart.to_str().unwrap()]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert!(text(&written.stderr).contains("helm install reef"), "{}", text(&written.stderr));
    let values: Value = serde_saphyr::from_str(&std::fs::read_to_string(chart.join("values.yaml")).unwrap()).unwrap();
    assert_eq!((&values["image"], &values["crds"]["enabled"]), (&"r/reef:1".into(), &true.into()));
    assert!(reef(&["manifests", "--chart", chart.to_str().unwrap()]).status.success(), "its own is written anew");
    let refused = reef(&["manifests", "--chart", other]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("is no chart that Reef made"), "{}", text(&refused.stderr));
}

#[test]
fn help_explains_each_role_and_the_three_ways_of_use() {
    insta::assert_snapshot!(text(&reef(&["--help"]).stdout));
}

#[test]
fn an_unknown_word_is_a_mistake_in_use() {
    let output = reef(&["mannifests"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("'manifests'"), "{}", text(&output.stderr));
}

#[test]
fn as_a_plugin_of_kubectl_it_calls_itself_so() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("kubectl-reef");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_reef"), &link).unwrap();
    let called = |arguments: &[&str]| Command::new(&link).args(arguments).env_clear().output().unwrap();
    let help = text(&called(&["explain", "--help"]).stdout);
    assert!(help.contains("Usage: kubectl reef explain [OPTIONS] <VM>"), "{help}");
    let mistake = called(&["explain"]);
    assert_eq!(mistake.status.code(), Some(2));
    assert!(text(&mistake.stderr).contains("Usage: kubectl reef explain"), "{}", text(&mistake.stderr));
    assert!(text(&reef(&["explain", "--help"]).stdout).contains("Usage: reef explain [OPTIONS] <VM>"));
}

#[test]
fn completions_are_scripts_that_know_every_subcommand() {
    let script = reef(&["completions", "bash"]);
    assert!(script.status.success());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reef.bash");
    std::fs::write(&file, &script.stdout).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    // What bash itself would offer.
    let ask = format!(
        "source {}; COMP_WORDS=(reef ''); COMP_CWORD=1; _reef reef '' reef; echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let offered = Command::new("bash").args(["-c", &ask]).output().unwrap();
    let offered = text(&offered.stdout);
    for subcommand in subcommands() {
        assert!(offered.split_whitespace().any(|word| word == subcommand), "{subcommand}: {offered}");
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(text(&reef(&["completions", shell]).stdout).contains("reconcile"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_each_subcommand() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1");
    assert!(reef(&["man", dir.to_str().unwrap()]).status.success());
    for subcommand in subcommands() {
        let page = std::fs::read_to_string(dir.join(format!("reef-{subcommand}.1"))).unwrap();
        assert!(
            page.contains(".SH SYNOPSIS") && page.contains(&format!("reef\\-{subcommand}")),
            "{subcommand}: {page}"
        );
    }
    let own = text(&reef(&["man"]).stdout);
    assert_eq!(own, std::fs::read_to_string(dir.join("reef.1")).unwrap());
}

/// The words of the help, but `help` itself.
fn subcommands() -> Vec<String> {
    let help = text(&reef(&["--help"]).stdout);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let indented = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let words: Vec<String> = indented.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(words.len() > 10 && words.contains(&"explain".to_owned()), "{words:?}");
    words.into_iter().filter(|word| word != "help").collect()
}

#[test]
fn what_follows_a_merge_says_what_to_do_without_a_cluster() {
    for arguments in [&["explain", "web-1"][..], &["history", "vms/web-1"], &["reconcile"]] {
        let output = reef(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("set $KUBECONFIG or --kubeconfig"), "{}", text(&output.stderr));
    }
    let output = reef(&["diff", "-C", env!("CARGO_MANIFEST_DIR")]);
    assert_eq!(output.status.code(), Some(2), "as kubectl diff");
    let output = reef(&["diff", "-C", "/"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is in no Git repository"), "{}", text(&output.stderr));
}
