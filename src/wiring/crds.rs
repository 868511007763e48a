//! The definitions of Reef's kinds, as they are generated from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use reef_api::{CapacityCheck, GitSource, SizingPolicy, VirtualMachine};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// All definitions, in the order in which they are printed. Made once: their schemas are read out of the types.
pub fn all() -> [CustomResourceDefinition; 4] {
    static ALL: LazyLock<[CustomResourceDefinition; 4]> =
        LazyLock::new(|| [VirtualMachine::crd(), GitSource::crd(), SizingPolicy::crd(), CapacityCheck::crd()]);
    ALL.clone()
}

/// All definitions as one `List`, which `kubectl apply` takes.
pub fn list() -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": all() })
}

/// All definitions as a stream of YAML documents.
///
/// # Errors
/// Where a definition cannot be written as YAML.
pub fn yaml() -> Result<String, serde_yaml::Error> {
    let documents = all().iter().map(serde_yaml::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(documents.iter().map(|document| format!("---\n{document}")).collect())
}
