//! How long the VMM and its guest take, in one place, with where each figure comes from.
//!
//! Must not hold behaviour: what happens is in the guest, only *when* is here.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A time that varies between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The shortest that was seen.
    pub from: Duration,
    /// The longest that was seen.
    pub to: Duration,
}

impl Spread {
    /// A spread given in milliseconds.
    #[must_use]
    pub const fn millis(from: u64, to: u64) -> Self {
        Self { from: Duration::from_millis(from), to: Duration::from_millis(to) }
    }

    /// Picks a time, to the millisecond, from a seeded generator.
    pub fn pick(&self, rng: &mut ChaCha8Rng) -> Duration {
        let from = u64::try_from(self.from.as_millis()).unwrap_or(u64::MAX);
        let to = u64::try_from(self.to.as_millis()).unwrap_or(u64::MAX).max(from);
        Duration::from_millis(rng.random_range(from..=to))
    }

    pub(crate) fn scaled(self, numerator: u32, denominator: u32) -> Self {
        Self { from: scale(self.from, numerator, denominator), to: scale(self.to, numerator, denominator) }
    }
}

/// The delays of a VMM and its guest; the default is what was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmmTimings {
    /// From the start of the process to a socket that answers. Measured on v53: well below a second.
    pub start: Duration,
    /// What the VMM needs for one request. Measured: 1-3 ms; never zero, so that no caller can spin in virtual time.
    pub request: Duration,
    /// From the start of a guest until its virtio-mem and balloon drivers are loaded. Measured: 5-10 s.
    pub driver_loaded: Spread,
    /// From marking vCPUs for removal until a guest that cooperates has ejected them. Measured: 0.3 s.
    pub cpu_eject: Duration,
    /// From adding vCPUs until the guest has put them online. Measured: below 1 s.
    pub cpu_online: Duration,
    /// From a larger requested size until the guest has plugged the first block. Measured: below 1 s.
    pub plug_start: Duration,
    /// Between two plugged blocks of 128 MiB. Measured: a growth of 1-2 GiB within 1-3 s.
    pub plug_block: Duration,
    /// A whole shrink where everything fits. Measured: 2-5 s.
    pub unplug: Spread,
    /// From memory that became free until a stalled shrink goes on by itself. Measured: 40-50 s.
    pub stall_resumes: Spread,
    /// A stalled shrink that was asked for again with another size, once memory is free. Measured: 1 s.
    pub nudged: Duration,
    /// From a request for another balloon until it has that size. Measured: about 1 s.
    pub balloon: Duration,
    /// From the guest's free until free page reporting has given it back to the host. Measured: within 8 s.
    pub free_reported: Duration,
}

impl Default for VmmTimings {
    fn default() -> Self {
        Self {
            start: Duration::from_millis(300),
            request: Duration::from_millis(2),
            driver_loaded: Spread::millis(5_000, 10_000),
            cpu_eject: Duration::from_millis(300),
            cpu_online: Duration::from_millis(300),
            plug_start: Duration::from_millis(500),
            plug_block: Duration::from_millis(150),
            unplug: Spread::millis(2_000, 5_000),
            stall_resumes: Spread::millis(40_000, 50_000),
            nudged: Duration::from_secs(1),
            balloon: Duration::from_secs(1),
            free_reported: Duration::from_secs(8),
        }
    }
}

impl VmmTimings {
    /// The same delays times `numerator / denominator`; a request still takes at least a millisecond.
    #[must_use]
    pub fn scaled(&self, numerator: u32, denominator: u32) -> Self {
        let by = |time: Duration| scale(time, numerator, denominator);
        Self {
            start: by(self.start),
            request: by(self.request),
            driver_loaded: self.driver_loaded.scaled(numerator, denominator),
            cpu_eject: by(self.cpu_eject),
            cpu_online: by(self.cpu_online),
            plug_start: by(self.plug_start),
            plug_block: by(self.plug_block),
            unplug: self.unplug.scaled(numerator, denominator),
            stall_resumes: self.stall_resumes.scaled(numerator, denominator),
            nudged: by(self.nudged),
            balloon: by(self.balloon),
            free_reported: by(self.free_reported),
        }
    }
}

/// One delay times `numerator / denominator`, at least a millisecond: the timer's grain.
pub(crate) fn scale(time: Duration, numerator: u32, denominator: u32) -> Duration {
    let scaled = time.saturating_mul(numerator).checked_div(denominator.max(1)).unwrap_or(time);
    scaled.max(Duration::from_millis(1))
}
