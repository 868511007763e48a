//! What Reef writes and shows to others, held to the words of those others: SARIF, workflows of GitHub, pipelines and reports of GitLab,
//! and JSON Schema itself. The schemas are kept in `schemas/`; nothing is fetched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::outputs::eventful;
use crate::repository::{Repository, snapshot, vm};
use crate::schema::{faults, schema};
use crate::{json, plan, reef};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/repo");

fn kept(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/schemas").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Every document of a file of the example.
fn documents(file: &Path) -> Vec<Value> {
    serde_saphyr::from_multiple(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The example's files below a folder whose names end so, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(EXAMPLE).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_str().unwrap().ends_with(ending) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// What plan and lint write in a form, of a commit with everything in it and of states with little in them.
fn written(form: &str) -> Vec<Value> {
    let (made, file) = eventful();
    let snapshot_file = file.to_str().unwrap();
    let busy = ["--base", "HEAD~1", "--head", "HEAD", "-o", form];
    let mut all = vec![
        json(&plan(made.path(), &[&busy[..], &["--snapshot", snapshot_file]].concat())),
        json(&plan(made.path(), &[&busy[..], &["--offline"]].concat())),
        json(&reef(made.path(), "lint", &["-o", form])),
    ];
    let quiet = Repository::of_vms();
    all.push(json(&plan(quiet.path(), &["--offline", "-o", form])));
    all.push(json(&reef(quiet.path(), "lint", &["-o", form])));
    quiet.write("teams/Ünlaut & 100%.yaml", &vm("web-9", 2, "64Gi", ""));
    let file = quiet.snapshot(&snapshot());
    all.push(json(&plan(quiet.path(), &["--snapshot", file.to_str().unwrap(), "-o", form])));
    all
}

#[test]
fn every_sarif_is_valid_by_the_schema_of_oasis_and_what_is_not_would_be_told() {
    let schema = kept("sarif-2.1.0.json");
    let all = written("sarif");
    for document in &all {
        assert_eq!(faults(document, &schema), Vec::<String>::new(), "{document:#}");
    }
    let mut odd = all[0].clone();
    odd["runs"][0]["results"][0]["level"] = "dreadful".into();
    odd["runs"][0]["results"][1]["message"] = Value::Null;
    assert_eq!(faults(&odd, &schema).len(), 2);
}

/// By the documentation of GitLab: these fields, one of these severities, a path from the root, and no print twice.
fn report_faults(report: &Value) -> Vec<String> {
    let mut prints = BTreeSet::new();
    let mut told = Vec::new();
    for issue in report.as_array().unwrap() {
        let text = |pointer: &str| issue.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let mut hold = |holds: bool, what: &str| {
            if !holds {
                told.push(format!("{what}: {issue}"));
            }
        };
        hold(!text("/description").is_empty() && !text("/check_name").is_empty(), "no description or no name");
        hold(["info", "minor", "major", "critical", "blocker"].contains(&text("/severity")), "no such severity");
        let path = text("/location/path");
        hold(!path.is_empty() && !path.starts_with(['/', '.']), "no path from the root");
        hold(issue["location"]["lines"]["begin"].as_u64().is_some_and(|line| line > 0), "no line");
        hold(!text("/fingerprint").is_empty() && prints.insert(text("/fingerprint")), "no print of its own");
    }
    told
}

#[test]
fn every_report_of_gitlab_has_what_gitlab_asks_of_one() {
    let all = written("gitlab");
    for report in &all {
        assert_eq!(report_faults(report), Vec::<String>::new());
    }
    let mut odd = all[0].clone();
    odd[0]["severity"] = "dreadful".into();
    odd[1]["fingerprint"] = odd[0]["fingerprint"].clone();
    assert_eq!(report_faults(&odd).len(), 2);
}

#[test]
fn every_file_of_the_example_that_a_forge_runs_is_valid_by_that_forges_schema() {
    let github = kept("github-workflow.json");
    let workflows = [files(".github", ".yml"), files(".forgejo", ".yml")].concat();
    assert_eq!(workflows.len(), 5);
    for file in workflows {
        let [workflow] = documents(&file).try_into().unwrap();
        assert_eq!(faults(&workflow, &github), Vec::<String>::new(), "{}", file.display());
        let mut odd = workflow;
        odd["permisions"] = Value::Null;
        assert_eq!(faults(&odd, &github).len(), 1);
    }
    let gitlab = kept("gitlab-ci.json");
    let [mut pipeline] = documents(&Path::new(EXAMPLE).join(".gitlab-ci.yml")).try_into().unwrap();
    assert_eq!(faults(&pipeline, &gitlab), Vec::<String>::new());
    pipeline["capacity"]["artifacts"]["when"] = "sometimes".into();
    assert_eq!(faults(&pipeline, &gitlab).len(), 1);
}

#[test]
fn every_schema_that_is_printed_is_one_by_json_schema_2020_12() {
    for of in ["VirtualMachine", "SizingPolicy", "GitSource", "CapacityCheck", "CapacityPlan", "ClusterSnapshot"] {
        let schema = schema(of);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{of}");
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{of}");
        let mut odd = schema;
        odd["type"] = "thing".into();
        assert!(!jsonschema::draft202012::meta::is_valid(&odd), "{of}");
    }
}

#[test]
fn every_manifest_of_the_example_is_valid_by_the_schema_of_its_kind() {
    let manifests = [files("teams", ".yaml"), files("policies", ".yaml")].concat();
    let all: Vec<Value> = manifests.iter().flat_map(|file| documents(file)).collect();
    assert_eq!(all.len(), 10);
    for document in all {
        let schema = schema(document["kind"].as_str().unwrap());
        assert_eq!(faults(&document, &schema), Vec::<String>::new(), "{document:#}");
    }
}

/// Who owns a path: the handles of the last line that matches, as GitHub and GitLab count.
fn owner(path: &str) -> String {
    let text = std::fs::read_to_string(Path::new(EXAMPLE).join("CODEOWNERS")).unwrap();
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    let fits = |pattern: &str| pattern == "*" || format!("/{path}").starts_with(pattern);
    lines.rfind(|(pattern, _)| fits(pattern)).unwrap().1.trim().to_owned()
}

#[test]
fn each_team_owns_its_folder_and_the_platform_team_all_else() {
    for file in [files("teams", ".yaml"), files("policies", ".yaml"), files(".github", ".yml")].concat() {
        let path = file.strip_prefix(EXAMPLE).unwrap().to_str().unwrap();
        let team = path.strip_prefix("teams/").map_or("platform", |rest| rest.split('/').next().unwrap());
        assert_eq!(owner(path), format!("@example/{team}"), "{path}");
    }
    for path in ["README.md", "CODEOWNERS", ".gitlab-ci.yml", "teams/README.md"] {
        assert_eq!(owner(path), "@example/platform", "{path}");
    }
}

/// Whether an action is named by a commit or by a version to its last digit.
fn is_pinned(action: &str) -> bool {
    let (_, at) = action.split_once('@').unwrap();
    let commit = at.len() == 40 && at.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = at.strip_prefix('v').map(|version| version.split('.').map(str::parse::<u32>));
    commit || parts.is_some_and(|parts| parts.clone().count() == 3 && parts.into_iter().all(|part| part.is_ok()))
}

#[test]
fn no_job_that_sees_a_request_has_a_secret_or_a_right_and_every_action_is_pinned() {
    let mut seen = 0;
    for file in [files(".github", ".yml"), files(".forgejo", ".yml")].concat() {
        let [workflow] = documents(&file).try_into().unwrap();
        let on_github = file.to_str().unwrap().contains("/.github/");
        assert!(!on_github || workflow["permissions"] == serde_json::json!({}), "{}", file.display());
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            let uses = job["steps"].as_array().unwrap().iter().filter(|step| step["uses"].is_string());
            let actions: Vec<&Value> = uses.collect();
            assert!(actions.iter().all(|step| is_pinned(step["uses"].as_str().unwrap())), "{name}: {actions:?}");
            for checkout in actions.iter().filter(|step| step["uses"].as_str().unwrap().contains("/checkout@")) {
                seen += 1;
                assert_eq!(checkout["with"]["persist-credentials"], false, "{name}");
                let text = job.to_string();
                assert!(!text.contains("secrets.") && !text.contains("github.token"), "{name}");
                assert!(!on_github || job["permissions"] == serde_json::json!({ "contents": "read" }), "{name}");
            }
        }
    }
    assert_eq!(seen, 2);
    assert!(!is_pinned("actions/checkout@v4") && !is_pinned("actions/checkout@main"));
}
