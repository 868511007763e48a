//! Playing the suite against one server, and judging it against the table of known differences.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kube::Client;

use crate::case::{Case, Needs};
use crate::context::{Context, Hands};
use crate::known::{KNOWN, Known, Side};
use crate::setup;

/// How long a case may take.
const LONGEST: Duration = Duration::from_secs(180);

/// What is played, and against what.
#[derive(Clone)]
pub struct Options {
    /// Which of the two clusters it is.
    pub side: Side,
    /// Which cases are played, by what they need.
    pub plays: &'static [Needs],
    /// What the namespaces of the run begin with: two runs against one server do not meet.
    pub prefix: String,
    /// Only cases whose title contains this; empty for all.
    pub only: String,
    /// The hands on the server.
    pub hands: Hands,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases that behaved as stated.
    pub passed: Vec<String>,
    /// Cases that differ, as the table says.
    pub differing: Vec<String>,
    /// Cases that differ and are not in the table, with how.
    pub failed: Vec<(String, String)>,
    /// Cases that are in the table and do not differ any more.
    pub gone: Vec<String>,
}

impl Report {
    /// All well, or what is not.
    ///
    /// # Errors
    /// Naming each case that failed, and each known difference that is gone.
    pub fn verdict(&self) -> Result<()> {
        if self.failed.is_empty() && self.gone.is_empty() {
            return Ok(());
        }
        let failed: Vec<String> = self.failed.iter().map(|(title, how)| format!("{title}\n  {how}")).collect();
        let gone = self.gone.iter().map(|title| format!("{title}\n  differs no more: take it out of the table"));
        let all: Vec<String> = failed.into_iter().chain(gone).collect();
        bail!(
            "{} passed, {} differ as known, {} failed:\n{}",
            self.passed.len(),
            self.differing.len(),
            all.len(),
            all.join("\n")
        )
    }
}

/// Plays every case that the cluster has what it takes for.
///
/// # Errors
/// Where the suite's own definitions cannot be made; a case that fails is in the report.
pub async fn run(client: Client, options: &Options, cases: &[Case]) -> Result<Report> {
    let minor = setup::minor(&client).await?;
    setup::define(&client).await.context("the suite's definitions")?;
    let mut report = Report::default();
    for (index, case) in cases.iter().enumerate() {
        let title = case.title();
        if !options.plays.contains(&case.needs) || !title.contains(&options.only) {
            continue;
        }
        let namespace = format!("{}-{index}-{}", options.prefix, case.room.replace('_', "-"));
        setup::namespace(&client, &namespace).await.with_context(|| title.clone())?;
        let context = Context::new(client.clone(), namespace, minor, options.hands.clone());
        let played = tokio::time::timeout(LONGEST, case.play(context.clone())).await;
        let outcome = played.unwrap_or_else(|_| Err(anyhow::anyhow!("took longer than {LONGEST:?}")));
        setup::clear(&context, case.needs).await.with_context(|| format!("after {title}"))?;
        report.add(title, outcome, options.side, minor);
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, title: String, outcome: Result<()>, side: Side, minor: u32) {
        let known = KNOWN.iter().any(|known: &Known| known.holds(&title, side, minor));
        match (outcome, known) {
            (Ok(()), false) => self.passed.push(title),
            (Ok(()), true) => self.gone.push(title),
            (Err(_), true) => self.differing.push(title),
            (Err(how), false) => self.failed.push((title, format!("{how:#}"))),
        }
    }
}
