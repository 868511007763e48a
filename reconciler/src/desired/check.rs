//! A CapacityCheck in a repository: a hook of Argo CD's, which applies it. It is read to find its mistakes, and is nothing that a source applies.

use reef_api::names::reef_api_version;
use reef_api::{CapacityCheck, check};
use serde::Deserialize;

use super::document::Content;
use super::fault::Fault;
use super::fields;
use super::node::Node;
use crate::source::escaped;

/// The kind.
pub(super) const KIND: &str = check::CAPACITY_CHECK;

/// Looks for what is wrong with it.
pub(super) fn read(root: &Node, version: &str) -> Result<Content, Vec<Fault>> {
    if version != reef_api_version() {
        let (found, known) = (escaped(version, 80), reef_api_version());
        let message = format!("{KIND} of version `{found}` is not known to this Reef; it reads {known}");
        return Err(vec![Fault::at(root.nearest("apiVersion").at, message)]);
    }
    let unknown = fields::unknown_of_check(root);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let check = CapacityCheck::deserialize(root).map_err(|fault| vec![fault])?;
    let violations = check.spec.violations();
    let told = |violation: &reef_api::Violation| {
        Fault::at(root.nearest(violation.path).at, escaped(&violation.to_string(), 400))
    };
    let faults: Vec<Fault> = violations.iter().map(told).collect();
    if faults.is_empty() { Ok(Content::Foreign(KIND.to_owned())) } else { Err(faults) }
}
