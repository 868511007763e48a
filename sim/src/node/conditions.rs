//! Conditions in a status: set, keep, remove. A transition time changes with the status of the condition alone.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::meta;

/// One condition to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// The reason; empty for none.
    pub reason: String,
    /// The message; empty for none.
    pub message: String,
    /// The generation that it speaks of, where that is not the one last looked at.
    pub generation: Option<i64>,
}

impl Condition {
    /// A condition without reason and message.
    #[must_use]
    pub const fn plain(kind: &'static str, holds: bool) -> Self {
        Self { kind, holds, reason: String::new(), message: String::new(), generation: None }
    }

    fn to_json(&self, since: Value, generation: i64) -> Value {
        let status = if self.holds { "True" } else { "False" };
        let mut condition = json!({
            "type": self.kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since,
            "observedGeneration": generation,
        });
        if let Some(map) = condition.as_object_mut() {
            for (field, text) in [("reason", &self.reason), ("message", &self.message)] {
                if !text.is_empty() {
                    map.insert(field.to_owned(), json!(text));
                }
            }
        }
        condition
    }
}

/// The conditions of `before` with those in `wanted` set and those in `gone` removed; others stay as they are.
#[must_use]
pub fn merge(before: &[Value], wanted: &[Condition], gone: &[&str], generation: i64, now: Timestamp) -> Vec<Value> {
    let kind_of = |condition: &Value| condition.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_ours = |kind: &str| gone.contains(&kind) || wanted.iter().any(|condition| condition.kind == kind);
    let mut merged: Vec<Value> = before.iter().filter(|condition| !is_ours(&kind_of(condition))).cloned().collect();
    for condition in wanted {
        let status = if condition.holds { "True" } else { "False" };
        let old = before.iter().find(|old| kind_of(old) == condition.kind);
        let same = old.filter(|old| old.get("status").and_then(Value::as_str) == Some(status));
        let since = same.and_then(|old| old.get("lastTransitionTime").cloned());
        merged.push(
            condition.to_json(since.unwrap_or_else(|| meta::time(now)), condition.generation.unwrap_or(generation)),
        );
    }
    merged
}
