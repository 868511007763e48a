//! The memory of a machine, as QEMU tells it: what it booted with, what was asked of virtio-mem, and what is plugged.
//!
//! Reading only. Memory of any other device cannot be taken away, so it counts as the machine's own.

use super::super::VmmError;
use super::{names, read};
use crate::decide::MemoryDevice;
use reef_api::Bytes;
use serde::Deserialize;
use serde_json::Value;

/// Name of the command, for errors.
pub(super) const DEVICES: &str = "query-memory-devices";
/// Name of the command, for errors.
pub(super) const SUMMARY: &str = "query-memory-size-summary";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawSummary {
    base_memory: u64,
}

#[derive(Deserialize)]
struct RawDevice {
    #[serde(rename = "type")]
    kind: String,
    data: RawData,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawData {
    id: Option<String>,
    size: u64,
    requested_size: Option<u64>,
    max_size: Option<u64>,
}

/// What a machine has of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// What stays whatever is asked.
    pub(super) least: Bytes,
    /// What there is room for.
    pub(super) most: Bytes,
    /// What was asked for.
    pub(super) requested: Bytes,
    /// What is plugged.
    pub(super) actual: Bytes,
    /// How it is added and taken away.
    pub(super) device: MemoryDevice,
}

/// Reads the memory that a machine booted with, which never changes.
pub(super) fn base(returned: Value) -> Result<Bytes, VmmError> {
    let RawSummary { base_memory } = read(SUMMARY, returned)?;
    Ok(Bytes(base_memory))
}

/// Reads what the memory devices tell.
pub(super) fn memory(base: Bytes, returned: Value) -> Result<Memory, VmmError> {
    let devices: Vec<RawDevice> = read(DEVICES, returned)?;
    let (ours, others): (Vec<RawDevice>, Vec<RawDevice>) = devices.into_iter().partition(is_ours);
    let overflow = VmmError::Absurd { call: DEVICES, why: "the memory sizes overflow" };
    let others = others.iter().try_fold(base, |sum, device| sum.checked_add(Bytes(device.data.size)));
    let Some(least) = others else { return Err(overflow) };
    let Some(RawDevice { data, .. }) = ours.first() else {
        return Ok(Memory { least, most: least, requested: least, actual: least, device: MemoryDevice::Fixed });
    };
    let (Some(requested), Some(most)) = (data.requested_size, data.max_size) else {
        return Err(VmmError::Absurd { call: DEVICES, why: "a virtio-mem device does not tell what was asked of it" });
    };
    let add = |bytes| least.checked_add(Bytes(bytes));
    let (Some(most), Some(requested), Some(actual)) = (add(most), add(requested), add(data.size)) else {
        return Err(overflow);
    };
    Ok(Memory { least, most, requested, actual, device: MemoryDevice::VirtioMem })
}

fn is_ours(device: &RawDevice) -> bool {
    device.kind == "virtio-mem" && device.data.id.as_deref() == Some(names::MEMORY_DEVICE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GIB: u64 = 1 << 30;

    fn virtio_mem(id: &str) -> Value {
        json!({ "type": "virtio-mem", "data": { "memdev": "/objects/vmem0", "memaddr": 4 * GIB, "block-size": 2_097_152,
                "size": GIB, "node": 0, "max-size": 7 * GIB, "requested-size": 2 * GIB, "id": id } })
    }

    fn dimm() -> Value {
        json!({ "type": "dimm", "data": { "addr": 8 * GIB, "hotplugged": true, "hotpluggable": true, "id": "dimm0",
                "memdev": "/objects/m", "node": 0, "size": GIB, "slot": 0 } })
    }

    fn of(devices: &Value) -> Memory {
        memory(Bytes(GIB), devices.clone()).unwrap()
    }

    fn gib(count: u64) -> Bytes {
        Bytes(count * GIB)
    }

    #[test]
    fn plugged_and_requested_memory_are_told_by_the_virtio_mem_device() {
        let expected =
            Memory { least: gib(1), most: gib(8), requested: gib(3), actual: gib(2), device: MemoryDevice::VirtioMem };
        assert_eq!(of(&json!([virtio_mem("vm0")])), expected);
        assert_eq!(base(json!({ "base-memory": GIB, "plugged-memory": 0 })).unwrap(), gib(1));
    }

    #[test]
    fn memory_of_other_devices_stays() {
        let both = of(&json!([dimm(), virtio_mem("vm0")]));
        assert_eq!((both.least, both.most, both.actual), (gib(2), gib(9), gib(3)));
        let foreign = of(&json!([virtio_mem("else")]));
        let fixed = MemoryDevice::Fixed;
        let expected = Memory { least: gib(2), most: gib(2), requested: gib(2), actual: gib(2), device: fixed };
        assert_eq!(foreign, expected);
        assert_eq!(of(&json!([])).device, MemoryDevice::Fixed);
    }

    #[test]
    fn answers_that_cannot_be_are_refused() {
        let mut endless = virtio_mem("vm0");
        endless["data"]["max-size"] = json!(u64::MAX);
        let mut silent = virtio_mem("vm0");
        silent["data"].as_object_mut().unwrap().remove("requested-size");
        for odd in [endless, silent] {
            assert!(matches!(memory(gib(1), json!([odd])), Err(VmmError::Absurd { .. })));
        }
        for odd in [json!({}), json!([{}]), json!([{ "type": "dimm", "data": { "size": -1 } }])] {
            assert!(matches!(memory(gib(1), odd), Err(VmmError::Unreadable { .. })));
        }
    }
}
