//! The dashboard: it can be read, and names only what is registered.

use std::collections::BTreeSet;

use serde_json::Value;

use super::catalogue::registered;
use super::expressions::{faults, names};
use super::text;

fn expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text("deploy/observability/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    panels.iter().flat_map(targets).collect()
}

#[test]
fn the_dashboard_names_only_what_is_registered() {
    let known = registered();
    for (panel, expression) in expressions() {
        let found = faults(&expression, &known);
        assert!(found.is_empty(), "{panel}: {found:?}");
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let known = registered();
    let shown: BTreeSet<String> = expressions().iter().flat_map(|(_, expression)| names(expression, &known)).collect();
    assert_eq!(shown, known.keys().cloned().collect());
}

#[test]
fn panels_have_numbers_and_places_of_their_own() {
    let dashboard: Value = serde_json::from_str(&text("deploy/observability/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    let places: BTreeSet<(u64, u64)> = panels
        .iter()
        .map(|panel| (panel["gridPos"]["y"].as_u64().unwrap(), panel["gridPos"]["x"].as_u64().unwrap()))
        .collect();
    assert_eq!((ids.len(), places.len()), (panels.len(), panels.len()));
}
