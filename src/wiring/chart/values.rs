//! The values of the chart: their names, what each is for, the file that states their defaults, and the schema that refuses misspelt ones.
//!
//! Defaults are what stands in the marked lines of the manifests; nothing but the two switches has one here.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::ChartError;
use super::marks::{Extent, Marked};

/// Names and meanings, in the order in which they are printed.
const VALUES: [(&str, &str); 23] = [
    ("image", "Image of the roles."),
    ("vmmImage", "Image of the container that runs a VM's VMM: Reef's program, and QEMU or Cloud Hypervisor."),
    ("imagePullSecrets", "Secrets of the namespace that these images are pulled with, as [{ name: NAME }]."),
    ("log", "What the roles log, as info or warn,reef_reconciler=debug."),
    ("controller.replicas", "One acts, the others stand by."),
    (
        "controller.vmDevices",
        "Devices of its node that the Pod of a VM asks for, with commas between them: kvm, tun, vhost-net; or none.",
    ),
    ("controller.resources", "Requests and limits."),
    ("controller.nodeSelector", "Labels of the nodes that it may run on."),
    ("controller.tolerations", "Taints that it tolerates."),
    ("webhook.replicas", "All answer."),
    ("webhook.resources", "Requests and limits."),
    ("webhook.nodeSelector", "Labels of the nodes that it may run on."),
    ("webhook.tolerations", "Taints that it tolerates."),
    ("daemon.kubeletDir", "The kubelet's folder on each node (its --root-dir)."),
    (
        "daemon.devices",
        "Devices that a node offers to Pods, with commas between them, or none; NAME=PATH offers another device node.",
    ),
    ("daemon.resources", "Requests and limits."),
    ("daemon.nodeSelector", "Labels of the nodes that VMs run on."),
    ("daemon.tolerations", "Taints that it tolerates: all, because VMs run on whatever node they tolerate."),
    (
        "crds.enabled",
        "Whether the definitions of Reef's kinds are applied. They stay when the chart is taken away, and with them every VM.",
    ),
    (
        "monitoring.enabled",
        "Whether a PodMonitor, a PrometheusRule and a dashboard are applied. The Prometheus operator has to be there.",
    ),
    ("monitoring.labels", "Labels by which your Prometheus selects monitors and rules."),
    ("monitoring.interval", "How often metrics are fetched."),
    ("monitoring.dashboardLabels", "Labels by which your Grafana finds dashboards."),
];

/// Values that are no part of a manifest: whether one is applied at all.
const SWITCHES: [(&str, &str); 2] = [("crds.enabled", "true"), ("monitoring.enabled", "false")];

/// What a value within other words may be made of: what an image, a path, an address and a list of words need, and nothing that ends a YAML string.
const WORDS: &str = "^[A-Za-z0-9._/:@,=+~%?&-]+$";

/// The value of all alerts' runbooks, which is marked in no file.
pub const RUNBOOKS: &str = "monitoring.runbooks";
const RUNBOOKS_MEANING: &str = "Where you serve docs/runbooks.md, which alerts point to.";

/// Every value with its default and extent.
pub struct Values(BTreeMap<String, Marked>);

impl Values {
    /// The values of all marked lines.
    ///
    /// # Errors
    /// Where two lines state another default of one value, one has no meaning here, or one that has a meaning stands nowhere.
    pub fn of(marked: Vec<Marked>) -> Result<Self, ChartError> {
        let switches = SWITCHES.map(|(name, default)| Marked {
            name: name.to_owned(),
            default: default.to_owned(),
            extent: Extent::Whole,
        });
        let mut values = BTreeMap::new();
        for value in marked.into_iter().chain(switches) {
            if !named().any(|(name, _)| name == value.name) {
                return Err(ChartError::NoMeaning { name: value.name });
            }
            let before = values.insert(value.name.clone(), value.clone());
            if before.is_some_and(|before| before != value) {
                return Err(ChartError::TwoDefaults { name: value.name });
            }
        }
        match named().find(|(name, _)| !values.contains_key(*name)) {
            Some((name, _)) => Err(ChartError::NoPlace { name }),
            None => Ok(Self(values)),
        }
    }

    /// `values.yaml`: each with its meaning above it.
    pub fn yaml(&self) -> String {
        let mut text = "# What an installation may choose. Whatever else is to be different is laid over the chart, by a post renderer.\n".to_owned();
        let mut within = None;
        for (name, meaning) in named() {
            let (section, key) = parts(name);
            let indent = if section.is_some() { "  " } else { "" };
            if let Some(section) = section.filter(|_| section != within) {
                let _ = writeln!(text, "{section}:");
            }
            within = section;
            let default = self.0.get(name).map(|value| value.default.as_str()).unwrap_or_default();
            let _ = writeln!(text, "{indent}# {meaning}\n{indent}{key}: {default}");
        }
        text
    }

    /// `values.schema.json`: the types of the defaults, and no other names.
    ///
    /// # Errors
    /// Where a default is no YAML.
    pub fn schema(&self) -> Result<Value, ChartError> {
        let mut top = Map::new();
        // Helm hands it to every chart.
        top.insert("global".to_owned(), json!({ "type": "object" }));
        let mut sections = BTreeMap::<&str, Map<String, Value>>::new();
        for (name, meaning) in named() {
            let Some(value) = self.0.get(name) else { continue };
            let mut schema = of(value)?;
            schema.insert("description".to_owned(), json!(meaning));
            let (section, key) = parts(name);
            let there = section.map_or(&mut top, |section| sections.entry(section).or_default());
            there.insert(key.to_owned(), Value::Object(schema));
        }
        top.extend(sections.into_iter().map(|(name, values)| (name.to_owned(), closed(&values))));
        Ok(closed(&top))
    }
}

fn named() -> impl Iterator<Item = (&'static str, &'static str)> {
    VALUES.into_iter().chain([(RUNBOOKS, RUNBOOKS_MEANING)])
}

/// Section and name.
fn parts(name: &str) -> (Option<&str>, &str) {
    name.split_once('.').map_or((None, name), |(section, key)| (Some(section), key))
}

fn closed(values: &Map<String, Value>) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": values })
}

/// The schema of values like this one.
fn of(value: &Marked) -> Result<Map<String, Value>, ChartError> {
    let default: Value = serde_yaml::from_str(&value.default)?;
    let schema = match (default, value.extent) {
        (_, Extent::Part) => json!({ "type": "string", "pattern": WORDS }),
        (Value::Bool(_), Extent::Whole) => json!({ "type": "boolean" }),
        (Value::Number(_), Extent::Whole) => json!({ "type": "integer", "minimum": 0 }),
        (Value::Array(_), Extent::Whole) => json!({ "type": "array" }),
        (Value::Object(_), Extent::Whole) => json!({ "type": "object" }),
        (Value::Null | Value::String(_), Extent::Whole) => json!({ "type": "string", "minLength": 1 }),
    };
    Ok(schema.as_object().cloned().unwrap_or_default())
}
