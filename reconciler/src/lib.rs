//! Git and the cluster, compared into a plan, and carried out one action at a time.

pub mod act;
pub mod controller;
pub mod decide;
pub mod desired;
pub mod metrics;
pub mod observe;
pub mod packed;
pub mod review;
pub mod seams;
pub mod source;
