//! The command lines of the control plane.
//!
//! Everything listens on loopback; who is who is settled by the tokens and certificates that `setup` wrote.
use super::{Layout, Line, Party, Shape};
use crate::layout::{AUDIT, AUTHORITY};

const LOOPBACK: &str = "127.0.0.1";

pub fn etcd(layout: &Layout) -> Line {
    let client = format!("http://{LOOPBACK}:{}", layout.etcd_port());
    let peer = format!("http://{LOOPBACK}:{}", layout.etcd_peer_port());
    Line::of_kube(layout, Party::Etcd)
        .flag("data-dir", layout.folder.join("etcd"))
        .flag("listen-client-urls", &client)
        .flag("advertise-client-urls", &client)
        .flag("listen-peer-urls", &peer)
        .flag("initial-advertise-peer-urls", &peer)
        .flag("initial-cluster", format!("default={peer}"))
        // The data is worth nothing after the run.
        .flags([("unsafe-no-fsync", "true"), ("log-level", "warn")])
}

pub fn api_server(layout: &Layout, shape: Shape) -> Line {
    let line = Line::of_kube(layout, Party::ApiServer)
        .flag("etcd-servers", format!("http://{LOOPBACK}:{}", layout.etcd_port()))
        .flag("secure-port", layout.api_port().to_string())
        .flag("tls-cert-file", layout.config("server.crt"))
        .flag("tls-private-key-file", layout.config("server.key"))
        .flag("client-ca-file", layout.config(AUTHORITY))
        .flag("requestheader-client-ca-file", layout.config(AUTHORITY))
        .flag("token-auth-file", layout.config("tokens.csv"))
        .flag("service-account-key-file", layout.config("accounts.pub"))
        .flag("service-account-signing-key-file", layout.config("accounts.key"))
        .flag("kubelet-client-certificate", layout.config("kubelet-client.crt"))
        .flag("kubelet-client-key", layout.config("kubelet-client.key"))
        .flags([
            ("bind-address", LOOPBACK),
            ("service-account-issuer", "https://kubernetes.default.svc"),
            ("service-cluster-ip-range", "10.96.0.0/16"),
            ("authorization-mode", "Node,RBAC"),
            ("kubelet-preferred-address-types", "Hostname"),
            ("requestheader-allowed-names", "front-proxy-client"),
            ("requestheader-username-headers", "X-Remote-User"),
            ("requestheader-group-headers", "X-Remote-Group"),
            ("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
            ("allow-privileged", "true"),
            ("profiling", "false"),
        ])
        .flag("audit-policy-file", layout.config(AUDIT))
        .flag("audit-log-path", layout.log("audit"));
    match shape {
        // Nobody is there who would make the accounts that Pods would be refused without.
        Shape::ControlPlane => line.flag("disable-admission-plugins", "ServiceAccount"),
        Shape::Node => line.flag("enable-admission-plugins", "NodeRestriction"),
    }
}

pub fn scheduler(layout: &Layout) -> Line {
    controlling(layout, Party::Scheduler, layout.scheduler_port())
}

pub fn controller_manager(layout: &Layout) -> Line {
    controlling(layout, Party::ControllerManager, layout.controller_manager_port())
        .flag("service-account-private-key-file", layout.config("accounts.key"))
        .flag("root-ca-file", layout.config(AUTHORITY))
        .flag("use-service-account-credentials", "true")
}

fn controlling(layout: &Layout, party: Party, port: u16) -> Line {
    let kubeconfig = layout.kubeconfig(party.name());
    Line::of_kube(layout, party)
        .flag("kubeconfig", &kubeconfig)
        .flag("authentication-kubeconfig", &kubeconfig)
        .flag("authorization-kubeconfig", &kubeconfig)
        .flag("secure-port", port.to_string())
        .flag("cert-dir", layout.config(party.name()))
        .flags([("bind-address", LOOPBACK), ("leader-elect", "false"), ("profiling", "false")])
}
