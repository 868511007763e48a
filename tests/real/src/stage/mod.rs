//! Reef on a cluster to play with: its images, its kinds, its roles, and a repository with one VM.
//!
//! What a person would do by hand after reading the README; nothing here is needed by a role.
pub mod accounts;
pub mod admission;
pub mod argocd;
pub mod images;
pub mod rights;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{Cluster, Program};

/// The files of the repository, and the object that makes Reef follow it.
const FILES: [(&str, &str); 2] =
    [("vms/one.yaml", include_str!("vm.yaml")), ("policies/default.yaml", include_str!("policy.yaml"))];
const SOURCE: &str = include_str!("source.yaml");

/// Arguments of the roles beyond those that they need here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beyond<'a> {
    /// Of the controller.
    pub controller: &'a [&'a str],
    /// Of the daemon.
    pub daemon: &'a [&'a str],
}

/// Puts Reef on a cluster of the shape `Node`, and tells the folder of a clone in which sizes can be changed and pushed.
///
/// # Errors
/// Something of which the images are made is missing, or the cluster refuses something.
pub async fn set(cluster: &mut Cluster, beyond: Beyond<'_>) -> Result<PathBuf> {
    let folder = cluster.folder().join("reef");
    fs::create_dir(&folder)?;
    images::import(cluster, &folder)?;
    apply(cluster, &folder.join("kinds.yaml"), &told(Command::new(beside("reef")?).args(["manifests", "--crds"]))?)?;
    run(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]))?;
    let clone = repository(&folder)?;
    for (name, arguments) in roles(cluster, &folder, beyond) {
        let kubeconfig = cluster.kubeconfig().display().to_string();
        let environment = [("KUBECONFIG".to_owned(), kubeconfig)].into();
        cluster.run(Program { name: name.into(), program: beside("reef")?, arguments, environment }).await?;
    }
    let url = format!("file://{}", folder.join("vms.git").display());
    apply(cluster, &folder.join("source.yaml"), &SOURCE.replace("URL", &url))?;
    Ok(clone)
}

fn roles(cluster: &Cluster, folder: &Path, beyond: Beyond<'_>) -> [(&'static str, Vec<String>); 2] {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let cache = folder.join("cache").display().to_string();
    let kubelet = cluster.kubelet_dir().display().to_string();
    let health = ["--health-addr", "127.0.0.1:0"];
    let controller = [
        &["controller", "--allow-file-urls", "--vmm-image", images::REEF, "--cache-dir", &cache],
        &health[..],
        beyond.controller,
    ];
    let cgroup = cluster.cgroup_root();
    let daemon = [
        &["daemon", "--node", cluster.node_name(), "--kubelet-dir", &kubelet, "--cgroup-root", cgroup],
        &health[..],
        beyond.daemon,
    ];
    [("controller", words(&controller.concat())), ("daemon", words(&daemon.concat()))]
}

/// A bare repository, and a clone of it with the first commit.
fn repository(folder: &Path) -> Result<PathBuf> {
    let (bare, clone) = (folder.join("vms.git"), folder.join("vms"));
    run(git(folder).args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&bare))?;
    run(git(folder).args(["clone", "--quiet"]).arg(&bare).arg(&clone))?;
    for (path, text) in FILES {
        let path = clone.join(path);
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(path, text)?;
    }
    run(git(&clone).args(["config", "user.name", "A reader"]))?;
    run(git(&clone).args(["config", "user.email", "reader@localhost"]))?;
    run(git(&clone).args(["add", "."]))?;
    run(git(&clone).args(["commit", "--quiet", "--message", "one VM"]))?;
    run(git(&clone).args(["push", "--quiet", "origin", "HEAD:main"]))?;
    Ok(clone)
}

fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder);
    command
}

/// Applies manifests, by way of a file, as a person does.
///
/// # Errors
/// The cluster refuses one.
pub fn apply(cluster: &Cluster, file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)?;
    run(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(file))
}

/// A program that cargo built: beside this one, or above the folder of a test.
///
/// # Errors
/// It was not built.
pub fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not beside {}: cargo build --bin {name}", own.display()))
}

fn run(command: &mut Command) -> Result<()> {
    told(command).map(drop)
}

/// Runs a command that has to succeed, and hands back what it printed.
///
/// # Errors
/// It cannot be started, or fails: what it said.
pub fn told(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {}", error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
