//! `reef retry`, `reef settle` and `reef restart`: ask something of one VM beside its spec, by an annotation that Git does not state.

use std::process::ExitCode;

use anyhow::bail;
use reef_api::{Clock, Request, VirtualMachine};

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
    print::text(&format!("{subject} {}.\n`reef status {}` shows how far it is.\n", told(request), subject.word()))?;
    Ok(ExitCode::SUCCESS)
}

/// What happens then.
const fn told(request: Request) -> &'static str {
    match request {
        Request::Retry => "is tried again: what was refused or given up of its resize is asked for once more",
        Request::Settle => {
            "keeps what it has: the rest of its resize is given up until another try or another size is asked for"
        }
        Request::Restart => "is started anew: its guest is shut down, and boots with what its spec says now",
    }
}

/// Why asking would change nothing.
fn pointless(request: Request, vm: &VirtualMachine) -> Option<&'static str> {
    let policy = vm.spec.run_policy.unwrap_or_default();
    match request {
        Request::Restart if !policy.restarts() => {
            Some("is started by hand alone: its spec.runPolicy is neither Always nor RerunOnFailure")
        }
        Request::Retry | Request::Settle if vm.is_settled() => {
            Some("has what its spec asks for: there is nothing to try again or to give up")
        }
        Request::Retry | Request::Settle | Request::Restart => None,
    }
}
