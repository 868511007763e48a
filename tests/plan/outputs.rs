//! Every form of a plan, and every exit code.

use std::path::PathBuf;

use serde_json::Value;

use crate::repository::{Repository, snapshot, vm};
use crate::{code, err, json, out, plan};

/// One change of every mode, a new VM, one that is gone, a file that cannot be read, and another policy.
pub fn eventful() -> (Repository, PathBuf) {
    let made = Repository::of_vms();
    made.edit("teams/web.yaml", "coresPerSocket: 2", "coresPerSocket: 4");
    made.edit("teams/web.yaml", "size: 8Gi", "size: 12Gi");
    made.edit("teams/db.yaml", "size: 8Gi", "size: 48Gi");
    made.write("teams/new.yaml", &vm("new-1", 2, "4Gi", ""));
    made.write("teams/huge.yaml", &vm("huge-1", 16, "4Gi", "  nodeSelector: { disk: ssd }\n"));
    made.write(
        "teams/broken.yaml",
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata: { name: x }\nspec: [\n",
    );
    made.edit("policy.yaml", "memory: 32Gi", "memory: 8Gi");
    made.commit("a busy day");
    let file = made.snapshot(&snapshot());
    (made, file)
}

fn eventful_as(form: &str) -> (i32, String) {
    let (made, file) = eventful();
    let output =
        plan(made.path(), &["--base", "HEAD~1", "--head", "HEAD", "--snapshot", file.to_str().unwrap(), "-o", form]);
    (code(&output), stable(&made, &out(&output)))
}

/// Without what differs from run to run: ids of commits are those of their content, and stay.
fn stable(made: &Repository, text: &str) -> String {
    text.replace(made.path().to_str().unwrap(), "REPOSITORY")
}

#[test]
fn text_has_what_forbids_first_and_each_change_with_its_lines() {
    let (code, text) = eventful_as("text");
    assert_eq!(code, 1, "a file that cannot be used wins");
    insta::assert_snapshot!(text);
}

#[test]
fn markdown_has_its_sentence_first_and_folds_the_lines() {
    insta::assert_snapshot!(eventful_as("markdown").1);
}

#[test]
fn what_a_request_writes_lays_out_no_comment_calls_nobody_and_gives_no_command_to_a_job() {
    let made = Repository::of_vms();
    let hostile = "<img src=x> @everyone #1 `a` [b](http://c.example) ````";
    let policy = format!(
        "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {{ name: all, namespace: vms }}\n\
         spec:\n  rules:\n    - expression: \"false\"\n      message: {}\n",
        serde_json::to_string(&format!("{hostile}\n::error::mine\n</details>")).unwrap()
    );
    made.write("policy.yaml", &policy);
    made.commit("a policy");
    made.write("teams/<b>@team\n::warning::x.yaml", "kind: [\n");
    made.edit("teams/web.yaml", "coresPerSocket: 2", "coresPerSocket: 4");
    let markdown = out(&plan(made.path(), &["--offline", "-o", "markdown"]));
    assert!(markdown.contains("&lt;img src=x&gt; &#64;everyone &#35;1"), "{markdown}");
    for alive in ["<img", "@everyone", "@team", "<b>", "[b](", "\n::error", "\n</details>\n</details>"] {
        assert!(!markdown.contains(alive), "{alive:?} is in {markdown}");
    }
    let commands = out(&plan(made.path(), &["--offline", "-o", "github"]));
    let given = |line: &str| line.starts_with("::error::mine") || line.starts_with("::warning::x");
    assert!(commands.contains("everyone") && !commands.lines().any(given), "{commands}");
}

#[test]
fn json_is_the_plan_itself() {
    insta::assert_snapshot!(eventful_as("json").1);
}

#[test]
fn sarif_is_on_the_line_of_each_field() {
    insta::assert_snapshot!(eventful_as("sarif").1);
}

#[test]
fn annotations_of_github_and_gitlab_name_file_and_line() {
    insta::assert_snapshot!("github", eventful_as("github").1);
    insta::assert_snapshot!("gitlab", eventful_as("gitlab").1);
}

#[test]
fn yaml_says_what_json_says() {
    let yaml: Value = serde_saphyr::from_str(&eventful_as("yaml").1).unwrap();
    let json: Value = serde_json::from_str(&eventful_as("json").1).unwrap();
    assert_eq!(yaml, json);
}

#[test]
fn a_comment_never_grows_beyond_what_forges_take_and_says_what_was_cut() {
    let made = Repository::of_vms();
    let many: Vec<String> = (0..1_500).map(|number| vm(&format!("many-{number}"), 2, "2Gi", "")).collect();
    for (index, part) in many.chunks(500).enumerate() {
        made.write(&format!("teams/many-{index}.yaml"), &part.join("---\n"));
    }
    let text = out(&plan(made.path(), &["--offline", "-o", "markdown"]));
    assert!(text.chars().count() <= 65_536, "{}", text.chars().count());
    assert!(text.starts_with("**1500 VMs change: 1500 live"), "{}", text.lines().next().unwrap());
    assert!(text.contains("Cut, because a comment has an end: ") && text.ends_with("<!-- reef plan -->\n"));
}

/// What a plan ends with in each style, for a change of one file.
fn codes(change: impl Fn(&Repository)) -> [i32; 4] {
    let made = Repository::of_vms();
    change(&made);
    let file = made.snapshot(&snapshot());
    let style =
        |style: &str| code(&plan(made.path(), &["--snapshot", file.to_str().unwrap(), "--exit-code-style", style]));
    ["reef", "terraform", "kubectl", "plain"].map(style)
}

#[test]
fn each_outcome_has_its_code_and_errors_win_then_what_is_blocked() {
    let size = |from: &'static str, to: &'static str| move |made: &Repository| made.edit("teams/web.yaml", from, to);
    assert_eq!(codes(|_| ()), [0, 0, 0, 0], "nothing changes");
    assert_eq!(codes(size("size: 2Gi", "size: 4Gi")), [2, 2, 1, 0], "a growth");
    assert_eq!(codes(size("size: 8Gi", "size: 14Gi")), [2, 2, 1, 0], "one that waits");
    assert_eq!(codes(size("size: 2Gi", "size: 48Gi")), [3, 1, 2, 1], "blocked by the policy");
    let infeasible =
        |made: &Repository| made.write("new.yaml", &vm("new-1", 2, "4Gi", "  nodeSelector: { disk: ssd }\n"));
    assert_eq!(codes(infeasible), [4, 1, 2, 1], "no node may hold it");
    let both = |made: &Repository| {
        infeasible(made);
        made.edit("teams/web.yaml", "size: 2Gi", "size: 48Gi");
    };
    assert_eq!(codes(both), [3, 1, 2, 1]);
    let all = |made: &Repository| {
        both(made);
        made.write("broken.yaml", "kind: VirtualMachine\n  a: [\n");
    };
    assert_eq!(codes(all), [1, 1, 2, 1], "a file that cannot be used");
}

#[test]
fn an_error_is_told_on_standard_error_and_has_the_code_of_its_style() {
    let made = Repository::of_vms();
    let output = plan(made.path(), &["--offline", "--base", "nosuch", "--exit-code-style", "kubectl"]);
    assert_eq!((code(&output), out(&output).as_str()), (2, ""));
    assert!(err(&output).starts_with("reef: there is no commit `nosuch` in "), "{}", err(&output));
    let output = plan(made.path(), &[]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("--snapshot") && err(&output).contains("--offline"), "{}", err(&output));
}

#[test]
fn an_old_snapshot_is_warned_about_and_one_of_another_version_or_kind_is_refused() {
    let made = Repository::of_vms();
    let with = |name: &str, value: &str| {
        let mut changed = snapshot();
        changed[name] = value.into();
        let file = made.snapshot(&changed);
        plan(made.path(), &["--snapshot", file.to_str().unwrap(), "-o", "json"])
    };
    let old = with("cluster", "other");
    assert!(err(&old).contains("old; what it says of room may no longer be true"), "{}", err(&old));
    assert_eq!(json(&old)["facts"]["cluster"], "other");
    for (name, value, told) in [
        (
            "apiVersion",
            "reef.dev/v9",
            "has version \"reef.dev/v9\", and this Reef reads reef.dev/v1alpha1; take it anew",
        ),
        ("kind", "Pod", "is no snapshot: its kind is \"Pod\""),
    ] {
        let refused = with(name, value);
        assert_eq!(code(&refused), 1);
        assert!(err(&refused).contains(told), "{}", err(&refused));
    }
}
