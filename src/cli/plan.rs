//! `reef plan`: what a commit, or the working tree, changes in VMs, before it is merged.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::ValueEnum;
use reef_api::plan::{CapacityPlan, Outcome, State};
use reef_reconciler::desired::{Desired, ParseCache, read_within};
use reef_reconciler::review::{self, Side, live_base, state};
use reef_reconciler::source::{LocalRepository, Snapshot};

use super::args::RepositoryArgs;
use super::facts::FactsArgs;
use super::print;
use super::progress::Progress;
use crate::view::plan;

/// What its exit codes are, also those of `reef edit`.
pub(super) const EXIT_CODES: &str = "\
Exit codes by --exit-code-style: in Reef's own 0 nothing changes, 2 something does, 1 something cannot be read, 3 a rule blocks a change, 4 a change is \
infeasible; terraform 0, 2, and 1 for everything else; kubectl 0, 1, and 2 for everything else; plain 0 whether something changes or not, and 1 for \
everything else. Of several, errors win, then what is blocked.";

/// Arguments of `reef plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// Commit, branch or tag to compare with. HEAD when absent, and the working tree is planned.
    #[arg(long, value_name = "REF", conflicts_with = "live")]
    base: Option<String>,
    /// Compare with what the cluster has, and not with a commit.
    #[arg(long, conflicts_with_all = ["offline", "snapshot"])]
    live: bool,
    /// Commit, branch or tag to plan. The working tree when absent, whether committed or not.
    #[arg(long, value_name = "REF")]
    head: Option<String>,
    /// Compare with the base itself. Without this it is with the last commit that both have in their past, as a forge shows a pull request.
    #[arg(long)]
    no_merge_base: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    facts: FactsArgs,
    #[command(flatten)]
    told: ToldArgs,
}

/// How a plan is told.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ToldArgs {
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// Meaning of the exit code.
    #[arg(long, value_enum, default_value_t = Style::Reef)]
    exit_code_style: Style,
}

impl ToldArgs {
    /// Prints the plan; its outcome is the exit code.
    pub(super) fn tell(&self, document: &CapacityPlan) -> anyhow::Result<ExitCode> {
        shown(self.output, document)?;
        Ok(ExitCode::from(self.exit_code_style.code(document.summary.outcome)))
    }

    /// Tells why there is no plan. An error is one of the outcomes.
    pub(super) fn fail(&self, error: &anyhow::Error) -> ExitCode {
        print::failure(error);
        ExitCode::from(self.exit_code_style.code(Outcome::Problems))
    }

    /// Whether people read the output.
    pub(super) fn is_text(&self) -> bool {
        self.output == Form::Text
    }
}

/// The form of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// The plan itself, of which all others are made.
    Json,
    /// The same as YAML.
    Yaml,
    /// The comment on a pull request.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of a job of GitHub Actions (and Forgejo, Gitea).
    Github,
    /// Code quality report of GitLab.
    Gitlab,
}

/// What exit codes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Style {
    /// 0 nothing changes, 2 changes, 1 error, 3 blocked, 4 infeasible.
    Reef,
    /// As `terraform plan -detailed-exitcode`: 0 nothing changes, 2 changes, 1 anything that cannot be carried out.
    Terraform,
    /// As `kubectl diff`: 0 nothing changes, 1 changes, 2 anything that cannot be carried out.
    Kubectl,
    /// 0 it can be carried out, 1 it cannot.
    Plain,
}

impl Style {
    fn code(self, outcome: Outcome) -> u8 {
        match (self, outcome) {
            (_, Outcome::Unchanged) | (Self::Plain, Outcome::Changes) => 0,
            (Self::Reef | Self::Terraform, Outcome::Changes) => 2,
            (Self::Kubectl, Outcome::Changes) => 1,
            (Self::Reef, Outcome::Blocked) => 3,
            (Self::Reef, Outcome::Infeasible) => 4,
            (Self::Kubectl, _) => 2,
            (Self::Reef | Self::Terraform | Self::Plain, _) => 1,
        }
    }
}

/// Plans, prints, and tells the outcome by the exit code. An error is one of the outcomes.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match planned(args).await {
        Ok(plan) => args.told.tell(&plan),
        Err(error) => Ok(args.told.fail(&error)),
    }
}

fn shown(form: Form, document: &CapacityPlan) -> anyhow::Result<()> {
    match form {
        Form::Text => print::text(&plan::text(document, print::paint())),
        Form::Json => print::json(document),
        Form::Yaml => print::yaml(document),
        Form::Markdown => print::text(&plan::markdown(document)),
        Form::Sarif => print::json(&plan::sarif(document)),
        Form::Github => print::text(&plan::github(document)),
        Form::Gitlab => print::json(&plan::gitlab(document)),
    }
}

async fn planned(args: &Args) -> anyhow::Result<CapacityPlan> {
    let repository = args.repository.open()?;
    let known = args.facts.known().await?;
    let _progress = Progress::start("reading the repository, and planning");
    let mut cache = ParseCache::default();
    let reading = |snapshot: &Snapshot, before: &Desired, cache: &mut ParseCache| {
        read_within(snapshot, before, args.repository.scope(), cache)
    };
    let base = if args.live { None } else { Some(base(args, &repository)?) };
    let stated = base.as_ref().map(|(_, files)| reading(files, &Desired::default(), &mut cache)).unwrap_or_default();
    let (head_state, head_files) = head(args, &repository, base.as_ref().map(|(_, files)| files))?;
    let head = reading(&head_files, &stated, &mut cache);
    let source = args.facts.source();
    let (base_state, stated, files) = match base {
        Some((state, files)) => (state, stated, files),
        None => {
            let state = State { name: "the cluster".to_owned(), commit: None, subject: None };
            (
                state,
                live_base(&head, &known.vms, source),
                Arc::new(Snapshot { files: Default::default(), ..Snapshot::clone(&head_files) }),
            )
        }
    };
    // What the cluster has and the head does not state is gone from it, unless its file cannot be read.
    let head = if args.live { reading(&head_files, &stated, &mut cache) } else { head };
    Ok(review::review(
        Side { state: &base_state, desired: &stated, files: &files },
        Side { state: &head_state, desired: &head, files: &head_files },
        known.cluster(source),
    ))
}

fn base(args: &Args, repository: &LocalRepository) -> anyhow::Result<(State, Arc<Snapshot>)> {
    let name = match (&args.base, &args.head) {
        (Some(base), _) => base.as_str(),
        (None, None) => "HEAD",
        (None, Some(_)) => bail!(
            "--head names what is planned; name what it is compared with by --base, or compare with the cluster by --live"
        ),
    };
    let commit = match &args.head {
        Some(head) if !args.no_merge_base => repository.merge_base(name, head)?,
        None if !args.no_merge_base && name != "HEAD" => repository.merge_base(name, "HEAD")?,
        _ => repository.commit(name)?,
    };
    let files = repository.at(commit, None)?;
    Ok((state(name, &files), files))
}

fn head(
    args: &Args,
    repository: &LocalRepository,
    base: Option<&Arc<Snapshot>>,
) -> anyhow::Result<(State, Arc<Snapshot>)> {
    match &args.head {
        Some(name) => {
            let files = repository.at(repository.commit(name)?, base)?;
            Ok((state(name, &files), files))
        }
        None => Ok((working_tree(), repository.working_tree()?)),
    }
}

/// The working tree as one side of a plan.
pub(super) fn working_tree() -> State {
    State { name: "the working tree".to_owned(), commit: None, subject: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_code_in_every_style() {
        let outcomes = [Outcome::Unchanged, Outcome::Changes, Outcome::Problems, Outcome::Blocked, Outcome::Infeasible];
        let codes = |style: Style| outcomes.map(|outcome| style.code(outcome));
        assert_eq!(codes(Style::Reef), [0, 2, 1, 3, 4]);
        assert_eq!(codes(Style::Terraform), [0, 2, 1, 1, 1]);
        assert_eq!(codes(Style::Kubectl), [0, 1, 2, 2, 2]);
        assert_eq!(codes(Style::Plain), [0, 0, 1, 1, 1]);
    }
}
