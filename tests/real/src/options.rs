//! What a caller may ask for: the shape of a cluster, its version, its parties.
//!
//! Plain values; nothing is started here.
use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The version that is started where neither the caller nor the environment variable `K8S` names one.
pub const DEFAULT_VERSION: &str = "1.35.4";

/// How much of a Kubernetes is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// etcd and the API server: objects, but nobody acts on them.
    #[default]
    ControlPlane,
    /// Scheduler, controllers, containerd and a kubelet besides: Pods that really run.
    Node,
}

/// One process of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// The scheduler.
    Scheduler,
    /// The controllers of the core kinds.
    ControllerManager,
    /// The container runtime. The containers outlive it.
    Containerd,
    /// The kubelet. The Pods outlive it.
    Kubelet,
}

impl Shape {
    /// The parties that are started at once and wait for one another, and those that give up where the API server is not ready.
    pub fn parties(self) -> (&'static [Party], &'static [Party]) {
        match self {
            Self::ControlPlane => (&[Party::Etcd, Party::ApiServer], &[]),
            Self::Node => (
                &[Party::Etcd, Party::ApiServer, Party::Containerd, Party::Kubelet],
                &[Party::Scheduler, Party::ControllerManager],
            ),
        }
    }
}

impl Party {
    /// Its name as a command and as the name of its log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::Scheduler => "kube-scheduler",
            Self::ControllerManager => "kube-controller-manager",
            Self::Containerd => "containerd",
            Self::Kubelet => "kubelet",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// How much of it.
    pub shape: Shape,
    /// The version of Kubernetes, such as `1.35.4`.
    pub version: String,
    /// Where everything of the run is kept until its end; must not exist yet. Below the system's temporary folder by default.
    pub folder: Option<PathBuf>,
    /// The name of the folder of the logs; that of the calling thread, which is the name of a test, by default.
    pub name: Option<String>,
    /// Flags of a party beyond those that it gets anyway.
    pub flags: BTreeMap<Party, Vec<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shape: Shape::default(),
            version: std::env::var("K8S").ok().filter(|v| !v.is_empty()).unwrap_or_else(|| DEFAULT_VERSION.into()),
            folder: None,
            name: None,
            flags: BTreeMap::new(),
        }
    }
}

impl Options {
    /// The defaults, in a shape.
    pub fn of(shape: Shape) -> Self {
        Self { shape, ..Self::default() }
    }
}

/// A program of the test's own that runs beside the parties and ends with them, whatever happens to the test.
///
/// It sees the processes and mounts of the cluster, as one that runs on a node does, and no `/run` or `/var/log` of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name, by which it is killed, and of its log.
    pub name: String,
    /// What is run.
    pub program: PathBuf,
    /// With what.
    pub arguments: Vec<String>,
    /// Variables beyond those of the test's own environment.
    pub environment: BTreeMap<String, String>,
}
