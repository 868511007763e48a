//! Git on real repositories: what a fetch gives, and what each fault does to it.

mod cache;
mod hostile;
mod memory;
mod network;
mod tips;
