//! `reef lint`: everything that is wrong with the files of a repository and needs no cluster to be seen, all at once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use reef_api::plan::{CapacityPlan, FactsKind, FactsOrigin, PLAN_KIND, State, Summary};
use reef_reconciler::desired::{Desired, ParseCache, Scope, read_within};
use reef_reconciler::review::{Side, lint};
use reef_reconciler::source::{LocalRepository, RepoPath};

use super::print;
use crate::view::plan;

/// Arguments of `reef lint`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Commit, branch or tag to look at. The working tree when absent, whether committed or not.
    #[arg(long, value_name = "REF")]
    head: Option<String>,
    /// A folder of the repository.
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
    /// Folder inside the repository that states the VMs, as a GitSource's spec.path.
    #[arg(long, value_name = "FOLDER", default_value = "")]
    path: String,
    /// Namespace of what states none: that of the GitSource.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// Fail for warnings as well.
    #[arg(long)]
    strict: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

/// The form of what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of a job of GitHub Actions (and Forgejo, Gitea).
    Github,
    /// Code quality report of GitLab.
    Gitlab,
}

/// Looks, tells, and fails where something is wrong.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let folder = RepoPath::parse(&args.path).context("--path")?;
    let repository = LocalRepository::discover(&args.repository, &folder)?;
    let (name, files) = match &args.head {
        Some(name) => (name.as_str(), repository.at(repository.commit(name)?, None)?),
        None => ("the working tree", repository.working_tree()?),
    };
    let desired = read_within(&files, &Desired::default(), Scope::Any(&args.namespace), &mut ParseCache::default());
    let state = State { name: name.to_owned(), commit: None, subject: None };
    let side = Side { state: &state, desired: &desired, files: &files };
    let (problems, warnings) = (lint::problems(side), lint::warnings(side));
    let fails = !problems.is_empty() || (args.strict && !warnings.is_empty());
    // A plan of nothing but remarks: what forges are told is made of the same document.
    let document = CapacityPlan {
        api_version: CapacityPlan::version(),
        kind: PLAN_KIND.to_owned(),
        base: State::default(),
        head: state.clone(),
        facts: FactsOrigin { from: FactsKind::Offline, at: None, cluster: None },
        summary: Summary::of(&[], !problems.is_empty()),
        changes: Vec::new(),
        nodes: Vec::new(),
        policies: Vec::new(),
        problems,
        warnings,
    };
    match args.output {
        Form::Text => {
            print::text(&plan::remarks(&document, desired.vms.len(), desired.policies.len(), print::paint()))?
        }
        Form::Json => {
            print::json(&serde_json::json!({ "problems": document.problems, "warnings": document.warnings }))?
        }
        Form::Sarif => print::json(&plan::sarif(&document))?,
        Form::Github => print::text(&plan::github(&document))?,
        Form::Gitlab => print::json(&plan::gitlab(&document))?,
    }
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
