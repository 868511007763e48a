//! How a step is expected to end: a claim about a picture of the cluster, and what is missing where it does not hold.
//!
//! Pure: pictures in, verdicts out.

use reef_api::size::DEFAULT_OVERHEAD;
use reef_api::{Overcommit, PodSize, Reason, Size};

use crate::demo::observer::Picture;
use crate::view::{SourceView, VmView};

/// A claim about the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The VM has this size everywhere: spec, VMM, guest and Pod.
    Settled {
        /// The VM.
        vm: &'static str,
        /// The size.
        size: Size,
    },
    /// The VM waits for this reason, and VMM, guest and Pod are as they were.
    Keeps {
        /// The VM.
        vm: &'static str,
        /// The size that it keeps.
        size: Size,
        /// What it waits for.
        reason: Reason,
    },
    /// VMM, guest and Pod of the VM are as they were, whatever is told of it.
    Untouched {
        /// The VM.
        vm: &'static str,
        /// The size that it keeps.
        size: Size,
    },
    /// A problem in this file is reported, with line and snippet.
    Reported {
        /// The file.
        file: &'static str,
    },
    /// No problem is reported, and the last commit is applied.
    Clean,
    /// The VM is no longer in Git, is reported so, and runs as before.
    KeptAfterRemoval {
        /// The VM.
        vm: &'static str,
        /// The size that it has.
        size: Size,
    },
}

impl Expect {
    /// What is missing; nothing where the claim holds. `commit` is the last one that was pushed.
    pub fn missing(&self, picture: &Picture, commit: &str) -> Option<String> {
        match self {
            Self::Settled { vm, size } => on_vm(picture, vm, |vm| unsettled(vm, *size)),
            Self::Keeps { vm, size, reason } => on_vm(picture, vm, |vm| moved(vm, *size, *reason)),
            Self::Untouched { vm, size } => on_vm(picture, vm, |vm| wrong_size(vm, *size)),
            Self::Reported { file } => unreported(picture, file),
            Self::Clean => unclean(picture, commit),
            Self::KeptAfterRemoval { vm, size } => {
                if !picture.vm(vm).is_some_and(|vm| vm.removed_from_git) {
                    return Some(format!("no source reports that {vm} was removed"));
                }
                on_vm(picture, vm, |vm| wrong_size(vm, *size))
            }
        }
    }

    /// The VM that the claim is about.
    pub const fn vm(&self) -> Option<&'static str> {
        match self {
            Self::Settled { vm, .. }
            | Self::Keeps { vm, .. }
            | Self::Untouched { vm, .. }
            | Self::KeptAfterRemoval { vm, .. } => Some(vm),
            Self::Reported { .. } | Self::Clean => None,
        }
    }
}

fn on_vm(picture: &Picture, name: &str, claim: impl Fn(&VmView) -> Option<String>) -> Option<String> {
    match picture.vm(name) {
        Some(vm) => claim(vm),
        None => Some(format!("there is no VM {name}")),
    }
}

fn unsettled(vm: &VmView, size: Size) -> Option<String> {
    if vm.desired != size {
        return Some(format!("the spec of {} asks for {} and not yet for {size}", vm.name, vm.desired));
    }
    if let Some(waiting) = &vm.waiting {
        return Some(format!("{} waits for {}: {}", vm.name, waiting.reason, waiting.message));
    }
    wrong_size(vm, size)
}

fn moved(vm: &VmView, size: Size, reason: Reason) -> Option<String> {
    match &vm.waiting {
        Some(waiting) if waiting.reason == reason.as_str() => wrong_size(vm, size),
        Some(waiting) => Some(format!("{} waits for {} and not for {reason}", vm.name, waiting.reason)),
        None => Some(format!("{} waits for nothing", vm.name)),
    }
}

/// VMM, guest and all three sizes of the Pod have to agree.
fn wrong_size(vm: &VmView, size: Size) -> Option<String> {
    let told = |size: Option<Size>| size.map_or_else(|| "nothing".to_owned(), |size| size.to_string());
    if vm.requested != Some(size) || vm.actual != Some(size) {
        let (requested, actual) = (told(vm.requested), told(vm.actual));
        return Some(format!("{} has not {size} everywhere: requested {requested}, actual {actual}", vm.name));
    }
    let carrying = PodSize::carrying(size, DEFAULT_OVERHEAD, Overcommit::NONE);
    let agrees = vm
        .pod
        .as_ref()
        .is_some_and(|pod| pod.wish == carrying && pod.allocated == Some(carrying) && pod.actual == Some(carrying));
    (!agrees).then(|| format!("the Pod of {} is not {carrying} everywhere", vm.name))
}

fn unreported(picture: &Picture, file: &str) -> Option<String> {
    let mut problems = picture.sources.iter().flat_map(|source| &source.problems);
    match problems.find(|problem| problem.path == file) {
        None => Some(format!("no problem in {file} is reported")),
        Some(problem) if problem.line.is_none() => Some(format!("the problem in {file} names no line")),
        Some(problem) if !problem.message.contains('\n') => Some(format!("the problem in {file} shows no snippet")),
        Some(_) => None,
    }
}

fn unclean(picture: &Picture, commit: &str) -> Option<String> {
    let clean = |source: &&SourceView| source.problems.is_empty() && source.applied_commit.as_deref() == Some(commit);
    let told = |source: &SourceView| {
        let reason = source.reason.as_deref().unwrap_or("nothing yet");
        format!("source {} says {reason}: {}", source.name, source.message.as_deref().unwrap_or_default())
    };
    if picture.sources.is_empty() {
        return Some("there is no source".to_owned());
    }
    picture.sources.iter().find(|source| !clean(source)).map(told)
}
