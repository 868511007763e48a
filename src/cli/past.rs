//! Asks the clone at hand about a VM: the commits that its status names, and the past of its file.

use std::collections::{BTreeMap, BTreeSet};

use reef_api::names::ORIGIN_ANNOTATION;
use reef_api::{VirtualMachine, VmKey};
use reef_reconciler::review::past_sizes;
use reef_reconciler::source::{FileLog, LocalRepository, RepoPath};

use crate::view::commit;
use crate::view::past::{CloneAtHand, Past};

/// What the clone tells. One that has none of the commits that the VM names is of another repository, or behind, and is asked nothing more.
///
/// # Errors
/// Where the clone cannot be read.
pub fn read(clone: Option<&LocalRepository>, vm: &VirtualMachine) -> anyhow::Result<Past> {
    let ids = revisions(vm);
    let Some(clone) = clone else {
        let clone = if ids.is_empty() { CloneAtHand::Unasked } else { CloneAtHand::None };
        return Ok(Past { clone, ..Past::default() });
    };
    let mut commits = BTreeMap::new();
    for id in ids.iter().collect::<BTreeSet<_>>() {
        commits.extend(clone.told(id)?.map(|commit| (id.clone(), commit)));
    }
    let Some(newest) = ids.iter().find(|id| commits.contains_key(*id)) else {
        let clone = if ids.is_empty() { CloneAtHand::Unasked } else { CloneAtHand::Lacking };
        return Ok(Past { clone, ..Past::default() });
    };
    let log = log(clone, newest, vm)?;
    let key =
        VmKey::new(vm.metadata.namespace.clone().unwrap_or_default(), vm.metadata.name.clone().unwrap_or_default());
    Ok(Past { clone: CloneAtHand::Found, commits, sizes: past_sizes(&log.changes, &key), cut: log.cut })
}

/// The past of the VM's file up to one of its commits.
fn log(clone: &LocalRepository, newest: &str, vm: &VirtualMachine) -> anyhow::Result<FileLog> {
    let origin = annotation(vm, ORIGIN_ANNOTATION).unwrap_or_default();
    let file = origin.rsplit_once(':').map_or(origin, |(file, _)| file);
    match RepoPath::parse(file) {
        Ok(file) if !file.as_str().is_empty() => Ok(clone.log(clone.commit(newest)?, &file)?),
        _ => Ok(FileLog::default()),
    }
}

/// The commits that the VM names, the newest first.
fn revisions(vm: &VirtualMachine) -> Vec<String> {
    let history = vm.status.as_ref().map(|status| status.history.as_slice()).unwrap_or_default();
    let past = history.iter().rev().filter_map(|entry| entry.revision.clone());
    commit(vm).into_iter().chain(past).collect()
}

fn annotation<'a>(vm: &'a VirtualMachine, name: &str) -> Option<&'a str> {
    vm.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}
