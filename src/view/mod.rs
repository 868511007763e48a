//! What people and programs see of VMs: values made from API objects, and text made from values.
//!
//! Pure: no client, no clock, no terminal. Whether colours are wanted, and what time it is, is told by the caller.

pub mod detail;
pub mod drift;
pub mod explain;
pub mod hint;
pub mod history;
pub mod past;
pub mod plan;
pub mod settling;
pub mod source;
pub mod table;
pub mod text;
pub mod vm;

#[cfg(test)]
mod tests;

pub use source::SourceView;
pub use text::Paint;
pub use vm::{VmView, commit};
