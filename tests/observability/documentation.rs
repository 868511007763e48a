//! The table of docs/metrics.md against the code, in both directions.

use std::collections::BTreeSet;

use super::catalogue::{Registered, registered};
use super::text;

fn row(name: &str, Registered { entry, roles }: &Registered) -> String {
    let labels: Vec<String> = entry.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{name}` | {} | {} | {} | {} |", entry.kind, labels.join(", "), roles.join(", "), entry.help)
}

#[test]
fn the_table_of_metrics_is_what_the_code_registers() {
    let expected: BTreeSet<String> = registered().iter().map(|(name, metric)| row(name, metric)).collect();
    let documentation = text("docs/metrics.md");
    let found: BTreeSet<String> =
        documentation.lines().filter(|line| line.starts_with("| `reef_")).map(str::to_owned).collect();
    let missing: Vec<&String> = expected.difference(&found).collect();
    let surplus: Vec<&String> = found.difference(&expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing:\n{missing:#?}\nnot registered so:\n{surplus:#?}");
}
