//! Just enough of Kubernetes' protobuf for the commands with which `kubectl` sends it: creating namespaces, config
//! maps, secrets and service accounts, and deleting. Everything else is asked for in JSON. Pure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::store::ApiError;

/// What every such body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// How the content of a field is read.
#[derive(Clone, Copy)]
enum Read {
    Text,
    Number,
    Flag,
    TextMap,
    /// Bytes by name, which JSON has in base 64.
    BytesMap,
    TextList,
    Message(&'static [Field]),
}

/// A field: its number, its name, how it is read.
type Field = (u64, &'static str, Read);

const METADATA: &[Field] = &[
    (1, "name", Read::Text),
    (2, "generateName", Read::Text),
    (3, "namespace", Read::Text),
    (5, "uid", Read::Text),
    (6, "resourceVersion", Read::Text),
    (11, "labels", Read::TextMap),
    (12, "annotations", Read::TextMap),
    (14, "finalizers", Read::TextList),
];
const BARE: &[Field] = &[(1, "metadata", Read::Message(METADATA))];
const CONFIG_MAP: &[Field] = &[
    (1, "metadata", Read::Message(METADATA)),
    (2, "data", Read::TextMap),
    (3, "binaryData", Read::BytesMap),
    (4, "immutable", Read::Flag),
];
const SECRET: &[Field] = &[
    (1, "metadata", Read::Message(METADATA)),
    (2, "data", Read::BytesMap),
    (3, "type", Read::Text),
    (4, "stringData", Read::TextMap),
    (5, "immutable", Read::Flag),
];
const PRECONDITIONS: &[Field] = &[(1, "uid", Read::Text), (2, "resourceVersion", Read::Text)];
const DELETE_OPTIONS: &[Field] = &[
    (1, "gracePeriodSeconds", Read::Number),
    (2, "preconditions", Read::Message(PRECONDITIONS)),
    (3, "orphanDependents", Read::Flag),
    (4, "propagationPolicy", Read::Text),
    (5, "dryRun", Read::TextList),
];
const ENVELOPE: &[Field] = &[(1, "apiVersion", Read::Text), (2, "kind", Read::Text)];

/// The object in a body, or `None` where the body is not in this form.
///
/// # Errors
/// 400 for a kind that is not read in this form, or a body that is cut off.
pub fn decode(bytes: &[u8]) -> Result<Option<Value>, ApiError> {
    let Some(envelope) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
    let cut_off = || ApiError::bad_request("error decoding the request body: the protobuf message is cut off");
    let mut kind = json!({});
    let mut raw: &[u8] = &[];
    for (number, content) in fields(envelope).ok_or_else(cut_off)? {
        match (number, content) {
            (1, Content::Bytes(bytes)) => kind = message(bytes, ENVELOPE).ok_or_else(cut_off)?,
            (2, Content::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let name = kind.get("kind").and_then(Value::as_str).unwrap_or_default();
    let layout = layout(name).ok_or_else(|| {
        ApiError::bad_request(format!("a {name} is read as JSON or YAML here, not as protobuf: use kubectl apply -f"))
    })?;
    let mut object = message(raw, layout).ok_or_else(cut_off)?;
    if let (Some(object), Some(kind)) = (object.as_object_mut(), kind.as_object()) {
        object.extend(kind.clone());
    }
    Ok(Some(object))
}

fn layout(kind: &str) -> Option<&'static [Field]> {
    match kind {
        "Namespace" | "ServiceAccount" => Some(BARE),
        "ConfigMap" => Some(CONFIG_MAP),
        "Secret" => Some(SECRET),
        "DeleteOptions" => Some(DELETE_OPTIONS),
        _ => None,
    }
}

/// What a field holds on the wire.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn message(bytes: &[u8], layout: &[Field]) -> Option<Value> {
    let mut out = Map::new();
    for (number, content) in fields(bytes)? {
        let Some((_, name, read)) = layout.iter().find(|(known, _, _)| *known == number) else { continue };
        put(&mut out, name, *read, &content)?;
    }
    Some(Value::Object(out))
}

fn put(out: &mut Map<String, Value>, name: &str, read: Read, content: &Content<'_>) -> Option<()> {
    match (read, content) {
        (Read::Number, Content::Number(number)) => {
            out.insert(name.to_owned(), json!(number.cast_signed()));
        }
        (Read::Flag, Content::Number(number)) => {
            out.insert(name.to_owned(), json!(*number != 0));
        }
        (Read::Text, Content::Bytes(bytes)) if !bytes.is_empty() => {
            out.insert(name.to_owned(), json!(text(bytes)?));
        }
        (Read::TextList, Content::Bytes(bytes)) => {
            out.entry(name).or_insert_with(|| json!([])).as_array_mut()?.push(json!(text(bytes)?));
        }
        (Read::TextMap | Read::BytesMap, Content::Bytes(bytes)) => {
            let (key, value) = entry(bytes)?;
            let value = if matches!(read, Read::TextMap) { text(value)? } else { BASE64_STANDARD.encode(value) };
            out.entry(name).or_insert_with(|| json!({})).as_object_mut()?.insert(text(key)?, json!(value));
        }
        (Read::Message(layout), Content::Bytes(bytes)) => {
            out.insert(name.to_owned(), message(bytes, layout)?);
        }
        _ => {}
    }
    Some(())
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for (number, content) in fields(bytes)? {
        match (number, content) {
            (1, Content::Bytes(bytes)) => key = bytes,
            (2, Content::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Some((key, value))
}

/// The fields of a message in order; `None` where it is cut off.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Content<'_>)>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let (tag, rest) = varint(bytes)?;
        let (content, rest) = match tag & 7 {
            0 => varint(rest).map(|(number, rest)| (Content::Number(number), rest))?,
            1 => rest.split_at_checked(8).map(|(bytes, rest)| (Content::Bytes(bytes), rest))?,
            2 => {
                let (length, rest) = varint(rest)?;
                let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Content::Bytes(bytes), rest)
            }
            5 => rest.split_at_checked(4).map(|(bytes, rest)| (Content::Bytes(bytes), rest))?,
            _ => return None,
        };
        out.push((tag >> 3, content));
        bytes = rest;
    }
    Some(out)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with bytes in it.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes.to_vec()].concat()
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let envelope = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &envelope), field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_and_delete_options_are_read() {
        let entry = [field(1, b"k"), field(2, b"v")].concat();
        let raw = [field(1, &[field(1, b"a"), field(11, &entry)].concat()), field(2, &entry)].concat();
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "labels": { "k": "v" } }, "data": { "k": "v" },
        });
        assert_eq!(decode(&body("ConfigMap", &raw)), Ok(Some(expected)));
        let options = [vec![1 << 3, 30], field(5, b"All")].concat();
        let expected =
            json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 30, "dryRun": ["All"] });
        assert_eq!(decode(&body("DeleteOptions", &options)), Ok(Some(expected)));
    }

    #[test]
    fn what_is_cut_off_unknown_or_json_never_panics() {
        assert_eq!(decode(b"{}"), Ok(None));
        assert_eq!(decode(&body("Pod", b"")).unwrap_err().code(), 400);
        let whole = body("Namespace", &field(1, &field(1, b"team")));
        for end in MAGIC.len() + 1..whole.len() {
            let _ = decode(&whole[..end]);
        }
        assert!(decode(&[MAGIC, &[0xff; 12]].concat()).is_err());
    }
}
