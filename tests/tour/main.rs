//! The tour through the built binary: every step ends as expected, and what it tells is what happened.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use serde_json::Value;

/// The simulated parties are so many times faster than real ones; Reef itself is as it is.
const SPEED: &str = "30";

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reef"));
    command.args(["demo", "--speed", SPEED]).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.output().unwrap()
}

fn of<'a>(lines: &'a [Value], event: &str, step: u64) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event && line["step"] == step).collect()
}

/// Order, by the first line that each VM of the step has with this wish of its Pod, request or plugged memory.
fn first(lines: &[&Value], fits: impl Fn(&Value) -> bool) -> usize {
    lines.iter().position(|line| fits(line)).unwrap_or_else(|| panic!("it never happened: {lines:#?}"))
}

#[test]
fn the_tour_passes_and_tells_each_step_as_a_line_of_json() {
    let output = demo(&["--tour", "-o", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let finished = lines.last().unwrap();
    let failed: Vec<&Value> = lines.iter().filter(|line| line["event"] == "ended" && line["ok"] != true).collect();
    assert_eq!(output.status.code(), Some(0), "{failed:#?}\n{told}");
    assert_eq!((&finished["passed"], &finished["of"]), (&Value::from(10), &Value::from(10)));
    assert_eq!(finished["breaches"], Value::Array(Vec::new()));
    grows_the_pod_first(&lines);
    shrinks_the_pod_last(&lines);
    names_mode_and_reason(&lines);
    names_file_line_and_snippet(&lines);
    keeps_what_left_git(&lines);
    plans_a_request_before_it_is_merged(&lines);
}

fn grows_the_pod_first(lines: &[Value]) {
    let moved = of(lines, "moved", 1);
    let raised = first(&moved, |line| line["pod"]["memory"] == "4352Mi");
    let asked = first(&moved, |line| line["requested"]["memory"] == "4Gi");
    assert!(raised < asked, "{moved:#?}");
}

fn shrinks_the_pod_last(lines: &[Value]) {
    let moved = of(lines, "moved", 2);
    let left = first(&moved, |line| line["actual"]["memory"] == "3584Mi");
    let lowered = first(&moved, |line| line["pod"]["memory"] == "3840Mi");
    assert!(left < lowered, "{moved:#?}");
}

fn names_mode_and_reason(lines: &[Value]) {
    let commits = of(lines, "commit", 6);
    assert_eq!(commits[0]["plan"][0]["mode"], "infeasible");
    let refused = of(lines, "moved", 6);
    assert!(refused.iter().any(|line| line["waitsFor"] == "Infeasible"), "{refused:#?}");
    assert!(refused.iter().all(|line| line["requested"]["vcpus"] == 1), "{refused:#?}");
    let pressed = of(lines, "moved", 8);
    assert!(pressed.iter().any(|line| line["waitsFor"] == "GuestPressure"), "{pressed:#?}");
}

fn names_file_line_and_snippet(lines: &[Value]) {
    let ended = of(lines, "ended", 7);
    let report = ended[0]["reports"][0].as_str().unwrap();
    assert!(report.contains("teams/web/web-2.yaml:30") && report.contains("30 |     - name: [storage"), "{report}");
}

fn keeps_what_left_git(lines: &[Value]) {
    let ended = of(lines, "ended", 9);
    let names: Vec<&Value> = ended[0]["vms"].as_array().unwrap().iter().map(|vm| &vm["name"]).collect();
    assert_eq!(names, ["ci-2", "ci-3"]);
    let report = ended[0]["reports"][0].as_str().unwrap();
    assert!(report.contains("ci-2") && report.contains("kept"), "{report}");
}

/// Nothing moves by a branch, what is planned is what comes, and each VM of the plan has its size in the end.
fn plans_a_request_before_it_is_merged(lines: &[Value]) {
    let step: Vec<&Value> = lines.iter().filter(|line| line["step"] == 10).collect();
    let events: Vec<&str> = step.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events[..3], ["step", "request", "commit"]);
    let (request, commit, ended) = (step[1], step[2], step.last().unwrap());
    assert_eq!((&request["branch"], &request["outcome"]), (&"sale".into(), &"changes".into()));
    let comment = request["comment"].as_str().unwrap();
    assert!(comment.starts_with("**3 VMs change: 3 live; ") && comment.ends_with("<!-- reef plan -->\n"), "{comment}");
    for change in commit["plan"].as_array().unwrap() {
        let told = format!("| default/{} | resize | ", change["vm"].as_str().unwrap());
        assert!(change["mode"] == "live" && comment.contains(&told), "{change} {comment}");
    }
    let reports = ended["reports"].as_array().unwrap();
    assert!(reports.contains(&"the merge brings what was planned of sale: 3 changes".into()), "{reports:?}");
}

#[test]
fn a_folder_that_holds_something_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let output = demo(&["--tour", "--dir", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("is not empty"), "{told}");
}
