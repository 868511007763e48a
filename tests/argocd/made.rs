//! The files that are made of the scripts: the ConfigMap of Argo CD's settings, the values of Argo CD's chart, and the hints that scripts give.

use reef::view::hint::hint;
use reef_api::Reason;

use crate::path;
use crate::scripts::{FOLDER, KINDS, Kind};

const HOW: &str = "Made by `INSTA_UPDATE=always cargo test --test argocd`";

/// Holds a file to what is made, and writes it where snapshots are written.
fn hold(name: &str, made: &str) {
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path(name), made).unwrap();
    }
    let kept = std::fs::read_to_string(path(name)).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    let first = differs.map_or("its length".to_owned(), |(kept, made)| format!("\n  {kept}\nand is made as\n  {made}"));
    assert!(kept == made, "{name} is out of date; run INSTA_UPDATE=always cargo test --test argocd. It has {first}");
}

/// A text as a block of YAML: its lines, so far in.
fn block(text: &str, deep: usize) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{}{line}\n", " ".repeat(deep)) };
    text.lines().map(line).collect()
}

fn actions(kind: &Kind) -> String {
    let mut made = format!("discovery.lua: |\n{}definitions:\n", block(&kind.script("actions/discovery.lua"), 2));
    for action in kind.actions {
        let script = block(&kind.script(&format!("actions/{action}/action.lua")), 6);
        made += &format!("  - name: {action}\n    action.lua: |\n{script}");
    }
    made
}

/// The settings: keys and values of `argocd-cm`.
fn settings() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for kind in &KINDS {
        let key = |what: &str| format!("resource.customizations.{what}.{}", kind.key());
        found.push((key("health"), kind.script("health.lua")));
        if !kind.actions.is_empty() {
            found.push((key("actions"), actions(kind)));
        }
        found.push((key("ignoreResourceUpdates"), "jsonPointers:\n  - /status\n".to_owned()));
    }
    found
}

fn entries(deep: usize) -> String {
    let entry = |(key, value): (String, String)| format!("{}{key}: |\n{}", " ".repeat(deep), block(&value, deep + 2));
    settings().into_iter().map(entry).collect()
}

fn config_map() -> String {
    let head = format!(
        "# What Argo CD has to know of Reef's kinds: health, actions, and what is no news. {HOW}\n\
         # of the scripts in {FOLDER}. For an Argo CD that is there:\n\
         #   kubectl -n argocd patch configmap argocd-cm --patch-file argocd/argocd-cm.yaml\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  namespace: argocd\n  labels:\n    \
         app.kubernetes.io/name: argocd-cm\n    app.kubernetes.io/part-of: argocd\ndata:\n"
    );
    format!("{head}{}", entries(2))
}

fn values() -> String {
    let head = format!(
        "# The same as argocd-cm.yaml, as values of Argo CD's own chart: helm upgrade --values argocd/values.yaml. {HOW}\n\
         # of the scripts in {FOLDER}.\nconfigs:\n  cm:\n"
    );
    format!("{head}{}", entries(4))
}

/// What the command line says of each reason, for scripts.
fn hints() -> String {
    let mut made =
        format!("-- What to do about each reason. {HOW}; it stands in src/view/hint.rs.\n\nlocal hints = {{\n");
    for reason in Reason::ALL {
        if let Some(hint) = hint(*reason) {
            made += &format!("  {reason} = {},\n", serde_json::to_string(hint).unwrap());
        }
    }
    format!("{made}}}\n")
}

/// One after the other: the hints are part of scripts, and the scripts of the settings.
#[test]
fn the_settings_of_argo_cd_are_made_of_the_scripts_and_the_hints_of_the_command_line() {
    hold(&format!("{FOLDER}/shared/hints.lua"), &hints());
    hold("argocd/argocd-cm.yaml", &config_map());
    hold("argocd/values.yaml", &values());
}
