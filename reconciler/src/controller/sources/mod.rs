//! Git sources as the loop holds them: what was fetched last, what it states, and what of it is still to be applied.
//!
//! No calls are made here but in `fetch`; what is to be done is said by pure functions and done by the loop.

mod fetch;
mod grants;
mod held;
mod interval;
mod statement;
mod status;
mod trouble;

pub(super) use fetch::{Fetched, Order, account, fetch, locate, read_as};
pub(super) use grants::refused_as;
pub(super) use held::{Source, Sources, Stated};
pub use interval::check_source;
pub(super) use interval::{interval, usual};
pub(super) use statement::{Verdict, overruled, verdict};
pub(super) use status::{Told, newly_removed, status};
pub(super) use trouble::Trouble;

#[cfg(test)]
mod tests;
