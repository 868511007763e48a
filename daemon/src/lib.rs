//! The node side: asks the VMM for what the controller granted, and reports what it sees.
//!
//! One task per VM of the node. The VirtualMachine object is the only channel to the controller: a grant comes down in
//! `status.resize`, an acknowledgement with observations goes up in `status.vmm`. Nothing here moves a phase, touches a
//! Pod, or listens on a port.
//!
//! ```text
//! watch ─► roster ─► node ─► vm_task ──► decide (pure)
//!                              │  ▲
//!              host, vmm ◄─────┘  └───── publish
//! ```

mod backoff;
pub mod decide;
pub mod devices;
pub mod host;
pub mod launch;
pub mod metrics;
mod node;
mod object;
mod publish;
mod roster;
pub mod seams;
mod view;
mod vm_task;
pub mod vmm;
mod watch;

pub use metrics::Metrics;
pub use node::{RunError, run};
pub use reef_watch::Health;
pub use seams::{Jitter, NoJitter, Seams, Settings};
