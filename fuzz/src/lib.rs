//! Hostile input: one function for each kind of text that others write and Reef reads. Each takes any bytes, and panics
//! where something does not hold that always must.
//!
//! Fuzzing calls them. The tests of the crates include the same files, and replay the corpus through them.

pub mod manifest;
pub mod monitor;
mod plain;
pub mod quantity;
mod reference;
pub mod replies;

pub use manifest::manifest;
pub use monitor::{qemu, qmp};
pub use quantity::quantity;
pub use replies::{refusal, vm_info};
