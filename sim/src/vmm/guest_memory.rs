//! What the guest does about its memory: plugs, unplugs, stalls, loses a process, and what the host sees of its use.
//!
//! Must not touch vCPUs.

use std::time::Duration;

use rand::RngExt;

use super::config::MIB;
use super::guest::{Guest, IDLE_BYTES, Plug, Pressed, Todo, Unplug};
use super::memory::{DEVICE_BLOCK_BYTES, MEMORY_BLOCK_BYTES, Memory};

/// What the VMM process itself holds beside the guest's memory. Measured: some tens of MiB.
const VMM_BYTES: u64 = 48 * MIB;

impl Guest {
    /// Processes in the guest now use so many bytes. More than the guest has ends one of them.
    pub fn set_used(&mut self, used: u64, memory: &Memory, reports_free: bool) {
        let fell = used < self.used;
        self.used = used;
        if used > memory.given() {
            self.kill();
            self.used = self.used.min(memory.given());
        }
        self.resident = self.resident.max(self.used);
        if fell && self.stalled {
            let after = self.timings.stall_resumes.pick(&mut self.rng);
            self.moving = None;
            self.plan(after, Todo::MoveMemory);
        }
        if self.used < self.resident && reports_free {
            self.plan(self.timings.free_reported, Todo::ReportFree);
        }
    }

    /// What the VMM's process holds on the host, in bytes: rises by up to a block while a shrink moves pages aside.
    #[must_use]
    pub fn resident_bytes(&self, memory: &Memory) -> u64 {
        let shrinking = self.moving.is_some() && memory.requested < memory.plugged;
        let aside = if shrinking { MEMORY_BLOCK_BYTES } else { 0 };
        self.resident.saturating_add(aside).min(memory.given()).saturating_add(VMM_BYTES)
    }

    /// The OOM killer ends the process that holds the memory.
    fn kill(&mut self) {
        self.oom_kills = self.oom_kills.saturating_add(1);
        self.used = self.used.min(IDLE_BYTES);
        self.plan(self.timings.free_reported, Todo::ReportFree);
    }

    pub(super) fn load_driver(&mut self, memory: &Memory) {
        self.driver_loaded = self.behaviour.driver;
        self.told_memory(memory);
    }

    /// After a change of behaviour: a driver that is there by now follows at once.
    pub(super) fn driver_came(&mut self, memory: &Memory) {
        if !self.is_planned(Todo::LoadDriver) {
            self.load_driver(memory);
        }
    }

    /// Plans the first move towards what the devices now ask for.
    pub(super) fn told_memory(&mut self, memory: &Memory) {
        if !self.driver_loaded {
            return;
        }
        if memory.balloon_requested != memory.balloon {
            self.plan(self.timings.balloon, Todo::InflateBalloon);
        }
        if memory.requested > memory.plugged {
            self.stalled = false;
            self.moving = Some(self.timings.plug_block);
            self.plan(self.timings.plug_start, Todo::MoveMemory);
        } else if memory.requested < memory.plugged {
            let whole = if self.stalled { self.timings.nudged } else { self.timings.unplug.pick(&mut self.rng) };
            self.stalled = false;
            self.start_unplug(whole, memory);
        }
    }

    fn start_unplug(&mut self, whole: Duration, memory: &Memory) {
        let size = memory.plugged.saturating_sub(memory.requested);
        let blocks = u32::try_from(size.div_ceil(MEMORY_BLOCK_BYTES)).unwrap_or(u32::MAX).max(1);
        let each = whole / blocks;
        self.moving = Some(each);
        self.plan(each, Todo::MoveMemory);
    }

    /// Moves one block, and plans the next.
    pub(super) fn move_memory(&mut self, memory: &mut Memory) {
        if memory.requested > memory.plugged {
            self.plug_block(memory);
        } else if memory.requested < memory.plugged {
            if self.moving.is_none() {
                self.stalled = false;
                self.start_unplug(self.timings.nudged, memory);
            } else {
                self.unplug_block(memory);
            }
        } else {
            self.moving = None;
        }
        if memory.requested == memory.plugged {
            self.moving = None;
            self.stalled = false;
        }
    }

    fn plug_block(&mut self, memory: &mut Memory) {
        let reach = match self.behaviour.plug {
            Plug::All => memory.requested,
            Plug::UpTo(limit) => memory.requested.min(limit),
            Plug::Never => memory.plugged,
        };
        let before = memory.plugged;
        memory.plugged = before.saturating_add(MEMORY_BLOCK_BYTES).min(reach).max(before);
        self.go_on(memory.plugged != before);
    }

    fn unplug_block(&mut self, memory: &mut Memory) {
        let before = memory.plugged;
        let pinned = match self.behaviour.unplug {
            Unplug::All => 0,
            Unplug::DownTo(floor) => floor,
            Unplug::Never => before,
        };
        let wish = before.saturating_sub(MEMORY_BLOCK_BYTES).max(memory.requested);
        if wish < self.needed(memory) && wish >= pinned && self.loses_a_process() {
            self.kill();
        }
        memory.plugged = wish.max(self.needed(memory)).max(pinned).min(before);
        self.resident = self.resident.min(memory.given());
        self.go_on(memory.plugged == wish);
        self.stalled = memory.plugged != wish;
    }

    /// The smallest plugged size that holds what is in use.
    fn needed(&self, memory: &Memory) -> u64 {
        let taken = self.used.saturating_add(memory.balloon);
        taken.saturating_sub(memory.unplugged_base()).next_multiple_of(DEVICE_BLOCK_BYTES)
    }

    fn loses_a_process(&mut self) -> bool {
        match self.behaviour.pressed {
            Pressed::Seeded => self.rng.random_ratio(5, 7),
            Pressed::Kill => true,
            Pressed::Stall => false,
        }
    }

    fn go_on(&mut self, moved: bool) {
        match self.moving.filter(|_| moved) {
            Some(interval) => self.plan(interval, Todo::MoveMemory),
            None => self.moving = None,
        }
    }

    /// The balloon takes what the guest does not use.
    pub(super) fn inflate(&mut self, memory: &mut Memory) {
        let whole = memory.given().saturating_add(memory.balloon);
        memory.balloon = memory.balloon_requested.min(whole.saturating_sub(self.used));
        self.resident = self.resident.min(memory.given());
    }
}
