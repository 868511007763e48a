//! Reef against a real API server and etcd, with `kubectl` on the same objects beside it: `make bench-real`.
//!
//! `reef controller` is the release binary; scheduler, kubelets and daemons are played, but for the installation at rest, where all roles are real and the
//! VMMs simulated. It measures and judges nothing.

mod argocd;
mod audit;
mod controller;
mod fleet;
mod kubectl;
#[path = "../reef/machine.rs"]
mod machine;
#[path = "../reef/once.rs"]
mod once;
mod parties;
mod play;
#[path = "../reef/report.rs"]
mod report;
mod rest;
mod review;
mod role;
mod server;
mod steps;
mod vmms;

use std::path::Path;

use report::Report;

/// How many VMs, where nothing else is asked for.
const SIZES: [usize; 2] = [1_000, 10_000];
/// Asks for the installation at rest.
const REST: &str = "rest";
/// Asks for Argo CD beside Reef's own source, with so many VMs by each way.
const ARGO_CD: &str = "argocd";
const BESIDE: [usize; 2] = [1, 1_000];
/// Where the figures are written for programs, from the root of the package.
const JSON: &str = "target/bench-real.json";

fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (rest, asked): (Vec<String>, Vec<String>) = asked.into_iter().partition(|word| word == REST);
    let (argocd, sizes): (Vec<String>, Vec<String>) = asked.into_iter().partition(|word| word == ARGO_CD);
    let all = rest.is_empty() && argocd.is_empty() && sizes.is_empty();
    let sizes = sizes.iter().map(|number| number.parse()).collect::<Result<Vec<usize>, _>>()?;
    let mut report = Report::default();
    let runtime = tokio::runtime::Runtime::new()?;
    for size in if all { SIZES.to_vec() } else { sizes } {
        eprintln!("measuring: {size} VMs");
        runtime.block_on(steps::measure(size, &mut report))?;
    }
    if all || !rest.is_empty() {
        eprintln!("measuring: a whole installation at rest");
        runtime.block_on(rest::measure(&mut report))?;
    }
    if all || !argocd.is_empty() {
        for vms in BESIDE {
            eprintln!("measuring: Argo CD beside Reef's own source, {vms} VMs");
            runtime.block_on(argocd::measure(vms, &mut report))?;
        }
    }
    println!("{}", report.table());
    report.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join(JSON))
}
