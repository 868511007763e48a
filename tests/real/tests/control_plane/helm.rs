//! Helm, as a person calls it, and the chart as Reef writes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use reef_real::stage::{beside, told};
use serde::Deserialize;
use serde_json::Value;

/// A path that `tests/real/tools` prints.
pub fn tool(name: &str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    Ok(PathBuf::from(told(Command::new(script).arg(name))?.trim()))
}

/// How the chart and what is compared with it are made.
const IMAGES: [&str; 5] = ["manifests", "--image", "r/reef:1", "--vmm-image", "r/vmm:1"];

/// Helm, with a home of its own.
pub struct Helm {
    program: PathBuf,
    home: tempfile::TempDir,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// Built where it was not built before; `kubeconfig` is of the cluster, where it needs one.
    pub fn with(kubeconfig: Option<PathBuf>) -> Result<Self> {
        Ok(Self { program: tool("helm")?, home: tempfile::tempdir()?, kubeconfig })
    }

    /// The chart, as it is written for two images.
    pub fn chart(&self) -> Result<PathBuf> {
        let folder = self.home.path().join("chart");
        told(Command::new(beside("reef")?).args(IMAGES).arg("--chart").arg(&folder))?;
        Ok(folder)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).env("HOME", self.home.path()).env_remove("KUBECONFIG");
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(folder, self.home.path().join("helm"));
        }
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        command
    }

    /// What a command says that has to succeed.
    pub fn told(&self, words: &[&str]) -> Result<String> {
        told(&mut self.command(words))
    }

    /// What a command says that must not succeed.
    pub fn refused(&self, words: &[&str]) -> Result<String> {
        let Output { status, stderr, .. } = self.command(words).output()?;
        let told = String::from_utf8_lossy(&stderr).into_owned();
        ensure!(!status.success(), "{words:?} was not refused: {told}");
        Ok(told)
    }

    /// What the chart renders to with these values.
    pub fn rendered(&self, chart: &Path, values: &[&str]) -> Result<Objects> {
        let chart = chart.display().to_string();
        let usual = ["template", "reef", &chart, "-n", "reef-system", "--kube-version", "1.35.4"];
        let set = values.iter().flat_map(|value| ["--set-json", *value]);
        documents(&self.told(&usual.into_iter().chain(set).collect::<Vec<_>>())?)
    }
}

/// Objects by kind and name.
pub type Objects = BTreeMap<(String, String), Value>;

/// The objects of a text.
pub fn documents(text: &str) -> Result<Objects> {
    let all = serde_yaml::Deserializer::from_str(text).map(Value::deserialize).collect::<Result<Vec<_>, _>>()?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let there = all.into_iter().filter(|object| !object.is_null());
    Ok(there.map(|object| ((word(&object["kind"]), word(&object["metadata"]["name"])), object)).collect())
}

/// What `reef manifests` prints for the images of the chart.
pub fn printed(more: &[&str]) -> Result<Objects> {
    documents(&told(Command::new(beside("reef")?).args(IMAGES).args(more))?)
}
