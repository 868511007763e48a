//! What the VMM answers: a status and a JSON body, with its own error texts.
//!
//! Texts are the VMM's, word by word: who classifies by text must meet the same text here.

use bytes::Bytes;
use serde_json::Value;

/// An answer of the VMM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body, where there is one, as text.
    pub body: Option<Bytes>,
}

impl Answer {
    /// 204: accepted.
    #[must_use]
    pub const fn accepted() -> Self {
        Self { status: 204, body: None }
    }

    /// 200 with a body.
    #[must_use]
    pub fn ok(body: String) -> Self {
        Self { status: 200, body: Some(body.into()) }
    }

    /// An error with its chain of messages, outermost first.
    #[must_use]
    pub fn error(status: u16, messages: &[&str]) -> Self {
        Self { status, body: Some(Value::from(messages.to_vec()).to_string().into()) }
    }

    /// 400 for a request that is none.
    #[must_use]
    pub fn bad_request() -> Self {
        Self::error(400, &["Bad Request"])
    }

    /// 404 for an endpoint that does not exist.
    #[must_use]
    pub fn not_found() -> Self {
        Self::error(404, &["Not Found"])
    }
}

/// Why the VMM refuses; Display is the innermost message of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no VM.
    #[error("VM is not created")]
    NotCreated,
    /// The VM is not in the state that the request needs.
    #[error("VM is not running")]
    NotRunning,
    /// The VM moves to another host.
    #[error("VM is currently migrating and can't be modified")]
    Migrating,
    /// Zero vCPUs.
    #[error("Requested zero vCPUs")]
    ZeroVcpus,
    /// More vCPUs than `max_vcpus`.
    #[error("Requested vCPUs exceed maximum")]
    VcpusExceedMaximum,
    /// The guest has not ejected the vCPUs of an earlier shrink.
    #[error("Still pending removed vCPU")]
    VcpuRemovalPending,
    /// virtio-mem: the size that is already requested.
    #[error("new size 0x{0:x} and requested_size are identical")]
    SameSize(u64),
    /// virtio-mem: beyond the hotplug region.
    #[error("new size 0x{size:x} is bigger than region_size 0x{region:x}")]
    BeyondRegion {
        /// What was asked for beyond the boot size.
        size: u64,
        /// The region's size.
        region: u64,
    },
    /// virtio-mem: not a multiple of a block.
    #[error("new size 0x{size:x} is not aligned on block_size 0x{block:x}")]
    NotAligned {
        /// What was asked for beyond the boot size.
        size: u64,
        /// The device's block.
        block: u64,
    },
    /// Below the boot size.
    #[error("Invalid resize request: desired_size = {desired} below boot size = {boot}")]
    BelowBoot {
        /// What was asked for.
        desired: u64,
        /// The size at boot.
        boot: u64,
    },
    /// There is no hotplug region.
    #[error("No virtio-mem resizing handler found")]
    NoVirtioMem,
    /// Memory zones take `vm.resize-zone` only.
    #[error("Impossible to resize guest memory if it is backed by user defined memory regions")]
    Zones,
    /// ACPI: a ninth hotplug since boot.
    #[error("No ACPI slot available")]
    NoSlot,
    /// ACPI: not a multiple of 128 MiB.
    #[error("The requested hotplug memory addition is not a valid size")]
    InvalidAddition,
    /// ACPI: beyond the hotplug region.
    #[error("Not enough space in the hotplug RAM region")]
    NoRoom,
    /// There is no balloon device.
    #[error("Missing virtio-balloon, can't proceed as expected")]
    NoBalloon,
    /// The hotplug region is not a multiple of 128 MiB, or the sizes do not fit together.
    #[error("Memory configuration is not valid")]
    InvalidMemory,
}

/// The part of the VMM that refuses; it is an entry of the answer's chain.
#[derive(Clone, Copy)]
enum Part {
    Vm,
    Cpu,
    Memory,
    VirtioMem,
    Device,
}

impl Refusal {
    /// Whether it is about a size that the VM can never have, at any time.
    #[must_use]
    pub const fn is_out_of_bounds(&self) -> bool {
        matches!(
            self,
            Self::ZeroVcpus
                | Self::VcpusExceedMaximum
                | Self::BeyondRegion { .. }
                | Self::NotAligned { .. }
                | Self::BelowBoot { .. }
                | Self::InvalidAddition
        )
    }

    fn part(&self) -> Part {
        match self {
            Self::NotCreated | Self::NotRunning | Self::Migrating => Part::Vm,
            Self::ZeroVcpus | Self::VcpusExceedMaximum | Self::VcpuRemovalPending => Part::Cpu,
            Self::SameSize(_) | Self::BeyondRegion { .. } | Self::NotAligned { .. } => Part::VirtioMem,
            Self::NoBalloon => Part::Device,
            Self::BelowBoot { .. }
            | Self::NoVirtioMem
            | Self::Zones
            | Self::NoSlot
            | Self::InvalidAddition
            | Self::NoRoom
            | Self::InvalidMemory => Part::Memory,
        }
    }

    /// The answer that the VMM of `major` version gives for `action`, for example "The VM could not be resized".
    #[must_use]
    pub fn answer(&self, action: &str, major: u32) -> Answer {
        let status = match self {
            Self::NotCreated if major >= 53 => 404,
            Self::VcpuRemovalPending if major >= 46 => {
                return Answer::error(429, &["Too Many Requests"]);
            }
            _ => 500,
        };
        let text = self.to_string();
        match self.part() {
            Part::Vm => Answer::error(status, &["Error from API", action, &text]),
            Part::Cpu => Answer::error(status, &["Error from API", action, "Error from CPU manager", &text]),
            Part::Device => Answer::error(status, &["Error from API", action, "Error from device manager", &text]),
            Part::Memory => Answer::error(status, &["Error from API", action, "Memory manager error", &text]),
            Part::VirtioMem => {
                let text = format!("Failed to update virtio configuration: ResizeError({text}\n\n{})", backtrace());
                let chain = ["Error from API", action, "Memory manager error", "Failed to virtio-mem resize"];
                Answer::error(status, &[chain.as_slice(), &["Resize invalid argument", &text]].concat())
            }
        }
    }
}

/// The VMM prints a backtrace of several KiB into some of its errors.
fn backtrace() -> String {
    let frames = (0..40).map(|frame| {
        format!(
            "{frame:>4}: virtio_devices::mem::VirtioMemConfig::resize\n             at virtio-devices/src/mem.rs:{}",
            226 + frame
        )
    });
    std::iter::once("Stack backtrace:".to_owned()).chain(frames).collect::<Vec<_>>().join("\n")
}
