//! `reef suspend` and `reef resume`: keep what Git states from a GitSource's objects or from one VM for a while, and let it go on.
//!
//! One annotation is written, which the controller reads; it ends by itself, by the controller's clock.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use reef_api::names::SUSPENDED_ANNOTATION;
use reef_api::{Clock, Suspended, Suspension};

use super::args::{ClusterArgs, duration};
use super::print;

use crate::view::text::{harmless, span};
use crate::wiring::clock::SystemClock;
use crate::wiring::kubeconfig::Cluster;
use crate::wiring::subject::{Change, Kind, Named, Subject};

/// What holds where no end is stated: long enough for a night, and nothing is forgotten for longer.
const USUAL: &str = "24h";
/// How long a controller may take to tell that it has seen a suspension.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(10);
/// How often it is looked whether it has.
const LOOKED_EVERY: Duration = Duration::from_millis(250);

/// Arguments of `reef suspend`.
#[derive(Debug, clap::Args)]
pub struct SuspendArgs {
    /// What to suspend: gitsource/NAME, vm/NAME, or a name that only one of them has.
    #[arg(value_name = "KIND/NAME")]
    named: Named,
    /// Why, for everybody who wonders.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long, as 30m, 2h or 3d; then it goes on by itself.
    #[arg(long = "for", value_name = "TIME", default_value = USUAL, value_parser = duration)]
    lasts: SignedDuration,
    /// Until when, as 2026-01-31T18:00:00Z; then it goes on by itself.
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    until: Option<Timestamp>,
    /// Without an end: it goes on only with `reef resume`.
    #[arg(long, conflicts_with_all = ["lasts", "until"])]
    forever: bool,
    /// Who wants it; the user of the kubeconfig's context when absent, else $USER.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Take the place of a suspension that holds already.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `reef resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// What to resume: gitsource/NAME, vm/NAME, or a name that only one of them has.
    #[arg(value_name = "KIND/NAME")]
    named: Named,
    #[command(flatten)]
    place: Place,
}

/// Where the object is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct Place {
    /// Namespace; that of the context when absent.
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Place {
    /// Finds what is named.
    ///
    /// # Errors
    /// Where there is none, or no cluster.
    pub(super) async fn find(&self, named: &Named) -> anyhow::Result<(Cluster, Subject)> {
        let cluster = self.cluster.connect().await?;
        let namespace = self.namespace.as_ref().unwrap_or(&cluster.namespace);
        let subject = Subject::find(&cluster.requests, namespace, named).await?;
        Ok((cluster, subject))
    }
}

/// Suspends an object, and waits for the controller to tell that it has seen it.
pub async fn suspend(args: &SuspendArgs) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    let until = end(args, now)?;
    let (cluster, mut subject) = args.place.find(&args.named).await?;
    let by = args.by.clone().or(cluster.user).or_else(|| std::env::var("USER").ok()).filter(|by| !by.is_empty());
    let value = Suspension { reason: Some(args.reason.clone()), by, until, at: Some(now) };
    let annotation = value.annotation().context("the suspension cannot be written as JSON")?;
    let free = |subject: &Subject| match subject.suspended(now) {
        Some(held) if !args.replace => {
            bail!("{subject} is already {}; --replace takes its place", harmless(&held.to_string()))
        }
        Some(_) | None => Ok(Some(Change::Mark(SUSPENDED_ANNOTATION, annotation.clone()))),
    };
    subject.change(free).await?;
    let Some(held) = subject.suspended(SystemClock.now()) else {
        bail!("{subject} is suspended until {until:?}, which has passed already")
    };
    print::text(&suspended(&subject, &held, now))?;
    if !seen(&mut subject, &held).await? {
        print::warning(
            "no controller has told yet that it has seen this; until one does, what was read before may still be applied",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends the suspension of an object.
pub async fn resume(args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    let (_, mut subject) = args.place.find(&args.named).await?;
    let (mut ended, mut by_spec) = (None, false);
    subject
        .change(|subject| {
            ended = subject.suspended(SystemClock.now());
            by_spec = subject.states_suspension();
            Ok((by_spec || subject.annotated()).then_some(Change::Resume))
        })
        .await?;
    let text = match ended {
        Some(held) => {
            format!("{subject} is resumed: what Git states is applied again. It was {}.\n", harmless(&held.to_string()))
        }
        None => format!("{subject} is not suspended.\n"),
    };
    let kept =
        "spec.suspend was taken away too; where the GitSource itself comes from Git, it has to be taken away there.\n";
    print::text(&(text + if by_spec { kept } else { "" }))?;
    Ok(ExitCode::SUCCESS)
}

fn end(args: &SuspendArgs, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
    if args.forever {
        return Ok(None);
    }
    let until = match args.until {
        Some(until) if until <= now => bail!("--until {until} has passed; now it is {now:.0}"),
        Some(until) => until,
        None => now.checked_add(args.lasts).with_context(|| format!("--for {} is too long", args.lasts))?,
    };
    Ok(Some(Timestamp::from_second(until.as_second()).unwrap_or(until)))
}

fn suspended(subject: &Subject, held: &Suspended, now: Timestamp) -> String {
    let effect = match subject.kind {
        Kind::Source => "Its commits are still read and told, and nothing of them is applied.",
        Kind::Vm => "A resize that is under way is finished; no commit and no other spec is taken up.",
    };
    let (end, sooner) = match held.until {
        Some(until) => (format!("It goes on by itself in {}, ", span(until.duration_since(now))), "or at once"),
        None => ("It goes on ".to_owned(), "only"),
    };
    format!(
        "{subject} is {}.\n{effect} {end}{sooner} with `reef resume {}`.\n",
        harmless(&held.to_string()),
        subject.word()
    )
}

/// Waits until the object's status tells of this suspension.
async fn seen(subject: &mut Subject, held: &Suspended) -> anyhow::Result<bool> {
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < SEEN_WITHIN.unsigned_abs() {
        if subject.tells(&held.to_string()) {
            return Ok(true);
        }
        tokio::time::sleep(LOOKED_EVERY).await;
        subject.read_again().await?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_lasts_is_read_as_people_write_it() {
        let told = |text| duration(text).map(|read| read.as_secs());
        assert_eq!(["30m", "2h", "3d", "1d12h"].map(told), [Ok(1_800), Ok(7_200), Ok(259_200), Ok(129_600)]);
        for wrong in ["", "0s", "-2h", "2", "soon", "1y", "100ms"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
