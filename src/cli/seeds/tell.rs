//! What is printed about runs: one line for what went well, and all that is needed to see and repeat what did not.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use super::super::print;
use super::sweep::Swept;
use super::{Piece, STORY, SeedArgs};
use crate::simulation::invariants::Recording;
use crate::simulation::{Keep, Outcome, Play, Script, minimised, play};

/// For how long a failure is made smaller.
const SMALLER_FOR: Duration = Duration::from_secs(120);
/// Lines of a failure's story.
const LINES: usize = 40;

/// One run.
pub(super) fn one(piece: &Piece, outcome: &Outcome) -> anyhow::Result<()> {
    let mut text = format!(
        "{}: {} virtual, {} deeds, {} requests, {} writes (at most {} about one VM in a minute), {} changes, trace {:016x}\n",
        piece.name,
        shown(outcome.lasted),
        piece.script.deeds.len(),
        outcome.calls,
        outcome.writes,
        outcome.most_writes,
        outcome.changes,
        outcome.digest
    );
    match &outcome.failure {
        Some(failure) => writeln!(text, "{failure}")?,
        None => text
            .push_str("every invariant held, every VM has settled or says why not, and nothing is written any more\n"),
    }
    print::text(&text)
}

/// What happened, of one VM or of all.
pub(super) fn story(outcome: &Outcome, vm: &str) -> anyhow::Result<()> {
    let concerned =
        outcome.lines.iter().filter(|line| vm.is_empty() || line.vm.as_deref().is_none_or(|about| about == vm));
    let mut text = String::new();
    for line in concerned {
        writeln!(text, "{line}")?;
    }
    print::text(&text)
}

/// Many runs.
pub(super) fn swept(swept: &Swept, args: &SeedArgs) -> anyhow::Result<()> {
    let seconds = swept.took.as_secs_f64().max(0.001);
    let runs = f64::from(u32::try_from(swept.runs).unwrap_or(u32::MAX));
    let mut text = format!(
        "{} runs in {:.1} s on {} threads: {:.2} a second, {} virtual, {} requests; at most {} writes about one VM in a minute\n",
        swept.runs,
        seconds,
        swept.threads,
        runs / seconds,
        shown(swept.lived),
        swept.calls,
        swept.most_writes
    );
    if let Some(range) = args.seeds {
        writeln!(text, "seeds {}..{}", range.from, range.to)?;
    }
    writeln!(text, "{} failed", swept.failed.len())?;
    print::text(&text)?;
    if args.is_short() {
        return Ok(());
    }
    for (piece, told) in &swept.failed {
        print::text(&format!("\n{}: {told}\n", piece.name))?;
        failed(piece, args)?;
    }
    Ok(())
}

/// A run that failed: its story, how it is repeated, and the smallest script that still fails so.
pub(super) fn failed(piece: &Piece, args: &SeedArgs) -> anyhow::Result<()> {
    let outcome = play(&piece.script, Play { recording: Recording::Last(STORY), trace: Keep::Nothing })?;
    let mut text = format!("\nRepeat it with:  {} --story\n", piece.again);
    if outcome.failure.is_none() {
        text.push_str("Played once more it went well: something in it is not decided by the seed.\n");
        return print::text(&text);
    }
    tail(&mut text, &outcome)?;
    print::text(&text)?;
    if !args.keep_going {
        smaller(&piece.script, &outcome)?;
    }
    Ok(())
}

fn tail(text: &mut String, outcome: &Outcome) -> anyhow::Result<()> {
    writeln!(text, "\nThe last that happened:")?;
    for line in outcome.story(LINES) {
        writeln!(text, "{line}")?;
    }
    Ok(())
}

fn smaller(script: &Script, outcome: &Outcome) -> anyhow::Result<()> {
    let Some(broken) = outcome.broken() else { return Ok(()) };
    let started = Instant::now();
    let found = minimised(script, broken, |_| started.elapsed() >= SMALLER_FOR);
    let again = play(&found.script, Play { recording: Recording::Last(STORY), trace: Keep::Nothing })?;
    let mut text = format!(
        "\nThe same breaks with {} of {} deeds ({} scripts tried in {} s):\n\n",
        found.script.deeds.len(),
        script.deeds.len(),
        found.tried,
        started.elapsed().as_secs()
    );
    if let Some(failure) = &again.failure {
        writeln!(text, "# {failure}")?;
    }
    write!(text, "{}", found.script)?;
    tail(&mut text, &again)?;
    print::text(&text)
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 3_600 {
        format!("{} min", seconds / 60)
    } else {
        format!("{} h {} min", seconds / 3_600, seconds / 60 % 60)
    }
}
