//! Where a run has its folders, files, ports and cgroups: all follow from its slot and its folder.
//!
//! Names only; nothing is created here.
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The first port of slot 0. Below the range from which Linux takes the ports of outgoing connections.
const FIRST_PORT: u16 = 20_000;
/// Ports of a slot: one that claims it, and those of its parties.
const PORTS: u16 = 16;
/// The file of the authority of all certificates, among the configuration files.
pub const AUTHORITY: &str = "ca.crt";
/// The file that says what the API server writes down of requests, among the configuration files.
pub const AUDIT: &str = "audit.yaml";
/// As many slots as fit below the outgoing ports.
pub const SLOTS: u16 = 790;

/// The places of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The number of the run among those that are alive on this machine.
    pub slot: u16,
    /// The folder of the run, gone at its end.
    pub folder: PathBuf,
    /// The folder of the logs, kept until a run of the same name.
    pub logs: PathBuf,
    /// The folder of the built programs.
    pub programs: PathBuf,
}

/// The first port of a slot, by which it is claimed.
pub fn claim_port(slot: u16) -> u16 {
    FIRST_PORT.saturating_add(slot.saturating_mul(PORTS))
}

/// The name of a slot: of its cgroup, and of its folder where none is asked for.
pub fn slot_name(slot: u16) -> String {
    format!("reef-{slot}")
}

/// The slot of a name, where it is one.
pub fn slot_of(name: &str) -> Option<u16> {
    name.strip_prefix("reef-")?.parse().ok().filter(|slot| *slot < SLOTS && slot_name(*slot) == name)
}

impl Layout {
    fn port(&self, offset: u16) -> u16 {
        claim_port(self.slot).saturating_add(offset)
    }

    /// Where etcd answers the API server.
    pub fn etcd_port(&self) -> u16 {
        self.port(1)
    }

    /// Where etcd would answer other etcds.
    pub fn etcd_peer_port(&self) -> u16 {
        self.port(2)
    }

    /// Where the API server answers.
    pub fn api_port(&self) -> u16 {
        self.port(3)
    }

    /// Where the scheduler answers.
    pub fn scheduler_port(&self) -> u16 {
        self.port(4)
    }

    /// Where the controller manager answers.
    pub fn controller_manager_port(&self) -> u16 {
        self.port(5)
    }

    /// Where the kubelet answers the API server.
    pub fn kubelet_port(&self) -> u16 {
        self.port(6)
    }

    /// Where the kubelet says that it is well.
    pub fn kubelet_health_port(&self) -> u16 {
        self.port(7)
    }

    /// Where programs that a test runs beside the parties may listen: eight ports from this one on.
    pub fn first_spare_port(&self) -> u16 {
        self.port(8)
    }

    /// Every port that a party will listen on.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        let claim = claim_port(self.slot);
        (1..PORTS).map(move |offset| claim.saturating_add(offset))
    }

    /// The URL of the API server.
    pub fn api_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port())
    }

    /// Keys, certificates, kubeconfigs and configuration files.
    pub fn config(&self, file: &str) -> PathBuf {
        self.folder.join("etc").join(file)
    }

    /// The kubeconfig of a user; `admin` may do everything.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.config(&format!("{user}.kubeconfig"))
    }

    /// The kubelet's own folder. As short as `/var/lib/kubelet`, since paths of sockets below it may have 107 bytes.
    pub fn kubelet_dir(&self) -> PathBuf {
        self.folder.join("node")
    }

    /// The socket of containerd.
    pub fn containerd_socket(&self) -> PathBuf {
        self.folder.join("containerd.sock")
    }

    /// The cgroup that holds all Pods, as the kubelet's configuration names it.
    pub fn cgroup_root(&self) -> String {
        format!("/{}", slot_name(self.slot))
    }

    /// Kubernetes as one program.
    pub fn kube(&self) -> PathBuf {
        self.programs.join("kube")
    }

    /// The log of a party or program.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// The values of this layout, as the process that holds the namespaces reads them.
    pub fn setup_file(folder: &Path) -> PathBuf {
        folder.join("etc/setup.json")
    }

    /// The name of the node: of each cluster its only one.
    pub fn node_name(&self) -> &'static str {
        "node-1"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_known_by_its_name_and_other_names_are_no_slots() {
        assert_eq!(slot_of(&slot_name(7)), Some(7));
        for other in ["reef", "reef-", "reef-x", "reef-07", "reef-+7", "reef-1000", "reef-70000", "xreef-7"] {
            assert_eq!(slot_of(other), None, "{other}");
        }
    }

    #[test]
    fn slots_share_no_port() {
        let of =
            |slot| Layout { slot, folder: "".into(), logs: "".into(), programs: "".into() }.ports().collect::<Vec<_>>();
        assert!(of(0).iter().max() < Some(&claim_port(1)));
        assert!(of(SLOTS - 1).iter().max() < Some(&32_768), "the ports of outgoing connections begin there");
    }
}
