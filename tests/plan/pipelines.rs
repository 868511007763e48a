//! The shell that forges run for the example: every snippet of its CI files is run by the shell and with the variables of its forge, with
//! the real program, in a clone as the forge makes it. Where a step talks to a forge's API, `forge` is that forge.

use std::process::{Command, Output};

use crate::embedded::cluster::Cluster;
use crate::forge::Forge;
use crate::repository::{Repository, snapshot, vm};
use crate::runner::{Request, Runner};
use crate::{code, err, out};

const GITHUB: &str = ".github/workflows/capacity.yml";
const COMMENT: &str = ".github/workflows/capacity-comment.yml";
const FORGEJO: &str = ".forgejo/workflows/capacity.yml";

fn quiet(_: &Repository) {}

fn growth(made: &Repository) {
    made.edit("teams/web.yaml", "size: 2Gi", "size: 4Gi");
}

fn blocked(made: &Repository) {
    made.edit("teams/web.yaml", "size: 2Gi", "size: 48Gi");
}

fn infeasible(made: &Repository) {
    made.write("teams/new.yaml", &vm("new-1", 2, "4Gi", "  nodeSelector: { disk: ssd }\n"));
}

fn broken(made: &Repository) {
    made.write("teams/broken.yaml", "kind: VirtualMachine\n  a: [\n");
}

/// A kind of request, and what becomes of it.
struct Kind {
    change: fn(&Repository),
    /// What `reef lint` finds: nothing, or something.
    lints: i32,
    /// The exit code of its job.
    ends: i32,
    /// The beginning of its comment.
    begins: &'static str,
}

const KINDS: [Kind; 5] = [
    Kind { change: quiet, lints: 0, ends: 0, begins: "**nothing changes**" },
    Kind {
        change: growth,
        lints: 0,
        ends: 0,
        begins: "**1 VM changes: 1 live; +0 CPU, +2Gi**: everything can be carried out",
    },
    Kind { change: blocked, lints: 1, ends: 1, begins: "**1 VM changes: 1 blocked**: a rule forbids some changes" },
    Kind { change: infeasible, lints: 0, ends: 1, begins: "**1 VM changes: 1 infeasible" },
    Kind { change: broken, lints: 1, ends: 1, begins: "**nothing changes; 1 problem**: some files cannot be used" },
];

#[test]
fn the_jobs_of_github_and_forgejo_write_every_form_and_fail_where_it_cannot_be_carried_out() {
    for file in [GITHUB, FORGEJO] {
        for Kind { change, lints, ends, begins } in KINDS {
            let runner = Runner::of_pull_request(&Request::of(change));
            let fetched = runner.step(file, "plan", "Snapshot of the cluster");
            assert_eq!(code(&fetched), 0, "{}", err(&fetched));
            let lint = runner.step(file, "plan", "Lint");
            assert_eq!(code(&lint), lints, "{begins}: {}{}", out(&lint), err(&lint));
            assert_eq!(lints == 1, out(&lint).contains("::error file="), "{}", out(&lint));
            let plan = runner.step(file, "plan", "Plan");
            assert_eq!(code(&plan), ends, "{begins}: {}{}", out(&plan), err(&plan));
            assert_eq!(ends == 1, out(&plan).contains("::error file="), "{}", out(&plan));
            let page = runner.file("plan/plan.md");
            assert!(page.starts_with(begins) && page.ends_with("<!-- reef plan -->\n"), "{page}");
            assert_eq!(runner.json("plan/plan.sarif")["version"], "2.1.0");
        }
    }
}

#[test]
fn the_job_of_gitlab_writes_every_form_and_fails_where_it_cannot_be_carried_out() {
    for Kind { change, lints, ends, begins } in KINDS {
        let runner = Runner::of_merge_request(&Request::of(change));
        let done = runner.job("capacity");
        assert_eq!(code(&done), ends, "{begins}: {}{}", out(&done), err(&done));
        assert_eq!(lints == 0, out(&done).contains("0 problems"), "{}", out(&done));
        let page = runner.file("capacity/plan.md");
        assert!(page.starts_with(begins) && page.ends_with("<!-- reef plan -->\n"), "{page}");
        assert_eq!(runner.json("capacity/plan.sarif")["version"], "2.1.0");
        let report = runner.json("capacity/codequality.json");
        assert_eq!(report.as_array().unwrap().is_empty(), begins.starts_with("**nothing changes**"), "{report}");
    }
}

#[test]
fn the_snapshot_is_that_of_the_repository_and_nothing_of_the_request_is_followed() {
    let request = Request::of(|made| {
        growth(made);
        made.write("snapshot.json", "{}");
        made.write(".gitattributes", "* filter=evil diff=evil\n");
        std::os::unix::fs::symlink("/dev/full", made.path().join("plan")).unwrap();
        std::os::unix::fs::symlink("/dev/full", made.path().join("capacity")).unwrap();
    });
    let github = Runner::of_pull_request(&request);
    github.step(GITHUB, "plan", "Snapshot of the cluster");
    assert_eq!(github.json("plan/snapshot.json"), snapshot());
    let plan = github.step(GITHUB, "plan", "Plan");
    assert_eq!(code(&plan), 0, "{}", err(&plan));
    let gitlab = Runner::of_merge_request(&request);
    Command::new("git").args(["checkout", "-q", "origin/request"]).current_dir(gitlab.work()).status().unwrap();
    let done = gitlab.job("capacity");
    assert!(code(&done) == 0 && gitlab.file("capacity/plan.md").contains("1 live"), "{}", err(&done));
}

#[test]
fn where_no_snapshot_is_there_the_job_says_what_to_do_and_the_comment_that_there_is_no_plan() {
    let request = Request::of(growth);
    request.repository.git(&["branch", "-q", "-D", "snapshot"]);
    let github = Runner::of_pull_request(&request);
    let fetched = github.step(GITHUB, "plan", "Snapshot of the cluster");
    assert!(code(&fetched) == 1 && out(&fetched).contains("run the workflow snapshot once"), "{}", out(&fetched));
    assert_eq!(code(&github.step(GITHUB, "plan", "Plan")), 1);
    assert!(github.file("plan/plan.md").starts_with("No plan could be made of "));
    let gitlab = Runner::of_merge_request(&request).job("capacity");
    assert!(code(&gitlab) == 1 && out(&gitlab).contains("run the schedule once"), "{}", out(&gitlab));
}

/// A runner of GitHub's second workflow, with what the first has left.
fn commenting(number: &str, page: &str) -> Runner {
    let runner = Runner::of_pull_request(&Request::of(growth));
    std::fs::create_dir(runner.work().join("plan")).unwrap();
    std::fs::write(runner.work().join("plan/number"), number).unwrap();
    std::fs::write(runner.work().join("plan/plan.md"), page).unwrap();
    runner
}

#[test]
fn what_a_fork_may_have_written_is_checked_before_anything_is_done_with_it() {
    let check = |number: &str, page: &str| code(&commenting(number, page).step(COMMENT, "comment", "Check what came"));
    let page = "a plan\n<!-- reef plan -->\n";
    let runner = commenting("7\n", page);
    assert_eq!(code(&runner.step(COMMENT, "comment", "Check what came")), 0);
    assert_eq!(std::fs::read_to_string(runner.dir.path().join("output")).unwrap(), "number=7\n");
    for number in ["", "0", "-7", "7 8", "7\n8", "7/../8", "$(id)", "12345678901234567890", "7\nevil=1"] {
        assert_eq!(check(number, page), 1, "{number:?}");
    }
    assert_eq!(check("7", "a plan without a mark\n"), 1);
    assert_eq!(check("7", &format!("{}\n<!-- reef plan -->\n", "x".repeat(65_536))), 1);
    assert_eq!(check("7", &format!("{}\n<!-- reef plan -->\n", "ü".repeat(65_000))), 0);
    std::fs::remove_file(runner.work().join("plan/plan.md")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", runner.work().join("plan/plan.md")).unwrap();
    assert_eq!(code(&runner.step(COMMENT, "comment", "Check what came")), 1);
}

/// The same comment is made once and edited after that, whatever others have written.
fn one_comment(forge: &Forge, page: &str, runner: &Runner, comment: impl Fn() -> Output) {
    forge.write("mallory", "<!-- reef plan --> mine\n");
    for _ in 0..101 {
        forge.write("somebody", "fine\n");
    }
    for text in ["first\n<!-- reef plan -->\n", "\"second\" & 100% 'ü' $(id)\n<!-- reef plan -->\n"] {
        std::fs::write(runner.work().join(page), text).unwrap();
        let done = comment();
        assert_eq!(code(&done), 0, "{}{}", out(&done), err(&done));
        assert_eq!(forge.comments().len(), 103);
        assert_eq!(forge.by(forge.bot), [text]);
    }
    assert_eq!(forge.by("mallory"), ["<!-- reef plan --> mine\n"]);
}

#[test]
fn github_keeps_one_comment_and_a_request_names_itself_alone() {
    let mut runner = commenting("7\n", "");
    let forge = Forge::github(&runner.known["github.event.workflow_run.head_sha"]);
    forge.as_gh(&runner.dir.path().join("bin/gh"));
    runner.known.insert("steps.came.outputs.number".to_owned(), "7".to_owned());
    one_comment(&forge, "plan/plan.md", &runner, || runner.step(COMMENT, "comment", "Comment"));
    runner.known.insert("github.event.workflow_run.head_sha".to_owned(), "0123456789".to_owned());
    std::fs::write(runner.work().join("plan/plan.md"), "of another request").unwrap();
    let other = runner.step(COMMENT, "comment", "Comment");
    assert!(code(&other) == 0 && out(&other).contains("nothing is posted"), "{}{}", out(&other), err(&other));
    assert_eq!(forge.by(forge.bot).len(), 1);
    assert!(!forge.by(forge.bot)[0].contains("of another request"));
}

#[test]
fn forgejo_keeps_one_comment() {
    let mut runner = commenting("", "");
    let forge = Forge::forgejo();
    runner.known.insert("github.server_url".to_owned(), forge.url.clone());
    one_comment(&forge, "plan/plan.md", &runner, || runner.step(FORGEJO, "comment", "Comment"));
}

#[test]
fn gitlab_keeps_one_note() {
    let mut runner = Runner::of_merge_request(&Request::of(growth));
    let forge = Forge::gitlab();
    runner.env.insert("CI_API_V4_URL".to_owned(), forge.url.clone());
    std::fs::create_dir(runner.work().join("capacity")).unwrap();
    one_comment(&forge, "capacity/plan.md", &runner, || runner.job("capacity-note"));
}

/// Pushes go to a bare repository by its path, in place of the forge's address.
fn origin(runner: &Runner) -> Repository {
    let folder = runner.dir.path().join("example/vms.git");
    let origin = Repository::of_vms();
    origin.git(&["init", "-q", "--bare", folder.to_str().unwrap()]);
    origin.git(&["remote", "add", "forge", folder.to_str().unwrap()]);
    origin
}

/// The branch has one commit with a snapshot of the cluster, however often the job has run, and nothing of the reader is left.
fn refreshed(origin: &Repository, runner: &Runner, refresh: impl Fn() -> Output) {
    for _ in 0..2 {
        let done = refresh();
        assert_eq!(code(&done), 0, "{}{}", out(&done), err(&done));
    }
    origin.git(&["fetch", "-q", "forge", "snapshot"]);
    assert_eq!(origin.git(&["rev-list", "FETCH_HEAD"]).lines().count(), 1);
    assert_eq!(origin.git(&["ls-tree", "-r", "--name-only", "FETCH_HEAD"]), "snapshot.json\n");
    let taken = origin.git(&["show", "FETCH_HEAD:snapshot.json"]);
    assert!(taken.contains("\"kind\": \"ClusterSnapshot\"") && taken.contains("\"node-1\""), "{taken}");
    assert!(!runner.work().join("kubeconfig").exists());
}

#[test]
fn the_scheduled_jobs_keep_one_snapshot_of_the_cluster_on_its_branch() {
    let cluster = Cluster::start();
    for file in [".github/workflows/snapshot.yml", ".forgejo/workflows/snapshot.yml"] {
        let mut runner = Runner::new();
        let origin = origin(&runner);
        let facts = [
            ("secrets.REEF_READER_KUBECONFIG", std::fs::read_to_string(cluster.kubeconfig()).unwrap()),
            ("github.token", "secret-token".to_owned()),
            ("github.server_url", format!("file://{}", runner.dir.path().display())),
            ("github.repository", "example/vms".to_owned()),
        ];
        runner.known.extend(facts.map(|(name, value)| (name.to_owned(), value)));
        refreshed(&origin, &runner, || {
            let taken = runner.step(file, "snapshot", "Snapshot");
            if code(&taken) == 0 { runner.step(file, "snapshot", "Push") } else { taken }
        });
    }
    let mut runner = Runner::new();
    let origin = origin(&runner);
    let facts = [
        ("REEF_READER_KUBECONFIG", cluster.kubeconfig().to_str().unwrap().to_owned()),
        ("REEF_PUSH_TOKEN", "secret-token".to_owned()),
        ("CI_PROJECT_URL", format!("file://{}/example/vms", runner.dir.path().display())),
    ];
    runner.env.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    refreshed(&origin, &runner, || runner.job("snapshot"));
}
