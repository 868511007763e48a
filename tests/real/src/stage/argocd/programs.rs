//! The programs of Argo CD: command lines, ports and variables.
//!
//! Values only; nothing is started here. All but the application controller's metrics, for which it has no flag, listens on loopback.
use std::{collections::BTreeMap, path::PathBuf};

use super::{ArgoCd, NAMESPACE};
use crate::Program;

const LOOPBACK: &str = "--address=127.0.0.1";

/// One program of Argo CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The store of what can be computed again.
    Redis,
    /// Reads repositories and makes manifests of them.
    RepoServer,
    /// Compares, syncs and heals.
    ApplicationController,
    /// Makes Applications.
    ApplicationSetController,
    /// What people and their tools ask.
    Server,
}

impl Part {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 5] =
        [Self::Redis, Self::RepoServer, Self::ApplicationController, Self::ApplicationSetController, Self::Server];

    /// Its name as a program and of its log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "argocd-redis",
            Self::RepoServer => "argocd-repo-server",
            Self::ApplicationController => "argocd-application-controller",
            Self::ApplicationSetController => "argocd-applicationset-controller",
            Self::Server => "argocd-server",
        }
    }
}

/// Which of the ports that a cluster leaves to programs.
#[derive(Clone, Copy)]
enum Port {
    RepoServer,
    RepoServerMetrics,
    ControllerMetrics,
    SetMetrics,
    SetHealth,
    SetWebhook,
    Server,
    ServerMetrics,
}

impl ArgoCd {
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("redis/socket")
    }

    fn port(&self, port: Port) -> u16 {
        self.first_port.saturating_add(port as u16)
    }

    /// Where a part says that it is well.
    pub(super) fn health_port(&self, part: Part) -> u16 {
        self.port(match part {
            Part::Redis | Part::RepoServer => Port::RepoServer,
            Part::ApplicationController => Port::ControllerMetrics,
            Part::ApplicationSetController => Port::SetHealth,
            Part::Server => Port::Server,
        })
    }

    /// Where a part answers.
    pub(super) fn address(&self, part: Part) -> String {
        format!("127.0.0.1:{}", self.health_port(part))
    }

    pub(super) fn program(&self, part: Part) -> Program {
        let program = match part {
            Part::Redis => "redis-server".into(),
            _ => self.built.join("argocd"),
        };
        let name = part.name().to_owned();
        Program { arguments: self.arguments(part), environment: self.environment(), program, name }
    }

    fn arguments(&self, part: Part) -> Vec<String> {
        match part {
            Part::Redis => self.redis(),
            Part::RepoServer => self.repo_server(),
            Part::ApplicationController => self.application_controller(),
            Part::ApplicationSetController => self.application_set_controller(),
            Part::Server => self.server(),
        }
    }

    fn redis(&self) -> Vec<String> {
        let folder = self.folder.join("redis").display().to_string();
        let socket = self.socket().display().to_string();
        ["--port", "0", "--unixsocket", &socket, "--save", "", "--dir", &folder].map(str::to_owned).into()
    }

    fn repo_server(&self) -> Vec<String> {
        vec![
            Part::RepoServer.name().to_owned(),
            "--disable-tls".to_owned(),
            "--client-ca-path=".to_owned(),
            self.redis_flag(),
            LOOPBACK.to_owned(),
            self.port_flag("port", Port::RepoServer),
            "--metrics-address=127.0.0.1".to_owned(),
            self.port_flag("metrics-port", Port::RepoServerMetrics),
        ]
    }

    /// Self-heal without the pauses that grow with each time, so that stories need not wait for them.
    fn application_controller(&self) -> Vec<String> {
        vec![
            Part::ApplicationController.name().to_owned(),
            "--namespace".to_owned(),
            NAMESPACE.to_owned(),
            self.redis_flag(),
            self.repo_server_flag("repo-server"),
            "--repo-server-plaintext".to_owned(),
            self.port_flag("metrics-port", Port::ControllerMetrics),
            "--persist-resource-health".to_owned(),
            "--self-heal-timeout-seconds=1".to_owned(),
            "--self-heal-backoff-timeout-seconds=0".to_owned(),
        ]
    }

    fn application_set_controller(&self) -> Vec<String> {
        vec![
            Part::ApplicationSetController.name().to_owned(),
            format!("--namespace={NAMESPACE}"),
            self.repo_server_flag("argocd-repo-server"),
            "--repo-server-plaintext".to_owned(),
            format!("--metrics-addr=127.0.0.1:{}", self.port(Port::SetMetrics)),
            format!("--probe-addr=127.0.0.1:{}", self.port(Port::SetHealth)),
            format!("--webhook-addr=127.0.0.1:{}", self.port(Port::SetWebhook)),
        ]
    }

    /// Nobody but this machine reaches it, so everybody may do everything.
    fn server(&self) -> Vec<String> {
        vec![
            Part::Server.name().to_owned(),
            "--insecure".to_owned(),
            "--disable-auth".to_owned(),
            format!("--namespace={NAMESPACE}"),
            self.redis_flag(),
            self.repo_server_flag("repo-server"),
            "--repo-server-plaintext".to_owned(),
            LOOPBACK.to_owned(),
            self.port_flag("port", Port::Server),
            "--metrics-address=127.0.0.1".to_owned(),
            self.port_flag("metrics-port", Port::ServerMetrics),
        ]
    }

    fn redis_flag(&self) -> String {
        format!("--redis={}", self.socket().display())
    }

    fn repo_server_flag(&self, name: &str) -> String {
        format!("--{name}={}", self.address(Part::RepoServer))
    }

    fn port_flag(&self, name: &str, port: Port) -> String {
        format!("--{name}={}", self.port(port))
    }

    /// The cluster is the one of the kubeconfig, under the name by which a Pod would know it.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let place = |name: &str| self.folder.join(name).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let variables = [
            ("ARGOCD_GPG_ENABLED", "false".to_owned()),
            ("ARGOCD_FAKE_IN_CLUSTER", "true".to_owned()),
            ("KUBECONFIG", self.account.kubeconfig.display().to_string()),
            ("HOME", place("home")),
            ("TMPDIR", place("tmp")),
            ("ARGOCD_SSH_DATA_PATH", place("ssh")),
            ("ARGOCD_TLS_DATA_PATH", place("tls")),
            ("ARGOCD_GNUPGHOME", place("gnupg")),
            ("PATH", format!("{}:{path}:/usr/sbin", self.built.display())),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
