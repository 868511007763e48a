//! Fields that no schema knows: found by walking a document along the schema of its kind. Judges names only, never values.

use std::sync::LazyLock;

use kube::CustomResourceExt;
use reef_api::names::SUSPENDED_ANNOTATION;
use reef_api::{CapacityCheck, SizingPolicy, VirtualMachine, nearest};
use serde_json::Value;

use super::fault::{Fault, few};
use super::node::{Key, Node};
use super::object::Kind;
use crate::source::escaped;

/// Below these a misspelt field would silently resize nothing.
const STRICT: [&str; 3] = ["spec.instance.cpu", "spec.instance.memory", "spec.resources"];

/// Everywhere.
const EVERYWHERE: [&str; 1] = [""];

/// What `metadata` may hold; the schema of a resource does not repeat it.
const METADATA: [&str; 6] = ["name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"];

/// What a volume holds beside its name is its source, which is read, or refused, by its own name.
const VOLUMES: &str = "spec.volumes";

/// Resources that a Pod's container can have beside extended ones, which have a `/` in their names.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

static VM_SCHEMA: LazyLock<Value> = LazyLock::new(|| schema(&VirtualMachine::crd()));
static POLICY_SCHEMA: LazyLock<Value> = LazyLock::new(|| schema(&SizingPolicy::crd()));
static CHECK_SCHEMA: LazyLock<Value> = LazyLock::new(|| schema(&CapacityCheck::crd()));

/// Fields that nothing reads.
#[derive(Default)]
pub(super) struct Unknown {
    /// Must be mended.
    pub(super) refused: Vec<Fault>,
    /// Are kept.
    pub(super) kept: Vec<Fault>,
}

/// Finds the unknown fields of a document.
pub(super) fn unknown(root: &Node, kind: Kind) -> Unknown {
    match kind {
        Kind::VirtualMachine => walked(root, &VM_SCHEMA, &STRICT),
        Kind::SizingPolicy => walked(root, &POLICY_SCHEMA, &EVERYWHERE),
    }
}

/// The same of a CapacityCheck.
pub(super) fn unknown_of_check(root: &Node) -> Vec<Fault> {
    walked(root, &CHECK_SCHEMA, &EVERYWHERE).refused
}

fn walked(root: &Node, schema: &Value, strict: &'static [&'static str]) -> Unknown {
    let mut walk = Walk { strict, found: Unknown::default() };
    walk.object(root, schema, "");
    walk.metadata(root);
    walk.suspension(root);
    walk.resources(root);
    Unknown { refused: few(walk.found.refused), kept: few(walk.found.kept) }
}

fn schema(crd: &impl serde::Serialize) -> Value {
    let crd = serde_json::to_value(crd).unwrap_or_default();
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().unwrap_or_default()
}

struct Walk {
    /// Paths below which a field that nothing reads is refused.
    strict: &'static [&'static str],
    found: Unknown,
}

impl Walk {
    fn object(&mut self, node: &Node, schema: &Value, path: &str) {
        if let (super::node::Kind::List(items), Some(schema)) = (&node.kind, schema.get("items")) {
            return items.iter().for_each(|item| self.object(item, schema, path));
        }
        let Some(known) = schema.get("properties").and_then(Value::as_object) else { return };
        for (key, inner) in node.entries() {
            match known.get(&key.text) {
                Some(schema) => self.object(inner, schema, &joined(path, &key.text)),
                // The envelope is described by no schema of a kind.
                None if path.is_empty() && matches!(key.text.as_str(), "apiVersion" | "kind" | "metadata") => {}
                None if path == VOLUMES => {}
                None => self.report(key, path, known.keys().map(String::as_str).collect()),
            }
        }
    }

    fn metadata(&mut self, root: &Node) {
        for (key, _) in root.get("metadata").into_iter().flat_map(Node::entries) {
            if !METADATA.contains(&key.text.as_str()) {
                self.report(key, "metadata", METADATA.to_vec());
            }
        }
    }

    /// A suspension that Git states would keep the commit from being applied that takes it away.
    fn suspension(&mut self, root: &Node) {
        let annotations = root.get("metadata").and_then(|metadata| metadata.get("annotations"));
        let stated = annotations.into_iter().flat_map(Node::entries).find(|(key, _)| key.text == SUSPENDED_ANNOTATION);
        self.found.refused.extend(stated.map(|(key, _)| {
            let why = "cannot be stated in Git, where it would keep the commit from being applied that takes it away";
            let instead = "use `reef suspend`, or spec.suspend of the GitSource";
            Fault::at(key.at, format!("the annotation {SUSPENDED_ANNOTATION} {why}; {instead}"))
        }));
    }

    fn resources(&mut self, root: &Node) {
        let resources = root.get("spec").and_then(|spec| spec.get("resources"));
        for list in ["limits", "requests"] {
            for (key, _) in resources.and_then(|found| found.get(list)).into_iter().flat_map(Node::entries) {
                let known = RESOURCES.contains(&key.text.as_str())
                    || key.text.starts_with("hugepages-")
                    || key.text.contains('/');
                if !known {
                    self.report(key, &format!("spec.resources.{list}"), RESOURCES.to_vec());
                }
            }
        }
    }

    fn report(&mut self, key: &Key, path: &str, known: Vec<&str>) {
        let field = escaped(&joined(path, &key.text), 120);
        let near = nearest(&key.text, &known);
        let meant = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        // A misspelt `cpu` would leave the VM with the default.
        let strict_part = near.is_some_and(|near| self.is_strict(&joined(path, near)));
        if strict_part || self.is_strict(path) {
            self.found.refused.push(Fault::at(key.at, format!("unknown field `{field}`; {meant}")));
        } else {
            self.found.kept.push(Fault::at(key.at, format!("field `{field}` is kept, and nothing reads it; {meant}")));
        }
    }

    fn is_strict(&self, path: &str) -> bool {
        let below = |strict: &&str| {
            strict.is_empty() || path.strip_prefix(*strict).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.strict.iter().any(below)
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
