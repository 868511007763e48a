//! The repository of a simulated fleet as the person who pushes keeps it: a file for each VM.

use super::invariants::Statement;
use super::script::{Change, Wanted};
use reef_api::{Bytes, Size, Vcpus};
use std::collections::BTreeMap;

/// Ceilings of a VM as long as nobody asks for more.
const CEILING: Size = Size::new(Vcpus(8), Bytes(8 << 30));
/// What a VM that is to grow beyond them is given.
const BEYOND: Size = Size::new(Vcpus(8), Bytes(4 << 30));

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    size: Size,
    ceiling: Size,
    policy: String,
    garbage: bool,
}

/// All files at one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// The tree after a commit's changes.
    pub(super) fn with(&self, changes: &[Change]) -> Self {
        let mut tree = self.clone();
        changes.iter().for_each(|change| tree.change(change));
        tree
    }

    fn change(&mut self, change: &Change) {
        let new = || File {
            size: Size::new(Vcpus(1), Bytes(1 << 30)),
            ceiling: CEILING,
            policy: "Always".to_owned(),
            garbage: false,
        };
        if change.to == Wanted::Gone {
            self.files.remove(&change.vm);
            return;
        }
        let file = self.files.entry(change.vm.clone()).or_insert_with(new);
        file.garbage = change.to == Wanted::Garbage;
        match &change.to {
            Wanted::Size(size) => file.size = *size,
            Wanted::Runs(policy) => file.policy.clone_from(policy),
            Wanted::Beyond(size) => {
                let more = |size: Size| {
                    let vcpus = size.vcpus.get().saturating_add(BEYOND.vcpus.get());
                    Size::new(Vcpus(vcpus), size.memory.saturating_add(BEYOND.memory))
                };
                (file.size, file.ceiling) = (more(*size), more(CEILING));
            }
            Wanted::Gone | Wanted::Garbage => {}
        }
        // A size below the larger ceiling's own part fits both.
        if file.size.vcpus > file.ceiling.vcpus || file.size.memory > file.ceiling.memory {
            file.ceiling = file.ceiling.max(file.size);
        }
    }

    /// The files by path.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        self.files.iter().map(|(name, file)| (format!("{name}.yaml"), file.text(name))).collect()
    }

    /// What the commit says of each VM whose file can be read.
    pub(super) fn statement(&self) -> Statement {
        let readable = self.files.iter().filter(|(_, file)| !file.garbage);
        Statement { sizes: readable.map(|(name, file)| (name.clone(), file.size)).collect() }
    }

    /// Every VM that a file names, readable or not.
    pub(super) fn vms(&self) -> impl Iterator<Item = &String> {
        self.files.keys()
    }
}

impl File {
    fn text(&self, name: &str) -> String {
        if self.garbage {
            return "kind: [".to_owned();
        }
        format!(
            "apiVersion: cloudhypervisor.quill.today/v1beta1\n\
             kind: VirtualMachine\n\
             metadata:\n  name: {name}\n\
             spec:\n  runPolicy: {}\n  instance:\n    cpu:\n      coresPerSocket: {}\n      min: 1\n      max: {}\n    \
             memory:\n      size: {}\n      min: 1Gi\n      max: {}\n",
            self.policy, self.size.vcpus, self.ceiling.vcpus, self.size.memory, self.ceiling.memory
        )
    }
}
