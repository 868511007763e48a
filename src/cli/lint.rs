//! `reef lint`: everything that is wrong with the files of a repository and needs no cluster to be seen, all at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use reef_api::plan::State;
use reef_reconciler::desired::{Desired, ParseCache, read_within};
use reef_reconciler::review::{Side, lint};

use super::{RepositoryArgs, print};
use crate::view::plan;

/// Arguments of `reef lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 nothing is wrong, 1 something is; with --strict, a warning too.")]
pub struct Args {
    /// Commit, branch or tag to look at. The working tree when absent, whether committed or not.
    #[arg(long, value_name = "REF")]
    head: Option<String>,
    /// Look at what is staged, as the next commit will have it, whatever the working tree holds: for a hook of Git.
    #[arg(long, conflicts_with = "head")]
    staged: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
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

/// The index of the commit that Git is about to make, where it is another than the repository's: `git commit -a`, `git commit FILE`.
fn index() -> Option<PathBuf> {
    std::env::var_os("GIT_INDEX_FILE").filter(|file| !file.is_empty()).map(PathBuf::from)
}

/// Looks, tells, and fails where something is wrong.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let repository = args.repository.open()?;
    let (name, files) = match &args.head {
        Some(name) => (name.as_str(), repository.at(repository.commit(name)?, None)?),
        None if args.staged => ("what is staged", repository.staged(index().as_deref())?),
        None => ("the working tree", repository.working_tree()?),
    };
    let desired = read_within(&files, &Desired::default(), args.repository.scope(), &mut ParseCache::default());
    let state = State { name: name.to_owned(), commit: None, subject: None };
    let document = lint(Side { state: &state, desired: &desired, files: &files });
    let fails = !document.problems.is_empty() || (args.strict && !document.warnings.is_empty());
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
