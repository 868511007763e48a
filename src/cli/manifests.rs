//! `reef manifests`: everything that an installation applies, for `kubectl apply`, or as a chart for Helm.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use super::print;
use crate::wiring::manifests::{self, Images, Part};
use crate::wiring::{chart, crds};

/// Arguments of `reef manifests`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The definitions of Reef's kinds (CRDs) alone, for roles that run elsewhere.
    #[arg(long)]
    crds: bool,
    /// Everything but these definitions: for `kubectl delete`, which would take every VM away with its kind.
    #[arg(long, conflicts_with = "crds")]
    no_crds: bool,
    /// Write it as a Helm chart into a folder, which is empty, not there, or a chart that was written so before. What these arguments say
    /// becomes the default of the chart's values.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["crds", "no_crds", "monitoring"])]
    chart: Option<PathBuf>,
    /// Image of the roles.
    #[arg(long, value_name = "IMAGE", default_value = concat!("reef:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// Image of the container that runs a VM's VMM: this program, and QEMU or Cloud Hypervisor.
    #[arg(long, value_name = "IMAGE", default_value = concat!("reef-vmm:", env!("CARGO_PKG_VERSION")))]
    vmm_image: String,
    /// A PodMonitor, a PrometheusRule and a dashboard besides, for a cluster with the Prometheus operator.
    #[arg(long, conflicts_with = "crds")]
    monitoring: bool,
    /// Form of the output; JSON is for definitions alone.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document for each object.
    Yaml,
    /// One `List` of all objects.
    Json,
}

/// Prints all of it, or writes the chart.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        args.crds || args.output == Format::Yaml,
        "--output json is for --crds; everything else is YAML with its reasons beside it"
    );
    let images = Images { reef: args.image.clone(), vmm: args.vmm_image.clone() };
    let part = |there| if there { Part::Applied } else { Part::LeftOut };
    match (&args.chart, args.crds, args.output) {
        (Some(folder), ..) => {
            chart::write(folder, &chart::files(&images)?).context("no chart was written")?;
            let place = folder.display();
            print::note(&format!("to install the chart: helm install reef {place} -n reef-system --create-namespace"));
        }
        (None, false, _) => print::text(&manifests::yaml(&images, part(!args.no_crds), part(args.monitoring))?)?,
        (None, true, Format::Yaml) => print::text(&crds::yaml()?)?,
        (None, true, Format::Json) => print::json(&crds::list())?,
    }
    Ok(ExitCode::SUCCESS)
}
