//! Structural schemas of custom resources: pruning, defaulting, validation. Pure functions on the schema as its
//! definition has it; rules in CEL are not evaluated.

mod path;
mod prune;
#[cfg(test)]
mod tests;
mod validate;

pub use path::Path;
pub use prune::{drop_nulls, fill_defaults, prune, undeclared};
pub use validate::validate;

pub use crate::store::Schema;
