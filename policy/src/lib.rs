//! What a SizingPolicy says of a change. The plan, the controller and admission all ask here, so that they say the same of the same facts.
//!
//! Pure: values in, verdicts out. A size that does not change is not judged: who tightens a policy takes nothing from VMs that are there.

mod budget;
mod change;
mod expression;
mod judge;
mod sizes;
mod soundness;
mod spec;
mod values;

pub use budget::{Asked, over_budget};
pub use change::{Before, Broken, Change, Host};
pub use expression::{RuleError, check};
pub use judge::{Judgement, Rulebook, Rulebooks};
pub use soundness::{Overlap, overlap, unsound};
pub use spec::accepted;
