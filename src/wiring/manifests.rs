//! What an installation applies: kinds, accounts and rights, what runs, and what the webhook is asked. The files of `deploy/`, in one text.

use super::crds;

/// Accounts and rights.
const RBAC: &str = include_str!("../../deploy/rbac.yaml");
/// What a daemon may write.
const NODES: &str = include_str!("../../deploy/nodes.yaml");
/// What runs.
const WORKLOADS: &str = include_str!("../../deploy/workloads.yaml");
/// What the webhook is asked; last, because from then on it is.
const ADMISSION: &str = include_str!("../../deploy/admission.yaml");

/// The images of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Of the roles.
    pub reef: String,
    /// Of the container that runs a VM's VMM.
    pub vmm: String,
}

/// Everything, as a stream of YAML documents that one `kubectl apply` takes.
///
/// # Errors
/// Where a definition cannot be written as YAML.
pub fn yaml(images: &Images) -> Result<String, serde_yaml::Error> {
    let workloads = WORKLOADS.replace("REEF_IMAGE", &images.reef).replace("VMM_IMAGE", &images.vmm);
    let files = [RBAC, NODES, &workloads, ADMISSION].map(|file| format!("---\n{file}")).concat();
    Ok(crds::yaml()? + &files)
}
