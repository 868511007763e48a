//! What every role needs to follow an API server: whether a watch can go on, why a request failed, objects of any kind, and telling what it does and that it is alive. Knows
//! none of these kinds and decides nothing.

mod causes;
mod health;
pub mod metrics;
mod object;
mod past;

pub use causes::Chain;
pub use health::Health;
pub use past::{Restored, with_past};
