//! The tour: pushes of its own, one after the other, each followed until it ended as it should.
//!
//! ```text
//! script (what is pushed and expected) ─► guide (does and follows it) ─► record ─► told as text or as JSON
//! ```

pub mod changes;
pub mod expect;
pub mod guide;
pub mod record;
pub mod script;
pub mod tell;
