//! Reef's roles as processes of their own: the binary as it ships, beside the parties of a real cluster.

use std::path::PathBuf;

use reef_real::stage::beside;
use reef_real::{Cluster, Program};
use serde_json::Value;

/// A role that runs beside the cluster's parties, and ends with the cluster.
pub struct Role {
    name: &'static str,
    arguments: Vec<String>,
    log: PathBuf,
}

impl Role {
    /// Starts `reef NAME` with these arguments.
    pub async fn start(cluster: &mut Cluster, name: &'static str, arguments: &[&str]) -> anyhow::Result<Self> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let role = Self { name, arguments, log: cluster.logs().join(format!("{name}.log")) };
        role.run(cluster).await?;
        Ok(role)
    }

    async fn run(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        let kubeconfig = cluster.kubeconfig().display().to_string();
        let program = Program {
            name: self.name.to_owned(),
            program: beside("reef")?,
            arguments: std::iter::once(self.name.to_owned()).chain(self.arguments.clone()).collect(),
            environment: [("KUBECONFIG".to_owned(), kubeconfig)].into(),
        };
        cluster.run(program).await
    }

    /// Kills it as `kill -9` does, and starts another one.
    pub async fn replace(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        cluster.kill_program(self.name).await?;
        self.run(cluster).await
    }

    /// Memory of the process in KiB; nothing where it does not run.
    pub fn resident_kib(&self) -> Option<u64> {
        let processes = std::fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
        let wanted: Vec<&str> = std::iter::once(self.name).chain(self.arguments.iter().map(String::as_str)).collect();
        let process = processes.into_iter().find(|process| {
            let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).skip(1).collect();
            words.iter().zip(&wanted).filter(|(found, wanted)| **found == wanted.as_bytes()).count() == wanted.len()
        })?;
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Events of its log that have this message, with when it was written in milliseconds since 1970.
    pub fn told(&self, message: &str) -> Vec<(i64, Value)> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let told = events.filter(|event| event["message"].as_str().is_some_and(|text| text.starts_with(message)));
        told.filter_map(|event| {
            Some((event["timestamp"].as_str()?.parse::<jiff::Timestamp>().ok()?.as_millisecond(), event))
        })
        .collect()
    }

    /// The whole log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
