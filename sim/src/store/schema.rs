//! A structural schema as its definition states it, read once into what each write asks of it. Plain data.

use std::collections::BTreeMap;

use serde_json::Value;

/// What further fields of an object have to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Rest {
    /// Nothing is said of them.
    #[default]
    Unsaid,
    /// They are known, whatever they are.
    Any,
    /// They are of this schema.
    Of(Box<Schema>),
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Identity {
    /// They are not.
    #[default]
    None,
    /// By their value.
    Value,
    /// By these fields.
    Keys(Vec<String>),
}

/// The least and the most of a count, where they are stated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// The least.
    pub least: Option<usize>,
    /// The most.
    pub most: Option<usize>,
}

/// A bound of a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The number.
    pub limit: Value,
    /// Whether the number itself is beyond it.
    pub exclusive: bool,
}

/// A schema.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// `type`; empty where any will do.
    pub kind: String,
    /// Whether it may be an integer or a text, whatever its type.
    pub int_or_string: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether fields that are not declared are kept.
    pub keeps_unknown: bool,
    /// Whether it is an object with a type and metadata of its own.
    pub embedded: bool,
    /// What is filled in where it is missing.
    pub default: Option<Value>,
    /// Whether anything below it has a default.
    pub fills: bool,
    /// The values that it may have.
    pub allowed: Option<Vec<Value>>,
    /// Fields that must be there.
    pub required: Vec<String>,
    /// Fields by name.
    pub properties: BTreeMap<String, Schema>,
    /// Further fields.
    pub rest: Rest,
    /// Items of a list.
    pub items: Option<Box<Schema>>,
    /// How items are told apart.
    pub identity: Identity,
    /// How many fields.
    pub fields_count: Count,
    /// How many items.
    pub items_count: Count,
    /// How many letters.
    pub length: Count,
    /// What a text must match; empty for nothing.
    pub pattern: String,
    /// The least number.
    pub minimum: Option<Bound>,
    /// The largest number.
    pub maximum: Option<Bound>,
    /// What a number must be a multiple of.
    pub multiple_of: Option<i64>,
    /// All of these hold.
    pub all_of: Vec<Schema>,
    /// One of these holds at least.
    pub any_of: Option<Vec<Schema>>,
    /// Just one of these holds.
    pub one_of: Option<Vec<Schema>>,
    /// This does not hold.
    pub not: Option<Box<Schema>>,
}

impl Schema {
    /// Reads a schema; what is no object states nothing.
    pub fn read(stated: &Value) -> Self {
        let text = |field: &str| stated.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |field: &str| Some(stated.get(field)?.as_array()?.iter().map(Self::read).collect::<Vec<_>>());
        let mut schema = Schema {
            kind: text("type"),
            int_or_string: flag(stated, "x-kubernetes-int-or-string"),
            nullable: flag(stated, "nullable"),
            keeps_unknown: flag(stated, "x-kubernetes-preserve-unknown-fields"),
            embedded: flag(stated, "x-kubernetes-embedded-resource"),
            default: stated.get("default").cloned(),
            fills: false,
            allowed: stated.get("enum").and_then(Value::as_array).cloned(),
            required: texts(stated, "required"),
            properties: properties(stated),
            rest: rest(stated),
            items: stated.get("items").map(|items| Box::new(Self::read(items))),
            identity: identity(stated),
            fields_count: count(stated, "minProperties", "maxProperties"),
            items_count: count(stated, "minItems", "maxItems"),
            length: count(stated, "minLength", "maxLength"),
            pattern: text("pattern"),
            minimum: bound(stated, "minimum", "exclusiveMinimum"),
            maximum: bound(stated, "maximum", "exclusiveMaximum"),
            multiple_of: stated.get("multipleOf").and_then(Value::as_i64),
            all_of: list("allOf").unwrap_or_default(),
            any_of: list("anyOf"),
            one_of: list("oneOf"),
            not: stated.get("not").map(|not| Box::new(Self::read(not))),
        };
        let fills = schema.below().any(|below| below.default.is_some() || below.fills);
        schema.fills = fills;
        schema
    }

    /// The schema of a field: a named one, else what holds for every further one.
    pub fn property(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).or(match &self.rest {
            Rest::Of(schema) => Some(schema),
            Rest::Unsaid | Rest::Any => None,
        })
    }

    fn below(&self) -> impl Iterator<Item = &Schema> {
        let rest = match &self.rest {
            Rest::Of(schema) => Some(&**schema),
            Rest::Unsaid | Rest::Any => None,
        };
        self.properties.values().chain(rest).chain(self.items.as_deref())
    }
}

fn flag(stated: &Value, field: &str) -> bool {
    stated.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn texts(stated: &Value, field: &str) -> Vec<String> {
    let items = stated.get(field).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn properties(stated: &Value) -> BTreeMap<String, Schema> {
    let named = stated.get("properties").and_then(Value::as_object).into_iter().flatten();
    named.map(|(name, inner)| (name.clone(), Schema::read(inner))).collect()
}

fn rest(stated: &Value) -> Rest {
    match stated.get("additionalProperties") {
        Some(Value::Bool(true)) => Rest::Any,
        Some(inner @ Value::Object(_)) => Rest::Of(Box::new(Schema::read(inner))),
        Some(_) | None => Rest::Unsaid,
    }
}

fn identity(stated: &Value) -> Identity {
    match stated.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Identity::Value,
        Some("map") => Identity::Keys(texts(stated, "x-kubernetes-list-map-keys")),
        Some(_) | None => Identity::None,
    }
}

fn count(stated: &Value, least: &str, most: &str) -> Count {
    let limit = |name: &str| stated.get(name).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    Count { least: limit(least), most: limit(most) }
}

fn bound(stated: &Value, name: &str, exclusive: &str) -> Option<Bound> {
    let limit = stated.get(name).filter(|limit| limit.is_number())?.clone();
    Some(Bound { limit, exclusive: flag(stated, exclusive) })
}
