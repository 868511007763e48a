//! CapacityCheck: one question about one commit, whether what it asks of VMs can be carried out; answered before anything of it is applied.
//!
//! Only fields that work are in the schema.

#![allow(clippy::duplicated_attributes, reason = "each printer column repeats the same attribute names")]

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::CapacityPlan;
use crate::validate::{Violation, violation};

/// The kind, as manifests name it.
pub const CAPACITY_CHECK: &str = "CapacityCheck";

const USUAL: Duration = Duration::from_secs(120);
const LEAST: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_secs(3600);

/// Asks whether a commit can be carried out in the cluster as it is. It applies nothing. In a repository that Argo CD syncs it is a PreSync hook: a sync goes
/// on when it is healthy, and ends when it is degraded.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "reef.dev",
    version = "v1alpha1",
    kind = "CapacityCheck",
    namespaced,
    status = "CapacityCheckStatus",
    shortname = "ccheck",
    category = "reef",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CapacityCheckSpec {
    /// GitSource of the same namespace: the repository, its folder, and the credentials.
    pub source_ref: SourceRef,
    /// The commit, in hexadecimal and in full. The one that its Application is about to sync when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What lets the check fail. `Blocked`, `Infeasible` and `Problems` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Vec<FailOn>>,
    /// How long the answer may take, as `30s` or `2m`; from 5s to 1h. `2m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// A GitSource of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceRef {
    /// Name of the GitSource.
    pub name: String,
}

/// Something of a plan that lets a check fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum FailOn {
    /// A rule forbids a change.
    Blocked,
    /// No node, or not the VM's own, can ever hold a change.
    Infeasible,
    /// A change waits for room.
    Deferred,
    /// A change takes effect when the VM is started anew.
    Restart,
    /// A file cannot be used.
    Problems,
}

impl FailOn {
    /// The word as it stands in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "Blocked",
            Self::Infeasible => "Infeasible",
            Self::Deferred => "Deferred",
            Self::Restart => "Restart",
            Self::Problems => "Problems",
        }
    }

    const fn count(self, summary: CheckSummary) -> usize {
        match self {
            Self::Blocked => summary.blocked,
            Self::Infeasible => summary.infeasible,
            Self::Deferred => summary.deferred,
            Self::Restart => summary.restart,
            Self::Problems => summary.problems,
        }
    }
}

/// What is known of a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CapacityCheckStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the controller began with it; the time limit counts from then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// The Application that the check is a hook of, as `NAMESPACE/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The value of the annotation `reconcile.reef.dev/requestedAt` that was handled last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The commit that was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The plan in numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<CheckSummary>,
    /// What changes and how, with file and line, the weightiest first; at most twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// `Ready`, `Reconciling`, `Stalled`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A plan in numbers of VMs, and of what cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckSummary {
    /// VMs that change.
    pub vms: usize,
    /// Of these, how many while they run, or are new.
    pub live: usize,
    /// How many when they are started anew.
    pub restart: usize,
    /// How many may have to wait for room.
    pub deferred: usize,
    /// How many a rule forbids.
    pub blocked: usize,
    /// How many no node, or not their own, can ever hold.
    pub infeasible: usize,
    /// Files, or parts of them, that cannot be used.
    pub problems: usize,
}

impl CheckSummary {
    /// The numbers of a plan.
    pub fn of(plan: &CapacityPlan) -> Self {
        let summary = &plan.summary;
        Self {
            vms: summary.vms,
            live: summary.live,
            restart: summary.restart,
            deferred: summary.deferred,
            blocked: summary.blocked,
            infeasible: summary.infeasible,
            problems: plan.problems.len(),
        }
    }
}

impl CapacityCheckSpec {
    /// Of what lets the check fail, what a plan has.
    pub fn broken(&self, summary: CheckSummary) -> BTreeSet<FailOn> {
        let usual = [FailOn::Blocked, FailOn::Infeasible, FailOn::Problems];
        let listed = self.fail_on.as_deref().unwrap_or(&usual);
        listed.iter().copied().filter(|fail| fail.count(summary) > 0).collect()
    }

    /// How long the answer may take; what is usual where what is stated cannot be read.
    pub fn limit(&self) -> Duration {
        self.timeout.as_deref().and_then(read).unwrap_or(USUAL).clamp(LEAST, MOST)
    }

    /// What is wrong with the spec, whatever the cluster has.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let shown = |text: &str| text.chars().take(60).collect::<String>().escape_debug().to_string();
        if let Err(error) = crate::dns1123_subdomain(&self.source_ref.name) {
            let (name, limit) = (shown(&self.source_ref.name), format!("it cannot be used: {error}"));
            found.push(violation("spec.sourceRef.name", name, limit, "name a GitSource of the same namespace"));
        }
        if let Some(revision) = self.revision.as_deref().filter(|text| !is_commit(text)) {
            let limit = "a commit has 40 or 64 hexadecimal digits";
            found.push(violation("spec.revision", shown(revision), limit, "state the commit in full, or leave it out"));
        }
        if let Some(timeout) =
            self.timeout.as_deref().filter(|text| read(text).is_none_or(|time| time < LEAST || time > MOST))
        {
            let limit = "it is a duration from 5s to 1h";
            found.push(violation("spec.timeout", shown(timeout), limit, "write it as 30s or 2m"));
        }
        found
    }
}

/// Whether a text is the whole name of a commit.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn read(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> CapacityCheckSpec {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_check_fails_on_what_is_listed_and_by_default_on_what_can_never_be() {
        let summary = CheckSummary { vms: 3, restart: 1, deferred: 1, blocked: 1, ..CheckSummary::default() };
        let broken = |text| spec(text).broken(summary).into_iter().map(FailOn::as_str).collect::<Vec<_>>();
        assert_eq!(broken(r#"{"sourceRef":{"name":"a"}}"#), ["Blocked"]);
        assert_eq!(
            broken(r#"{"sourceRef":{"name":"a"},"failOn":["Restart","Infeasible","Deferred"]}"#),
            ["Deferred", "Restart"]
        );
        assert_eq!(broken(r#"{"sourceRef":{"name":"a"},"failOn":[]}"#), Vec::<&str>::new());
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_to_write() {
        let good = spec(
            r#"{"sourceRef":{"name":"fleet"},"revision":"1f0c2e9a77d15bb0e6b4b8f5d1a3f1f7a0c9d8e7","timeout":"90s"}"#,
        );
        assert_eq!((good.violations(), good.limit()), (Vec::new(), Duration::from_secs(90)));
        assert_eq!(spec(r#"{"sourceRef":{"name":"fleet"}}"#).limit(), Duration::from_secs(120));
        let bad = spec(r#"{"sourceRef":{"name":"../x"},"revision":"main","timeout":"1s"}"#);
        let told: Vec<&str> = bad.violations().iter().map(|found| found.path).collect();
        assert_eq!(told, ["spec.sourceRef.name", "spec.revision", "spec.timeout"]);
        let text = bad.violations().pop().unwrap().to_string();
        assert_eq!(text, "spec.timeout is 1s, but it is a duration from 5s to 1h; write it as 30s or 2m");
        assert!(
            serde_json::from_str::<CapacityCheckSpec>(r#"{"sourceRef":{"name":"a"},"failOn":["blocked"]}"#).is_err()
        );
    }
}
