//! The command line of each party: what it is told about ports, folders and files.
//!
//! Command lines only, the same at every start of a run; nothing is started here.
mod control;
mod node;

use std::{ffi::OsString, path::PathBuf};

use crate::{
    layout::Layout,
    options::{Options, Party, Shape},
};

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What is run.
    pub program: PathBuf,
    /// With what.
    pub arguments: Vec<OsString>,
}

impl Line {
    /// A party of Kubernetes' one program.
    fn of_kube(layout: &Layout, party: Party) -> Self {
        Self { program: layout.kube(), arguments: vec![party.name().into()] }
    }

    /// Adds `--name=value`.
    fn flag(mut self, name: &str, value: impl Into<OsString>) -> Self {
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(value.into());
        self.arguments.push(argument);
        self
    }

    fn flags<const N: usize>(self, flags: [(&str, &str); N]) -> Self {
        flags.into_iter().fold(self, |line, (name, value)| line.flag(name, value))
    }
}

/// The command line of a party.
pub fn line(layout: &Layout, options: &Options, party: Party) -> Line {
    let mut line = match party {
        Party::Etcd => control::etcd(layout),
        Party::ApiServer => control::api_server(layout, options.shape),
        Party::Scheduler => control::scheduler(layout),
        Party::ControllerManager => control::controller_manager(layout),
        Party::Containerd => node::containerd(layout),
        Party::Kubelet => node::kubelet(layout),
    };
    line.arguments.extend(options.flags.get(&party).into_iter().flatten().map(OsString::from));
    line
}
