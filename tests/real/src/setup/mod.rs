//! The files that the parties read: written once, before the first of them is started.
//!
//! Only files below the folder of the run.
mod identities;
mod node;

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, Result};

use crate::{
    layout::{AUDIT, Layout},
    options::Shape,
};

pub use identities::exchange_authority;

/// Who asked for what and how it was answered, without any content, for the accounts of one namespace: `stage::rights` reads it.
const AUDITED: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n\
    - { level: Metadata, userGroups: [\"system:serviceaccounts:reef-system\"] }\n- level: None\n";

/// Writes all files of a shape.
///
/// # Errors
/// The folder cannot be written, or the pause image cannot be packed.
pub fn write(layout: &Layout, shape: Shape) -> Result<()> {
    identities::write(layout)?;
    file(&layout.config(AUDIT), AUDITED)?;
    match shape {
        Shape::ControlPlane => Ok(()),
        Shape::Node => node::write(layout),
    }
}

/// Writes a file that only its owner can read: many hold keys.
fn file(path: &Path, text: &str) -> Result<()> {
    let options = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
    let mut file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
