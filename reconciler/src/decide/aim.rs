//! The aim: the target, or less for a reason that is recorded.
//!
//! Nothing is patched or granted here. Given the same view it names the same aim, so a crash between two steps changes nothing.

use crate::decide::observed::{PodObserved, VmObserved};
use crate::decide::refused::{holds, refused};
use crate::decide::stall;
use crate::decide::target::Target;
use jiff::Timestamp;
use reef_api::vm::{Outcome, Partial, Refused, Stalled};
use reef_api::{Reason, Size};

/// What is aimed at.
#[derive(Clone, Debug, PartialEq)]
pub struct Aim {
    /// The size.
    pub size: Size,
    /// Why it is not the target, where it is not.
    pub short: Option<Short>,
    /// The refusal to remember, whether it holds or is being tried again.
    pub refused: Option<Refused>,
    /// What the guest does not follow with.
    pub stalled: Option<Stalled>,
    /// What was given up, whether it holds or is being tried again.
    pub partial: Option<Partial>,
}

/// Why an aim falls short of its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
}

/// Finds the aim for a VM whose Pod runs and whose daemon has reported.
pub fn aim(target: &Target, observed: &VmObserved, pod: &PodObserved, now: Timestamp) -> Aim {
    let standing = standing(observed, pod);
    let whole = Aim { size: target.vm.size, short: None, refused: None, stalled: None, partial: None };
    let stay = |short: Short| Aim { size: standing, short: Some(short), ..whole.clone() };
    if let Some(problem) = target.problem.as_ref().filter(|problem| problem.spoils_size()) {
        return stay(Short { reason: problem.reason, message: problem.message.clone() });
    }
    if let Some(short) = beyond_boot(target, observed) {
        return stay(short);
    }
    let refused = refused(target, observed, pod, standing, now);
    if let Some(refused) = refused.as_ref().filter(|refused| holds(refused)) {
        return kept(target, refused, standing, whole);
    }
    followed(target, observed, pod, Aim { refused, ..whole }, now)
}

/// The aim while a refusal holds.
fn kept(target: &Target, refused: &Refused, standing: Size, whole: Aim) -> Aim {
    let size = refused.step.unwrap_or(standing);
    let message = match refused.step {
        Some(step) => format!(
            "the node has room for {step} and not for {} at present ({}); the rest is tried again when there is room",
            target.vm.size, refused.message
        ),
        None => format!("{}; the VM keeps {standing}", sentence(target, refused)),
    };
    let short = Some(Short { reason: refused.reason, message });
    Aim { size, short, refused: Some(refused.clone()), ..whole }
}

fn sentence(target: &Target, refused: &Refused) -> String {
    let (wanted, message) = (target.vm.size, &refused.message);
    match refused.reason {
        Reason::Deferred => format!(
            "the node had no room for {wanted} for {} ({message}), and it is tried again when there is some",
            target.vm.lease
        ),
        _ => format!("the node cannot hold {wanted} ({message})"),
    }
}

/// The aim as far as the guest follows.
fn followed(target: &Target, observed: &VmObserved, pod: &PodObserved, whole: Aim, now: Timestamp) -> Aim {
    let stalled = stall::stalled(target, observed, pod, now);
    let partial = stall::partial(target, observed, pod, stalled.as_ref(), now);
    let given_up = partial.as_ref().filter(|partial| stall::in_force(partial)).zip(observed.report());
    let Some((given_up, report)) = given_up else { return Aim { stalled, partial, ..whole } };
    let size = stall::reached(given_up, target.vm.size, report.boot);
    let again = if given_up.asked {
        "when that is asked for, or another size"
    } else {
        "from time to time, and when the guest moves or reboots"
    };
    let (wanted, why) = (target.vm.size, &given_up.message);
    let message = format!("the VM has {size} of {wanted}: {why}; the rest is tried again {again}");
    let stalled = stalled.and_then(|stalled| stall::without(stalled, given_up));
    Aim { size, short: Some(Short { reason: Reason::Partial, message }), stalled, partial, ..whole }
}

/// The size that the VM goes back to, or stays at: the last one that settled in this Pod, else the one that it stays at already, else what it was last
/// asked for.
///
/// What it was asked for still changes while a grant of before is on its way. Looked at anew each time it would be followed from one size to the other and
/// back, so it is looked at once.
fn standing(observed: &VmObserved, pod: &PodObserved) -> Size {
    let allowed = |size: &Size| observed.report().is_none_or(|report| report.boot.allows(*size));
    let mut entries = observed.status.history.iter().rev();
    let settled = entries.find(|entry| entry.pod_uid == pod.uid && entry.outcome == Outcome::Settled);
    let staying = || staying(observed, pod).filter(allowed);
    let requested = || observed.report().map(reef_api::vm::VmmStatus::requested);
    let known = settled.map(|entry| entry.target).filter(allowed).or_else(staying).or_else(requested);
    known.unwrap_or_else(|| unreported(observed))
}

/// The aim of before, where it fell short of its target in this Pod; a step towards the target is no place to stay.
fn staying(observed: &VmObserved, pod: &PodObserved) -> Option<Size> {
    let resize = observed.status.resize.as_ref()?;
    let stepping = resize.refused.as_ref().is_some_and(|refused| refused.step.is_some());
    (resize.pod_uid == pod.uid && resize.aim != resize.target && !stepping).then_some(resize.aim)
}

/// Without a report nothing is moved anyway; the last aim is as good a name for that as any.
fn unreported(observed: &VmObserved) -> Size {
    let resize = observed.status.resize.as_ref();
    resize.map_or(Size::new(reef_api::Vcpus(0), reef_api::Bytes(0)), |resize| resize.aim)
}

fn beyond_boot(target: &Target, observed: &VmObserved) -> Option<Short> {
    let boot = observed.report()?.boot;
    let wanted = target.vm.size;
    if boot.allows(wanted) {
        return None;
    }
    let message = format!(
        "{wanted} lies outside what this VM booted with ({} to {} vCPU, {} to {}); it gets the new size when it is started anew",
        boot.min_vcpus, boot.max_vcpus, boot.min_memory, boot.max_memory
    );
    Some(Short { reason: Reason::RestartRequired, message })
}
