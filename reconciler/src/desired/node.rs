//! A document as a tree in which every value knows its place in the text. Holds values only; what they mean is decided elsewhere.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::fault::Position;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    /// Bytes of the text that it was read from: start and length, where known.
    pub(super) span: Option<(usize, usize)>,
    pub(super) kind: Kind,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Natural(u64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a map's entry and its place.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) at: Position,
    /// Bytes of the text that it was read from: start and length, where known.
    pub(super) span: Option<(usize, usize)>,
    pub(super) text: String,
}

impl Node {
    /// The entry of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().find(|(found, _)| found.text == key).map(|(_, node)| node)
    }

    /// The entries of a map, in the order of the text.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Key, &Node)> {
        let entries = match &self.kind {
            Kind::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, node)| (key, node))
    }

    /// The items of a list, in their order.
    pub(super) fn items(&self) -> impl Iterator<Item = &Node> {
        match &self.kind {
            Kind::List(items) => items.as_slice(),
            _ => &[],
        }
        .iter()
    }

    /// The text of a text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What stands at a dotted path.
    pub(super) fn at_path(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, Node::get)
    }

    /// The keys of a dotted path, from the outermost on, as far as it exists.
    pub(super) fn keys(&self, path: &str) -> impl Iterator<Item = &Key> {
        let mut node = Some(self);
        path.split('.').map_while(move |name| {
            let (key, inner) = node?.entries().find(|(key, _)| key.text == name)?;
            node = Some(inner);
            Some(key)
        })
    }

    /// The innermost part of a dotted path that exists.
    pub(super) fn nearest(&self, path: &str) -> &Node {
        let mut node = self;
        for name in path.split('.') {
            match node.get(name) {
                Some(inner) => node = inner,
                None => break,
            }
        }
        node
    }

    /// The same without places.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::Number((*value).into()),
            Kind::Natural(value) => Value::Number((*value).into()),
            Kind::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(nodes) => Value::Array(nodes.iter().map(Node::value).collect()),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.text.clone(), node.value())).collect::<Map<_, _>>())
            }
        }
    }

    /// Every number in the tree.
    pub(super) fn numbers(&self) -> Vec<&Node> {
        match &self.kind {
            Kind::Int(_) | Kind::Natural(_) | Kind::Float(_) => vec![self],
            Kind::List(nodes) => nodes.iter().flat_map(Node::numbers).collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(_, node)| node.numbers()).collect(),
            Kind::Null | Kind::Bool(_) | Kind::Text(_) => Vec::new(),
        }
    }
}

fn place(location: serde_saphyr::Location) -> Position {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(location.line()), column: number(location.column()) }
}

fn bytes(location: serde_saphyr::Location) -> Option<(usize, usize)> {
    let span = location.span();
    Some((usize::try_from(span.byte_offset()?).ok()?, usize::try_from(span.byte_len()?).ok()?))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { at: place(spanned.referenced), span: bytes(spanned.referenced), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { at: place(spanned.referenced), span: bytes(spanned.referenced), text: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyKind)
    }
}

struct AnyKind;

impl<'de> Visitor<'de> for AnyKind {
    type Value = Kind;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(i64::try_from(value).map_or(Kind::Natural(value), Kind::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Kind::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = items.next_entry()? {
            entries.push(entry);
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    /// Keys and values of the entries of `root` and of the maps in it, as they are written.
    fn written<'t>(text: &'t str, root: &Node) -> Vec<(&'t str, &'t str)> {
        let cut = |span: Option<(usize, usize)>| span.map(|(start, length)| &text[start..start + length]).unwrap();
        let entry = |(key, node): (&Key, &Node)| {
            let mut found = vec![(cut(key.span), cut(node.span))];
            found.extend(written(text, node));
            found
        };
        root.entries().flat_map(entry).collect()
    }

    #[test]
    fn a_span_is_what_was_written_with_its_quotes() {
        let text = "ä: ü # ö\r\nb: {c: 2 , 'd': \"8Gi\" } # x\r\ne:\r\n  f: '4'  # y\r\nh:\r\n  8Gi\r\n";
        let expected = [("ä", "ü"), ("b", "{"), ("c", "2"), ("'d'", "\"8Gi\""), ("e", ""), ("f", "'4'"), ("h", "8Gi")];
        assert_eq!(written(text, &yaml::parse(text).unwrap()), expected);
        let text = "{\n  \"ä\": \"ü\", \"a\": {\"b\": 2,\"c\":\"8Gi\"}\n}";
        let expected = [("\"ä\"", "\"ü\""), ("\"a\"", "{"), ("\"b\"", "2"), ("\"c\"", "\"8Gi\"")];
        assert_eq!(written(text, &yaml::parse(text).unwrap()), expected);
    }
}
