//! A set of paths into an object, with its wire form `FieldsV1`. Pure.
//!
//! A level is a sorted list: objects have few fields, and a tree of maps costs more to make than to search.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// One step of a path. Keys and values are kept as canonical JSON, so that steps have an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field of an object.
    Field(Arc<str>),
    /// An item of a list, by its key fields.
    Key(Arc<str>),
    /// An item of a list, by its value.
    Value(Arc<str>),
    /// An item of a list, by its place.
    Index(usize),
}

impl Step {
    /// The step to a field.
    pub fn field(name: &str) -> Self {
        Step::Field(Arc::from(name))
    }

    /// The step to the item with this value.
    pub fn value(value: &Value) -> Self {
        Step::Value(canonical(value).into())
    }

    /// The step as `managedFields` tell it.
    pub fn to_wire(&self) -> String {
        match self {
            Step::Field(name) => ["f:", name].concat(),
            Step::Key(fields) => ["k:", fields].concat(),
            Step::Value(value) => ["v:", value].concat(),
            Step::Index(index) => format!("i:{index}"),
        }
    }

    fn from_wire(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Step::field(rest)),
            "k" => Some(Step::Key(canonical(&serde_json::from_str(rest).ok()?).into())),
            "v" => Some(Step::Value(canonical(&serde_json::from_str(rest).ok()?).into())),
            "i" => rest.parse().ok().map(Step::Index),
            _ => None,
        }
    }

    fn is_field(&self, wanted: &str) -> bool {
        matches!(self, Step::Field(name) if **name == *wanted)
    }

    /// As conflicts name it: `.name`, `[name="a"]`, `[="a"]`, `[0]`.
    pub fn shown(&self) -> String {
        match self {
            Step::Field(name) => format!(".{name}"),
            Step::Key(fields) => {
                let fields: BTreeMap<String, Value> = serde_json::from_str(fields).unwrap_or_default();
                let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", pairs.join(","))
            }
            Step::Value(value) => format!("[={value}]"),
            Step::Index(index) => format!("[{index}]"),
        }
    }
}

fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            serde_json::to_string(&sorted).unwrap_or_default()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value.to_string(),
    }
}

/// A set of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// In the order of the steps, each once, none with nothing in it.
    steps: Vec<(Step, Branch)>,
}

/// What is in a set at one step and below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branch {
    /// Whether the path that ends here is in the set.
    pub member: bool,
    /// The paths that go on.
    pub below: FieldSet,
}

impl Branch {
    /// The path that ends here, and none below it.
    pub fn leaf() -> Self {
        Branch { member: true, below: FieldSet::default() }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    /// Whether no path is in it.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A set of branches in any order; those of one step become one.
    pub fn of(mut steps: Vec<(Step, Branch)>) -> Self {
        steps.retain(|(_, branch)| !branch.is_empty());
        if steps.is_sorted_by(|(one, _), (other, _)| one < other) {
            return FieldSet { steps };
        }
        steps.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut out = FieldSet::default();
        for (step, branch) in steps {
            match out.steps.last_mut().filter(|(last, _)| *last == step) {
                Some((_, last)) => {
                    last.member |= branch.member;
                    last.below.extend(&branch.below);
                }
                None => out.steps.push((step, branch)),
            }
        }
        out
    }

    /// What is in it at and below a field of the object itself.
    pub fn field(&self, name: &str) -> Option<&Branch> {
        self.steps.iter().find(|(step, _)| step.is_field(name)).map(|(_, branch)| branch)
    }

    /// The first step of every path, in order.
    pub fn firsts(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(|(step, _)| step)
    }

    fn find(&self, step: &Step) -> Option<&Branch> {
        let place = self.steps.binary_search_by(|(known, _)| known.cmp(step)).ok()?;
        self.steps.get(place).map(|(_, branch)| branch)
    }

    /// Whether the path itself is in it.
    pub fn contains(&self, path: &[Step]) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        self.find(first).is_some_and(|branch| if rest.is_empty() { branch.member } else { branch.below.contains(rest) })
    }

    /// Whether the path or one below it is in it.
    pub fn touches(&self, path: &[Step]) -> bool {
        let Some((first, rest)) = path.split_first() else { return !self.is_empty() };
        self.find(first).is_some_and(|branch| branch.member && rest.is_empty() || branch.below.touches(rest))
    }

    /// Adds the paths of another.
    pub fn extend(&mut self, other: &FieldSet) {
        for (step, theirs) in &other.steps {
            match self.steps.binary_search_by(|(known, _)| known.cmp(step)) {
                Ok(place) => {
                    if let Some((_, ours)) = self.steps.get_mut(place) {
                        ours.member |= theirs.member;
                        ours.below.extend(&theirs.below);
                    }
                }
                Err(place) => self.steps.insert(place, (step.clone(), theirs.clone())),
            }
        }
    }

    /// Takes out the paths of another.
    pub fn subtract(&mut self, other: &FieldSet) {
        for (step, theirs) in &other.steps {
            let Ok(place) = self.steps.binary_search_by(|(known, _)| known.cmp(step)) else { continue };
            let Some((_, ours)) = self.steps.get_mut(place) else { continue };
            ours.member &= !theirs.member;
            ours.below.subtract(&theirs.below);
            if ours.is_empty() {
                self.steps.remove(place);
            }
        }
    }

    /// The paths that are not in another.
    pub fn minus(&self, other: &FieldSet) -> FieldSet {
        let left = |(step, ours): &(Step, Branch)| match other.find(step) {
            None => Some((step.clone(), ours.clone())),
            Some(theirs) => {
                let below = ours.below.minus(&theirs.below);
                let branch = Branch { member: ours.member && !theirs.member, below };
                (!branch.is_empty()).then(|| (step.clone(), branch))
            }
        };
        FieldSet { steps: self.steps.iter().filter_map(left).collect() }
    }

    /// Whether a path is in both.
    pub fn meets(&self, other: &FieldSet) -> bool {
        other.steps.iter().any(|(step, theirs)| {
            self.find(step).is_some_and(|ours| ours.member && theirs.member || ours.below.meets(&theirs.below))
        })
    }

    /// The paths that are in both.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        let both = |(step, theirs): &(Step, Branch)| {
            let ours = self.find(step)?;
            let below = ours.below.intersection(&theirs.below);
            Some((step.clone(), Branch { member: ours.member && theirs.member, below }))
        };
        FieldSet::of(other.steps.iter().filter_map(both).collect())
    }

    /// Drops the field at this path of names and everything below it.
    pub fn cut(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else { return };
        let Some(place) = self.steps.iter().position(|(step, _)| step.is_field(first)) else { return };
        if let (false, Some((_, branch))) = (rest.is_empty(), self.steps.get_mut(place)) {
            branch.below.cut(rest);
            if !branch.is_empty() {
                return;
            }
        }
        self.steps.remove(place);
    }

    /// Drops the path to a top-level field, and keeps what is below it.
    pub fn drop_member(&mut self, name: &str) {
        let Some(place) = self.steps.iter().position(|(step, _)| step.is_field(name)) else { return };
        let Some((_, branch)) = self.steps.get_mut(place) else { return };
        branch.member = false;
        if branch.is_empty() {
            self.steps.remove(place);
        }
    }

    /// Keeps only what is at or below the named top-level field.
    pub fn keep_only(&mut self, field: &str) {
        self.steps.retain(|(step, _)| step.is_field(field));
    }

    /// Every path, those of one level before those below them, as conflicts list them.
    pub fn paths(&self) -> Vec<Vec<Step>> {
        let mut out = Vec::new();
        self.collect(&mut Vec::new(), &mut out);
        out
    }

    fn collect(&self, prefix: &mut Vec<Step>, out: &mut Vec<Vec<Step>>) {
        for (step, _) in self.steps.iter().filter(|(_, branch)| branch.member) {
            let mut path = prefix.clone();
            path.push(step.clone());
            out.push(path);
        }
        for (step, branch) in &self.steps {
            prefix.push(step.clone());
            branch.below.collect(prefix, out);
            prefix.pop();
        }
    }

    /// Reads the wire form; steps of an unknown kind are left out.
    pub fn from_wire(value: &Value) -> Self {
        let read = |(text, inner): (&String, &Value)| {
            let step = Step::from_wire(text)?;
            let bare = inner.as_object().is_none_or(Map::is_empty);
            let member = bare || inner.get(".").is_some();
            Some((step, Branch { member, below: FieldSet::from_wire(inner) }))
        };
        FieldSet::of(value.as_object().into_iter().flatten().filter_map(read).collect())
    }
}

/// The wire form.
impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire(self, false, serializer)
    }
}

impl Serialize for Branch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire(&self.below, self.member && !self.below.is_empty(), serializer)
    }
}

/// A set at a path that is a member itself, besides having others below it, says so with a point.
fn wire<S: Serializer>(set: &FieldSet, pointed: bool, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    if pointed {
        map.serialize_entry(".", &Map::new())?;
    }
    for (step, branch) in &set.steps {
        map.serialize_entry(&step.to_wire(), branch)?;
    }
    map.end()
}

/// A path as conflicts name it.
pub fn shown(path: &[Step]) -> String {
    path.iter().map(Step::shown).collect()
}
