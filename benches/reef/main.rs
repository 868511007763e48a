//! The numbers of Reef, measured on this machine: `make bench`, or `cargo bench -- SECTION...` for a part of them.
//!
//! It measures and judges nothing: no figure makes it fail. Ratios are of times within one run, so that a slow machine
//! slows both sides.

#[path = "../../tests/webhook/client.rs"]
#[allow(clippy::unwrap_used, dead_code, reason = "it is the tests' own")]
mod client;
mod delays;
mod fleet;
mod large;
mod live;
mod machine;
mod node;
mod once;
mod plans;
mod report;
mod resize;
mod speed;
mod stages;
mod thousand;
mod webhook;

use std::path::Path;

use report::Report;

/// Every section, in the order in which they run: memory is read first, while this process is small.
const SECTIONS: [&str; 7] = ["plan", "thousand", "node", "webhook", "live", "virtual", "speed"];
/// Where the figures are written for programs, from the root of the package.
const JSON: &str = "target/bench.json";

fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|name| !SECTIONS.contains(&name.as_str())) {
        anyhow::bail!("there is no section {unknown}; there are: {}", SECTIONS.join(", "));
    }
    // Before there are threads: libgit2's settings are the process's.
    let git = reef::wiring::git::settings()?;
    let mut report = Report::default();
    for section in SECTIONS.into_iter().filter(|name| asked.is_empty() || asked.iter().any(|asked| asked == name)) {
        eprintln!("measuring: {section}");
        match section {
            "plan" => plans::measure(&mut report)?,
            "thousand" => thousand::measure(git, &mut report)?,
            "node" => node::measure(git, &mut report)?,
            "webhook" => webhook::measure(&mut report)?,
            "live" => resize::measure_live(git, &mut report)?,
            "virtual" => resize::measure_virtual(&mut report)?,
            _ => speed::measure(&mut report)?,
        }
    }
    println!("{}", report.table());
    report.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join(JSON))
}
