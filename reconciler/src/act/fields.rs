//! Who owns which field, by `metadata.managedFields`; and the conflicts that server-side apply tells of. Pure.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Status};
use reef_api::argocd::ARGOCD_MANAGER;
use reef_api::names::CONTROLLER_MANAGER;

/// A manager that holds fields which Git states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedBy {
    /// Its name, as in `managedFields`.
    pub manager: String,
    /// The fields, in order.
    pub fields: Vec<String>,
}

/// Fields that Git states and others own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldConflict {
    /// Whose they are.
    pub owners: Vec<OwnedBy>,
}

impl fmt::Display for FieldConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, owner) in self.owners.iter().enumerate() {
            let glue = if place == 0 { "" } else { "; " };
            write!(f, "{glue}{} belongs to the field manager \"{}\"", owner.fields.join(", "), owner.manager)?;
        }
        f.write_str(": let that manager give the field up, or remove the field from Git")
    }
}

impl FieldConflict {
    /// Reads the causes of a 409; none when it is about something else.
    pub(super) fn of(status: &Status) -> Option<Self> {
        let causes = status.details.as_ref()?.causes.as_deref()?;
        let conflicts = causes.iter().filter(|cause| cause.reason.as_deref() == Some("FieldManagerConflict"));
        let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for cause in conflicts {
            let manager = quoted(cause.message.as_deref().unwrap_or_default());
            let field = cause.field.as_deref().unwrap_or_default().trim_start_matches('.');
            owners.entry(manager.to_owned()).or_default().push(field.to_owned());
        }
        let owners: Vec<OwnedBy> = owners.into_iter().map(|(manager, fields)| OwnedBy { manager, fields }).collect();
        (!owners.is_empty()).then_some(Self { owners })
    }
}

/// The name in `conflict with "kubectl" using v1` or `conflict with "kubectl" with subresource "scale" using v1`.
fn quoted(message: &str) -> &str {
    message.split('"').nth(1).unwrap_or(message)
}

/// The entry that tells what the controller has applied of this object, where it has.
pub(super) fn ours(entries: &[ManagedFieldsEntry]) -> Option<&ManagedFieldsEntry> {
    entries.iter().find(|entry| applied_by_us(entry))
}

/// Whether an entry of `managedFields` tells what the controller has applied of an object, its status not counted.
pub fn applied_by_us(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(CONTROLLER_MANAGER)
        && entry.operation.as_deref() == Some("Apply")
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Whether an entry of `managedFields` tells what Argo CD has applied of an object, its status not counted.
pub fn applied_by_argocd(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(ARGOCD_MANAGER) && entry.subresource.as_deref().unwrap_or_default().is_empty()
}
