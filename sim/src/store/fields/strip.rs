//! Which fields nobody owns: identity, bookkeeping, and parts that a request cannot write. Pure.

use super::Writer;
use super::set::FieldSet;
use crate::store::ResourceKind;

/// Fields of metadata that the server keeps.
const METADATA: &[&str] = &[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
    "generateName",
];

/// Leaves out of a set what the writer cannot own.
pub fn strip(mut set: FieldSet, kind: &ResourceKind, writer: &Writer) -> FieldSet {
    for name in ["apiVersion", "kind"] {
        set.cut(&[name]);
    }
    set.drop_member("metadata");
    for name in METADATA {
        set.cut(&["metadata", name]);
    }
    match writer.subresource.as_deref() {
        Some("status") => set.keep_only("status"),
        Some("resize") => set.keep_only("spec"),
        Some(_) | None if kind.has_subresource("status") => set.cut(&["status"]),
        Some(_) | None => {}
    }
    set
}
