//! The ways in which a VM may be held: it does not get what was asked for while it runs, for one reason or several. Words only.

/// How a VM is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Its node has no room at present.
    Deferred,
    /// Its node can never hold it.
    Infeasible,
    /// It has to be started anew.
    Restart,
    /// Its policy forbids it.
    Blocked,
    /// A quota, an admission, a missing right or the VMM refuses it.
    Refused,
    /// Its guest uses too much to be shrunk.
    Pressure,
    /// Its guest has not followed for a long time.
    Stalled,
    /// Its guest followed in part, and the rest was given up.
    Partial,
    /// Somebody has suspended it.
    Suspended,
}

impl Mode {
    /// Every mode.
    pub(crate) const ALL: [Self; 9] = [
        Self::Deferred,
        Self::Infeasible,
        Self::Restart,
        Self::Blocked,
        Self::Refused,
        Self::Pressure,
        Self::Stalled,
        Self::Partial,
        Self::Suspended,
    ];

    /// The word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Deferred => "Deferred",
            Self::Infeasible => "Infeasible",
            Self::Restart => "Restart",
            Self::Blocked => "Blocked",
            Self::Refused => "Refused",
            Self::Pressure => "Pressure",
            Self::Stalled => "Stalled",
            Self::Partial => "Partial",
            Self::Suspended => "Suspended",
        }
    }
}
