//! The sizes that a VM had in Git: each commit of its file that changed the size, read by the project's own reader.
//!
//! Pure. The commits and the file at each are handed in.

use reef_api::{EffectivePolicy, Size, VmKey, defaulted};

use crate::desired::{Desired, Located, Origin, ParseCache, Scope, read_within};
use crate::source::{Commit, RepoPath, Snapshot};

/// A size that Git stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastSize {
    /// The commit that stated it first.
    pub commit: Commit,
    /// The size.
    pub size: Size,
    /// Where in the file the vCPUs stand, as a line from 1.
    pub vcpus_line: u32,
    /// Where the memory stands.
    pub memory_line: u32,
}

/// The sizes of a VM, the newest first. `log` has the commits that changed its file, the newest first; a commit in which the file does not state the VM is
/// passed over.
pub fn past_sizes(log: &[Snapshot], key: &VmKey) -> Vec<PastSize> {
    let mut sizes: Vec<PastSize> = Vec::new();
    for stated in log.iter().filter_map(|change| stated(change, key)) {
        // The older commit is the one that the size comes from.
        if sizes.last().is_some_and(|newer| newer.size == stated.size) {
            sizes.pop();
        }
        sizes.push(stated);
    }
    sizes
}

fn stated(change: &Snapshot, key: &VmKey) -> Option<PastSize> {
    let scope = Scope::Any(&key.namespace);
    let desired = read_within(change, &Desired::default(), scope, &mut ParseCache::default());
    let stated = desired.vms.get(key)?;
    let size = defaulted(&stated.vm(&key.namespace)?, &EffectivePolicy::default()).size;
    let (vcpus_line, memory_line) = lines(change, &stated.origin).unwrap_or((stated.origin.line, stated.origin.line));
    Some(PastSize { commit: change.commit.clone(), size, vcpus_line, memory_line })
}

/// The lines of vCPUs and memory.
fn lines(change: &Snapshot, origin: &Origin) -> Option<(u32, u32)> {
    let file = change.files.get(&RepoPath::parse(&origin.file).ok()?)?;
    let located = Located::of(file.bytes.as_deref()?, origin.document)?;
    Some((located.at("spec.instance.cpu.coresPerSocket").0, located.at("spec.instance.memory.size").0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use git2::{ObjectType, Oid};
    use reef_api::{Bytes, GIB, Vcpus};

    use super::*;
    use crate::source::{Descent, File};

    fn at(number: u32, text: &str) -> Snapshot {
        let blob = Oid::hash_object(ObjectType::Blob, text.as_bytes()).unwrap();
        let file = File { blob, bytes: Some(Arc::from(text.as_bytes())) };
        let time = jiff::Timestamp::from_second(i64::from(number)).unwrap();
        Snapshot {
            commit: Commit { id: number.to_string(), subject: String::new(), author: String::new(), time },
            descent: Descent::First,
            path: RepoPath::root(),
            files: BTreeMap::from([(RepoPath::parse("web.yaml").unwrap(), file)]),
            skipped: Vec::new(),
            blobs_read: 1,
        }
    }

    fn vm(vcpus: u32, more: &str) -> String {
        format!(
            "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: web-1\n{more}spec:\n  \
             instance:\n    cpu:\n      coresPerSocket: {vcpus}\n    memory:\n      size: 2Gi\n"
        )
    }

    #[test]
    fn a_size_belongs_to_the_oldest_commit_that_stated_it_without_a_break() {
        let labelled = vm(4, "  labels: { a: b }\n");
        let log = [at(5, &labelled), at(4, &vm(4, "")), at(3, "kind: [\n"), at(2, &vm(2, "")), at(1, &vm(4, ""))];
        let sizes = past_sizes(&log, &VmKey::new("vms", "web-1"));
        let told: Vec<(&str, Size, u32, u32)> =
            sizes.iter().map(|past| (past.commit.id.as_str(), past.size, past.vcpus_line, past.memory_line)).collect();
        let size = |vcpus: u32| Size::new(Vcpus(vcpus), Bytes(2 * GIB.get()));
        assert_eq!(told, [("4", size(4), 8, 10), ("2", size(2), 8, 10), ("1", size(4), 8, 10)]);
        assert_eq!(past_sizes(&log, &VmKey::new("vms", "web-2")), []);
    }
}
