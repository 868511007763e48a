//! A runner of CI jobs as forges have them: a clone, the variables of the forge, and a shell; and a request that is on its way into `main`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::repository::{Repository, snapshot};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/repo");

fn read(file: &str) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(Path::new(EXAMPLE).join(file)).unwrap()).unwrap()
}

/// A runner: a folder in which a job works, and what its forge tells it.
pub struct Runner {
    pub dir: TempDir,
    /// Variables of the environment.
    pub env: BTreeMap<String, String>,
    /// What stands for an expression, as `github.event.number`.
    pub known: BTreeMap<String, String>,
}

impl Runner {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for folder in ["home", "bin", "work"] {
            std::fs::create_dir(path(folder)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_reef"), path("bin/reef")).unwrap();
        let env = [
            ("HOME", path("home")),
            ("PATH", format!("{}:{}", path("bin"), std::env::var("PATH").unwrap())),
            ("GITHUB_WORKSPACE", path("work")),
            ("GITHUB_OUTPUT", path("output")),
            ("GITHUB_STEP_SUMMARY", path("summary")),
            ("CI_PROJECT_DIR", path("work")),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        Self { dir, env, known: BTreeMap::new() }
    }

    /// A runner of GitHub's or Forgejo's with the clone of a pull request in `vms`.
    pub fn of_pull_request(request: &Request) -> Self {
        let mut made = Self::new();
        request.clone_into(&made.work().join("vms"));
        let facts = [
            ("github.event.pull_request.base.sha", request.base.as_str()),
            ("github.event.pull_request.head.sha", request.head.as_str()),
            ("github.event.workflow_run.head_sha", request.head.as_str()),
            ("github.event.pull_request.number", "7"),
            ("github.repository", "example/vms"),
            ("github.token", "secret-token"),
        ];
        made.known.extend(facts.map(|(name, value)| (name.to_owned(), value.to_owned())));
        made
    }

    /// A runner of GitLab's, whose folder is the clone.
    pub fn of_merge_request(request: &Request) -> Self {
        let mut made = Self::new();
        request.clone_into(&made.work());
        let facts = [
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", request.base.as_str()),
            ("CI_COMMIT_SHA", request.head.as_str()),
            ("CI_PROJECT_ID", "3"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("REEF_NOTE_TOKEN", "secret-token"),
        ];
        made.env.extend(facts.map(|(name, value)| (name.to_owned(), value.to_owned())));
        made
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.work().join(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.file(name)).unwrap()
    }

    /// A text with every `${{ }}` in it exchanged; one that nobody knows fails.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{ ") {
            let (name, after) = after.split_once(" }}").unwrap();
            let value = self.known.get(name).unwrap_or_else(|| panic!("nobody knows `{name}`"));
            write!(filled, "{before}{value}").unwrap();
            rest = after;
        }
        filled + rest
    }

    fn with<'v>(&self, variables: impl IntoIterator<Item = &'v Value>) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        for (name, value) in variables.into_iter().filter_map(Value::as_object).flatten() {
            env.insert(name.clone(), self.filled(value.as_str().unwrap()));
        }
        env
    }

    /// Runs a script as the forges do: by bash, and the first command that fails ends it.
    fn bash(&self, script: &str, env: BTreeMap<String, String>) -> Output {
        assert!(!script.contains("${{"), "what a request brings is never a part of a script: {script}");
        let file = self.dir.path().join("script");
        std::fs::write(&file, script).unwrap();
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(&file);
        command.current_dir(self.work()).env_clear().envs(env).output().unwrap()
    }

    /// Runs one step of a job of a workflow by its name.
    pub fn step(&self, file: &str, job: &str, name: &str) -> Output {
        let workflow = read(file);
        assert_eq!(workflow["defaults"]["run"]["shell"], "bash", "{file}");
        let job = &workflow["jobs"][job];
        let step = job["steps"].as_array().unwrap().iter().find(|step| step["name"] == name).unwrap();
        self.bash(step["run"].as_str().unwrap(), self.with([&job["env"], &step["env"]]))
    }

    /// Runs the script of a job of a pipeline.
    pub fn job(&self, name: &str) -> Output {
        let job = &read(".gitlab-ci.yml")[name];
        let lines: Vec<&str> = job["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        self.bash(&lines.join("\n"), self.with([&job["variables"]]))
    }
}

/// A request that changes the VMs, on its way into `main`, and the snapshot of the cluster on a branch of its own.
pub struct Request {
    pub repository: Repository,
    base: String,
    head: String,
}

impl Request {
    pub fn of(change: impl Fn(&Repository)) -> Self {
        let repository = Repository::of_vms();
        repository.git(&["checkout", "-q", "--orphan", "snapshot"]);
        repository.git(&["rm", "-q", "-r", "--cached", "."]);
        repository.write("snapshot.json", &snapshot().to_string());
        repository.git(&["add", "snapshot.json"]);
        repository.git(&["commit", "-q", "-m", "The cluster as it is"]);
        repository.git(&["checkout", "-q", "-f", "main"]);
        repository.git(&["checkout", "-q", "-b", "request"]);
        change(&repository);
        repository.git(&["add", "-A"]);
        repository.git(&["commit", "-q", "--allow-empty", "-m", "a change"]);
        let id = |name: &str| repository.git(&["rev-parse", name]).trim().to_owned();
        Self { base: id("main"), head: id("request"), repository }
    }

    fn clone_into(&self, folder: &Path) {
        self.repository.git(&["clone", "-q", self.repository.path().to_str().unwrap(), folder.to_str().unwrap()]);
    }
}
