//! GitSource: a repository, and the folder in it that states VMs and policies.
//!
//! Only fields that work are in the schema.

#![allow(clippy::duplicated_attributes, reason = "each printer column repeats the same attribute names")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::CheckSummary;

/// A Git repository that Reef follows. It acts in its own namespace, and in others as its service account only.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "reef.dev",
    version = "v1alpha1",
    kind = "GitSource",
    namespaced,
    status = "GitSourceStatus",
    shortname = "gsrc",
    category = "reef",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Commit", type_ = "string", json_path = ".status.appliedCommit"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct GitSourceSpec {
    /// `https://`, `http://`, `ssh://` or `user@host:path`; `file://` only where the controller allows it.
    pub url: String,
    /// Branch, tag or full reference. The repository's default branch when absent.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Folder inside the repository. All of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How often to look, as `30s`, `5m` or `1h`; from 5s to 24h. `1m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Secret of the same namespace: `username` and `password`, or `identity` (and `known_hosts`) for SSH. No credentials when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// Service account of the same namespace. What the source states is written as this account, by its rights, and may then be of other namespaces too.
    /// By the controller's own rights, and in the source's namespace alone, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Host keys to expect, in the form of `known_hosts`; SSH needs them here or in the Secret. Those of the Secret when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<String>,
    /// Whether what the source states is applied. Where it is not, commits are read and told of, and nothing of them is written: for a repository that
    /// Argo CD applies. `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<bool>,
    /// What becomes of a change of what Git states, where somebody else makes it, at the door of the API server. `Warn` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftPolicy>,
    /// While it stands, commits are read and nothing of them is applied. The annotation `reef.dev/suspended` does the same without touching the spec. Nothing
    /// is suspended when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<Suspend>,
}

impl GitSourceSpec {
    /// Whether what the source states is applied.
    pub fn applies(&self) -> bool {
        self.apply.unwrap_or(true)
    }
}

/// What becomes of a change by hand of what Git states, when it is written. Where it is let through, a field that was removed is put back, and one that was
/// changed belongs to whoever changed it: that is told as `FieldConflict` until it has the value of Git again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// Whoever makes it is told that Git states it.
    #[default]
    Warn,
    /// It is refused.
    Deny,
    /// Nothing is said.
    Allow,
}

/// Why nothing of a source is applied, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suspend {
    /// Why, for people. Nothing is told when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who wants it, for people. Nobody is named when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it goes on by itself, as `2026-01-31T18:00:00Z`. Not before this is taken away when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
}

/// A Secret of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the Secret.
    pub name: String,
}

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GitSourceStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The tip that was read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_commit: Option<String>,
    /// The commit whose objects are all applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_commit: Option<String>,
    /// The value of the annotation `reconcile.reef.dev/requestedAt` that was handled last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Objects that the source has applied, and that its last tip no longer states; they are kept. At most five hundred.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RemovedObject>,
    /// What the tip would change, where the source only reads (`spec.apply: false`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<SourcePlan>,
    /// What could not be used of the tip, at most twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<SourceProblem>,
    /// `Ready`, `Reconciling`, `Stalled`, `Suspended`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What a commit would change in the cluster, as it was when the commit was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourcePlan {
    /// The commit.
    pub commit: String,
    /// The plan in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<CheckSummary>,
    /// What changes and how, with file and line, the weightiest first; at most twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Why there is no plan, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One object that a source no longer states.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedObject {
    /// `VirtualMachine` or `SizingPolicy`.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Namespace of the object, where it is not that of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// File that defined it last.
    pub path: String,
}

/// One thing of a tip that could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceProblem {
    /// File.
    pub path: String,
    /// Line, counted from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What is wrong, and what to do.
    pub message: String,
}
