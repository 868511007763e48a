//! Between what was read and a GitSource's status: the inventory there and back, and the problems as far as they fit.

use std::sync::Arc;

use reef_api::source::{InventoryEntry, SourceProblem};

use super::Desired;
use super::object::{Kind, Listed, ObjectName};

impl Desired {
    /// What is left to know after a restart: which objects the source had, from the inventory in its status.
    #[must_use]
    pub fn of_inventory(namespace: &str, entries: &[InventoryEntry]) -> Self {
        let object = |entry: &InventoryEntry| {
            let kind = Kind::named(&entry.kind)?;
            let name = ObjectName { kind, namespace: namespace.to_owned(), name: entry.name.clone() };
            Some((name, Listed { path: Arc::from(entry.path.as_str()), removed: entry.removed }))
        };
        Self::remembered(entries.iter().filter_map(object).collect())
    }

    /// The inventory for the status.
    #[must_use]
    pub fn inventory_entries(&self) -> Vec<InventoryEntry> {
        let entry = |(name, listed): (&ObjectName, &Listed)| InventoryEntry {
            kind: name.kind.to_string(),
            name: name.name.clone(),
            path: listed.path.to_string(),
            removed: listed.removed,
        };
        self.inventory.iter().map(entry).collect()
    }

    /// The first `most` problems for the status.
    #[must_use]
    pub fn source_problems(&self, most: usize) -> Vec<SourceProblem> {
        let told = self.problems.iter().take(most).map(|problem| SourceProblem {
            path: problem.origin.file.to_string(),
            line: (problem.origin.line > 0).then_some(problem.origin.line),
            message: match &problem.object {
                Some(object) => format!("{object}: {}", problem.message),
                None => problem.message.clone(),
            },
        });
        told.collect()
    }
}
