//! The script of the tour: what is pushed, what happens in a guest, and how each step is expected to end.
//!
//! Plain data; the guide carries it out.

use reef_api::{Bytes, MIB, Reason, Size, Vcpus};

use super::expect::Expect;
use crate::demo::example::VMS;

/// One step of the tour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it shows, in a few words.
    pub title: &'static str,
    /// What is done, one after the other.
    pub acts: Vec<Act>,
}

/// One thing that is done, or waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Commit and push.
    Push {
        /// First line of the commit's message.
        subject: &'static str,
        /// What the commit changes.
        edits: Vec<Edit>,
    },
    /// Commit on a branch of its own, and plan what the branch would change.
    Propose {
        /// The branch.
        branch: &'static str,
        /// First line of the commit's message.
        subject: &'static str,
        /// What the commit changes.
        edits: Vec<Edit>,
    },
    /// Merge the branch that was planned last. What the merge brings has to be what was planned.
    Merge,
    /// Take the last push back, by a commit.
    Revert,
    /// Processes in the guest of this VM now use so much memory.
    Guest {
        /// The VM.
        vm: &'static str,
        /// The use.
        used: Bytes,
    },
    /// Wait until all of it holds.
    Until(Vec<Expect>),
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The VM gets another size.
    Size {
        /// The VM.
        vm: &'static str,
        /// Its new size.
        size: Size,
    },
    /// A line is put at the end of a file.
    Append {
        /// The file.
        file: &'static str,
        /// The line.
        line: &'static str,
    },
    /// A VM like another one is added.
    Create {
        /// The file of the new VM.
        file: &'static str,
        /// The file that it is copied from.
        like: &'static str,
        /// The name in that file.
        from: &'static str,
        /// The new name.
        to: &'static str,
    },
    /// A file is removed.
    Remove {
        /// The file.
        file: &'static str,
    },
}

const fn size(vcpus: u32, mib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(mib * MIB.get()))
}

/// The sizes of the example, in the order of [`VMS`].
const FIRST: [Size; 8] = [
    size(1, 1024),
    size(1, 1024),
    size(2, 2048),
    size(2, 2048),
    size(4, 8192),
    size(2, 4096),
    size(2, 2048),
    size(2, 2048),
];

/// What `web-1` has after the shrink.
const WEB_1: Size = size(2, 3584);

/// What `db-2` has after the mixed change.
const DB_2: Size = size(4, 3584);

/// What all VMs grow to in one commit; so little that a revert, which takes memory by steps, lasts seconds, and that it fits wherever the scheduler placed them.
const GROWN: [Size; 8] = [
    size(1, 1536),
    size(1, 1536),
    size(3, 2560),
    size(3, 2560),
    size(4, 8704),
    size(4, 4096),
    size(3, 4096),
    size(3, 2560),
];

/// Every VM as the repository has it at first.
pub fn boot() -> Stage {
    let settled = VMS.iter().zip(FIRST).map(|(vm, size)| Expect::Settled { vm, size });
    Stage { title: "eight VMs boot", acts: vec![Act::Until(settled.chain([Expect::Clean]).collect())] }
}

/// All steps.
pub fn stages() -> Vec<Stage> {
    vec![
        one("a growth", "web-1: four vCPUs and 4Gi for the sale", "web-1", size(4, 4096)),
        one("a shrink", "web-1: back to two vCPUs, and half a gibibyte less", "web-1", WEB_1),
        one("CPU up and memory down at once", "db-2: more vCPUs, less memory", "db-2", DB_2),
        eight(),
        revert(),
        infeasible(),
        unreadable(),
        pressure(),
        created_and_removed(),
        pull_request(),
    ]
}

fn push(subject: &'static str, edits: Vec<Edit>) -> Act {
    Act::Push { subject, edits }
}

fn settled(vm: &'static str, size: Size) -> Expect {
    Expect::Settled { vm, size }
}

fn one(title: &'static str, subject: &'static str, vm: &'static str, size: Size) -> Stage {
    let pushed = push(subject, vec![Edit::Size { vm, size }]);
    Stage { title, acts: vec![pushed, Act::Until(vec![settled(vm, size), Expect::Clean])] }
}

fn all(sizes: [Size; 8]) -> Act {
    Act::Until(VMS.iter().zip(sizes).map(|(vm, size)| settled(vm, size)).chain([Expect::Clean]).collect())
}

fn eight() -> Stage {
    let edits = VMS.iter().zip(GROWN).map(|(vm, size)| Edit::Size { vm, size }).collect();
    Stage {
        title: "eight VMs in one commit",
        acts: vec![push("all VMs: 512Mi more, and a vCPU for ci and web", edits), all(GROWN)],
    }
}

fn revert() -> Stage {
    let [batch_1, batch_2, ci_1, ci_2, db_1, _, _, web_2] = FIRST;
    let before = [batch_1, batch_2, ci_1, ci_2, db_1, DB_2, WEB_1, web_2];
    Stage { title: "a revert", acts: vec![Act::Revert, all(before)] }
}

fn infeasible() -> Stage {
    let (wanted, kept) = (size(24, 1024), size(1, 1024));
    Stage {
        title: "a change that the node cannot hold: refused, and taken back",
        acts: vec![
            push("batch-1: 24 vCPUs", vec![Edit::Size { vm: "batch-1", size: wanted }]),
            Act::Until(vec![Expect::Keeps { vm: "batch-1", size: kept, reason: Reason::Infeasible }]),
            Act::Revert,
            Act::Until(vec![settled("batch-1", kept), Expect::Clean]),
        ],
    }
}

fn unreadable() -> Stage {
    let (file, db_2) = ("teams/web/web-2.yaml", size(2, 4096));
    let slip = Edit::Append { file, line: "    - name: [storage" };
    Stage {
        title: "a file that does not parse: everything else goes on",
        acts: vec![
            push("web-2 and db-2, with a slip of the pen", vec![slip, Edit::Size { vm: "db-2", size: db_2 }]),
            Act::Until(vec![
                Expect::Reported { file },
                settled("db-2", db_2),
                Expect::Untouched { vm: "web-2", size: size(2, 2048) },
            ]),
            Act::Revert,
            Act::Until(vec![Expect::Clean, settled("db-2", DB_2), settled("web-2", size(2, 2048))]),
        ],
    }
}

fn pressure() -> Stage {
    let (before, after) = (size(4, 8192), size(4, 7168));
    Stage {
        title: "a shrink below what the guest uses: waits, and goes on when the guest lets go",
        acts: vec![
            Act::Guest { vm: "db-1", used: Bytes(7680 * MIB.get()) },
            push("db-1: a gibibyte less", vec![Edit::Size { vm: "db-1", size: after }]),
            Act::Until(vec![Expect::Keeps { vm: "db-1", size: before, reason: Reason::GuestPressure }]),
            Act::Guest { vm: "db-1", used: Bytes(1024 * MIB.get()) },
            Act::Until(vec![settled("db-1", after), Expect::Clean]),
        ],
    }
}

fn created_and_removed() -> Stage {
    let edits = vec![
        Edit::Create { file: "teams/ci/ci-3.yaml", like: "teams/ci/ci-1.yaml", from: "ci-1", to: "ci-3" },
        Edit::Remove { file: "teams/ci/ci-2.yaml" },
    ];
    let kept = Expect::KeptAfterRemoval { vm: "ci-2", size: size(2, 2048) };
    let ends = vec![settled("ci-3", size(2, 2048)), kept, Expect::Clean];
    Stage {
        title: "a VM created, and one removed from Git: kept and reported",
        acts: vec![push("ci: ci-3 takes the place of ci-2", edits), Act::Until(ends)],
    }
}

fn pull_request() -> Stage {
    // As little as all VMs grew to before, so that it fits wherever the scheduler placed them.
    let (web, batch) = (size(3, 4096), size(1, 1536));
    let edits = [("web-1", web), ("web-2", web), ("batch-1", batch)].map(|(vm, size)| Edit::Size { vm, size });
    let ends = vec![settled("web-1", web), settled("web-2", web), settled("batch-1", batch), Expect::Clean];
    Stage {
        title: "a pull request: planned before the merge, and as planned after it",
        acts: vec![
            Act::Propose { branch: "sale", subject: "web and batch: ready for the sale", edits: edits.into() },
            Act::Merge,
            Act::Until(ends),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::changes::sized;
    use super::*;
    use crate::demo::example::FILES;

    #[test]
    fn the_first_sizes_are_those_of_the_example() {
        for (vm, size) in VMS.iter().zip(FIRST) {
            let unchanged =
                FILES.iter().any(|file| sized(file.path, file.text, vm, size).is_ok_and(|text| text == file.text));
            assert!(unchanged, "{vm} is not {size} in the example");
        }
    }

    #[test]
    fn a_request_asks_for_no_vcpu_that_might_not_fit() {
        let stage = pull_request();
        let edits =
            stage.acts.iter().find_map(|act| if let Act::Propose { edits, .. } = act { Some(edits) } else { None });
        for edit in edits.into_iter().flatten() {
            let Edit::Size { vm, size } = edit else { continue };
            let grown = VMS.iter().zip(GROWN).find(|(name, _)| *name == vm).map(|(_, grown)| grown.vcpus);
            assert!(Some(size.vcpus) <= grown, "{vm}: {} and {grown:?}", size.vcpus);
        }
    }

    #[test]
    fn every_step_ends_with_a_claim() {
        for stage in stages() {
            assert!(matches!(stage.acts.last(), Some(Act::Until(claims)) if !claims.is_empty()), "{}", stage.title);
        }
    }
}
