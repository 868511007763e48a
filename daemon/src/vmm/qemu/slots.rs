//! The places for vCPUs, as `query-hotpluggable-cpus` lists them: which are taken, which come next, and which can go.
//!
//! Values only; nothing is asked here.

use super::super::VmmError;
use super::{names, read};
use reef_api::Vcpus;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Name of the command, for errors.
pub(super) const COMMAND: &str = "query-hotpluggable-cpus";
/// What tells the order of the slots, the most significant first. Their numbers count the vCPUs as the guest does.
const TOPOLOGY: [&str; 6] = ["socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id"];

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawSlot {
    props: Map<String, Value>,
    vcpus_count: u32,
    #[serde(rename = "type")]
    kind: String,
    qom_path: Option<String>,
}

impl RawSlot {
    fn place(&self) -> Vec<u64> {
        TOPOLOGY.iter().map(|name| self.props.get(*name).and_then(Value::as_u64).unwrap_or(0)).collect()
    }
}

/// One place for a vCPU.
#[derive(Clone, Debug, PartialEq)]
struct Slot {
    number: usize,
    props: Map<String, Value>,
    kind: String,
    /// Path of the vCPU that is in it.
    taken: Option<String>,
}

impl Slot {
    /// Whether the vCPU in it was there at boot: those carry no id.
    fn is_boot(&self) -> bool {
        self.taken.as_ref().is_some_and(|path| !path.starts_with(names::PERIPHERAL))
    }

    /// The arguments of `device_add`.
    fn device(&self) -> Value {
        let mut device = self.props.clone();
        device.insert("driver".to_owned(), json!(self.kind));
        device.insert("id".to_owned(), json!(names::vcpu(self.number)));
        Value::Object(device)
    }
}

/// All places for vCPUs of a machine, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slots(Vec<Slot>);

impl Slots {
    /// Reads what `query-hotpluggable-cpus` returned.
    ///
    /// # Errors
    /// `Unreadable` where a field is missing, `Absurd` where a slot is not for one vCPU or none is taken.
    pub(super) fn read(returned: Value) -> Result<Self, VmmError> {
        let absurd = |why| VmmError::Absurd { call: COMMAND, why };
        let mut raw: Vec<RawSlot> = read(COMMAND, returned)?;
        if raw.iter().any(|slot| slot.vcpus_count != 1) {
            return Err(absurd("a slot is for several vCPUs, which could not be removed one by one"));
        }
        raw.sort_by_cached_key(RawSlot::place);
        let slot =
            |(number, raw): (usize, RawSlot)| Slot { number, props: raw.props, kind: raw.kind, taken: raw.qom_path };
        let slots = Self(raw.into_iter().enumerate().map(slot).collect());
        if slots.present() == Vcpus::ZERO { Err(absurd("no slot holds a vCPU")) } else { Ok(slots) }
    }

    /// vCPUs that are there. One whose removal was asked for is there until the guest has let it go.
    pub(super) fn present(&self) -> Vcpus {
        count(self.0.iter().filter(|slot| slot.taken.is_some()))
    }

    /// vCPUs that were there at boot and stay.
    pub(super) fn boot(&self) -> Vcpus {
        count(self.0.iter().filter(|slot| slot.is_boot()))
    }

    /// vCPUs that there is room for.
    pub(super) fn most(&self) -> Vcpus {
        count(self.0.iter())
    }

    /// The devices to add, one after the other, to come to `wanted`: into the first free slots.
    pub(super) fn additions(&self, wanted: Vcpus) -> Vec<Value> {
        let missing = wanted.0.saturating_sub(self.present().0);
        let free = self.0.iter().filter(|slot| slot.taken.is_none());
        free.take(size(missing)).map(Slot::device).collect()
    }

    /// The paths of the vCPUs to remove, one after the other, to come to `wanted`: out of the last slots, and none of boot.
    pub(super) fn removals(&self, wanted: Vcpus) -> Vec<&str> {
        let surplus = self.present().0.saturating_sub(wanted.0);
        let added = self.0.iter().rev().filter(|slot| !slot.is_boot()).filter_map(|slot| slot.taken.as_deref());
        added.take(size(surplus)).collect()
    }
}

fn count<'a>(slots: impl Iterator<Item = &'a Slot>) -> Vcpus {
    Vcpus(u32::try_from(slots.count()).unwrap_or(u32::MAX))
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of a QEMU 7.2 with four sockets: the last slot comes first.
    fn answer(paths: [Option<&str>; 4]) -> Value {
        let slot = |(socket, path): (usize, &Option<&str>)| {
            let props = json!({ "core-id": 0, "thread-id": 0, "node-id": 0, "socket-id": socket });
            let mut slot = json!({ "props": props, "vcpus-count": 1, "type": "max-x86_64-cpu" });
            if let Some(path) = path {
                slot["qom-path"] = json!(path);
            }
            slot
        };
        Value::Array(paths.iter().enumerate().map(slot).rev().collect())
    }

    const BOOT: Option<&str> = Some("/machine/unattached/device[0]");
    const ADDED: Option<&str> = Some("/machine/peripheral/vcpu-1");
    const LATER: Option<&str> = Some("/machine/peripheral/vcpu-3");

    fn slots(paths: [Option<&str>; 4]) -> Slots {
        Slots::read(answer(paths)).unwrap()
    }

    #[test]
    fn taken_slots_boot_slots_and_all_slots_are_counted() {
        let slots = slots([BOOT, ADDED, None, None]);
        assert_eq!((slots.present(), slots.boot(), slots.most()), (Vcpus(2), Vcpus(1), Vcpus(4)));
    }

    #[test]
    fn vcpus_are_added_into_the_first_free_slots_with_ids_of_their_numbers() {
        let device = |number: usize| {
            json!({ "driver": "max-x86_64-cpu", "id": format!("vcpu-{number}"),
                    "core-id": 0, "thread-id": 0, "node-id": 0, "socket-id": number })
        };
        assert_eq!(slots([BOOT, None, None, LATER]).additions(Vcpus(4)), [device(1), device(2)]);
        assert_eq!(slots([BOOT, None, None, LATER]).additions(Vcpus(3)), [device(1)]);
        assert_eq!(slots([BOOT, ADDED, None, None]).additions(Vcpus(2)), [] as [Value; 0]);
    }

    #[test]
    fn vcpus_are_removed_from_the_end_and_never_those_of_boot() {
        let slots = slots([BOOT, ADDED, None, LATER]);
        assert_eq!(slots.removals(Vcpus(2)), ["/machine/peripheral/vcpu-3"]);
        assert_eq!(slots.removals(Vcpus(0)), ["/machine/peripheral/vcpu-3", "/machine/peripheral/vcpu-1"]);
        assert_eq!(slots.removals(Vcpus(3)), [] as [&str; 0]);
    }

    #[test]
    fn answers_that_cannot_be_are_refused() {
        let none = Slots::read(answer([None, None, None, None])).unwrap_err();
        assert_eq!(none.to_string(), "the reply to query-hotpluggable-cpus cannot be: no slot holds a vCPU");
        assert!(matches!(Slots::read(json!([])), Err(VmmError::Absurd { .. })));
        let mut pair = answer([BOOT, None, None, None]);
        pair[0]["vcpus-count"] = json!(2);
        assert!(matches!(Slots::read(pair), Err(VmmError::Absurd { .. })));
        assert!(matches!(Slots::read(json!([{ "props": {} }])), Err(VmmError::Unreadable { .. })));
    }
}
