//! One connection to a QEMU, and what never changes while it lasts.
//!
//! Knows the commands and how their answers are read; which are sent, and when, is told by its owner.

use super::super::{Dial, Peer, Qmp, VmmError, VmmLimits, connect};
use super::memory::{self, Memory};
use super::slots::{self, Slots};
use super::{names, read};
use crate::decide::MachineState;
use crate::decide::accounting::ConnectionId;
use reef_api::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

const STATUS: &str = "query-status";
const KVM: &str = "query-kvm";
const OBJECTS: &str = "qom-list";

#[derive(Deserialize)]
struct RawStatus {
    status: String,
}

#[derive(Deserialize)]
struct RawKvm {
    enabled: bool,
}

#[derive(Deserialize)]
struct RawProperty {
    name: String,
}

/// How the machine's instructions are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accelerator {
    /// By the processor.
    Kvm,
    /// By QEMU itself.
    Emulated,
}

/// An open connection.
pub(super) struct Session {
    /// Its number in the order of opening.
    pub(super) id: ConnectionId,
    /// The client.
    pub(super) qmp: Qmp,
    accelerator: Accelerator,
    base: Bytes,
    balloon: bool,
}

impl Session {
    /// Connects, checks who listens where that can be known, and reads what never changes.
    pub(super) async fn open(
        dial: &dyn Dial,
        socket: &Path,
        peer: &Peer,
        id: ConnectionId,
        limits: VmmLimits,
    ) -> Result<Self, VmmError> {
        let stream = connect(dial, socket, peer, limits).await?;
        let mut qmp = Qmp::open(stream, limits).await?;
        let RawKvm { enabled } = read(KVM, qmp.execute(KVM, Value::Null).await?)?;
        let base = memory::base(qmp.execute(memory::SUMMARY, Value::Null).await?)?;
        let balloon = turn_statistics_on(&mut qmp).await?;
        let accelerator = if enabled { Accelerator::Kvm } else { Accelerator::Emulated };
        Ok(Self { id, qmp, accelerator, base, balloon })
    }

    /// Whether the machine takes a resize.
    pub(super) async fn state(&mut self) -> Result<MachineState, VmmError> {
        let RawStatus { status } = read(STATUS, self.qmp.execute(STATUS, Value::Null).await?)?;
        Ok(state(&status))
    }

    /// The places for vCPUs.
    pub(super) async fn slots(&mut self) -> Result<Slots, VmmError> {
        Slots::read(self.qmp.execute(slots::COMMAND, Value::Null).await?)
    }

    /// The memory.
    pub(super) async fn memory(&mut self) -> Result<Memory, VmmError> {
        memory::memory(self.base, self.qmp.execute(memory::DEVICES, Value::Null).await?)
    }

    /// What the guest says of itself, as the balloon tells it; `None` where there is no balloon, or none that tells.
    pub(super) async fn statistics(&mut self) -> Result<Option<Value>, VmmError> {
        if !self.balloon {
            return Ok(None);
        }
        let asked = json!({ "path": names::path(names::BALLOON), "property": "guest-stats" });
        match self.qmp.execute(super::statistics::COMMAND, asked).await {
            Err(VmmError::Refused { .. }) => Ok(None),
            told => told.map(Some),
        }
    }

    /// Whether another vCPU would end the machine: the emulation of QEMU 7.2 keeps pointers to a vCPU that was removed,
    /// and follows them when one is added. KVM is not concerned.
    pub(super) async fn is_spent(&mut self) -> Result<bool, VmmError> {
        match self.accelerator {
            Accelerator::Kvm => Ok(false),
            Accelerator::Emulated => self.removal_is_marked().await,
        }
    }

    /// Leaves a mark in an emulated machine that a removal of a vCPU was asked for, which outlives this process.
    pub(super) async fn mark_removal(&mut self) -> Result<(), VmmError> {
        if self.accelerator == Accelerator::Kvm || self.removal_is_marked().await? {
            return Ok(());
        }
        let mark = json!({ "qom-type": "secret", "id": names::REMOVAL_MARK, "data": "yes" });
        self.qmp.execute("object-add", mark).await.map(drop)
    }

    async fn removal_is_marked(&mut self) -> Result<bool, VmmError> {
        let objects = self.qmp.execute(OBJECTS, json!({ "path": "/objects" })).await?;
        let objects: Vec<RawProperty> = read(OBJECTS, objects)?;
        Ok(objects.iter().any(|object| object.name == names::REMOVAL_MARK))
    }
}

/// Has the balloon ask the guest for its statistics. Whether there is a balloon that does.
async fn turn_statistics_on(qmp: &mut Qmp) -> Result<bool, VmmError> {
    let (path, property) = (names::path(names::BALLOON), "guest-stats-polling-interval");
    let asked = json!({ "path": path, "property": property, "value": names::STATISTICS_SECONDS });
    match qmp.execute("qom-set", asked).await {
        Ok(_) => Ok(true),
        Err(VmmError::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A state that is not known is no reason to ask for anything. In those that count as paused the vCPUs stand still and
/// can go on: what is plugged meanwhile takes effect then.
fn state(text: &str) -> MachineState {
    match text {
        "running" => MachineState::Running,
        "paused" | "suspended" | "io-error" | "watchdog" | "debug" => MachineState::Paused,
        _ => MachineState::NotRunning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_machine_that_runs_or_can_go_on_takes_a_resize() {
        assert_eq!(state("running"), MachineState::Running);
        assert_eq!(state("paused"), MachineState::Paused);
        for other in ["prelaunch", "inmigrate", "finish-migrate", "postmigrate", "shutdown", "guest-panicked", "moon"] {
            assert_eq!(state(other), MachineState::NotRunning, "{other}");
        }
    }
}
