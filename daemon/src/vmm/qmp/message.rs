//! What QEMU says, line by line: a greeting, an event, or an answer.
//!
//! Reading only. Fields that are not known are ignored; a line that is none of the three is an error.

use super::super::VmmError;
use super::{GREETING, absurd};
use serde::Deserialize;
use serde_json::Value;

/// Something that happened in QEMU without being asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, for example `SHUTDOWN`.
    pub name: String,
    /// What it says; null where it says nothing.
    pub data: Value,
}

/// What a command returned, or why it did not.
pub(super) type Answer = Result<Value, Refusal>;

/// An error as QEMU answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    /// `GenericError`, `DeviceNotFound`, `CommandNotFound` and few more.
    pub(super) class: String,
    /// The sentence.
    pub(super) desc: String,
}

/// One line after the greeting.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// Something happened.
    Event(Event),
    /// Something happened that takes more words than anybody looks at.
    LongEvent,
    /// A command was answered.
    Reply(Reply),
}

/// An answer, and to which command.
#[derive(Debug, PartialEq)]
pub(super) struct Reply {
    id: Option<Value>,
    answer: Answer,
}

impl Reply {
    /// Whether it answers a command before the one with this id.
    pub(super) fn is_late(&self, id: u64) -> bool {
        self.id.as_ref().and_then(Value::as_u64).is_some_and(|found| found < id)
    }

    /// The answer, if it is one to the command with this id. QEMU leaves the id out where it could not read the command at all.
    pub(super) fn answering(self, id: u64) -> Option<Answer> {
        let ours = self.id.as_ref().map_or(self.answer.is_err(), |found| found.as_u64() == Some(id));
        ours.then_some(self.answer)
    }
}

#[derive(Deserialize)]
struct RawGreeting {
    #[serde(rename = "QMP")]
    qmp: RawQmp,
}

#[derive(Deserialize)]
struct RawQmp {
    version: RawVersion,
}

#[derive(Deserialize)]
struct RawVersion {
    qemu: RawNumbers,
}

#[derive(Deserialize)]
struct RawNumbers {
    major: u32,
    minor: u32,
    micro: u32,
}

/// Reads the version out of the greeting.
pub(super) fn greeting(line: &[u8]) -> Result<String, VmmError> {
    let unreadable = |source| VmmError::Unreadable { call: GREETING, source };
    let RawGreeting { qmp } = serde_json::from_slice(line).map_err(unreadable)?;
    let RawNumbers { major, minor, micro } = qmp.version.qemu;
    Ok(format!("{major}.{minor}.{micro}"))
}

/// Reads a line after the greeting.
pub(super) fn read(call: &'static str, line: &[u8]) -> Result<Message, VmmError> {
    let unreadable = |source| VmmError::Unreadable { call, source };
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(line).map_err(unreadable)?;
    let mut field = |name: &str| fields.remove(name);
    if let Some(Value::String(name)) = field("event") {
        return Ok(Message::Event(Event { name, data: field("data").unwrap_or_default() }));
    }
    let id = field("id");
    if let Some(error) = field("error") {
        let refusal = serde_json::from_value(error).map_err(unreadable)?;
        return Ok(Message::Reply(Reply { id, answer: Err(refusal) }));
    }
    let returned = field("return").ok_or(absurd(call, "it is neither an answer nor an event"))?;
    Ok(Message::Reply(Reply { id, answer: Ok(returned) }))
}
