//! A plan for a terminal: what forbids and what waits first, each change with its lines and what would help.

use anstyle::{AnsiColor, Style};
use comfy_table::Cell;
use reef_api::plan::{CapacityPlan, Change, Finding, Mode, Remark};

use super::{compared, verdict};
use crate::view::text::{Paint, harmless, rendered, table};

/// A plan as text.
pub fn text(plan: &CapacityPlan, paint: Paint) -> String {
    let mut out = format!("{}\n{}\n", painted(paint, bold(), &format!("Plan: {}", plan.headline())), compared(plan));
    for mode in Mode::ALL {
        let changes: Vec<&Change> = plan.changes.iter().filter(|change| change.mode == mode).collect();
        if !changes.is_empty() {
            out.push_str(&format!("\n{}\n", painted(paint, colour(mode), mode.as_str())));
            out.extend(changes.iter().map(|change| one(change, paint)));
        }
    }
    out.push_str(&listed("problems", &plan.problems, paint));
    out.push_str(&listed("warnings", &plan.warnings, paint));
    if !plan.policies.is_empty() {
        out.push_str("\nwith the policies of the head\n");
        out.extend(
            plan.policies
                .iter()
                .map(|effect| format!("  {}/{} {}\n", effect.namespace, effect.name, harmless(&effect.message))),
        );
    }
    out.push_str(&nodes(plan, paint));
    out.push_str(&format!("\n{}\n", verdict(plan.summary.outcome)));
    out
}

/// What is wrong with the files of a repository, without a plan.
pub fn remarks(document: &CapacityPlan, vms: usize, policies: usize, paint: Paint) -> String {
    let (problems, warnings) = (document.problems.len(), document.warnings.len());
    let told = listed("problems", &document.problems, paint) + &listed("warnings", &document.warnings, paint);
    let told = told.trim_start_matches('\n');
    let gap = if told.is_empty() { "" } else { "\n" };
    format!(
        "{told}{gap}{vms} VMs and {policies} policies in {}: {problems} problems, {warnings} warnings\n",
        document.head.name
    )
}

fn one(change: &Change, paint: Paint) -> String {
    let turn = if change.turn > 1 { format!("  (turn {})", change.turn) } else { String::new() };
    let place = change.place.as_ref().map(|place| format!("  {}", harmless(&place.to_string())));
    let mut out = format!(
        "  {}  {}  {}{}{turn}\n",
        painted(paint, bold(), &change.vm()),
        change.action.as_str(),
        change.sizes(),
        place.unwrap_or_default()
    );
    out.extend(change.findings.iter().map(finding));
    out.extend(change.diff.iter().map(|line| difference(line, paint)));
    out
}

fn finding(finding: &Finding) -> String {
    let remedy = finding.remedy.as_ref();
    let remedy = remedy.map(|remedy| format!("\n      help: {}", harmless(remedy))).unwrap_or_default();
    format!("      {}{remedy}\n", harmless(&finding.message))
}

fn difference(line: &str, paint: Paint) -> String {
    let style = match line.chars().next() {
        Some('-') => AnsiColor::Red.on_default(),
        Some('+') => AnsiColor::Green.on_default(),
        _ => Style::new().dimmed(),
    };
    format!("        {}\n", painted(paint, style, &harmless(line)))
}

fn listed(title: &str, remarks: &[Remark], paint: Paint) -> String {
    if remarks.is_empty() {
        return String::new();
    }
    let lines = remarks.iter().map(|remark| {
        let object = remark.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        let snippet = remark.snippet.iter().flat_map(|snippet| snippet.lines());
        let snippet: String = snippet.map(|line| format!("      {}\n", harmless(line))).collect();
        format!("  {}: {object}{}\n{snippet}", harmless(&remark.place.to_string()), harmless(&remark.message))
    });
    format!("\n{}\n{}", painted(paint, AnsiColor::Red.on_default(), title), lines.collect::<String>())
}

fn nodes(plan: &CapacityPlan, paint: Paint) -> String {
    if plan.nodes.is_empty() {
        return String::new();
    }
    let mut lines = table(&["NODE", "CPU FREE", "AFTER", "OF", "MEMORY FREE", "AFTER", "OF"], paint);
    for node in &plan.nodes {
        let cells = [
            harmless(&node.name),
            node.cpu_free_before.to_string(),
            node.cpu_free_after.to_string(),
            node.cpu.to_string(),
            node.memory_free_before.to_string(),
            node.memory_free_after.to_string(),
            node.memory.to_string(),
        ];
        lines.add_row(cells.map(Cell::new));
    }
    format!("\n{}", rendered(&lines))
}

fn bold() -> Style {
    Style::new().bold()
}

fn colour(mode: Mode) -> Style {
    match mode {
        Mode::Live => AnsiColor::Green.on_default().bold(),
        Mode::Restart | Mode::Deferred => AnsiColor::Yellow.on_default().bold(),
        Mode::Blocked | Mode::Infeasible => AnsiColor::Red.on_default().bold(),
    }
}

fn painted(paint: Paint, style: Style, text: &str) -> String {
    match paint {
        Paint::Colours => format!("{style}{text}{style:#}"),
        Paint::Plain => text.to_owned(),
    }
}
