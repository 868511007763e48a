//! What rules of one's own see: `old`, `new`, `change` and `node`, and the function `memory`. The field names are part of the contract.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::{Context, Env, ExecutionError};
use reef_api::{Bytes, Size};
use serde::Serialize;

use crate::change::{Before, Change, Host};

/// Variables, each with its fields.
pub(crate) const VARIABLES: [(&str, &[&str]); 4] = [
    ("old", &["vcpus", "memory"]),
    ("new", &["name", "namespace", "labels", "vcpus", "memory"]),
    ("change", &["vcpus", "memory", "restart"]),
    ("node", &["name", "vcpus", "memory"]),
];

/// Functions and methods that rules may call.
pub(crate) const FUNCTIONS: [&str; 10] =
    ["memory", "has", "size", "contains", "startsWith", "endsWith", "int", "double", "string", "type"];

#[derive(Serialize)]
struct OldValue {
    vcpus: i64,
    memory: i64,
}

#[derive(Serialize)]
struct NewValue<'a> {
    name: &'a str,
    namespace: &'a str,
    labels: &'a BTreeMap<String, String>,
    vcpus: i64,
    memory: i64,
}

#[derive(Serialize)]
struct ChangeValue {
    vcpus: i64,
    memory: i64,
    restart: bool,
}

#[derive(Serialize)]
struct NodeValue<'a> {
    name: &'a str,
    vcpus: i64,
    memory: i64,
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn parts(size: Size) -> (i64, i64) {
    (i64::from(size.vcpus.0), signed(size.memory.0))
}

/// The variables of a change, as far as they are known: a rule over others is not asked.
pub(crate) fn context<'a>(env: &Arc<Env>, change: &Change<'_>) -> Option<Context<'a, 'a>> {
    let mut context = Context::with_env(Arc::clone(env));
    context.add_function("memory", bytes_of).ok()?;
    let (vcpus, memory) = parts(change.after.size);
    let key = &change.after.key;
    let new = NewValue { name: &key.name, namespace: &key.namespace, labels: change.labels, vcpus, memory };
    context.add_variable("new", new).ok()?;
    let before = match change.before {
        Before::Unknown | Before::New => None,
        Before::Had(size) => Some(parts(size)),
    };
    context.add_variable("old", before.map(|(vcpus, memory)| OldValue { vcpus, memory })).ok()?;
    let (old_vcpus, old_memory) = before.unwrap_or_default();
    let (vcpus, memory) = (vcpus.saturating_sub(old_vcpus), memory.saturating_sub(old_memory));
    context.add_variable("change", ChangeValue { vcpus, memory, restart: change.restart }).ok()?;
    let node = match change.host {
        Host::Unknown | Host::None => None,
        Host::Node { name, cpu, memory } => {
            Some(NodeValue { name, vcpus: signed(cpu.0 / 1000), memory: signed(memory.0) })
        }
    };
    context.add_variable("node", node).ok()?;
    Some(context)
}

/// A quantity of memory as a number of bytes.
fn bytes_of(text: Arc<String>) -> Result<i64, ExecutionError> {
    let bytes: Bytes = text.parse().map_err(|error| ExecutionError::function_error("memory", error))?;
    Ok(signed(bytes.0))
}
