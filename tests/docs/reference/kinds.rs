//! One page for each kind: every field of its spec and status, what it holds, what holds where it is absent, and what it means.

use kube::CustomResourceExt;
use reef_api::check::{CapacityCheck, CapacityCheckSpec, CapacityCheckStatus};
use reef_api::policy::SizingPolicySpec;
use reef_api::source::{GitSourceSpec, GitSourceStatus};
use reef_api::{GitSource, SizingPolicy, VirtualMachine, VirtualMachineSpec, VirtualMachineStatus};
use schemars::schema_for;
use serde_json::Value;

use super::fields::{Field, MOST_WORDS, Object, objects};
use super::{head, row};

/// A kind and what is said of it beside its fields.
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    about: &'static str,
    definition: Value,
    spec: Value,
    status: Option<Value>,
}

const OF_VMS: &str = "\
The schema is that of ch-vmm, with what Reef adds. Fields that it does not name are kept with a warning, except under `cpu`, `memory` and \
`resources`, where they are refused. What a VM boots from is shown in [launch.md](../launch.md), how a size is reached in \
[resizing.md](../resizing.md).";

const OF_SOURCES: &str = "\
How it is installed and used is shown in [quick-start.md](../quick-start.md), how it is held in [suspending.md](../suspending.md).";

const OF_POLICIES: &str = "\
Which policy holds for a VM, and how it is judged, is told in [policies.md](../policies.md); what it says of boot, shrinking and waiting in \
[resizing.md](../resizing.md). Its status is empty.";

const OF_CHECKS: &str = "\
What it is for, how Argo CD asks by it, and what it says is told in [gate.md](../gate.md).";

const OF_VALUES: &str = "\
A *quantity* is a number as Kubernetes writes it: `4Gi`, `512Mi`, `1.5`. A *time* that lasts is written `30s`, `10m` or `1h30m`, a moment \
`2026-01-31T18:00:00Z`.";

/// The kinds.
pub fn all() -> [Kind; 4] {
    [
        Kind {
            name: "VirtualMachine",
            about: OF_VMS,
            definition: serde_json::to_value(VirtualMachine::crd()).unwrap(),
            spec: schema_for!(VirtualMachineSpec).to_value(),
            status: Some(schema_for!(VirtualMachineStatus).to_value()),
        },
        Kind {
            name: "GitSource",
            about: OF_SOURCES,
            definition: serde_json::to_value(GitSource::crd()).unwrap(),
            spec: schema_for!(GitSourceSpec).to_value(),
            status: Some(schema_for!(GitSourceStatus).to_value()),
        },
        Kind {
            name: "SizingPolicy",
            about: OF_POLICIES,
            definition: serde_json::to_value(SizingPolicy::crd()).unwrap(),
            spec: schema_for!(SizingPolicySpec).to_value(),
            status: None,
        },
        Kind {
            name: "CapacityCheck",
            about: OF_CHECKS,
            definition: serde_json::to_value(CapacityCheck::crd()).unwrap(),
            spec: schema_for!(CapacityCheckSpec).to_value(),
            status: Some(schema_for!(CapacityCheckStatus).to_value()),
        },
    ]
}

impl Kind {
    /// The page.
    pub fn page(&self) -> String {
        let mut page = format!("# {}\n{}\n\n{}\n\n{OF_VALUES}\n", self.name, self.facts(), self.about);
        for object in objects("spec", &self.spec) {
            page += &section(&object, true);
        }
        for object in self.status.iter().flat_map(|status| objects("status", status)) {
            page += &section(&object, false);
        }
        page
    }

    fn facts(&self) -> String {
        let spec = &self.definition["spec"];
        let text = |path: &str| spec.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let columns = spec.pointer("/versions/0/additionalPrinterColumns").and_then(Value::as_array);
        let columns: Vec<&str> = columns.into_iter().flatten().filter_map(|column| column["name"].as_str()).collect();
        format!(
            "`{}/{}`, in a namespace. `kubectl get {}`, in short `{}`, shows: name, {}. `reef schema {}` prints the schema.",
            text("/group"),
            text("/versions/0/name"),
            text("/names/plural"),
            text("/names/shortNames/0"),
            columns.join(", "),
            self.name
        )
    }

    /// The fields of the spec that may be absent and do not say what holds then.
    pub fn unsaid(&self) -> Vec<String> {
        let open =
            |field: &&Field| !field.required && field.absent.is_empty() && !field.meaning.contains("Not supported yet");
        let of = |object: Object| {
            object
                .fields
                .iter()
                .filter(open)
                .map(|field| format!("{} {}.{}", self.name, object.path, field.name))
                .collect::<Vec<_>>()
        };
        objects("spec", &self.spec).into_iter().flat_map(of).collect()
    }
}

/// The fields of an object; in a status nothing is stated, so that nothing is said of absence.
fn section(object: &Object, stated: bool) -> String {
    let mut text = format!("\n## {}\n{}\n\n", object.path, object.about);
    text += &if stated {
        head(&["field", "holds", "when absent", "meaning"])
    } else {
        head(&["field", "holds", "meaning"])
    };
    for field in &object.fields {
        let (name, meaning) = (format!("`{}`", field.name), meaning(field));
        let absent = if field.required { "has to be there" } else { &field.absent };
        text +=
            &if stated { row(&[&name, &field.holds, absent, &meaning]) } else { row(&[&name, &field.holds, &meaning]) };
    }
    text
}

fn meaning(field: &Field) -> String {
    let words = field.words.iter().map(|(word, meaning)| format!(" `{word}`: {meaning}"));
    let words: String = if field.words.len() > MOST_WORDS { String::new() } else { words.collect() };
    format!("{}{words}", field.meaning)
}
