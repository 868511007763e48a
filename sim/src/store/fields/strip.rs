//! Which fields nobody owns: identity, bookkeeping, and parts that a request cannot write. Pure.

use super::Writer;
use super::set::{FieldSet, Step};
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
    let field = |name: &str| Step::Field(name.to_owned());
    for name in ["apiVersion", "kind"] {
        set.cut(&[field(name)]);
    }
    set.drop_member(&[field("metadata")]);
    for name in METADATA {
        set.cut(&[field("metadata"), field(name)]);
    }
    match writer.subresource.as_deref() {
        Some("status") => set.keep_only("status"),
        Some("resize") => set.keep_only("spec"),
        Some(_) | None if kind.has_subresource("status") => set.cut(&[field("status")]),
        Some(_) | None => {}
    }
    set
}
