//! A set of paths into an object, with its wire form `FieldsV1`. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One step of a path. Keys and values are kept as canonical JSON, so that steps have an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// An item of a list, by its key fields.
    Key(String),
    /// An item of a list, by its value.
    Value(String),
    /// An item of a list, by its place.
    Index(usize),
}

impl Step {
    /// The step to the item with these key fields.
    pub fn key(fields: &BTreeMap<&str, Value>) -> Self {
        Step::Key(serde_json::to_string(fields).unwrap_or_default())
    }

    /// The step to the item with this value.
    pub fn value(value: &Value) -> Self {
        Step::Value(canonical(value))
    }

    fn to_wire(&self) -> String {
        match self {
            Step::Field(name) => format!("f:{name}"),
            Step::Key(fields) => format!("k:{fields}"),
            Step::Value(value) => format!("v:{value}"),
            Step::Index(index) => format!("i:{index}"),
        }
    }

    fn from_wire(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Step::Field(rest.to_owned())),
            "k" => Some(Step::Key(canonical(&serde_json::from_str(rest).ok()?))),
            "v" => Some(Step::Value(canonical(&serde_json::from_str(rest).ok()?))),
            "i" => rest.parse().ok().map(Step::Index),
            _ => None,
        }
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

    /// Whether a list's item is the one that the step means; missing key fields count as `defaults` say.
    pub fn is(&self, item: &Value, defaults: &[(String, Option<Value>)]) -> bool {
        match self {
            Step::Key(_) => *self == key_of(item, defaults),
            Step::Value(value) => *value == canonical(item),
            Step::Field(_) | Step::Index(_) => false,
        }
    }
}

/// The step to an item of a list that is told apart by key fields.
pub fn key_of(item: &Value, keys: &[(String, Option<Value>)]) -> Step {
    let field =
        |name: &String, default: &Option<Value>| item.get(name).or(default.as_ref()).cloned().unwrap_or_default();
    Step::key(&keys.iter().map(|(name, default)| (name.as_str(), field(name, default))).collect())
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
    steps: BTreeMap<Step, Branch>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Branch {
    member: bool,
    below: FieldSet,
}

impl Branch {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    /// Whether no path is in it.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds a path.
    pub fn insert(&mut self, path: &[Step]) {
        let Some((first, rest)) = path.split_first() else { return };
        let branch = self.steps.entry(first.clone()).or_default();
        match rest {
            [] => branch.member = true,
            rest => branch.below.insert(rest),
        }
    }

    /// Whether the path itself is in it.
    pub fn contains(&self, path: &[Step]) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        self.steps
            .get(first)
            .is_some_and(|branch| if rest.is_empty() { branch.member } else { branch.below.contains(rest) })
    }

    /// Whether the path or one below it is in it.
    pub fn touches(&self, path: &[Step]) -> bool {
        let Some((first, rest)) = path.split_first() else { return !self.is_empty() };
        self.steps.get(first).is_some_and(|branch| branch.member && rest.is_empty() || branch.below.touches(rest))
    }

    /// The paths of both.
    pub fn union(&self, other: &FieldSet) -> FieldSet {
        let mut out = self.clone();
        for (step, theirs) in &other.steps {
            let ours = out.steps.entry(step.clone()).or_default();
            ours.member |= theirs.member;
            ours.below = ours.below.union(&theirs.below);
        }
        out
    }

    /// The paths that are not in the other.
    pub fn minus(&self, other: &FieldSet) -> FieldSet {
        self.combine(other, |ours, theirs| ours && !theirs, &|below, theirs| below.minus(theirs))
    }

    /// The paths that are in both.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        self.combine(other, |ours, theirs| ours && theirs, &|below, theirs| below.intersection(theirs))
    }

    fn combine(
        &self,
        other: &FieldSet,
        keep: fn(bool, bool) -> bool,
        recurse: &dyn Fn(&FieldSet, &FieldSet) -> FieldSet,
    ) -> FieldSet {
        let nothing = Branch::default();
        let mut out = FieldSet::default();
        for (step, ours) in &self.steps {
            let theirs = other.steps.get(step).unwrap_or(&nothing);
            let branch =
                Branch { member: keep(ours.member, theirs.member), below: recurse(&ours.below, &theirs.below) };
            if !branch.is_empty() {
                out.steps.insert(step.clone(), branch);
            }
        }
        out
    }

    /// Drops the path and everything below it.
    pub fn cut(&mut self, path: &[Step]) {
        let Some((first, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            self.steps.remove(first);
        } else if let Some(branch) = self.steps.get_mut(first) {
            branch.below.cut(rest);
            if branch.is_empty() {
                self.steps.remove(first);
            }
        }
    }

    /// Drops the path itself, and keeps what is below it.
    pub fn drop_member(&mut self, path: &[Step]) {
        let Some((first, rest)) = path.split_first() else { return };
        let Some(branch) = self.steps.get_mut(first) else { return };
        match rest {
            [] => branch.member = false,
            rest => branch.below.drop_member(rest),
        }
        if branch.is_empty() {
            self.steps.remove(first);
        }
    }

    /// Keeps only what is at or below the named top-level field.
    pub fn keep_only(&mut self, field: &str) {
        self.steps.retain(|step, _| matches!(step, Step::Field(name) if name == field));
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

    /// The wire form.
    pub fn to_wire(&self) -> Value {
        let mut map = Map::new();
        for (step, branch) in &self.steps {
            let mut inner = branch.below.to_wire();
            if let (true, false, Some(inner)) = (branch.member, branch.below.is_empty(), inner.as_object_mut()) {
                inner.insert(".".to_owned(), Value::Object(Map::new()));
            }
            map.insert(step.to_wire(), inner);
        }
        Value::Object(map)
    }

    /// Reads the wire form; steps of an unknown kind are left out.
    pub fn from_wire(value: &Value) -> Self {
        let mut out = FieldSet::default();
        for (text, inner) in value.as_object().into_iter().flatten() {
            let Some(step) = Step::from_wire(text) else { continue };
            let bare = inner.as_object().is_none_or(Map::is_empty);
            let member = bare || inner.get(".").is_some();
            out.steps.insert(step, Branch { member, below: FieldSet::from_wire(inner) });
        }
        out
    }
}

/// A path as conflicts name it.
pub fn shown(path: &[Step]) -> String {
    path.iter().map(Step::shown).collect()
}
