//! `reef manifests`: everything that an installation applies, for `kubectl apply`.

use std::process::ExitCode;

use anyhow::ensure;
use clap::ValueEnum;

use super::print;
use crate::wiring::crds;
use crate::wiring::manifests::{self, Images};

/// Arguments of `reef manifests`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The definitions of Reef's kinds (CRDs) alone, for roles that run elsewhere.
    #[arg(long)]
    crds: bool,
    /// Image of the roles.
    #[arg(long, value_name = "IMAGE", default_value = concat!("reef:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// Image of the container that runs a VM's VMM: this program, and QEMU or Cloud Hypervisor.
    #[arg(long, value_name = "IMAGE", default_value = concat!("reef-vmm:", env!("CARGO_PKG_VERSION")))]
    vmm_image: String,
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

/// Prints all of it.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        args.crds || args.output == Format::Yaml,
        "--output json is for --crds; everything else is YAML with its reasons beside it"
    );
    let images = Images { reef: args.image.clone(), vmm: args.vmm_image.clone() };
    match (args.crds, args.output) {
        (false, _) => print::text(&manifests::yaml(&images)?)?,
        (true, Format::Yaml) => print::text(&crds::yaml()?)?,
        (true, Format::Json) => print::json(&crds::list())?,
    }
    Ok(ExitCode::SUCCESS)
}
