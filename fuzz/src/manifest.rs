//! A file of a user's repository: YAML or JSON, of one document or many.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a finding panics"
)]

use super::plain::is_plain;
use git2::{ObjectType, Oid};
use reef_reconciler::desired::{Desired, ParseCache, read};
use reef_reconciler::source::{Commit, Descent, File, RepoPath, Snapshot};
use std::sync::Arc;

const NAMESPACE: &str = "team";

/// The bytes are the file.
pub fn manifest(bytes: &[u8]) {
    let snapshot = snapshot(bytes);
    let first = read(&snapshot, &Desired::default(), NAMESPACE, &mut ParseCache::default());
    let mut cache = ParseCache::default();
    assert!(first == read(&snapshot, &Desired::default(), NAMESPACE, &mut cache), "two readings differ");
    let again = read(&snapshot, &first, NAMESPACE, &mut cache);
    assert_eq!(again.problems, first.problems);
    assert!(again.vms.keys().eq(first.vms.keys()) && again.policies.keys().eq(first.policies.keys()));
    for said in first.problems.iter().chain(&first.warnings) {
        assert_eq!(&*said.origin.file, "vms.yaml");
        assert!(is_plain(&said.to_string()), "{said:?}");
    }
    for (key, vm) in &first.vms {
        assert_eq!(key.namespace, NAMESPACE);
        let stated = vm.vm(NAMESPACE).expect("a VM that was read can be read again");
        assert_eq!(stated.metadata.name.as_ref(), Some(&key.name));
    }
}

/// A repository that has them as its only file.
pub fn snapshot(bytes: &[u8]) -> Snapshot {
    let blob = Oid::hash_object(ObjectType::Blob, bytes).expect("a hash");
    let file = File { blob, bytes: Some(Arc::from(bytes)) };
    let commit = Commit {
        id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        subject: String::new(),
        author: String::new(),
        time: jiff::Timestamp::UNIX_EPOCH,
    };
    Snapshot {
        commit,
        descent: Descent::First,
        path: RepoPath::root(),
        files: [(RepoPath::parse("vms.yaml").expect("a path"), file)].into(),
        skipped: Vec::new(),
        blobs_read: 1,
    }
}
