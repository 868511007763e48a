//! A plan as SARIF 2.1.0: each finding that needs somebody, on the line of the field that it is about.

use reef_api::plan::{CapacityPlan, Change, Finding, Mode, Place, Remark, Rule};
use serde_json::{Value, json};

/// The rule of what cannot be read.
const UNUSABLE: &str = "Unusable";
/// The rule of what is used, and may not be meant so.
const DOUBTFUL: &str = "Doubtful";

/// A plan as SARIF.
pub fn sarif(plan: &CapacityPlan) -> Value {
    let rules = Rule::ALL.iter().map(|rule| described(&format!("{rule:?}"), rule.about()));
    let own = [
        described(UNUSABLE, "Something in the repository cannot be used."),
        described(DOUBTFUL, "Something in the repository is used, and may not be meant so."),
    ];
    let changes = plan.changes.iter().flat_map(of_change);
    let problems = plan.problems.iter().map(|remark| of_remark(remark, UNUSABLE, "error"));
    let warnings = plan.warnings.iter().map(|remark| of_remark(remark, DOUBTFUL, "warning"));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "reef",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.chain(own).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": changes.chain(problems).chain(warnings).collect::<Vec<_>>(),
        }],
    })
}

fn described(id: &str, about: &str) -> Value {
    json!({ "id": id, "name": id, "shortDescription": { "text": about } })
}

/// What goes on by itself needs nobody.
fn of_change(change: &Change) -> Vec<Value> {
    let level = match change.mode {
        Mode::Blocked | Mode::Infeasible => "error",
        Mode::Deferred | Mode::Restart => "warning",
        Mode::Live => return Vec::new(),
    };
    change
        .findings
        .iter()
        .filter(|finding| finding.rule != Rule::Fits)
        .map(|finding| of_finding(change, finding, level))
        .collect()
}

fn of_finding(change: &Change, finding: &Finding, level: &str) -> Value {
    let rule = format!("{:?}", finding.rule);
    let remedy = finding.remedy.as_ref().map(|remedy| format!(" ({remedy})")).unwrap_or_default();
    let text = format!("{}: {}: {}{remedy}", change.vm(), change.mode.as_str(), finding.message);
    let place = finding.place.as_ref().or(change.place.as_ref());
    let print = format!("{rule}/{}/{}", change.vm(), finding.path.as_deref().unwrap_or_default());
    result(&rule, level, &text, place, &print)
}

fn of_remark(remark: &Remark, rule: &str, level: &str) -> Value {
    let object = remark.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
    let text = format!("{object}{}", remark.message);
    result(rule, level, &text, Some(&remark.place), &format!("{rule}/{}/{text}", remark.place.file))
}

/// The print tells a finding from others in the next run, wherever its line has gone.
fn result(rule: &str, level: &str, text: &str, place: Option<&Place>, print: &str) -> Value {
    let locations: Vec<Value> = place.iter().map(|place| location(place)).collect();
    json!({
        "ruleId": rule, "level": level, "message": { "text": text }, "locations": locations,
        "partialFingerprints": { "reefFinding/v1": print },
    })
}

fn location(place: &Place) -> Value {
    let mut region = json!({ "startLine": place.line.unwrap_or(1) });
    if let (Some(column), Some(region)) = (place.column, region.as_object_mut()) {
        region.insert("startColumn".to_owned(), column.into());
    }
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&place.file), "uriBaseId": "%SRCROOT%" },
        "region": region,
    } })
}

/// A path as the relative reference of a URI.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
