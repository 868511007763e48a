//! Reading `vmm.ping` and `vm.info` of Cloud Hypervisor: the few fields that matter, everything else is ignored.
//!
//! Tolerant where versions differ (unknown fields, fields that are absent or null), strict where a guess could cost a VM.

use super::{VmmError, VmmReport};
use crate::decide::accounting::ConnectionId;
use crate::decide::{MachineState, MemoryDevice, VcpuDevice};
use reef_api::vm::BootStatus;
use reef_api::{Bytes, Vcpus};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The first version whose `memory_actual_size` is what is plugged with virtio-mem, and not the request.
const REAL_ACTUAL_SINCE: u32 = 52;

/// Name of the call, for errors.
pub(super) const VM_INFO: &str = "vm.info";
/// Name of the call, for errors.
pub(super) const VMM_PING: &str = "vmm.ping";

#[derive(Deserialize)]
struct RawPing {
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
struct RawInfo {
    config: RawConfig,
    state: String,
    #[serde(default)]
    memory_actual_size: Option<u64>,
}

#[derive(Deserialize)]
struct RawConfig {
    cpus: RawCpus,
    memory: RawMemory,
}

#[derive(Deserialize)]
struct RawCpus {
    boot_vcpus: u32,
    max_vcpus: u32,
}

#[derive(Deserialize)]
struct RawMemory {
    size: u64,
    #[serde(default)]
    hotplug_size: Option<u64>,
    #[serde(default)]
    hotplugged_size: Option<u64>,
    #[serde(default)]
    hotplug_method: Option<String>,
    #[serde(default)]
    zones: Option<Vec<IgnoredAny>>,
}

/// Reads the version out of a reply to `vmm.ping`; the empty text when it tells none.
///
/// # Errors
/// `Unreadable` for what is no JSON object.
pub fn version(body: &[u8]) -> Result<String, VmmError> {
    let ping: RawPing =
        serde_json::from_slice(body).map_err(|source| VmmError::Unreadable { call: VMM_PING, source })?;
    let version = ping.version.unwrap_or_default();
    Ok(version.chars().filter(|letter| !letter.is_control()).take(64).collect())
}

/// Reads a reply to `vm.info`.
///
/// # Errors
/// `Unreadable` where a field that is needed is missing or of another kind, `Absurd` where numbers overflow.
pub fn vm_info(body: &[u8], version: &str, connection: ConnectionId) -> Result<VmmReport, VmmError> {
    let info: RawInfo =
        serde_json::from_slice(body).map_err(|source| VmmError::Unreadable { call: VM_INFO, source })?;
    let memory = &info.config.memory;
    let beyond = |added: Option<u64>| memory.size.checked_add(added.unwrap_or(0)).map(Bytes);
    let sizes = beyond(memory.hotplugged_size).zip(beyond(memory.hotplug_size));
    let (requested, most) = sizes.ok_or(VmmError::Absurd { call: VM_INFO, why: "the memory sizes overflow" })?;
    Ok(VmmReport {
        connection,
        version: version.to_owned(),
        state: state(&info.state),
        vcpus_requested: Vcpus(info.config.cpus.boot_vcpus),
        vcpus_present: None,
        vcpu_device: VcpuDevice::Counted,
        vcpus_refused: None,
        memory_requested: requested,
        memory_actual: info.memory_actual_size.map_or(requested, Bytes),
        memory_device: device(memory, version, info.memory_actual_size),
        guest: None,
        boot: BootStatus {
            min_vcpus: Vcpus(1),
            max_vcpus: Vcpus(info.config.cpus.max_vcpus),
            min_memory: Bytes(memory.size),
            max_memory: most,
        },
    })
}

/// A state that is not known is no reason to ask for anything.
fn state(text: &str) -> MachineState {
    match text {
        "Running" => MachineState::Running,
        "Paused" => MachineState::Paused,
        _ => MachineState::NotRunning,
    }
}

fn device(memory: &RawMemory, version: &str, actual: Option<u64>) -> MemoryDevice {
    let zones = memory.zones.as_ref().is_some_and(|zones| !zones.is_empty());
    if zones || memory.hotplug_size.unwrap_or(0) == 0 {
        return MemoryDevice::Fixed;
    }
    let tells_actual = actual.is_some() && major(version).is_some_and(|major| major >= REAL_ACTUAL_SINCE);
    match (memory.hotplug_method.as_deref(), tells_actual) {
        (Some("VirtioMem"), true) => MemoryDevice::VirtioMem,
        (Some("VirtioMem"), false) => MemoryDevice::VirtioMemEcho,
        (Some("Acpi") | None, _) => MemoryDevice::Acpi,
        (Some(_), _) => MemoryDevice::Fixed,
    }
}

/// The major version of `v53.0`, `53.0.1` or `v53.0-dirty`.
fn major(version: &str) -> Option<u32> {
    let digits = version.trim_start_matches('v').split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ON: ConnectionId = ConnectionId(1);
    const GIB: u64 = 1 << 30;

    fn info() -> Value {
        json!({
            "config": {
                "cpus": { "boot_vcpus": 2, "max_vcpus": 8, "topology": null },
                "memory": { "size": GIB, "hotplug_method": "VirtioMem", "hotplug_size": 7 * GIB, "hotplugged_size": GIB },
                "payload": { "kernel": "/vm/vmlinux" }
            },
            "state": "Running", "memory_actual_size": GIB, "device_tree": {}
        })
    }

    fn read(info: &Value, version: &str) -> Result<VmmReport, VmmError> {
        vm_info(info.to_string().as_bytes(), version, ON)
    }

    fn expected() -> VmmReport {
        VmmReport {
            connection: ON,
            version: "v53.0".to_owned(),
            state: MachineState::Running,
            vcpus_requested: Vcpus(2),
            vcpus_present: None,
            vcpu_device: VcpuDevice::Counted,
            vcpus_refused: None,
            memory_requested: Bytes(2 * GIB),
            memory_actual: Bytes(GIB),
            memory_device: MemoryDevice::VirtioMem,
            guest: None,
            boot: BootStatus {
                min_vcpus: Vcpus(1),
                max_vcpus: Vcpus(8),
                min_memory: Bytes(GIB),
                max_memory: Bytes(8 * GIB),
            },
        }
    }

    #[test]
    fn requested_is_size_and_hotplugged_and_unknown_fields_are_ignored() {
        assert_eq!(read(&info(), "v53.0").unwrap(), expected());
    }

    #[test]
    fn hotplugged_size_may_be_absent_or_null() {
        let at_floor = VmmReport { memory_requested: Bytes(GIB), ..expected() };
        let mut null = info();
        null["config"]["memory"]["hotplugged_size"] = Value::Null;
        assert_eq!(read(&null, "v53.0").unwrap(), at_floor);
        null["config"]["memory"].as_object_mut().unwrap().remove("hotplugged_size");
        assert_eq!(read(&null, "v53.0").unwrap(), at_floor);
    }

    #[test]
    fn the_plugged_size_is_believed_from_v52_on_only() {
        let device = |version: &str| read(&info(), version).unwrap().memory_device;
        assert_eq!(device("v52.0"), MemoryDevice::VirtioMem);
        assert_eq!(device("60.1-dirty"), MemoryDevice::VirtioMem);
        assert_eq!(device("v51.1"), MemoryDevice::VirtioMemEcho);
        assert_eq!(device("nightly"), MemoryDevice::VirtioMemEcho);
        assert_eq!(device(""), MemoryDevice::VirtioMemEcho);
    }

    #[test]
    fn memory_that_cannot_be_given_back_is_known_by_its_device() {
        let mut acpi = info();
        acpi["config"]["memory"]["hotplug_method"] = json!("Acpi");
        assert_eq!(read(&acpi, "v53.0").unwrap().memory_device, MemoryDevice::Acpi);
        let mut zones = info();
        zones["config"]["memory"]["zones"] = json!([{ "id": "mem0" }]);
        assert_eq!(read(&zones, "v53.0").unwrap().memory_device, MemoryDevice::Fixed);
        let mut fixed = info();
        fixed["config"]["memory"]["hotplug_size"] = Value::Null;
        assert_eq!(read(&fixed, "v53.0").unwrap().memory_device, MemoryDevice::Fixed);
    }

    #[test]
    fn a_state_that_is_not_known_takes_no_resize() {
        for (text, state) in [
            ("Paused", MachineState::Paused),
            ("Created", MachineState::NotRunning),
            ("Shutdown", MachineState::NotRunning),
            ("BreakPoint", MachineState::NotRunning),
        ] {
            let mut info = info();
            info["state"] = json!(text);
            assert_eq!(read(&info, "v53.0").unwrap().state, state);
        }
    }

    #[test]
    fn what_is_missing_or_absurd_is_an_error_that_says_so() {
        let mut missing = info();
        missing["config"].as_object_mut().unwrap().remove("cpus");
        assert!(matches!(read(&missing, "v53.0"), Err(VmmError::Unreadable { call: VM_INFO, .. })));
        let mut huge = info();
        huge["config"]["memory"]["hotplug_size"] = json!(u64::MAX);
        assert!(matches!(read(&huge, "v53.0"), Err(VmmError::Absurd { .. })));
        assert!(matches!(vm_info(b"{\"config\":", "v53.0", ON), Err(VmmError::Unreadable { .. })));
    }

    #[test]
    fn a_ping_without_a_version_is_a_version_nobody_knows() {
        assert_eq!(version(br#"{"version":"v53.0","pid":1}"#).unwrap(), "v53.0");
        assert_eq!(version(br#"{"build":"x"}"#).unwrap(), "");
        assert!(version(b"hello").is_err());
    }
}
