//! `reef sim --seed N`, `--seeds A..B` and `--script FILE`: the whole of Reef in virtual time, with random faults, under the eyes of an inspector.
//!
//! Chooses what is run and prints what came of it; what happens in a run is in `simulation`.

mod forecasts;
mod sweep;
mod tell;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::simulation::invariants::Recording;
use crate::simulation::{Keep, Play, Scale, Script, play};

/// Lines that are kept for a failure's story.
const STORY: usize = 20_000;

/// Arguments about seeds.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Seeds")]
pub struct SeedArgs {
    /// Play one seed: the whole of Reef, twenty VMs, ten commits and random faults in an hour of virtual time.
    #[arg(long, value_name = "N", group = "played")]
    seed: Option<u64>,
    /// Play a range of seeds on all cores, until one fails.
    #[arg(long, value_name = "A..B", group = "played")]
    seeds: Option<Range>,
    /// Hold plans against what then happens: a small world for each seed of a range, and five commits in each.
    #[arg(long, value_name = "A..B", group = "played")]
    plans: Option<Range>,
    /// Play scripts that were kept: files, or folders of `.txt` files. Also beside --seeds.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    script: Vec<PathBuf>,
    /// Begin no other seed of the range after this time.
    #[arg(long = "for", value_name = "TIME", requires = "seeds", value_parser = time)]
    lasts: Option<Duration>,
    /// Play each twice, and fail where the two differ in any byte.
    #[arg(long)]
    twice: bool,
    /// Go on after a failure, and list all of them without making them smaller.
    #[arg(long)]
    keep_going: bool,
    /// Stop at the first failure and tell it in one line, without making it smaller.
    #[arg(long, requires = "seeds", conflicts_with = "keep_going")]
    brief: bool,
    /// A small world: four VMs and ten minutes.
    #[arg(long)]
    small: bool,
    /// Write every change of every object to this file, or to standard output for `-`.
    #[arg(long, value_name = "FILE", requires = "seed")]
    trace: Option<PathBuf>,
    /// Print what happened, a line for each thing; of one VM only, where one is named.
    #[arg(long, value_name = "VM", num_args = 0..=1, default_missing_value = "", requires = "seed")]
    story: Option<String>,
}

/// From one seed to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: u64,
    to: u64,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is no range; write it as 0..100");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let range = Self { from: from.parse().map_err(|_| wrong())?, to: to.parse().map_err(|_| wrong())? };
        if range.from < range.to { Ok(range) } else { Err(format!("{text} is an empty range")) }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}; write it as 90s or 3m"))?;
    Duration::try_from(span).map_err(|_| "a time is not negative".to_owned())
}

impl SeedArgs {
    /// Whether anything is to be played; else the cluster is served.
    pub fn plays(&self) -> bool {
        self.seed.is_some() || self.seeds.is_some() || self.plans.is_some() || !self.script.is_empty()
    }

    /// Whether a failure is told in one line, and no more is made of it.
    const fn is_short(&self) -> bool {
        self.keep_going || self.brief
    }

    fn scale(&self) -> Scale {
        if self.small { Scale::SMALL } else { Scale::FULL }
    }

    /// The words that play a seed again.
    fn again(&self, seed: u64) -> String {
        format!("reef sim --seed {seed}{}", if self.small { " --small" } else { "" })
    }
}

/// A script, where it is from, and how it is played again.
#[derive(Clone, Debug)]
struct Piece {
    name: String,
    again: String,
    script: Script,
}

/// Plays what the arguments say. Blocks; a runtime must not be entered.
pub fn run(args: &SeedArgs) -> anyhow::Result<ExitCode> {
    if let Some(range) = args.plans {
        return forecasts::run(range);
    }
    let kept = kept(&args.script)?;
    if let Some(seed) = args.seed {
        return one(args, &seeded(args, seed), kept);
    }
    let fresh = args.seeds.unwrap_or(Range { from: 0, to: 0 });
    let make = |seed| seeded(args, seed);
    let swept = sweep::sweep(&kept, (fresh.from, fresh.to), &make, args)?;
    tell::swept(&swept, args)?;
    Ok(if swept.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn seeded(args: &SeedArgs, seed: u64) -> Piece {
    Piece { name: format!("seed {seed}"), again: args.again(seed), script: Script::of(seed, args.scale()) }
}

/// One seed, with as much to read as is asked for.
fn one(args: &SeedArgs, piece: &Piece, kept: Vec<Piece>) -> anyhow::Result<ExitCode> {
    if !kept.is_empty() {
        bail!("--seed and --script are two things to play; name one of them");
    }
    let recording = if args.story.is_some() { Recording::All } else { Recording::Last(STORY) };
    let trace = if args.trace.is_some() { Keep::Text } else { Keep::Digest };
    let outcome = play(&piece.script, Play { recording, trace })?;
    if let Some(path) = &args.trace {
        write(path, &outcome.trace)?;
    }
    if let Some(vm) = &args.story {
        tell::story(&outcome, vm)?;
    }
    tell::one(piece, &outcome)?;
    if outcome.failure.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    tell::failed(piece, args)?;
    Ok(ExitCode::FAILURE)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return super::print::text(text);
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// The scripts of files and folders, in the order of their names.
fn kept(paths: &[PathBuf]) -> anyhow::Result<Vec<Piece>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut below = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        below.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
        below.sort();
        files.extend(below);
    }
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> anyhow::Result<Piece> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let script = text.parse().with_context(|| format!("{} is no script", file.display()))?;
    let name = file.display().to_string();
    Ok(Piece { again: format!("reef sim --script {name}"), name, script })
}
