//! Why a change goes as it does: the rule, the limit, what was found, and what would help.

use crate::validate::Violation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What decides about a change; the closed list that SARIF calls rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Rule {
    /// It fits, and this is how.
    Fits,
    /// A field is not valid.
    Invalid,
    /// The size lies outside of what its policy allows.
    Policy,
    /// A rule that the policy's owner wrote does not allow it.
    PolicyRule,
    /// The policy protects the VM.
    Protected,
    /// It needs a restart, which the policy forbids.
    RestartForbidden,
    /// The commit asks for more than the policy allows for one.
    Budget,
    /// Two policies match the VM, and neither is more specific.
    PolicyConflict,
    /// A field takes effect when the VM is started anew.
    AtRestart,
    /// The size lies outside what the VM booted with.
    BootLayout,
    /// What the VM runs on cannot do it while it runs.
    Hypervisor,
    /// The node can never hold it.
    NodeCapacity,
    /// The node has no room at present.
    NodeRoom,
    /// There is room for some of the commit's changes, and not for all.
    Contended,
    /// No node can take it.
    NoNode,
    /// A quota of the namespace does not allow it.
    Quota,
    /// A limit range of the namespace does not allow it.
    LimitRange,
    /// Another source states the VM.
    OtherSource,
    /// The VM does not run, or nothing is known of it.
    NotRunning,
    /// Nothing is known that could tell.
    NotJudged,
    /// The VM is no longer stated.
    Removed,
    /// Somebody keeps what Git states from the VM.
    Suspended,
}

impl Rule {
    /// Every rule, in the order of this file.
    pub const ALL: [Self; 22] = [
        Self::Fits,
        Self::Invalid,
        Self::Policy,
        Self::PolicyRule,
        Self::Protected,
        Self::RestartForbidden,
        Self::Budget,
        Self::PolicyConflict,
        Self::AtRestart,
        Self::BootLayout,
        Self::Hypervisor,
        Self::NodeCapacity,
        Self::NodeRoom,
        Self::Contended,
        Self::NoNode,
        Self::Quota,
        Self::LimitRange,
        Self::OtherSource,
        Self::NotRunning,
        Self::NotJudged,
        Self::Removed,
        Self::Suspended,
    ];

    /// What the rule says, in a sentence that is true of every finding of it.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Fits => "The change fits.",
            Self::Invalid => "A field is not valid.",
            Self::Policy => "The size lies outside of what the VM's SizingPolicy allows.",
            Self::PolicyRule => "A rule of the VM's SizingPolicy does not allow the change.",
            Self::Protected => "The VM's SizingPolicy protects it from changes.",
            Self::RestartForbidden => "The change needs a restart, which the VM's SizingPolicy forbids.",
            Self::Budget => "The commit asks for more than the VM's SizingPolicy allows for one.",
            Self::PolicyConflict => "Two SizingPolicies match the VM, and neither is more specific.",
            Self::AtRestart => "A field takes effect when the VM is started anew.",
            Self::BootLayout => "The size lies outside what the VM booted with.",
            Self::Hypervisor => "What the VM runs on cannot do this while the VM runs.",
            Self::NodeCapacity => "The VM's node can never hold the size.",
            Self::NodeRoom => "The VM's node has no room for the size at present.",
            Self::Contended => "There is room for some of the changes, and not for all of them.",
            Self::NoNode => "No node can take the VM.",
            Self::Quota => "A ResourceQuota of the namespace does not allow it.",
            Self::LimitRange => "A LimitRange of the namespace does not allow it.",
            Self::OtherSource => "Another GitSource states the VM.",
            Self::NotRunning => "The VM does not run.",
            Self::NotJudged => "Nothing is known that could tell.",
            Self::Removed => "The VM is no longer stated; it is kept.",
            Self::Suspended => "The VM or its GitSource is suspended: nothing that Git states is applied.",
        }
    }
}

/// Why a change goes as it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// In a sentence, with limit and value found.
    pub message: String,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// The value that it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What would make it possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The field concerned, as `spec.instance.memory.size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where that field stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Finding {
    /// A finding that says what happens, and breaks no limit.
    pub fn says(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), limit: None, found: None, remedy: None, path: None, place: None }
    }

    /// What is wrong with a field.
    pub fn of(rule: Rule, violation: &Violation) -> Self {
        let Violation { path, found, limit, remedy } = violation;
        let finding =
            Self::says(rule, format!("{path} is {found}, but {limit}")).against(limit, found).remedied(remedy);
        Self { path: Some((*path).to_owned()), ..finding }
    }

    /// The same with limit and value found.
    #[must_use]
    pub fn against(self, limit: impl Into<String>, found: impl Into<String>) -> Self {
        Self { limit: Some(limit.into()), found: Some(found.into()), ..self }
    }

    /// The same with what would help.
    #[must_use]
    pub fn remedied(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// A place in the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The file, by its path from the root of the repository.
    pub file: String,
    /// The line, from 1; nothing for the file as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}
