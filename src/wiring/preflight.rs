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

/// Checks that each of these kinds can be listed.
///
/// # Errors
/// With every kind that cannot, and what to do.
pub async fn check(cluster: &Cluster, kinds: &[Kind]) -> anyhow::Result<()> {
    let mut problems = String::new();
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
                let _ = write!(problems, "\n  {name} is not installed: run `reef manifests | kubectl apply -f -`");
            }
            Err(Error::Api(status)) if status.code == 403 => {
                let _ = write!(problems, "\n  {name} cannot be listed: {}", status.message);
            }
            Err(error) => {
                return Err(error).with_context(|| format!("the API server at {} does not answer", cluster.server));
            }
        }
    }
    if !problems.is_empty() {
        bail!("the cluster at {} lacks what Reef needs:{problems}", cluster.server);
    }
    Ok(())
}
