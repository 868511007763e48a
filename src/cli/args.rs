//! Arguments that several subcommands share: which cluster, which namespace, which form of output.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
