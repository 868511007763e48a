//! Controls of a guest by annotations of its Pod, so that `kubectl annotate` can press it.
//!
//! Nothing outside the simulation reads or writes these annotations.

use reef_api::Bytes;

use crate::node::pod::PodView;
use crate::vmm::{Behaviour, CpuEject, Plug, Pressed, Unplug};

/// What the guest's processes use in all, as a quantity: `3Gi`.
pub const GUEST_USED: &str = "sim.reef.dev/guest-used";
/// How the guest behaves: words of [`behaviour`], separated by commas.
pub const GUEST_BEHAVIOUR: &str = "sim.reef.dev/guest-behaviour";

/// What the annotations say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What the guest shall use.
    pub used: Option<Bytes>,
    /// How it shall behave.
    pub behaviour: Option<Behaviour>,
}

impl Wishes {
    /// Reads a Pod's annotations; what cannot be read counts as absent.
    #[must_use]
    pub fn of(pod: &PodView) -> Self {
        Self {
            used: pod.annotations.get(GUEST_USED).and_then(|text| text.parse().ok()),
            behaviour: pod.annotations.get(GUEST_BEHAVIOUR).map(|text| behaviour(text)),
        }
    }
}

/// The behaviour that words describe: `stalls`, `kills`, `keeps-cpus`, `never-plugs`, `never-gives-back`, `no-driver`,
/// `leaves-offline`. An unknown word changes nothing.
#[must_use]
pub fn behaviour(words: &str) -> Behaviour {
    let mut behaviour = Behaviour::default();
    for word in words.split(',').map(str::trim) {
        match word {
            "stalls" => behaviour.pressed = Pressed::Stall,
            "kills" => behaviour.pressed = Pressed::Kill,
            "keeps-cpus" => behaviour.cpu_eject = CpuEject::Never,
            "never-plugs" => behaviour.plug = Plug::Never,
            "never-gives-back" => behaviour.unplug = Unplug::Never,
            "no-driver" => behaviour.driver = false,
            "leaves-offline" => {
                behaviour.memory_online = false;
                behaviour.cpus_online = false;
            }
            unknown => tracing::warn!(word = unknown, "unknown guest behaviour"),
        }
    }
    behaviour
}
