//! What every role needs to follow an API server: whether a watch can go on, why a request failed, and objects of any kind. Knows none of these kinds and
//! decides nothing.

mod causes;
mod object;
mod past;

pub use causes::Chain;
pub use past::{Restored, with_past};
