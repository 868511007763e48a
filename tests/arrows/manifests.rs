//! The rules that manifests can break: dependencies among the workspace's crates, and versions outside the root manifest.

use std::collections::BTreeSet;
use std::fs;

use toml::{Table, Value};

use crate::Breach;
use crate::sources::{PACKAGES, root};

const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// What a package of this folder may depend on within the workspace; the root package and those of tests may depend on all.
pub fn allowed(folder: &str) -> Option<&'static [&'static str]> {
    match folder {
        "" | "tests/conformance" | "tests/model" | "tests/real" => None,
        "api" | "watch" | "image" => Some(&[]),
        "reconciler" | "webhook" => Some(&["reef_api", "reef_policy", "reef_watch"]),
        "daemon" => Some(&["reef_api", "reef_watch"]),
        _ => Some(&["reef_api"]),
    }
}

/// Dependencies that go against the arrows.
pub fn arrows() -> Vec<Breach> {
    each_dependency(|folder, name, _| {
        let code_name = name.replace('-', "_");
        let known = PACKAGES.iter().any(|(_, package)| *package == code_name);
        let against = known && !allowed(folder)?.contains(&code_name.as_str());
        against.then(|| {
            "api, watch and image import no crate of the workspace, policy and sim import api alone, roles import what is below them"
                .to_owned()
        })
    })
}

/// Dependencies that bring a version, path or repository of their own.
pub fn versions() -> Vec<Breach> {
    each_dependency(|_, _, wanted| {
        let inherited = wanted.get("workspace").and_then(Value::as_bool) == Some(true);
        (!inherited).then(|| "versions stand in [workspace.dependencies]: write workspace = true".to_owned())
    })
}

/// The names of crates that code of this folder can call: its dependencies, and the crates of the workspace.
pub fn dependencies_of(folder: &str) -> BTreeSet<String> {
    let listed = manifest(folder).map(|(_, _, manifest)| dependencies(&manifest)).unwrap_or_default();
    let ours = PACKAGES.iter().map(|(_, name)| (*name).to_owned());
    listed.into_iter().map(|(name, _)| name.replace('-', "_")).chain(ours).collect()
}

/// Path, text and content of a manifest; `None` for a crate that does not exist yet.
fn manifest(folder: &str) -> Option<(String, String, Table)> {
    let path = if folder.is_empty() { "Cargo.toml".to_owned() } else { format!("{folder}/Cargo.toml") };
    let text = fs::read_to_string(root().join(&path)).ok()?;
    let content = text.parse().unwrap_or_else(|why| panic!("{path}: {why}"));
    Some((path, text, content))
}

fn each_dependency(judge: impl Fn(&str, &str, &Value) -> Option<String>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (folder, _) in PACKAGES {
        let Some((path, text, manifest)) = manifest(folder) else { continue };
        for (name, wanted) in dependencies(&manifest) {
            breaches.extend(judge(folder, &name, &wanted).map(|rule| Breach {
                file: path.clone(),
                line: line_of(&text, &name),
                found: name,
                rule,
            }));
        }
    }
    breaches
}

/// All dependencies of a manifest, those of single targets included.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let entries =
        std::iter::once(manifest).chain(tables).flat_map(|table| KINDS.iter().filter_map(|kind| table.get(*kind)));
    entries.filter_map(Value::as_table).flatten().map(|(name, wanted)| (name.clone(), wanted.clone())).collect()
}

fn line_of(text: &str, name: &str) -> usize {
    let found = text.lines().position(|line| line.trim_start().trim_start_matches('"').starts_with(name));
    found.map_or(1, |index| index + 1)
}

#[test]
fn dependencies_of_every_kind_and_target_are_seen() {
    let manifest: Table = "[dependencies]\na.workspace = true\n[dev-dependencies]\nb = \"1\"\n[target.'cfg(unix)'.dependencies]\nc = \"1\"\n"
        .parse()
        .unwrap();
    let names: Vec<String> = dependencies(&manifest).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "c"]);
}
