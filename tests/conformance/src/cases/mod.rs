//! The cases, a file for each thing that clients rely on.

// What is indexed are JSON objects of the cases' own making; a case that panics has failed.
#![allow(clippy::indexing_slicing)]

mod access;
mod apply;
mod custom;
mod definitions;
mod deletion;
mod errors;
mod events;
mod limits;
mod lists;
mod names;
mod node;
mod objects;
mod patches;
mod pods;
mod resize;
mod tables;
mod trying;
mod watches;

use crate::case::Case;

/// What every file of cases uses.
mod prelude {
    pub(super) use anyhow::{Result, ensure};
    pub(super) use serde_json::{Value, json};

    pub(super) use crate::answer::{at, owners, same, same_owners, text_at, tidy};
    pub(super) use crate::call::{Call, PatchKind};
    pub(super) use crate::case::cases;
    pub(super) use crate::context::{Context, config, widget};
}

/// Every case, in the order in which they are played.
pub fn all() -> Vec<Case> {
    let rooms = [
        objects::cases(),
        names::cases(),
        lists::cases(),
        watches::cases(),
        patches::cases(),
        apply::cases(),
        custom::cases(),
        deletion::cases(),
        errors::cases(),
        pods::cases(),
        resize::cases(),
        tables::cases(),
        events::cases(),
        definitions::cases(),
        trying::cases(),
        limits::cases(),
        access::cases(),
        node::cases(),
    ];
    rooms.into_iter().flatten().collect()
}
