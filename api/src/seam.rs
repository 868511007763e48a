//! The one seam that both roles share: the wall clock, handed in.
//!
//! Only the word is here. The binary hands in the machine's clock, the simulation a virtual one; delays and deadlines go through `tokio::time` and are no part of this.

use jiff::Timestamp;

/// Tells the wall-clock time, for conditions, events and history.
///
/// Clocks jump: who lets a duration between two of its times decide something has to take the jumps out first.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}
