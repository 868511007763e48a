//! Git and the cluster, compared into a plan, and carried out one action at a time.

pub mod decide;
pub mod source;
