//! What every role needs to follow an API server: whether a watch can go on, and why a request failed. Knows no kind of object and decides nothing.

mod causes;
mod past;

pub use causes::Chain;
pub use past::{Restored, with_past};
