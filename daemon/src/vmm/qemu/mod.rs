//! QEMU, by QMP on a unix socket: vCPUs go in and out slot by slot, memory by one virtio-mem device.
//!
//! QEMU keeps no number of vCPUs that was asked for: a slot holds a vCPU or it does not, also while its guest is asked to
//! let it go. What was asked for is remembered here, for as long as this process lives; forgotten, it is the number that
//! is present, and the decision asks again. A repeated request does no harm.

mod memory;
pub mod names;
mod session;
mod slots;
mod statistics;

use super::qmp::Event;
use super::{Dial, Peer, Vmm, VmmError, VmmLimits, VmmReport};
use crate::decide::VcpuDevice;
use crate::decide::accounting::ConnectionId;
use crate::decide::classify::RefusalKind;
use futures::FutureExt;
use futures::future::BoxFuture;
use reef_api::vm::BootStatus;
use reef_api::{Bytes, Vcpus};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use session::Session;
use statistics::Statistics;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::time::Instant;

const DEVICE_DEL: &str = "device_del";

/// A QEMU that runs one VM.
pub struct Qemu {
    dial: Arc<dyn Dial>,
    socket: PathBuf,
    peer: Peer,
    limits: VmmLimits,
    opened: u64,
    session: Option<Session>,
    /// The number that vCPUs were last asked to shrink to, while the guest has not said no.
    asked: Option<Vcpus>,
    statistics: Statistics,
}

impl Qemu {
    /// Makes a client; nothing is connected yet. Nothing is sent unless `peer` listens, as far as the dial can tell.
    pub fn new(dial: Arc<dyn Dial>, socket: PathBuf, peer: Peer, limits: VmmLimits) -> Self {
        Self { dial, socket, peer, limits, opened: 0, session: None, asked: None, statistics: Statistics::default() }
    }

    /// The open connection, or a new one. It is out of `self` while a command is on its way, so that whoever gives the
    /// command up gives the connection up as well.
    async fn connect(&mut self) -> Result<Session, VmmError> {
        if let Some(open) = self.session.take() {
            return Ok(open);
        }
        self.opened = self.opened.saturating_add(1);
        Session::open(self.dial.as_ref(), &self.socket, &self.peer, ConnectionId(self.opened), self.limits).await
    }

    /// Keeps the connection after an answer, and drops it after anything else.
    fn keep<T>(&mut self, open: Session, outcome: Result<T, VmmError>) -> Result<T, VmmError> {
        match outcome {
            Ok(_) | Err(VmmError::Refused { .. }) => self.session = Some(open),
            Err(_) => self.asked = None,
        }
        outcome
    }

    async fn read(&mut self, open: &mut Session) -> Result<VmmReport, VmmError> {
        let state = open.state().await?;
        let slots = open.slots().await?;
        let memory = open.memory().await?;
        let guest = match open.statistics().await? {
            Some(told) => self.statistics.read(told, Instant::now())?,
            None => None,
        };
        let spent = open.is_spent().await?;
        let present = slots.present();
        let refused = open.qmp.take_events().iter().any(is_refused_removal);
        let vcpus_refused = if refused { self.asked.take() } else { None };
        self.asked = self.asked.filter(|asked| *asked < present);
        Ok(VmmReport {
            connection: open.id,
            version: format!("QEMU {}", open.qmp.version()),
            state,
            vcpus_requested: self.asked.unwrap_or(present),
            vcpus_present: Some(present),
            vcpu_device: if spent { VcpuDevice::SpentSlots } else { VcpuDevice::Slots },
            vcpus_refused,
            memory_requested: memory.requested,
            memory_actual: memory.actual,
            memory_device: memory.device,
            guest,
            boot: BootStatus {
                min_vcpus: slots.boot(),
                max_vcpus: slots.most(),
                min_memory: memory.least,
                max_memory: memory.most,
            },
        })
    }

    /// Adds or removes what is missing or too much, one slot after the other. Given up half-way, the next look shows how far it came.
    async fn steer(&mut self, open: &mut Session, wanted: Vcpus) -> Result<(), VmmError> {
        let slots = open.slots().await?;
        open.qmp.take_events();
        self.asked = None;
        let additions = slots.additions(wanted);
        if !additions.is_empty() && open.is_spent().await? {
            return Err(spent());
        }
        for device in additions {
            open.qmp.execute("device_add", device).await?;
        }
        let removals = slots.removals(wanted);
        if !removals.is_empty() {
            open.mark_removal().await?;
        }
        for path in &removals {
            remove(open, path).await?;
        }
        self.asked = Some(wanted).filter(|_| !removals.is_empty());
        Ok(())
    }

    async fn plug(&mut self, open: &mut Session, memory: Bytes) -> Result<(), VmmError> {
        let least = open.memory().await?.least;
        let added = memory.checked_sub(least).ok_or(VmmError::Absurd {
            call: memory::DEVICES,
            why: "the machine's own memory is more than what is to be asked for",
        })?;
        let path = names::path(names::MEMORY_DEVICE);
        let asked = json!({ "path": path, "property": "requested-size", "value": added.0 });
        open.qmp.execute("qom-set", asked).await.map(drop)
    }
}

/// QEMU would carry it out and end, and the VM with it.
fn spent() -> VmmError {
    VmmError::Refused {
        call: "device_add",
        code: "not sent".to_owned(),
        kind: RefusalKind::NotResizable,
        message: "a vCPU was removed from this emulated machine before".to_owned(),
    }
}

/// Asks the guest to let a vCPU go. One that is gone already is what was wanted.
async fn remove(open: &mut Session, path: &str) -> Result<(), VmmError> {
    match open.qmp.execute(DEVICE_DEL, json!({ "id": path })).await {
        Err(VmmError::Refused { code, .. }) if code == "DeviceNotFound" => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Whether an event says that the guest will not let a vCPU go: the outcome of an ejection request by ACPI's `_OST`
/// (table 6.56) that is neither success nor "in progress".
fn is_refused_removal(event: &Event) -> bool {
    let field = |name: &str| event.data.get("info").and_then(|info| info.get(name));
    let number = |name: &str| field(name).and_then(Value::as_u64);
    let ejection = matches!(number("source"), Some(EJECTION_REQUEST | EJECTION_PROCESSING));
    let of_vcpu = field("slot-type").and_then(Value::as_str) == Some("CPU");
    let refused = !matches!(number("status"), None | Some(EJECTED | EJECTION_IN_PROGRESS));
    event.name == "ACPI_DEVICE_OST" && of_vcpu && ejection && refused
}

const EJECTION_REQUEST: u64 = 3;
const EJECTION_PROCESSING: u64 = 0x103;
const EJECTED: u64 = 0;
const EJECTION_IN_PROGRESS: u64 = 0x84;

/// Reads what a command returned.
fn read<T: DeserializeOwned>(call: &'static str, returned: Value) -> Result<T, VmmError> {
    serde_json::from_value(returned).map_err(|source| VmmError::Unreadable { call, source })
}

impl Vmm for Qemu {
    fn observe(&mut self) -> BoxFuture<'_, Result<VmmReport, VmmError>> {
        async move {
            let mut open = self.connect().await?;
            let outcome = self.read(&mut open).await;
            self.keep(open, outcome)
        }
        .boxed()
    }

    fn set_vcpus(&mut self, vcpus: Vcpus) -> BoxFuture<'_, Result<(), VmmError>> {
        async move {
            let mut open = self.connect().await?;
            let outcome = self.steer(&mut open, vcpus).await;
            self.keep(open, outcome)
        }
        .boxed()
    }

    fn set_memory(&mut self, memory: Bytes) -> BoxFuture<'_, Result<(), VmmError>> {
        async move {
            let mut open = self.connect().await?;
            let outcome = self.plug(&mut open, memory).await;
            self.keep(open, outcome)
        }
        .boxed()
    }

    fn disconnect(&mut self) {
        self.session = None;
        self.asked = None;
    }
}
