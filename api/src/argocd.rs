//! What Argo CD says of an object and of its own Application, read: by which Application an object is tracked, and which commit that is about.
//!
//! Values only. Only what is read here is known of Argo CD; nothing of it is needed where nobody uses it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// API group of Argo CD's kinds.
pub const ARGOCD_GROUP: &str = "argoproj.io";
/// Served version of the Application.
pub const ARGOCD_VERSION: &str = "v1alpha1";
/// Plural of the Application.
pub const APPLICATIONS: &str = "applications";
/// Annotation by which Argo CD knows what it has applied: `APPLICATION:GROUP/KIND:NAMESPACE/NAME`; its usual way since 3.0.
pub const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";
/// Namespace in which Argo CD usually is.
pub const ARGOCD_NAMESPACE: &str = "argocd";
/// Field manager by which Argo CD applies.
pub const ARGOCD_MANAGER: &str = "argocd-controller";

/// An Application, as a tracking annotation names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApplicationRef {
    /// Its namespace; absent where it is the one of Argo CD itself.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ApplicationRef {
    /// Namespace and name, where Argo CD itself is in `home`.
    pub fn within<'a>(&'a self, home: &'a str) -> (&'a str, &'a str) {
        (self.namespace.as_deref().unwrap_or(home), &self.name)
    }
}

impl fmt::Display for ApplicationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Which object an annotation has to be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracked<'a> {
    /// API group.
    pub group: &'a str,
    /// Kind.
    pub kind: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
}

/// The Application that tracks an object. None where no annotation says so, and where it was copied from another object: Argo CD takes such a one for
/// nobody's too.
pub fn tracked_by(annotations: Option<&BTreeMap<String, String>>, object: Tracked<'_>) -> Option<ApplicationRef> {
    let (application, about) = annotations?.get(TRACKING_ANNOTATION)?.split_once(':')?;
    let Tracked { group, kind, namespace, name } = object;
    (about == format!("{group}/{kind}:{namespace}/{name}")).then(|| named(application)).flatten()
}

/// `NAME`, or `NAMESPACE_NAME` outside the namespace of Argo CD; no name of Kubernetes has an underscore.
fn named(text: &str) -> Option<ApplicationRef> {
    let (namespace, name) = match text.split_once('_') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    let good = |name: &str| crate::dns1123_subdomain(name).is_ok();
    (good(name) && namespace.is_none_or(good))
        .then(|| ApplicationRef { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}

/// What is read of an Application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Application {
    /// What is to be synced.
    pub spec: ApplicationSpec,
    /// An operation that was asked for and has not begun.
    pub operation: Option<Operation>,
    /// What is known of it.
    pub status: ApplicationStatus,
}

/// `spec` of an Application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApplicationSpec {
    /// Its repository, where it has one.
    pub source: Option<ApplicationSource>,
    /// Its repositories, where it has several.
    pub sources: Vec<ApplicationSource>,
}

/// Where an Application reads from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationSource {
    /// Address of the repository.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// Folder in it; the whole repository where it is empty or `.`.
    pub path: String,
}

/// `status` of an Application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// The operation that is under way, or the last one.
    pub operation_state: Option<OperationState>,
    /// What was synced, the last at the end.
    pub history: Vec<Synced>,
}

/// A sync that is under way or has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OperationState {
    /// `Running`, `Terminating`, `Succeeded`, `Failed`, `Error`.
    pub phase: String,
    /// What was asked for.
    pub operation: Operation,
    /// What it works on, from its first step.
    pub sync_result: Option<SyncRequest>,
}

impl OperationState {
    /// Whether the operation is under way.
    pub fn runs(&self) -> bool {
        matches!(self.phase.as_str(), "Running" | "Terminating")
    }

    /// The commit that it is about; none where it has not said so yet, and where it is about several repositories.
    pub fn revision(&self) -> Option<&str> {
        let asked = self.operation.sync.as_ref();
        let told = self.sync_result.as_ref().and_then(|result| result.commit());
        told.or_else(|| asked.and_then(SyncRequest::commit))
    }
}

/// An operation, as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// Set for a sync.
    pub sync: Option<SyncRequest>,
}

/// Which commits a sync is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SyncRequest {
    /// The commit of the one repository, or what was asked for in its place, such as a branch.
    pub revision: String,
}

impl SyncRequest {
    fn commit(&self) -> Option<&str> {
        let text = self.revision.as_str();
        let is_commit = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_commit.then_some(text)
    }
}

/// A sync of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Synced {
    /// Its commit.
    pub revision: String,
}

impl Application {
    /// The commit of the sync that is under way, or of the last one: what Argo CD has applied is of this commit or of an earlier one.
    pub fn revision(&self) -> Option<&str> {
        self.status.operation_state.as_ref()?.revision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: Tracked<'_> =
        Tracked { group: "cloudhypervisor.quill.today", kind: "VirtualMachine", namespace: "vms", name: "web-1" };

    fn tracked(value: &str) -> Option<String> {
        let marks = BTreeMap::from([(TRACKING_ANNOTATION.to_owned(), value.to_owned())]);
        tracked_by(Some(&marks), OBJECT).map(|found| found.to_string())
    }

    #[test]
    fn an_object_is_tracked_by_the_application_that_its_annotation_names() {
        let about = "cloudhypervisor.quill.today/VirtualMachine:vms/web-1";
        assert_eq!(tracked(&format!("fleet:{about}")).as_deref(), Some("fleet"));
        assert_eq!(tracked(&format!("team-a_fleet:{about}")).as_deref(), Some("team-a/fleet"));
        assert_eq!(tracked_by(None, OBJECT), None);
        let found = ApplicationRef { namespace: None, name: "fleet".to_owned() };
        assert_eq!(found.within("argocd"), ("argocd", "fleet"));
    }

    #[test]
    fn an_annotation_of_another_object_or_of_no_form_tracks_nothing() {
        let others = [
            "fleet:cloudhypervisor.quill.today/VirtualMachine:vms/web-2",
            "fleet:cloudhypervisor.quill.today/VirtualMachine:other/web-1",
            "fleet:/Pod:vms/web-1",
            "fleet",
            "",
            ":cloudhypervisor.quill.today/VirtualMachine:vms/web-1",
            "../x:cloudhypervisor.quill.today/VirtualMachine:vms/web-1",
            "a_b_c:cloudhypervisor.quill.today/VirtualMachine:vms/web-1",
        ];
        others.iter().for_each(|other| assert_eq!(tracked(other), None, "{other}"));
    }

    #[test]
    fn the_commit_of_an_application_is_that_of_its_present_sync_or_of_its_last_one() {
        let (old, new) = ("1".repeat(40), "2".repeat(40));
        let read = |text: &str| serde_json::from_str::<Application>(text).unwrap();
        let at = |state: &str| format!(r#"{{"metadata":{{}},"status":{{"operationState":{state}}}}}"#);
        let asked = format!(r#"{{"phase":"Running","operation":{{"sync":{{"revision":"{new}","prune":true}}}}}}"#);
        assert_eq!(read(&at(&asked)).revision(), Some(new.as_str()));
        let told = format!(
            r#"{{"phase":"Running","operation":{{"sync":{{"revision":"main"}}}},"syncResult":{{"revision":"{new}","resources":[]}}}}"#
        );
        assert_eq!(read(&at(&told)).revision(), Some(new.as_str()));
        let ended = format!(r#"{{"phase":"Succeeded","operation":{{}},"syncResult":{{"revision":"{old}"}}}}"#);
        assert_eq!(read(&at(&ended)).revision(), Some(old.as_str()));
        assert_eq!(read(&at(r#"{"operation":{"sync":{"revision":"main"}}}"#)).revision(), None);
        assert_eq!(read("{}").revision(), None);
    }
}
