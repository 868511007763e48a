//! A plan as the annotations of a job: GitHub's workflow commands, and GitLab's code quality report.

use reef_api::plan::{CapacityPlan, Mode, Place, Rule};
use serde_json::{Value, json};

/// Something to be shown beside a line.
struct Note<'p> {
    level: Level,
    rule: String,
    text: String,
    place: Option<&'p Place>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

fn notes(plan: &CapacityPlan) -> Vec<Note<'_>> {
    let of_changes = plan.changes.iter().map(|change| Note {
        level: match change.mode {
            Mode::Blocked | Mode::Infeasible => Level::Error,
            Mode::Deferred | Mode::Restart => Level::Warning,
            Mode::Live => Level::Notice,
        },
        rule: change
            .findings
            .first()
            .map_or_else(|| format!("{:?}", Rule::Fits), |finding| format!("{:?}", finding.rule)),
        text: change.line(),
        place: change.place.as_ref(),
    });
    let remark = |level, rule: &'static str| {
        move |remark: &'_ reef_api::plan::Remark| {
            let object = remark.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
            (level, rule.to_owned(), format!("{object}{}", remark.message))
        }
    };
    let (unusable, doubtful) = (remark(Level::Error, "Unusable"), remark(Level::Warning, "Doubtful"));
    let told = |(level, rule, text), place| Note { level, rule, text, place };
    let problems = plan.problems.iter().map(|problem| told(unusable(problem), Some(&problem.place)));
    let warnings = plan.warnings.iter().map(|warning| told(doubtful(warning), Some(&warning.place)));
    problems.chain(of_changes).chain(warnings).collect()
}

/// Workflow commands of GitHub Actions, one a line.
pub fn github(plan: &CapacityPlan) -> String {
    let lines = notes(plan).into_iter().map(|note| {
        let command = match note.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        let mut properties = Vec::new();
        if let Some(place) = note.place {
            properties.push(format!("file={}", property(&place.file)));
            properties.extend(place.line.map(|line| format!("line={line}")));
            properties.extend(place.column.map(|column| format!("col={column}")));
        }
        properties.push(format!("title={}", property(&format!("reef: {}", note.rule))));
        format!("::{command} {}::{}\n", properties.join(","), data(&note.text))
    });
    lines.collect()
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The code quality report of GitLab.
pub fn gitlab(plan: &CapacityPlan) -> Value {
    let reported = notes(plan).into_iter().filter_map(|note| {
        let place = note.place?;
        let severity = match note.level {
            Level::Error => "critical",
            Level::Warning => "minor",
            Level::Notice => "info",
        };
        Some(json!({
            "description": note.text,
            "check_name": note.rule,
            "fingerprint": format!("{}/{}/{}", note.rule, place.file, note.text),
            "severity": severity,
            "location": { "path": place.file, "lines": { "begin": place.line.unwrap_or(1) } },
        }))
    });
    Value::Array(reported.collect())
}
