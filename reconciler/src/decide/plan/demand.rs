//! What a change asks of the cluster's room, once it is known to be allowed at all.

use reef_api::PodSize;
use reef_api::facts::Claim;

/// What a change asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Demand {
    /// No room: nothing of its Pod changes.
    #[default]
    Nothing,
    /// Another size for a Pod that runs.
    Grown {
        /// Its node.
        node: String,
        /// What the kubelet has set aside for it.
        from: PodSize,
        /// What it is to become.
        to: PodSize,
    },
    /// A Pod that is yet to be put on a node.
    Placed {
        /// What it needs.
        pod: PodSize,
        /// The node and the size of the Pod that goes first, where one does.
        instead_of: Option<(String, PodSize)>,
        /// Where it went, once that is found.
        node: Option<String>,
    },
    /// A Pod that goes.
    Gone {
        /// Its node.
        node: String,
        /// What it gives back.
        from: PodSize,
    },
}

impl Demand {
    /// How much more a running Pod is to have.
    pub(super) fn more(&self) -> Claim {
        match self {
            Self::Grown { from, to, .. } => Claim::from(*to).less(Claim::from(*from)),
            Self::Nothing | Self::Placed { .. } | Self::Gone { .. } => Claim::default(),
        }
    }

    /// How much a running Pod gives back.
    pub(super) fn back(&self) -> Claim {
        match self {
            Self::Grown { from, to, .. } => Claim::from(*from).less(Claim::from(*to)),
            Self::Gone { from, .. } => Claim::from(*from),
            Self::Nothing | Self::Placed { .. } => Claim::default(),
        }
    }

    /// The nodes that have other room with it, each once.
    pub(super) fn touched(&self) -> impl Iterator<Item = &str> {
        let (one, other) = match self {
            Self::Grown { node, .. } | Self::Gone { node, .. } => (Some(node.as_str()), None),
            Self::Placed { instead_of, node, .. } => {
                (instead_of.as_ref().map(|(old, _)| old.as_str()), node.as_deref())
            }
            Self::Nothing => (None, None),
        };
        one.into_iter().chain(other.filter(|other| one != Some(*other)))
    }

    /// The node of a Pod that runs.
    pub(super) fn node(&self) -> Option<&str> {
        match self {
            Self::Grown { node, .. } | Self::Gone { node, .. } => Some(node),
            Self::Nothing | Self::Placed { .. } => None,
        }
    }
}
