//! What a plan is asked about: one VM as the base has it and as the head wants it.

use std::collections::BTreeMap;

use reef_api::plan::Place;
use reef_api::{EffectivePolicy, PolicyConflict, Size, Violation, Vm, VmKey};

use crate::decide::target::Placement;

/// A VM that a commit changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Namespace and name.
    pub key: VmKey,
    /// The VM as the base has it; nothing for a new one.
    pub before: Option<Vm>,
    /// The VM as the head wants it.
    pub wanted: Wanted,
    /// Its labels, as the head wants them.
    pub labels: BTreeMap<String, String>,
    /// The policy that judges it.
    pub policy: EffectivePolicy,
    /// Fields that differ beside the size.
    pub fields: Vec<FieldChange>,
    /// `NAMESPACE/NAME` of the GitSource that is to apply it, where that is known.
    pub source: Option<String>,
    /// Where the head states it, or where the base did.
    pub place: Option<Place>,
    /// The file that stated it before, where it is another one.
    pub moved_from: Option<String>,
    /// Where its Pod may run.
    pub placement: Placement,
}

/// What the head wants of a VM.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// This.
    Stated(Box<Vm>),
    /// Something that breaks these rules, at this size.
    Invalid(Size, Vec<Violation>),
    /// Two policies claim it.
    Conflict(PolicyConflict),
    /// Nothing: it is no longer stated.
    Nothing,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its path, as `spec.runPolicy`.
    pub path: String,
    /// When it takes effect.
    pub effect: Effect,
}

/// When a field takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// At once.
    Live,
    /// When the VM is started anew.
    AtStart,
}

impl FieldChange {
    /// A field by its path: what the VMM boots from, and where the Pod is put, is fixed at the start.
    pub fn of(path: impl Into<String>) -> Self {
        let path = path.into();
        let fixed = [
            "spec.instance",
            "spec.volumes",
            "spec.networks",
            "spec.vmm",
            "spec.nodeSelector",
            "spec.affinity",
            "spec.tolerations",
        ];
        let below =
            |field: &str| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let effect = if fixed.iter().any(|field| below(field)) { Effect::AtStart } else { Effect::Live };
        Self { path, effect }
    }
}

impl Wanted {
    /// The size that it is to have, as far as that is stated.
    pub fn size(&self) -> Option<Size> {
        match self {
            Self::Stated(vm) => Some(vm.size),
            Self::Invalid(size, _) => Some(*size),
            Self::Conflict(_) | Self::Nothing => None,
        }
    }
}
