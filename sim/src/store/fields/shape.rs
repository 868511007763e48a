//! The structure of a kind: which lists are merged by key, which values are one piece. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::store::At;

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListKind {
    /// They are not: the list is one piece.
    Atomic,
    /// By their value.
    Set,
    /// By these fields, each with the value that it has where it is missing.
    Map(Vec<(String, Option<Value>)>),
}

/// What is inside an object where nothing more is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    /// Fields of a type that has a fixed set of them.
    Typed,
    /// Entries of a free map.
    Free,
}

/// The structure of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Whether an object is one piece.
    pub atomic: bool,
    /// How items are told apart, where it is a list.
    pub list: ListKind,
    /// The one field that strategic merge patches go by, where it is not the first key.
    patch_key: Option<String>,
    flavour: Flavour,
    named: BTreeMap<String, Shape>,
    rest: Option<Box<Shape>>,
    items: Option<Box<Shape>>,
}

static TYPED: Shape = Shape::leaf(Flavour::Typed);
static FREE: Shape = Shape::leaf(Flavour::Free);

impl Shape {
    const fn leaf(flavour: Flavour) -> Self {
        Shape {
            atomic: false,
            list: ListKind::Atomic,
            patch_key: None,
            flavour,
            named: BTreeMap::new(),
            rest: None,
            items: None,
        }
    }

    /// The shape of a field.
    pub fn field(&self, name: &str) -> &Shape {
        self.named.get(name).or(self.rest.as_deref()).unwrap_or(self.unknown())
    }

    /// The shape of a list's items.
    pub fn item(&self) -> &Shape {
        self.items.as_deref().unwrap_or(self.unknown())
    }

    /// Whether the field belongs to the type, so that it is not an entry that somebody put there.
    pub fn is_named(&self, name: &str) -> bool {
        self.named.contains_key(name) || self.flavour == Flavour::Typed
    }

    /// The field that strategic merge patches tell items apart by.
    pub fn merge_key<'a>(&'a self, keys: &'a [(String, Option<Value>)]) -> &'a str {
        let first = keys.first().map(|(name, _)| name.as_str());
        self.patch_key.as_deref().or(first).unwrap_or_default()
    }

    fn unknown(&self) -> &'static Shape {
        match self.flavour {
            Flavour::Typed => &TYPED,
            Flavour::Free => &FREE,
        }
    }

    /// The shape that a structural schema states; metadata has the one that it has everywhere.
    pub fn of_schema(schema: &Value) -> Self {
        let mut shape = from_schema(schema);
        shape.named.insert("metadata".to_owned(), metadata());
        shape
    }

    /// The shape of a built-in kind, by its plural name.
    pub fn of_builtin(plural: &str) -> Self {
        let mut shape = Shape::leaf(Flavour::Typed);
        shape.named.insert("metadata".to_owned(), metadata());
        for row in BUILTIN.iter().filter(|row| row.plural == plural) {
            for prefix in prefixes(row.path) {
                shape.place(&prefix, row);
            }
        }
        for path in ATOMIC_MAPS {
            if let Some(rest) = path.strip_prefix(plural).and_then(|rest| rest.strip_prefix('.')) {
                shape.at(rest).atomic = true;
            }
        }
        shape
    }

    fn place(&mut self, path: &str, row: &Row) {
        let keys = row.keys.iter().map(|key| ((*key).to_owned(), key_default(key))).collect();
        let slot = self.at(path);
        slot.list = ListKind::Map(keys);
        slot.patch_key = row.keys.first().map(|key| (*key).to_owned());
    }

    fn at(&mut self, path: &str) -> &mut Shape {
        path.split('.').fold(self, |shape, part| match part {
            "*" => shape.items.get_or_insert_with(|| Box::new(TYPED.clone())),
            name => shape.named.entry(name.to_owned()).or_insert_with(|| TYPED.clone()),
        })
    }
}

/// One list of a built-in kind whose items are told apart by key.
struct Row {
    plural: &'static str,
    path: &'static str,
    keys: &'static [&'static str],
}

const fn row(plural: &'static str, path: &'static str, keys: &'static [&'static str]) -> Row {
    Row { plural, path, keys }
}

const BUILTIN: &[Row] = &[
    row("pods", "spec.CONTAINERS", &["name"]),
    row("pods", "spec.CONTAINERS.*.env", &["name"]),
    row("pods", "spec.CONTAINERS.*.ports", &["containerPort", "protocol"]),
    row("pods", "spec.CONTAINERS.*.volumeMounts", &["mountPath"]),
    row("pods", "spec.CONTAINERS.*.volumeDevices", &["devicePath"]),
    row("pods", "spec.CONTAINERS.*.resources.claims", &["name"]),
    row("pods", "spec.volumes", &["name"]),
    row("pods", "spec.imagePullSecrets", &["name"]),
    row("pods", "spec.hostAliases", &["ip"]),
    row("pods", "spec.topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    row("pods", "spec.schedulingGates", &["name"]),
    row("pods", "spec.resourceClaims", &["name"]),
    row("pods", "status.conditions", &["type"]),
    row("pods", "status.podIPs", &["ip"]),
    row("nodes", "status.conditions", &["type"]),
    row("nodes", "status.addresses", &["type"]),
    row("namespaces", "status.conditions", &["type"]),
    row("serviceaccounts", "secrets", &["name"]),
    row("customresourcedefinitions", "status.conditions", &["type"]),
];

const ATOMIC_MAPS: &[&str] = &["pods.spec.nodeSelector"];

fn prefixes(path: &str) -> Vec<String> {
    let lists: &[&str] =
        if path.contains("CONTAINERS") { &["containers", "initContainers", "ephemeralContainers"] } else { &[""] };
    lists.iter().map(|list| path.replace("CONTAINERS", list)).collect()
}

fn key_default(key: &str) -> Option<Value> {
    (key == "protocol").then(|| Value::from("TCP"))
}

fn metadata() -> Shape {
    let mut shape = TYPED.clone();
    shape.at("ownerReferences").list = ListKind::Map(vec![("uid".to_owned(), None)]);
    shape.at("finalizers").list = ListKind::Set;
    shape
}

fn from_schema(schema: &Value) -> Shape {
    let text = |field: &str| schema.get(field).and_then(Value::as_str).unwrap_or_default();
    let object = |field: &str| schema.get(field).filter(|value| value.is_object());
    let mut shape = Shape::leaf(Flavour::Free);
    shape.atomic = text("x-kubernetes-map-type") == "atomic";
    shape.items = object("items").map(|items| Box::new(from_schema(items)));
    shape.rest = object("additionalProperties").map(|rest| Box::new(from_schema(rest)));
    shape.list = match text("x-kubernetes-list-type") {
        "set" => ListKind::Set,
        "map" => ListKind::Map(map_keys(schema)),
        _ => ListKind::Atomic,
    };
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        shape.named.insert(name.clone(), from_schema(inner));
    }
    shape
}

fn map_keys(schema: &Value) -> Vec<(String, Option<Value>)> {
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array).into_iter().flatten();
    let default = |key: &str| schema.at(&format!("/items/properties/{key}/default")).cloned();
    keys.filter_map(Value::as_str).map(|key| (key.to_owned(), default(key))).collect()
}

impl Default for Shape {
    /// Nothing known: free maps, lists of one piece.
    fn default() -> Self {
        Shape::leaf(Flavour::Free)
    }
}
