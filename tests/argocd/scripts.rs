//! The scripts of the folder `argocd/resource_customizations`, which is laid out as Argo CD's own, each with what it includes in front.
//!
//! A script of Argo CD's settings stands alone, so a line `--- include FILE` is replaced by that file, once.

use std::collections::BTreeSet;

use crate::{path, text};

/// The folder of the scripts.
pub const FOLDER: &str = "argocd/resource_customizations";

const INCLUDE: &str = "--- include ";

/// A kind that has scripts.
pub struct Kind {
    /// API group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Its actions, in the order in which they are listed.
    pub actions: &'static [&'static str],
}

/// The kinds.
pub const KINDS: [Kind; 4] = [
    Kind {
        group: "cloudhypervisor.quill.today",
        kind: "VirtualMachine",
        actions: &["restart", "retry", "settle", "suspend", "resume"],
    },
    Kind { group: "reef.dev", kind: "GitSource", actions: &["reconcile", "suspend", "resume"] },
    Kind { group: "reef.dev", kind: "SizingPolicy", actions: &[] },
    Kind { group: "reef.dev", kind: "CapacityCheck", actions: &[] },
];

impl Kind {
    /// One of its scripts, whole.
    pub fn script(&self, name: &str) -> String {
        whole(&format!("{}/{}/{name}", self.group, self.kind))
    }

    /// As it stands in a key of the settings.
    pub fn key(&self) -> String {
        format!("{}_{}", self.group, self.kind)
    }
}

/// A script with what it includes.
pub fn whole(name: &str) -> String {
    let mut seen = BTreeSet::new();
    let mut made = String::new();
    put(name, &mut seen, &mut made);
    made
}

fn put(name: &str, seen: &mut BTreeSet<String>, made: &mut String) {
    for line in text(&format!("{FOLDER}/{name}")).lines() {
        match line.strip_prefix(INCLUDE) {
            Some(other) if seen.insert(other.to_owned()) => put(other, seen, made),
            Some(_) => {}
            None => *made += &format!("{line}\n"),
        }
    }
}

/// Every file of the folder, by its path in it.
pub fn files() -> Vec<String> {
    let mut found = Vec::new();
    collect(FOLDER, &mut found);
    found.sort();
    found
}

fn collect(folder: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(path(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            collect(&name, found);
        } else {
            found.push(name.strip_prefix(FOLDER).unwrap().trim_start_matches('/').to_owned());
        }
    }
}

/// The files that the settings are made of.
fn used() -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for kind in &KINDS {
        let own = |name: &str| format!("{}/{}/{name}", kind.group, kind.kind);
        let actions = kind.actions.iter().map(|action| own(&format!("actions/{action}/action.lua")));
        let listed = (!kind.actions.is_empty()).then(|| own("actions/discovery.lua"));
        for name in actions.chain(listed).chain([own("health.lua")]) {
            put(&name, &mut seen, &mut String::new());
            seen.insert(name);
        }
    }
    seen
}

#[test]
fn every_script_is_used() {
    assert_eq!(files().into_iter().collect::<BTreeSet<_>>(), used());
}

#[test]
fn a_script_begins_with_what_it_is_for_and_can_be_a_value_of_a_chart() {
    for name in files() {
        let script = text(&format!("{FOLDER}/{name}"));
        assert!(script.starts_with("-- "), "{name} does not say what it is for");
        assert!(!script.contains("{{") && !script.contains('\t'), "{name}: helm would take {{{{ for a template");
    }
}
