//! Which VM or source a person means, as NAME or NAMESPACE/NAME, and the commits of the repository that is at hand.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use reef_api::{VirtualMachine, VmKey};
use reef_reconciler::source::{LocalRepository, RepoPath};

use crate::wiring::kubeconfig::Cluster;
use crate::wiring::objects::named;

/// Which VM, and where its repository is.
#[derive(Clone, Debug, clap::Args)]
pub struct VmArgs {
    /// VM, as NAME or NAMESPACE/NAME.
    vm: String,
    /// Namespace of the VM; that of the context when absent.
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// A folder of a clone of the repository, for what its commits say. The current folder when absent, where it is in one.
    #[arg(short = 'C', long, value_name = "DIR")]
    repository: Option<PathBuf>,
}

impl VmArgs {
    /// The VM.
    ///
    /// # Errors
    /// Where it cannot be read, or is not there.
    pub async fn find(&self, cluster: &Cluster) -> anyhow::Result<VirtualMachine> {
        find(cluster, &key(&self.vm, self.namespace.as_deref(), &cluster.namespace)?).await
    }

    /// The clone at hand; none where no folder is named and the current one is in no repository.
    ///
    /// # Errors
    /// Where a folder is named that is in no repository.
    pub fn clone_at_hand(&self) -> anyhow::Result<Option<LocalRepository>> {
        match &self.repository {
            Some(folder) => {
                let found = LocalRepository::discover(folder, &RepoPath::root());
                Ok(Some(found.context("--repository names no clone of a repository")?))
            }
            None => Ok(LocalRepository::discover(Path::new("."), &RepoPath::root()).ok()),
        }
    }
}

/// Namespace and name of what a person named.
///
/// # Errors
/// Where two namespaces are named, or it is no name.
pub fn key(text: &str, namespace: Option<&str>, usual: &str) -> anyhow::Result<VmKey> {
    let key = match (text.split_once('/'), namespace) {
        (Some((own, _)), Some(other)) if own != other => {
            bail!("{text} is in namespace {own}, and -n names {other}; name one of them")
        }
        (Some((own, name)), _) => VmKey::new(own, name),
        (None, namespace) => VmKey::new(namespace.unwrap_or(usual), text),
    };
    for part in [&key.namespace, &key.name] {
        reef_api::dns1123_subdomain(part)
            .with_context(|| format!("{text:?} is no NAME and no NAMESPACE/NAME of an object"))?;
    }
    Ok(key)
}

/// Reads a VM.
///
/// # Errors
/// Where it cannot be read, or is not there.
pub async fn find(cluster: &Cluster, key: &VmKey) -> anyhow::Result<VirtualMachine> {
    let VmKey { namespace, name } = key;
    let found = named(cluster, namespace, name).await?;
    found.with_context(|| format!("there is no VM {name} in namespace {namespace}; `reef status -A` lists all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vm_is_named_with_or_without_its_namespace_and_never_with_two() {
        let read = |text, namespace| key(text, namespace, "default").map_err(|error| error.to_string());
        assert_eq!(read("web-1", None), Ok(VmKey::new("default", "web-1")));
        assert_eq!(read("web-1", Some("vms")), Ok(VmKey::new("vms", "web-1")));
        assert_eq!(read("vms/web-1", None), Ok(VmKey::new("vms", "web-1")));
        assert_eq!(read("vms/web-1", Some("vms")), Ok(VmKey::new("vms", "web-1")));
        let told = "vms/web-1 is in namespace vms, and -n names web; name one of them".to_owned();
        assert_eq!(read("vms/web-1", Some("web")), Err(told));
        for bad in ["", "a/b/c", "web 1", "metadata.name=x"] {
            assert!(read(bad, None).is_err(), "{bad}");
        }
    }
}
