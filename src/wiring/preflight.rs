//! What a role needs of a cluster before it starts: that the API server answers, and knows Reef's kinds.
//!
//! Asked once at the start, so that a wrong cluster is told in one sentence and not by a watch that fails for ever.

use std::fmt::Write;

use anyhow::{Context, bail};
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, Error};
use reef_reconciler::observe::Kind;

use super::kubeconfig::Cluster;

/// The oldest Kubernetes 1.x in which Pods are resized in place for good and resourceVersions can be compared.
const OLDEST_MINOR: u32 = 35;

/// Checks that the server is new enough, and that each of these kinds can be listed.
///
/// # Errors
/// With everything that is missing, and what to do.
pub async fn check(cluster: &Cluster, kinds: &[Kind]) -> anyhow::Result<()> {
    let silent = || format!("the API server at {} does not answer", cluster.server);
    let mut problems = String::new();
    match cluster.requests.apiserver_version().await {
        Ok(version) if minor(&version.minor).is_none_or(|minor| minor >= OLDEST_MINOR) => {}
        Ok(version) => {
            let found = version.git_version;
            let _ = write!(
                problems,
                "\n  it is Kubernetes {found}; Reef needs 1.{OLDEST_MINOR} or later, with in-place Pod resize"
            );
        }
        // Who may not ask for the version is told by the lists what is missing.
        Err(Error::Api(_)) => {}
        Err(error) => return Err(error).with_context(silent),
    }
    for kind in kinds {
        let resource = kind.resource();
        let api: Api<DynamicObject> = Api::all_with(cluster.requests.clone(), &resource);
        let name = if resource.group.is_empty() {
            resource.plural.clone()
        } else {
            format!("{}.{}", resource.plural, resource.group)
        };
        match api.list(&ListParams::default().limit(1)).await {
            Ok(_) => {}
            Err(Error::Api(status)) if status.code == 404 => {
                let _ =
                    write!(problems, "\n  {name} is not installed: run `reef manifests --crds | kubectl apply -f -`");
            }
            Err(Error::Api(status)) if status.code == 403 => {
                let _ = write!(problems, "\n  {name} cannot be listed: {}", status.message);
            }
            Err(error) => return Err(error).with_context(silent),
        }
    }
    if !problems.is_empty() {
        bail!("the cluster at {} lacks what Reef needs:{problems}", cluster.server);
    }
    Ok(())
}

/// Providers write `35+`.
fn minor(text: &str) -> Option<u32> {
    text.trim_end_matches(|sign: char| !sign.is_ascii_digit()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn the_minor_version_is_read_as_providers_write_it() {
        assert_eq!(["35", "36+", "1a", "", "x"].map(minor), [Some(35), Some(36), Some(1), None, None]);
    }
}
