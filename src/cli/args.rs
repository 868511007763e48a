//! Arguments that several subcommands share: which cluster, which namespace, which form of output.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use reef_reconciler::desired::Scope;
use reef_reconciler::source::{LocalRepository, RepoPath};
use serde::Serialize;

use super::print;
use crate::wiring::kubeconfig::Cluster;

/// Which cluster to talk to.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Kubeconfig file. Without it $KUBECONFIG, ~/.kube/config, and the Pod's own service account are tried in turn.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; its current one when absent.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl ClusterArgs {
    /// Connects to it.
    ///
    /// # Errors
    /// Where no configuration is found, or it cannot be used.
    pub async fn connect(&self) -> anyhow::Result<Cluster> {
        Cluster::find(self.kubeconfig.as_deref(), self.context.as_deref()).await
    }
}

/// Which namespaces to look at.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ScopeArgs {
    /// Namespace; that of the context when absent.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
}

/// Which repository on this machine to look at.
#[derive(Clone, Debug, Args)]
pub struct RepositoryArgs {
    /// A folder of the repository.
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
    /// Folder inside the repository that states the VMs, as a GitSource's spec.path.
    #[arg(long, value_name = "FOLDER", default_value = "")]
    path: String,
    /// Namespace of what states none: that of the GitSource.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
}

impl RepositoryArgs {
    /// Finds the repository.
    pub fn open(&self) -> anyhow::Result<LocalRepository> {
        let folder = RepoPath::parse(&self.path).context("--path")?;
        Ok(LocalRepository::discover(&self.repository, &folder)?)
    }

    /// Objects of any namespace are read.
    pub fn scope(&self) -> Scope<'_> {
        Scope::Any(&self.namespace)
    }
}

/// The form of what is printed on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

impl OutputFormat {
    /// Prints a value in this form; `text` makes what people read of it.
    pub fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self {
            Self::Text => print::text(&text()),
            Self::Json => print::json(value),
            Self::Yaml => print::yaml(value),
        }
    }
}

/// Reads a time that lasts: days have 24 hours.
///
/// # Errors
/// Where it is none, or shorter than a second.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let read = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let read = read.ok().filter(|read| *read >= SignedDuration::from_secs(1));
    read.ok_or_else(|| "write a time of at least a second, as 30m, 2h or 3d".to_owned())
}
