//! What the simulated parties need for a resize by themselves: the least time that any controller could take.

use std::time::Duration;

use reef_api::{GIB, Size};
use reef_sim::cluster::ClusterTimings;
use reef_sim::vmm::Spread;

/// What a guest plugs at once.
const BLOCKS_PER_GIB: u64 = 8;

/// The measured delays, each that varies pinned to the middle of its spread, so that the sum is known.
pub fn pinned() -> ClusterTimings {
    let mut timings = ClusterTimings::default();
    for spread in [
        &mut timings.node.react,
        &mut timings.node.actuate,
        &mut timings.vmm.driver_loaded,
        &mut timings.vmm.unplug,
        &mut timings.vmm.stall_resumes,
    ] {
        let middle = (spread.from + spread.to) / 2;
        *spread = Spread { from: middle, to: middle };
    }
    timings
}

/// The parties' own delays from a push on.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// Until the last request to the VMM is carried out.
    pub last_request: Duration,
    /// Until Pod, VMM and guest have the new size.
    pub settled: Duration,
}

/// The sum of the parties' own delays for a resize.
///
/// vCPUs and memory each go their way, and the longer one counts:
/// - growth: the kubelet sees the raised Pod (`react`) and carries it out (`actuate`); the VMM takes the request
///   (`request`); the guest plugs the first block (`plug_start`) and the others (`plug_block` each). vCPUs are there at once;
/// - shrink: the VMM takes the request; the guest ejects (`cpu_eject`) or unplugs (`unplug`); the kubelet sees the lowered
///   Pod and carries it out.
///
/// Where both go the same way, the VMM takes two requests one after the other. The API server, `vm.info` and Git count as
/// nothing, though they too take time that is not Reef's.
pub fn floor(timings: &ClusterTimings, from: Size, to: Size) -> Floor {
    let pod = timings.node.react.to + timings.node.actuate.to;
    let alike = (from.vcpus < to.vcpus) == (from.memory < to.memory);
    let requests = timings.vmm.request * if alike { 2 } else { 1 };
    let way = |grows: bool, guest: Duration| {
        let asked = if grows { pod + requests } else { requests };
        let done = asked + guest + if grows { Duration::ZERO } else { pod };
        Floor { last_request: asked, settled: done }
    };
    let vcpus = if from.vcpus < to.vcpus { way(true, Duration::ZERO) } else { way(false, timings.vmm.cpu_eject) };
    let memory = if from.memory < to.memory {
        way(true, plugging(timings, from, to))
    } else {
        way(false, timings.vmm.unplug.to)
    };
    Floor { last_request: vcpus.last_request.max(memory.last_request), settled: vcpus.settled.max(memory.settled) }
}

fn plugging(timings: &ClusterTimings, from: Size, to: Size) -> Duration {
    let blocks = to.memory.get().saturating_sub(from.memory.get()) / (GIB.get() / BLOCKS_PER_GIB);
    let further = u32::try_from(blocks.saturating_sub(1)).unwrap_or(u32::MAX);
    timings.vmm.plug_start + timings.vmm.plug_block * further
}
