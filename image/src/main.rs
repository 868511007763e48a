//! `make image` runs this: packs a built Reef as an image, and says how large it is.
//!
//! Arguments and output only.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use reef_image::{Compression, Image, contents};

/// Packs Reef as a container image: an OCI layout in a tar.
#[derive(Debug, Parser)]
struct Args {
    /// The program that was built.
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// Name and tag of the image, with its registry.
    #[arg(long, value_name = "NAME", default_value = concat!("docker.io/library/reef:", env!("CARGO_PKG_VERSION")))]
    name: String,
    /// The commit of which it was built.
    #[arg(long, value_name = "COMMIT")]
    revision: String,
    /// Where the image is written.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> Result<()> {
    let Args { binary, name, revision, output } = Args::parse();
    let folder = output.parent().context("state a file in a folder by --output")?;
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let labels = [
        ("org.opencontainers.image.title", "reef"),
        ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION")),
        ("org.opencontainers.image.revision", &revision),
        ("org.opencontainers.image.licenses", "Apache-2.0"),
    ];
    let image = Image {
        name: &name,
        entrypoint: &[contents::PROGRAM],
        user: Some(contents::USER),
        labels: labels.into(),
        compression: Compression::Gzip,
    };
    let written = image.write(&contents::reef(&binary)?, &output)?;
    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20);
    let told =
        format!("{}: {name}, {} of files, {} compressed", output.display(), mib(written.unpacked), mib(written.packed));
    writeln!(std::io::stdout(), "{told}").context("the result cannot be told")
}
