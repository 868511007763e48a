//! `reef retry`, `reef settle` and `reef restart`: ask something of one VM beside its spec, by an annotation that Git does not state.

use std::process::ExitCode;

use anyhow::bail;
use reef_api::names::{RESTART_ANNOTATION, RETRY_ANNOTATION, SETTLE_ANNOTATION};
use reef_api::vm::RunPolicy;
use reef_api::{Clock, VirtualMachine};

use super::print;
use super::suspend::Place;
use crate::wiring::clock::SystemClock;
use crate::wiring::subject::{Change, Named};

/// Arguments of each of the three.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The VM, as vm/NAME or NAME.
    #[arg(value_name = "VM")]
    named: Named,
    #[command(flatten)]
    place: Place,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Another try.
    Retry,
    /// An end of trying.
    Settle,
    /// A new start.
    Restart,
}

impl Request {
    const fn annotation(self) -> &'static str {
        match self {
            Self::Retry => RETRY_ANNOTATION,
            Self::Settle => SETTLE_ANNOTATION,
            Self::Restart => RESTART_ANNOTATION,
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::Retry => "is tried again: what was refused or given up of its resize is asked for once more",
            Self::Settle => {
                "keeps what it has: the rest of its resize is given up until another try or another size is asked for"
            }
            Self::Restart => "is started anew: its guest is shut down, and boots with what its spec says now",
        }
    }
}

/// Asks it of the VM.
///
/// # Errors
/// Where there is no such VM, it could not answer, or the right is missing.
pub async fn run(args: &Args, request: Request) -> anyhow::Result<ExitCode> {
    let (_, mut subject) = args.place.find(&args.named.clone().vm()?).await?;
    let at = format!("{:.0}", SystemClock.now());
    subject
        .change(|subject| {
            let vm = subject.vm();
            if let Some(why) = vm.as_ref().and_then(|vm| pointless(request, vm)) {
                bail!("{subject} {why}");
            }
            Ok(Some(Change::Mark(request.annotation(), at.clone())))
        })
        .await?;
    print::text(&format!("{subject} {}.\n`reef status {}` shows how far it is.\n", request.told(), subject.word()))?;
    Ok(ExitCode::SUCCESS)
}

/// Why asking would change nothing.
fn pointless(request: Request, vm: &VirtualMachine) -> Option<&'static str> {
    let policy = vm.spec.run_policy.unwrap_or_default();
    match request {
        Request::Restart if !matches!(policy, RunPolicy::Always | RunPolicy::RerunOnFailure) => {
            Some("is started by hand alone: its spec.runPolicy is neither Always nor RerunOnFailure")
        }
        Request::Retry | Request::Settle if vm.is_settled() => {
            Some("has what its spec asks for: there is nothing to try again or to give up")
        }
        Request::Retry | Request::Settle | Request::Restart => None,
    }
}
