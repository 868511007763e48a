//! Requests and limits of containers: canonical amounts, defaults, classes. Pure, exact.

use std::collections::BTreeMap;

use reef_api::Quantity;
use serde_json::{Value, json};

use crate::store::{ApiError, At, Cause};

/// Requests or limits by resource name.
pub type Amounts = BTreeMap<String, Quantity>;

/// The containers of a Pod, the ordinary ones first, each with its field path.
pub fn containers(pod: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for list in ["containers", "initContainers"] {
        let items = pod.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
        let items = items.into_iter().flatten().enumerate();
        all.extend(items.map(|(index, container)| (format!("spec.{list}[{index}]"), container)));
    }
    all
}

/// A container's requests or limits; what does not parse is left out.
pub fn amounts(container: &Value, which: &str) -> Amounts {
    let stated = container.get("resources").and_then(|resources| resources.get(which)).and_then(Value::as_object);
    let parsed = stated.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), parse(value).ok()?)));
    parsed.collect()
}

fn parse(value: &Value) -> Result<Quantity, String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse::<Quantity>().map_err(|error| error.to_string())
}

/// Prints every amount in its canonical form, and fills in requests from limits.
///
/// # Errors
/// 400 for an amount that does not parse, as the real server's decoder answers.
pub fn settle(container: &mut Value) -> Result<(), ApiError> {
    let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { return Ok(()) };
    for which in ["requests", "limits"] {
        for (name, value) in resources.get_mut(which).and_then(Value::as_object_mut).into_iter().flatten() {
            let quantity = parse(value).map_err(|why| {
                let message = format!("resources.{which}.{name}: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$': {why}");
                ApiError::bad_request(message)
            })?;
            *value = json!(quantity.to_string());
        }
    }
    let limits = resources.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
    if !limits.is_empty() {
        let requests = resources.entry("requests").or_insert_with(|| json!({}));
        for (name, value) in limits {
            if let Some(requests) = requests.as_object_mut() {
                requests.entry(name).or_insert(value);
            }
        }
    }
    Ok(())
}

/// Amounts below zero, and a request above its limit.
pub fn faults(path: &str, container: &Value) -> Vec<Cause> {
    let limits = amounts(container, "limits");
    let mut faults: Vec<Cause> = ["limits", "requests"]
        .into_iter()
        .flat_map(|which| amounts(container, which).into_iter().map(move |(name, quantity)| (which, name, quantity)))
        .filter(|(_, _, quantity)| quantity.nanos() < 0)
        .map(|(which, name, quantity)| {
            let message = format!("Invalid value: \"{quantity}\": must be greater than or equal to 0");
            Cause::new("FieldValueInvalid", format!("{path}.resources.{which}[{name}]"), message)
        })
        .collect();
    let requests = amounts(container, "requests");
    faults.extend(requests.iter().filter_map(|(name, request)| {
        let limit = limits.get(name).filter(|limit| request > limit)?;
        let message = format!("Invalid value: \"{request}\": must be less than or equal to {name} limit of {limit}");
        Some(Cause::new("FieldValueInvalid", format!("{path}.resources.requests"), message))
    }));
    faults
}

/// The quality of service that a Pod's requests and limits amount to.
pub fn qos_class(pod: &Value) -> &'static str {
    const COUNTED: [&str; 2] = ["cpu", "memory"];
    let all = containers(pod);
    let counted = |container: &Value, which: &str| {
        let mut amounts = amounts(container, which);
        amounts.retain(|name, quantity| COUNTED.contains(&name.as_str()) && quantity.nanos() > 0);
        amounts
    };
    let nothing =
        |container: &Value| counted(container, "requests").is_empty() && counted(container, "limits").is_empty();
    let guaranteed = |container: &Value| {
        let limits = counted(container, "limits");
        limits.len() == COUNTED.len() && limits == counted(container, "requests")
    };
    if all.iter().all(|(_, container)| nothing(container)) {
        "BestEffort"
    } else if all.iter().all(|(_, container)| guaranteed(container)) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// What the ordinary containers of a Pod request together of one resource.
pub fn requested(pod: &Value, name: &str) -> i128 {
    let list = pod.at("/spec/containers").and_then(Value::as_array);
    let nanos = list
        .into_iter()
        .flatten()
        .filter_map(|container| amounts(container, "requests").get(name).map(Quantity::nanos));
    nanos.fold(0_i128, i128::saturating_add)
}
