//! Why a VM has the size that it has: who asked, which rules decide, how far it has come, what it waits for, and what would help.

mod help;
mod policy;
mod text;

use jiff::Timestamp;
use reef_api::{EffectivePolicy, PolicyConflict, VirtualMachine};
use serde::Serialize;

use super::VmView;
use super::past::{CloneAtHand, CommitView, Past};

pub use policy::PolicyView;
pub use text::text;

/// A VM, and why it is so.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The VM as `reef status` tells it.
    #[serde(flatten)]
    pub vm: VmView,
    /// What Git says of the size.
    pub git: Asked,
    /// The rules that hold for it.
    pub policy: PolicyView,
    /// What would help, the best first.
    pub helps: Vec<String>,
}

/// What a clone says of the size that is asked for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Whether a clone is at hand.
    pub clone: CloneAtHand,
    /// The commit that changed the VM last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitView>,
    /// The commit since which the file states this size, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_since: Option<SizeSince>,
}

/// Where and since when the file states a size.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SizeSince {
    /// The commit.
    pub commit: CommitView,
    /// Line of the vCPUs in it.
    pub vcpus_line: u32,
    /// Line of the memory in it.
    pub memory_line: u32,
}

impl Explained {
    /// Puts together what cluster and clone tell.
    pub fn of(
        vm: &VirtualMachine,
        view: VmView,
        policy: &Result<EffectivePolicy, PolicyConflict>,
        past: &Past,
        now: Timestamp,
    ) -> Self {
        let rules = PolicyView::of(vm, policy);
        let commit = view.asked_by.commit.as_deref().and_then(|id| past.commit(id));
        // Without the newest commit something may lie between, and what a shallow clone begins with may be older than it looks.
        let whole = commit.is_some() && !(past.cut && past.sizes.len() == 1);
        let newest = past.sizes.first().filter(|past| whole && past.size == view.desired);
        let git = Asked {
            clone: past.clone,
            commit,
            size_since: newest.map(|past| SizeSince {
                commit: CommitView::from(&past.commit),
                vcpus_line: past.vcpus_line,
                memory_line: past.memory_line,
            }),
        };
        let helps = help::helps(vm, &view, &rules, now);
        Self { vm: view, git, policy: rules, helps }
    }
}
