//! The alerts: each names what is registered, says what to do, has its section in the runbooks, and is played once firing and once silent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::catalogue::registered;
use super::expressions::faults;
use super::text;

const RULES: &str = "deploy/observability/rules.yaml";
const TESTS: &str = "deploy/observability/tests.yaml";
const RUNBOOKS: &str = "docs/runbooks.md";

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&text(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn rules() -> Vec<Value> {
    let groups = yaml(RULES)["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn names() -> BTreeSet<String> {
    rules().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_alert_names_only_what_is_registered() {
    let known = registered();
    for rule in rules() {
        let found = faults(rule["expr"].as_str().unwrap(), &known);
        assert!(found.is_empty(), "{}: {found:?}", rule["alert"]);
    }
}

#[test]
fn every_alert_says_what_it_is_and_leads_to_its_section_of_the_runbooks() {
    let runbooks = text(RUNBOOKS);
    let sections: BTreeSet<String> =
        runbooks.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    assert_eq!(sections, names(), "sections and alerts");
    for rule in rules() {
        let (name, annotations) = (rule["alert"].as_str().unwrap(), &rule["annotations"]);
        for annotation in ["summary", "description"] {
            assert!(annotations[annotation].as_str().is_some_and(|text| text.ends_with('.')), "{name}: {annotation}");
        }
        let anchor = format!("{RUNBOOKS}#{}", name.to_lowercase());
        assert_eq!(annotations["runbook_url"], Value::from(anchor));
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
    }
}

#[test]
fn every_alert_is_played_once_where_it_fires_and_once_where_it_is_silent() {
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for test in yaml(TESTS)["tests"].as_array().unwrap() {
        for played in test["alert_rule_test"].as_array().unwrap() {
            let expected = played["exp_alerts"].as_array().unwrap();
            let played = played["alertname"].as_str().unwrap().to_owned();
            if expected.is_empty() {
                silent.insert(played)
            } else {
                firing.insert(played)
            };
        }
    }
    assert_eq!((firing, silent), (names(), names()));
}
