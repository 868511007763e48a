//! `reef diff` and `reef plan --live` beside `kubectl diff --server-side`: the same manifests, the same API server, the same run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use reef::demo::repository::{Change, Repository};
use reef_real::Cluster;

use crate::once::{self, Cost};
use crate::report::Report;
use crate::{fleet, kubectl, role};

/// Runs of Reef; `kubectl` takes long enough that one tells enough.
const RUNS: usize = 5;
/// By how much Reef is to be faster.
const AIM: Option<&str> = Some("50 or more");
/// The namespace of the manifests.
const NAMESPACE: &str = "kubectl";
/// The commands of Reef that answer the same question, and how they may end.
const VERBS: [(&[&str], &[i32]); 2] = [(&["diff"], &[0, 1]), (&["plan", "--live"], &[0, 2, 3, 4])];
/// What the cluster has of each VM, and what a change asks for instead.
const GIB: [(&str, u64); 2] = [("nothing differs", 2), ("every VM differs", 3)];

/// Compares what two folders of manifests state with a cluster that has the first one.
pub fn measure(
    cluster: &Cluster,
    folder: &Path,
    vms: usize,
    section: &'static str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let repository = Repository::create(&folder.join("reviewed.git"), &[])?;
    for (what, gib) in GIB {
        let files: Vec<Change> = (0..vms).map(|number| fleet::file(&fleet::name(number), gib)).collect();
        repository.push(what, &files)?;
        let manifests = folder.join(format!("manifests-{gib}"));
        fleet::write(&manifests, vms, gib)?;
        let beside = kubectl::run(cluster, "diff", &manifests)?;
        report.add(section, format!("kubectl diff --server-side, {what}"), "s", None, vec![beside.as_secs_f64()]);
        for (words, codes) in VERBS {
            let run = || reef(cluster, &repository, words, &folder.join("reviewed"), codes);
            let costs = (0..RUNS).map(|_| run()).collect::<anyhow::Result<Vec<Cost>>>()?;
            let name = format!("reef {}, {what}", words.join(" "));
            once::told(report, section, &name, &costs);
            report.add(section, format!("kubectl diff divided by {name}"), "", AIM, ratios(beside, &costs));
        }
    }
    Ok(())
}

fn reef(
    cluster: &Cluster,
    repository: &Repository,
    words: &[&str],
    output: &Path,
    codes: &[i32],
) -> anyhow::Result<Cost> {
    let mut command = Command::new(role::program());
    command.args(words).arg("-C").arg(repository.path()).args(["--head", "main", "--namespace", NAMESPACE]);
    command.arg("--kubeconfig").arg(cluster.kubeconfig());
    once::run(&mut command, output, codes)
}

fn ratios(beside: Duration, costs: &[Cost]) -> Vec<f64> {
    costs.iter().map(|cost| beside.as_secs_f64() / cost.wall.as_secs_f64()).collect()
}
