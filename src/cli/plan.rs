//! `reef plan`: what a commit, or the working tree, changes in VMs, before it is merged.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::ValueEnum;
use jiff::SignedDuration;
use reef_api::facts::ClusterSnapshot;
use reef_api::plan::{CapacityPlan, FactsKind, FactsOrigin, Outcome, State};
use reef_api::{Clock, VirtualMachine};
use reef_reconciler::desired::{Desired, ParseCache, read_within};
use reef_reconciler::review::{self, Side, live_base};
use reef_reconciler::source::{LocalRepository, Snapshot};

use super::args::{ClusterArgs, RepositoryArgs};
use super::progress::Progress;
use super::{print, snapshot};
use crate::view::plan;
use crate::view::text::span;
use crate::wiring::clock::SystemClock;
use crate::wiring::facts;
use crate::wiring::kubeconfig::Cluster;

/// A snapshot older than this is named: nodes and VMs may have changed a lot.
const OLD: SignedDuration = SignedDuration::from_hours(1);

/// Arguments of `reef plan`.
#[derive(Debug, clap::Args)]
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
    /// GitSource that applies the repository, as NAMESPACE/NAME: VMs of another one are not taken over.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Know the cluster by this file of `reef snapshot`.
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    snapshot: Option<PathBuf>,
    /// Know nothing of any cluster.
    #[arg(long)]
    offline: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// Meaning of the exit code.
    #[arg(long, value_enum, default_value_t = Style::Reef)]
    exit_code_style: Style,
    #[command(flatten)]
    cluster: ClusterArgs,
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
        Ok(plan) => {
            shown(args.output, &plan)?;
            Ok(ExitCode::from(args.exit_code_style.code(plan.summary.outcome)))
        }
        Err(error) => {
            print::failure(&error);
            Ok(ExitCode::from(args.exit_code_style.code(Outcome::Problems)))
        }
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
    let known = known(args).await?;
    let _progress = Progress::start("reading the repository, and planning");
    let mut cache = ParseCache::default();
    let reading = |snapshot: &Snapshot, before: &Desired, cache: &mut ParseCache| {
        read_within(snapshot, before, args.repository.scope(), cache)
    };
    let base = if args.live { None } else { Some(base(args, &repository)?) };
    let stated = base.as_ref().map(|(_, files)| reading(files, &Desired::default(), &mut cache)).unwrap_or_default();
    let (head_state, head_files) = head(args, &repository, base.as_ref().map(|(_, files)| files))?;
    let head = reading(&head_files, &stated, &mut cache);
    let source = args.source.as_deref();
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
    let cluster = review::Cluster { origin: &known.origin, facts: known.snapshot.as_ref().map(|it| &it.facts), source };
    Ok(review::review(
        Side { state: &base_state, desired: &stated, files: &files },
        Side { state: &head_state, desired: &head, files: &head_files },
        cluster,
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
        None => {
            let files = repository.working_tree()?;
            Ok((State { name: "the working tree".to_owned(), commit: None, subject: None }, files))
        }
    }
}

fn state(name: &str, files: &Snapshot) -> State {
    State { name: name.to_owned(), commit: Some(files.commit.id.clone()), subject: Some(files.commit.subject.clone()) }
}

/// What is known of the cluster.
struct Known {
    origin: FactsOrigin,
    snapshot: Option<ClusterSnapshot>,
    vms: Vec<VirtualMachine>,
}

async fn known(args: &Args) -> anyhow::Result<Known> {
    if args.offline {
        let origin = FactsOrigin { from: FactsKind::Offline, at: None, cluster: None };
        return Ok(Known { origin, snapshot: None, vms: Vec::new() });
    }
    let (from, snapshot, vms) = match &args.snapshot {
        Some(file) => (FactsKind::Snapshot, snapshot::read(file)?, Vec::new()),
        None => {
            let cluster = Cluster::find(args.cluster.kubeconfig.as_deref(), args.cluster.context.as_deref()).await;
            let cluster = cluster.context(
                "a plan is judged by a cluster; name a file of `reef snapshot` by --snapshot, or say --offline",
            )?;
            let progress = Progress::start("reading the cluster");
            let taken = facts::take(&cluster, &SystemClock).await?;
            drop(progress);
            (FactsKind::Cluster, taken.snapshot, taken.vms)
        }
    };
    let age = SystemClock.now().duration_since(snapshot.taken_at);
    if age > OLD {
        print::warning(&format!("the snapshot is {} old; what it says of room may no longer be true", span(age)));
    }
    let origin = FactsOrigin { from, at: Some(snapshot.taken_at), cluster: snapshot.cluster.clone() };
    Ok(Known { origin, snapshot: Some(snapshot), vms })
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
