//! Who owns which field: field sets, comparison, merging by structure, `managedFields`, server-side apply. Pure.

mod apply;
mod compare;
mod managed;
mod merge;
mod printed;
#[cfg(test)]
mod properties;
mod set;
mod shape;
mod strip;
#[cfg(test)]
mod tests;
mod track;
mod walk;

pub use apply::{Claim, apply};
pub use managed::{Entry, Operation, Owners};
pub use printed::Fields;
pub use set::{Branch, FieldSet, Step};
pub use shape::{ListKind, Shape};
pub use track::track;

/// Who writes, and through which part of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// The version that it writes in.
    pub api_version: String,
    /// The subresource, where it writes through one.
    pub subresource: Option<String>,
}

/// What an apply does about fields that others own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Refuses.
    Refuse,
    /// Takes them over.
    Take,
}
