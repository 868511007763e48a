//! The pure middle of the reconciler: values in, values out, the same output for the same input.
//!
//! No I/O, no clock, no environment, no randomness, nothing async. `now` is an argument.

pub mod action;
pub mod aim;
pub mod asked;
pub mod check;
pub mod contest;
pub mod diff;
pub mod grant;
pub mod held;
pub mod life;
pub mod observed;
pub mod pipeline;
pub mod plan;
pub mod pod;
pub mod progress;
pub mod refused;
pub mod room;
pub mod stall;
pub mod status;
pub mod suspension;
pub mod target;
pub mod waits;
