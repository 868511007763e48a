//! The searches that are made: those that every change must pass, the full ones, and one for each guard that is left out.
//!
//! Bounds only. How long each takes stands in `docs/model.md`.

use crate::bounds::{Bounds, Caches, Guard, Limits, Starts, Telling, VcpuKind};
use crate::calm::Temper;
use crate::options::Options;
use crate::size::Level;

/// A search with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it is about.
    pub name: &'static str,
    /// Its bounds.
    pub options: Options,
}

const MEMORY: Bounds = Bounds::quiet(Level::new(0, 2), Level::new(0, 1));
const CPU: Bounds = Bounds::quiet(Level::new(2, 0), Level::new(1, 0));

fn plan(name: &'static str, bounds: Bounds) -> Plan {
    let options = Options { bounds, tempers: Temper::ALL.to_vec(), ..Options::default() };
    Plan { name, options }
}

/// The searches that every change must pass: about a minute of one CPU.
pub fn quick() -> Vec<Plan> {
    let both = Bounds::quiet(Level::new(1, 1), Level::new(0, 1));
    vec![
        plan("memory, three changes of mind, a crash, a loss", Bounds { minds: 3, crashes: 1, losses: 1, ..MEMORY }),
        plan("memory, refusals and a guest that reboots", Bounds { minds: 2, refusals: 2, upsets: 1, ..MEMORY }),
        plan(
            "memory, a kubelet that tells later",
            Bounds { minds: 2, losses: 1, refusals: 1, kubelet: Telling::Later, ..MEMORY },
        ),
        plan("memory, a second start", Bounds { minds: 2, losses: 1, upsets: 1, starts: Starts::Two, ..MEMORY }),
        plan("memory, API servers that lag", Bounds { minds: 2, crashes: 1, upsets: 1, caches: Caches::Lag, ..MEMORY }),
        plan("vCPUs by number", Bounds { minds: 2, crashes: 1, losses: 1, refusals: 1, ..CPU }),
        plan(
            "vCPUs by slots, limits looked at",
            Bounds { minds: 2, losses: 1, vcpus: VcpuKind::Slots, limits: Limits::Looked, ..CPU },
        ),
        plan("both resources, a loss", Bounds { minds: 2, losses: 1, ..both }),
        plan("both resources, a refusal", Bounds { minds: 2, refusals: 1, ..both }),
        plan("memory, a stall", Bounds { minds: 2, stalls: 1, ..MEMORY }),
        plan("memory, two stalls, a crash, a loss", Bounds { stalls: 2, crashes: 1, losses: 1, ..MEMORY }),
        plan("memory, two stalls, a refusal, an upset", Bounds { stalls: 2, refusals: 1, upsets: 1, ..MEMORY }),
        plan("vCPUs by number, two stalls", Bounds { minds: 2, stalls: 2, ..CPU }),
        plan(
            "vCPUs by slots, limits looked at, a stall",
            Bounds { minds: 2, stalls: 1, vcpus: VcpuKind::Slots, limits: Limits::Looked, ..CPU },
        ),
    ]
}

/// The searches of `make model`: some minutes.
pub fn full() -> Vec<Plan> {
    let both = Bounds::quiet(Level::new(2, 2), Level::new(1, 1));
    let small = Bounds::quiet(Level::new(1, 1), Level::new(0, 1));
    let alone = |name, bounds| Plan { name, options: Options { bounds, ..Options::default() } };
    let mut plans = quick();
    plans.extend([
        plan("both resources, a loss and a refusal", Bounds { minds: 2, losses: 1, refusals: 1, ..small }),
        plan("both resources, a stall", Bounds { minds: 2, stalls: 1, ..small }),
        plan("memory, a stall and an upset", Bounds { minds: 2, stalls: 1, upsets: 1, ..MEMORY }),
        alone("memory, a stall and a loss", Bounds { minds: 2, stalls: 1, losses: 1, ..MEMORY }),
        plan("memory, everything once", Bounds { minds: 2, crashes: 1, losses: 1, refusals: 1, upsets: 1, ..MEMORY }),
        alone(
            "memory, three changes of mind and a refusal",
            Bounds { minds: 3, crashes: 1, losses: 1, refusals: 1, ..MEMORY },
        ),
        alone("both resources in three sizes, two changes of mind", Bounds { minds: 2, ..both }),
    ]);
    plans
}

/// The bounds within which leaving a guard out breaks containment soon.
pub fn without(guard: Guard) -> Options {
    let bounds = match guard {
        Guard::AllThree | Guard::GrantsHeld | Guard::OwnWrites => Bounds { minds: 2, ..MEMORY },
        Guard::ReadAgain => Bounds { minds: 2, losses: 1, ..MEMORY },
        Guard::Preconditions | Guard::Suspects | Guard::TwoInfos => Bounds { minds: 3, losses: 1, ..MEMORY },
        Guard::Inherited => Bounds { minds: 2, crashes: 1, losses: 1, ..MEMORY },
        Guard::OneDaemon => Bounds { minds: 2, ..MEMORY },
        Guard::OwnAck => Bounds { minds: 2, crashes: 1, upsets: 1, caches: Caches::Lag, ..MEMORY },
        Guard::Pledge => Bounds { minds: 2, losses: 1, upsets: 1, caches: Caches::Lag, ..MEMORY },
        Guard::Incarnation => Bounds { minds: 2, upsets: 1, starts: Starts::Two, ..MEMORY },
    };
    Options { bounds: Bounds { without: Some(guard), ..bounds }, ..Options::default() }
}
