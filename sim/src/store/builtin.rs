//! The resources that are there before any definition is made. Facts only.

use std::sync::Arc;

use super::fields::Shape;
use super::kind::ResourceKind;

/// The resource of CustomResourceDefinitions.
pub const CRD_GROUP: &str = "apiextensions.k8s.io";

struct Builtin {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    subresources: &'static [&'static str],
    namespaced: bool,
    generation: bool,
}

const fn core(
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
) -> Builtin {
    Builtin {
        group: "",
        version: "v1",
        plural,
        singular,
        kind,
        short,
        subresources: &[],
        namespaced: true,
        generation: false,
    }
}

const BUILTIN: &[Builtin] = &[
    core("configmaps", "configmap", "ConfigMap", &["cm"]),
    core("events", "event", "Event", &["ev"]),
    Builtin {
        namespaced: false,
        subresources: &["finalize", "status"],
        ..core("namespaces", "namespace", "Namespace", &["ns"])
    },
    Builtin { namespaced: false, subresources: &["status"], ..core("nodes", "node", "Node", &["no"]) },
    Builtin {
        generation: true,
        subresources: &["binding", "log", "resize", "status"],
        ..core("pods", "pod", "Pod", &["po"])
    },
    core("secrets", "secret", "Secret", &[]),
    core("serviceaccounts", "serviceaccount", "ServiceAccount", &["sa"]),
    Builtin { group: "coordination.k8s.io", ..core("leases", "lease", "Lease", &[]) },
    Builtin {
        group: CRD_GROUP,
        namespaced: false,
        generation: true,
        subresources: &["status"],
        ..core("customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition", &["crd", "crds"])
    },
];

/// Every built-in resource, in discovery's order.
pub fn kinds() -> Vec<ResourceKind> {
    BUILTIN.iter().map(expand).collect()
}

fn expand(row: &Builtin) -> ResourceKind {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    ResourceKind {
        group: row.group.to_owned(),
        version: row.version.to_owned(),
        versions: vec![row.version.to_owned()],
        plural: row.plural.to_owned(),
        singular: row.singular.to_owned(),
        kind: row.kind.to_owned(),
        list_kind: format!("{}List", row.kind),
        namespaced: row.namespaced,
        short_names: owned(row.short),
        categories: if row.plural == "pods" { owned(&["all"]) } else { Vec::new() },
        subresources: owned(row.subresources),
        generation: row.generation,
        graceful_deletion: row.plural == "pods",
        custom: false,
        selectable_fields: Vec::new(),
        definition: None,
        schema: None,
        shape: Arc::new(Shape::of_builtin(row.plural)),
    }
}
