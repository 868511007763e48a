//! The order of conditions. Pure.
//!
//! The API server keeps conditions as a map by type: after server-side apply they stand in an order of its own, which says nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use reef_api::condition::{READY, RECONCILING, RESIZABLE, RESIZED, STALLED};

/// The order in which Reef states them.
const ORDER: [&str; 5] = [READY, RECONCILING, STALLED, RESIZED, RESIZABLE];

/// Puts conditions into the order in which Reef states them; others follow by name.
pub fn in_order(mut conditions: Vec<Condition>) -> Vec<Condition> {
    let place = |kind: &str| ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len());
    conditions.sort_by(|left, right| (place(&left.type_), &left.type_).cmp(&(place(&right.type_), &right.type_)));
    conditions
}
