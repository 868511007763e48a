//! Reef's roles as processes of their own: the binary as it ships, beside the parties of a real cluster.

use std::path::PathBuf;

use reef_real::stage::accounts::Account;
use reef_real::stage::beside;
use reef_real::{Cluster, Program};
use serde_json::Value;

/// A role that runs beside the cluster's parties, and ends with the cluster.
pub struct Role {
    name: &'static str,
    arguments: Vec<String>,
    account: Account,
    log: PathBuf,
}

impl Role {
    /// Starts `reef NAME` with these arguments, as the account that has its rights and no others.
    pub async fn start(cluster: &mut Cluster, name: &'static str, arguments: &[&str]) -> anyhow::Result<Self> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let account = Account::of(cluster, name).await?;
        let role = Self { name, arguments, account, log: cluster.logs().join(format!("{name}.log")) };
        role.run(cluster).await?;
        Ok(role)
    }

    async fn run(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        let kubeconfig = self.account.kubeconfig.display().to_string();
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
