//! The Helm chart, made of the very texts that `reef manifests` prints, so that nothing is stated twice.
//!
//! Each file of `deploy/` becomes a template: marked lines become places for values ([`marks`]), and the name of the namespace becomes that of the
//! release. What the chart has beside that is in `deploy/chart`.

mod folder;
mod marks;
mod values;

use std::collections::BTreeMap;

use super::crds;
use super::manifests::{self, Images};

pub use folder::write;
use marks::{literal, templated};
use values::{RUNBOOKS, Values};

const CHART: &str = include_str!("../../../deploy/chart/Chart.yaml");
const NOTES: &str = include_str!("../../../deploy/chart/NOTES.txt");
const CHECKS: &str = include_str!("../../../deploy/chart/checks.yaml");

/// The namespace that the files of `deploy/` name.
const NAMESPACE: &str = "reef-system";
/// Where the alerts' runbooks are, as the rules name them.
const RUNBOOKS_FILE: &str = "docs/runbooks.md";

/// Files of a chart, by their paths.
pub type Files = BTreeMap<String, String>;

/// Why there is no chart.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A mark says nothing of its line.
    #[error(transparent)]
    Mark(#[from] marks::MarkError),
    /// A value is told nowhere what it is for.
    #[error("the value {name} has no meaning; state one beside the others")]
    NoMeaning {
        /// The value.
        name: String,
    },
    /// A value stands in no manifest.
    #[error("the value {name} stands in no line of a manifest")]
    NoPlace {
        /// The value.
        name: &'static str,
    },
    /// Lines contradict one another.
    #[error("two lines state other defaults of the value {name}")]
    TwoDefaults {
        /// The value.
        name: String,
    },
    /// A definition or default is no YAML.
    #[error("it cannot be written as YAML")]
    Yaml(#[from] serde_yaml::Error),
}

/// The chart with these images as its defaults.
///
/// # Errors
/// Where the files of `deploy/` and what is said of their values do not agree.
pub fn files(images: &Images) -> Result<Files, ChartError> {
    let mut marked = Vec::new();
    let mut template = |text: &str| -> Result<String, ChartError> {
        let (template, values) = templated(text)?;
        marked.extend(values);
        Ok(template.replace(NAMESPACE, "{{ .Release.Namespace }}"))
    };
    let mut files = Files::new();
    for (name, text) in manifests::files(images) {
        files.insert(format!("templates/{name}"), template(&without_namespace(&text))?);
    }
    let watched = template(&with_runbooks(&manifests::monitoring()))?;
    files.insert("templates/monitoring.yaml".to_owned(), only("monitoring.enabled", &watched));
    files.insert("templates/kinds.yaml".to_owned(), only("crds.enabled", &literal(&kept()?)));
    files.insert("templates/checks.yaml".to_owned(), CHECKS.to_owned());
    files.insert("templates/NOTES.txt".to_owned(), NOTES.to_owned());
    files.insert("Chart.yaml".to_owned(), CHART.replace("VERSION", env!("CARGO_PKG_VERSION")));
    let values = Values::of(marked)?;
    files.insert("values.yaml".to_owned(), values.yaml());
    files.insert("values.schema.json".to_owned(), format!("{:#}\n", values.schema()?));
    Ok(files)
}

/// A template that renders to nothing where a switch is off.
fn only(switch: &str, template: &str) -> String {
    format!("{{{{- if .Values.{switch} }}}}\n{template}{{{{- end }}}}\n")
}

/// The definitions, which Helm never deletes: with a definition goes every object of its kind.
fn kept() -> Result<String, serde_yaml::Error> {
    let keep = ("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    let mut text = String::new();
    for mut definition in crds::all() {
        definition.metadata.annotations.get_or_insert_default().extend([keep.clone()]);
        text += &format!("---\n{}", serde_yaml::to_string(&definition)?);
    }
    Ok(text)
}

/// Without the namespace, which is Helm's matter.
fn without_namespace(text: &str) -> String {
    let documents = text.split("\n---\n").filter(|document| !document.lines().any(|line| line == "kind: Namespace"));
    documents.collect::<Vec<_>>().join("\n---\n")
}

/// With a mark in each line that points to a runbook.
fn with_runbooks(text: &str) -> String {
    let line = |line: &str| match line.split_once("runbook_url: ") {
        Some((before, path)) => format!("{before}runbook_url: {path:?} # value: {RUNBOOKS} = {RUNBOOKS_FILE}\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests;
