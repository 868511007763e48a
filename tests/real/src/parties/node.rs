//! The command lines of a node: the container runtime and the kubelet. What they are told beyond these stands in their files.
//!
//! Nothing of Reef's runs on the node but what a test puts there.
use super::{Layout, Line, Party};

pub fn containerd(layout: &Layout) -> Line {
    Line { program: "containerd".into(), arguments: Vec::new() }.flag("config", layout.config("containerd.toml"))
}

pub fn kubelet(layout: &Layout) -> Line {
    Line::of_kube(layout, Party::Kubelet)
        .flag("config", layout.config("kubelet.yaml"))
        .flag("kubeconfig", layout.kubeconfig("kubelet"))
        .flag("root-dir", layout.kubelet_dir())
        .flag("cert-dir", layout.config("kubelet"))
        .flag("hostname-override", layout.node_name())
        .flag("v", "2")
}
