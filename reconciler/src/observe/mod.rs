//! The cluster as values: watches merged into one ordered store, and the conversion of its objects into what `decide` reads.
//!
//! Nothing here decides and nothing here writes to the cluster.

mod backoff;
mod conditions;
mod convert;
mod facts;
mod held;
mod keep;
mod kind;
mod node;
mod object;
mod pod;
mod shelf;
mod store;
mod watch;

pub use backoff::WatchBackoff;
pub use conditions::in_order;
pub use convert::{Pods, vm_observed};
pub use facts::{Listed, facts, vm_facts};
pub use held::{Held, Version};
pub use keep::{Keep, KeptNode, KeptPod, KeptVm};
pub use kind::{Kind, ObjectKey, tracked_by};
pub use node::node_observed;
pub use object::{Object, Told};
pub use pod::{PodOdd, is_leftover, owner_uid, pod_observed};
pub use shelf::Shelf;
pub use store::{Change, Store};
pub use watch::{Interruption, Seen, watch};

#[cfg(test)]
mod tests;
