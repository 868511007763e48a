//! The metrics and labels that an expression names, without reading the language: names begin with `reef_`, labels stand in braces behind them.

use std::collections::BTreeMap;

use regex::Regex;

use super::catalogue::Registered;

/// Labels that Prometheus adds, or that a histogram has by itself.
const BY_OTHERS: [&str; 3] = ["job", "instance", "le"];

/// What is wrong with an expression: a metric that is not registered, or a label that it does not have.
pub fn faults(expression: &str, known: &BTreeMap<String, Registered>) -> Vec<String> {
    let named = Regex::new(r"\b(reef_[a-z_]+)(?:\{([^}]*)\})?").unwrap();
    let label = Regex::new(r#"([a-z_]+)\s*(?:=~|!~|!=|=)\s*""#).unwrap();
    let mut faults = Vec::new();
    for found in named.captures_iter(expression) {
        let name = &found[1];
        let Some(metric) = metric(name, known) else {
            faults.push(format!("{name} is not registered"));
            continue;
        };
        for label in label.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
            if !metric.entry.labels.contains(&&label[1]) && !BY_OTHERS.contains(&&label[1]) {
                faults.push(format!("{name} has no label {}", &label[1]));
            }
        }
    }
    faults
}

/// The metrics that an expression names.
pub fn names(expression: &str, known: &BTreeMap<String, Registered>) -> Vec<String> {
    let named = Regex::new(r"\breef_[a-z_]+").unwrap();
    let found = named.find_iter(expression).filter_map(|name| metric(name.as_str(), known));
    found.map(|metric| metric.entry.name.clone()).collect()
}

/// The metric of a time series: a histogram has three.
fn metric<'k>(name: &str, known: &'k BTreeMap<String, Registered>) -> Option<&'k Registered> {
    let of_histogram = || ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
    let histogram = |metric: &&Registered| metric.entry.kind == "histogram";
    match known.get(name) {
        Some(metric) if !histogram(&metric) => Some(metric),
        Some(_) => None,
        None => known.get(of_histogram()?).filter(histogram),
    }
}

#[test]
fn a_wrong_name_and_a_wrong_label_are_found() {
    let known = super::catalogue::registered();
    let faults = |expression: &str| faults(expression, &known);
    assert_eq!(faults(r#"rate(reef_vmm_calls_total{job=~"$job", result!="done"}[5m]) > 0"#), Vec::<String>::new());
    assert_eq!(faults("sum by (le) (reef_resize_duration_seconds_bucket)"), Vec::<String>::new());
    assert_eq!(faults("reef_resize_duration_seconds"), ["reef_resize_duration_seconds is not registered"]);
    assert_eq!(faults("reef_vmm_calls"), ["reef_vmm_calls is not registered"]);
    assert_eq!(faults(r#"reef_vms{mode="x"}"#), ["reef_vms has no label mode"]);
}
