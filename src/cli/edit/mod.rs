//! `reef edit`: another size of a VM, in the file that states it, by one or two values and nothing else; and the plan of that.

mod find;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::ArgGroup;
use reef_api::plan::{CapacityPlan, Outcome, State};
use reef_api::{Bytes, Size, Vcpus, VmKey};
use reef_reconciler::desired::edit::{Edited, Wish, resized};
use reef_reconciler::desired::{Desired, Origin, ParseCache, read_within};
use reef_reconciler::review::{between, state};
use reef_reconciler::source::{Change, LocalRepository, RepoPath, Snapshot};
use similar::TextDiff;

use super::args::RepositoryArgs;
use super::facts::{FactsArgs, Known};
use super::plan::{EXIT_CODES, ToldArgs, working_tree};
use super::print;

/// Arguments of `reef edit`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
#[command(group = ArgGroup::new("size").required(true).multiple(true).args(["cpu", "memory"]))]
#[command(group = ArgGroup::new("committed").multiple(true).args(["commit", "branch"]))]
pub struct Args {
    /// The VM, as NAME or NAMESPACE/NAME.
    #[arg(value_name = "VM")]
    vm: String,
    /// vCPUs that it is to have.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    cpu: Option<u32>,
    /// Memory that it is to have, as 8Gi.
    #[arg(long, value_name = "QUANTITY")]
    memory: Option<Bytes>,
    /// Print the change and its plan, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Commit the file, and nothing else.
    #[arg(long)]
    commit: bool,
    /// Commit the file, as HEAD has it, on this new branch. What is checked out and the working tree stay as they are.
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Message of the commit. The VM and its sizes when absent.
    #[arg(short, long, value_name = "TEXT", requires = "committed", value_parser = message)]
    message: Option<String>,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    facts: FactsArgs,
    #[command(flatten)]
    told: ToldArgs,
}

fn message(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("a commit needs a message") } else { Ok(text.to_owned()) }
}

/// Where the change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way<'a> {
    /// To the working tree.
    Tree,
    /// To the working tree and into a commit.
    Commit,
    /// Into a commit on a branch.
    Branch(&'a str),
}

/// Changes, plans, prints, and tells the outcome of the plan by the exit code. An error is one of the outcomes.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    edited(args).await.or_else(|error| Ok(args.told.fail(&error)))
}

impl Args {
    fn way(&self) -> Way<'_> {
        match &self.branch {
            Some(branch) => Way::Branch(branch),
            None if self.commit => Way::Commit,
            None => Way::Tree,
        }
    }

    fn wish(&self) -> Wish {
        Wish { vcpus: self.cpu.map(Vcpus), memory: self.memory }
    }
}

async fn edited(args: &Args) -> anyhow::Result<ExitCode> {
    let repository = args.repository.open()?;
    let base = repository.at(repository.commit("HEAD")?, None)?;
    let files = files(args.way(), &repository, &base)?;
    let scope = args.repository.scope();
    let stated = read_within(&files, &Desired::default(), scope, &mut ParseCache::default());
    let (key, origin) = find::vm(&stated, &files, &args.vm)?;
    let path = RepoPath::parse(&origin.file)?;
    let bytes = files.files.get(&path).and_then(|file| file.bytes.clone());
    let bytes = bytes.with_context(|| format!("{path} is not at hand"))?;
    let edited = resized(&bytes, &origin, args.wish())?;
    if edited.from == edited.to {
        print::note(&format!("{origin}: VirtualMachine {key} has {} already; nothing to change", edited.to));
        return Ok(ExitCode::SUCCESS);
    }
    let change = Change { path: &path, before: &bytes, after: edited.text.as_bytes() };
    match args.way() {
        Way::Tree => {}
        Way::Commit => repository.committable(&change)?,
        Way::Branch(branch) => repository.branchable(&change, branch)?,
    }
    // What can fail comes before what writes.
    let known = args.facts.known().await?;
    let vm = Vm { key, origin, edited: &edited };
    let head = match args.dry_run {
        true => shown(args, &change, &files)?,
        false => carried_out(args, &repository, &change, &vm, &files)?,
    };
    let plan = planned(args, &base, &head, &known);
    let code = args.told.tell(&plan)?;
    if !args.dry_run {
        warn(args.way(), &vm, &head.0, plan.summary.outcome);
    }
    Ok(code)
}

/// The VM that is changed.
struct Vm<'a> {
    key: VmKey,
    origin: Origin,
    edited: &'a Edited,
}

/// The files that are changed: those that people see before them, or those of HEAD.
fn files(way: Way<'_>, repository: &LocalRepository, base: &Arc<Snapshot>) -> anyhow::Result<Arc<Snapshot>> {
    match way {
        Way::Branch(_) => Ok(Arc::clone(base)),
        Way::Tree | Way::Commit if repository.is_bare() => {
            bail!("this is a bare repository, which has no working tree: name a new branch with --branch")
        }
        Way::Tree | Way::Commit => Ok(repository.working_tree()?),
    }
}

/// One side of a plan.
type Stand = (State, Arc<Snapshot>);

/// Prints the change, and writes nothing.
fn shown(args: &Args, change: &Change<'_>, files: &Snapshot) -> anyhow::Result<Stand> {
    let (before, after) = (String::from_utf8_lossy(change.before), String::from_utf8_lossy(change.after));
    let diff = TextDiff::from_lines(&before, &after);
    let names = (format!("a/{}", change.path), format!("b/{}", change.path));
    let text = diff.unified_diff().header(&names.0, &names.1).to_string();
    match args.told.is_text() {
        true => print::text(&format!("{text}\n"))?,
        // Programs read what is on standard output.
        false => print::note(&format!("nothing is written; it would be\n{text}")),
    }
    let state = match args.way() {
        Way::Tree => working_tree(),
        Way::Commit | Way::Branch(_) => State { name: "the commit".to_owned(), commit: None, subject: None },
    };
    Ok((state, Arc::new(change.applied_to(files)?)))
}

fn carried_out(
    args: &Args,
    repository: &LocalRepository,
    change: &Change<'_>,
    vm: &Vm<'_>,
    files: &Arc<Snapshot>,
) -> anyhow::Result<Stand> {
    let subject = format!("{}: {} -> {}", vm.key.name, vm.edited.from, vm.edited.to);
    let message = args.message.as_deref().unwrap_or(&subject);
    let (name, commit) = match args.way() {
        Way::Tree => {
            repository.save(change)?;
            print::note(&format!("{} is changed: {subject}", change.path));
            return Ok((working_tree(), Arc::new(change.applied_to(files)?)));
        }
        Way::Commit => {
            repository.save(change)?;
            let commit = repository.commit_change(change, message);
            ("HEAD", commit.with_context(|| format!("{} is changed, and not committed", change.path))?)
        }
        Way::Branch(branch) => (branch, repository.branch_change(change, branch, message)?),
    };
    if repository.wants_signatures() {
        print::warning("commit.gpgsign is set, and this commit is not signed; `git commit --amend -S` signs it");
    }
    let files = repository.at(commit, None)?;
    print::note(&format!("{name} is {}: {}", short(&files.commit.id), files.commit.subject));
    Ok((state(name, &files), files))
}

/// As `reef plan` does it, with HEAD of before as the base.
fn planned(args: &Args, base: &Arc<Snapshot>, head: &Stand, known: &Known) -> CapacityPlan {
    let cluster = known.cluster(args.facts.source());
    between((&state("HEAD", base), base), (&head.0, &head.1), args.repository.scope(), cluster)
}

/// Whoever asks for what cannot be has it in writing all the same.
fn warn(way: Way<'_>, vm: &Vm<'_>, head: &State, outcome: Outcome) {
    let word = match outcome {
        Outcome::Unchanged | Outcome::Changes => return,
        Outcome::Problems => "finds something that cannot be read",
        Outcome::Blocked => "finds that a rule forbids something",
        Outcome::Infeasible => "finds that there can be no room",
    };
    let back = match (way, head.commit.as_deref()) {
        (Way::Branch(branch), _) => format!("git branch -D {branch}"),
        (Way::Commit, Some(commit)) => format!("git revert {}", short(commit)),
        (Way::Tree | Way::Commit, _) => {
            let Size { vcpus, memory } = vm.edited.from;
            format!("reef edit {} --cpu {vcpus} --memory {memory}", vm.key)
        }
    };
    print::warning(&format!("the plan {word}; {} is changed all the same, and `{back}` takes it back", vm.origin.file));
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}
