//! The parties of the model, one a file: what each can do in a state, and what that leads to.
//!
//! Controller and daemon decide by the real functions. Everything about them that is not in `decide` is here as their shells do it, so that a
//! guard is something that can be left out.

mod api_server;
mod controller;
mod daemon;
mod kubelet;
mod people;
mod vmm;

pub(crate) use daemon::fresh;
