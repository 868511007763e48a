//! What an installation applies: kinds, accounts and rights, what runs, what the webhook is asked, and on request what watches it. The files of
//! `deploy/`, in one text.

use super::crds;

/// Accounts and rights.
const RBAC: &str = include_str!("../../deploy/rbac.yaml");
/// What a daemon may write.
const NODES: &str = include_str!("../../deploy/nodes.yaml");
/// What runs.
const WORKLOADS: &str = include_str!("../../deploy/workloads.yaml");
/// What the webhook is asked; last, because from then on it is.
const ADMISSION: &str = include_str!("../../deploy/admission.yaml");
/// What has Prometheus and Grafana watch it.
const MONITORING: &str = include_str!("../../deploy/monitoring.yaml");
/// The alerts.
const RULES: &str = include_str!("../../deploy/observability/rules.yaml");
/// The dashboard.
const DASHBOARD: &str = include_str!("../../deploy/observability/dashboard.json");

/// The images of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Of the roles.
    pub reef: String,
    /// Of the container that runs a VM's VMM.
    pub vmm: String,
}

/// Whether a part of an installation is applied with the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is.
    Applied,
    /// It is not.
    LeftOut,
}

/// Everything, as a stream of YAML documents that one `kubectl apply` takes. The kinds are left out of what is to be deleted; a cluster without the
/// Prometheus operator refuses what watches an installation.
///
/// # Errors
/// Where a definition cannot be written as YAML.
pub fn yaml(images: &Images, kinds: Part, watched: Part) -> Result<String, serde_yaml::Error> {
    let mut text = match kinds {
        Part::Applied => crds::yaml()?,
        Part::LeftOut => String::new(),
    };
    for (_, file) in files(images) {
        text += &format!("---\n{file}");
    }
    match watched {
        Part::Applied => text += &format!("---\n{}", monitoring()),
        Part::LeftOut => {}
    }
    Ok(text)
}

/// The files of `deploy/` that are always applied, by name and in order, with the names of the images in their places.
pub fn files(images: &Images) -> [(&'static str, String); 4] {
    let workloads = WORKLOADS.replace("VMM_IMAGE", &images.vmm).replace("REEF_IMAGE", &images.reef);
    [
        ("rbac.yaml", RBAC.to_owned()),
        ("nodes.yaml", NODES.to_owned()),
        ("workloads.yaml", workloads),
        ("admission.yaml", ADMISSION.to_owned()),
    ]
}

/// What watches an installation, with the alerts and the dashboard in their places.
pub fn monitoring() -> String {
    MONITORING.replace("  RULES\n", &indented(RULES, 2)).replace("    DASHBOARD\n", &indented(DASHBOARD, 4))
}

/// A text as a part of another one. Empty lines stay empty.
fn indented(text: &str, columns: usize) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{:columns$}{line}\n", "") };
    text.lines().map(line).collect()
}
