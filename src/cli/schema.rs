//! `reef schema`: JSON Schemas, so that editors complete and check what people write, and programs know what plans say.

use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;

use super::print;
use crate::wiring::schemas;

/// Arguments of `reef schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the schema is of.
    #[arg(value_enum)]
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// A VirtualMachine, as a file states it.
    #[value(name = "VirtualMachine")]
    VirtualMachine,
    /// A SizingPolicy.
    #[value(name = "SizingPolicy")]
    SizingPolicy,
    /// A GitSource.
    #[value(name = "GitSource")]
    GitSource,
    /// A CapacityCheck.
    #[value(name = "CapacityCheck")]
    CapacityCheck,
    /// What `reef plan -o json` prints.
    #[value(name = "CapacityPlan")]
    CapacityPlan,
    /// What `reef snapshot` writes.
    #[value(name = "ClusterSnapshot")]
    ClusterSnapshot,
}

/// Prints the schema.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let schema = match args.of {
        Of::VirtualMachine => schemas::kind("VirtualMachine"),
        Of::SizingPolicy => schemas::kind("SizingPolicy"),
        Of::GitSource => schemas::kind("GitSource"),
        Of::CapacityCheck => schemas::kind("CapacityCheck"),
        Of::CapacityPlan => Some(schemas::plan()),
        Of::ClusterSnapshot => Some(schemas::snapshot()),
    };
    print::json(&schema.context("this kind has no schema; this is a defect of Reef")?)?;
    Ok(ExitCode::SUCCESS)
}
