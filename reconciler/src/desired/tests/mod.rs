//! Reading whole snapshots: fixtures, and the tests by what they are about.

mod hostile;
mod messages;
mod together;

use std::collections::BTreeMap;
use std::sync::Arc;

use git2::{ObjectType, Oid};

use super::*;
use crate::source::{Commit, Descent, File, RepoPath, Skipped};

/// A VM as people write it.
pub(super) fn vm(name: &str, size: &str) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: {name}\nspec:\n  instance:\n    cpu:\n      sockets: 2\n    memory:\n      size: {size}\n"
    )
}

pub(super) fn snapshot_of(commit: &str, files: &[(&str, &[u8])]) -> Snapshot {
    let file =
        |bytes: &[u8]| File { blob: Oid::hash_object(ObjectType::Blob, bytes).unwrap(), bytes: Some(Arc::from(bytes)) };
    Snapshot {
        commit: Commit {
            id: commit.to_owned(),
            subject: String::new(),
            author: String::new(),
            time: jiff::Timestamp::UNIX_EPOCH,
        },
        descent: Descent::First,
        path: RepoPath::root(),
        files: files.iter().map(|(path, bytes)| (RepoPath::parse(path).unwrap(), file(bytes))).collect(),
        skipped: Vec::new(),
        blobs_read: files.len(),
    }
}

/// A source that is read commit by commit.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) desired: Desired,
    pub(super) cache: ParseCache,
    pub(super) skipped: Vec<Skipped>,
}

impl Reader {
    pub(super) fn read(&mut self, commit: &str, files: &[(&str, &str)]) -> &Desired {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let snapshot = Snapshot { skipped: self.skipped.clone(), ..snapshot_of(commit, &files) };
        self.desired = read(&snapshot, &self.desired, "team", &mut self.cache);
        &self.desired
    }
}

impl Desired {
    pub(super) fn sizes(&self) -> BTreeMap<String, String> {
        let size = |vm: &DesiredVm| {
            vm.vm("team").unwrap().spec.instance.memory.clone().unwrap_or_default().size.unwrap_or_default()
        };
        self.vms.iter().map(|(key, vm)| (key.name.clone(), size(vm).to_string())).collect()
    }

    pub(super) fn said(&self) -> String {
        self.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn warned(&self) -> String {
        self.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

pub(super) fn sizes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, size)| ((*name).to_owned(), (*size).to_owned())).collect()
}
