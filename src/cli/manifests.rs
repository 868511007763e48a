//! `reef manifests`: the definitions of Reef's kinds, for `kubectl apply`.

use std::process::ExitCode;

use clap::ValueEnum;

use super::print;
use crate::wiring::crds;

/// Arguments of `reef manifests`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One document for each definition.
    Yaml,
    /// One `List` of all definitions.
    Json,
}

/// Prints all definitions.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args.output {
        Format::Yaml => print::text(&crds::yaml()?)?,
        Format::Json => print::json(&crds::list())?,
    }
    Ok(ExitCode::SUCCESS)
}
