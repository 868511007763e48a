//! Admission: fills in what a VM leaves out, and refuses what would never work or would harm a VM.
//!
//! The controller judges everything once more by the same functions. What is refused here is refused at once, to whoever wrote it.

pub mod certificates;
pub mod decide;
mod known;
pub mod metrics;
mod placed;
mod review;
mod server;

pub use known::Known;
pub use metrics::Metrics;
pub use review::{Desk, ReviewError, SourceCheck, read};
pub use server::{ServeError, routes, serve};
