//! What one document is: an object of ours, a foreign one, nothing, or broken. Looks at no other document.

use reef_api::names::{REEF_GROUP, VM_GROUP, VM_VERSION, reef_api_version};
use reef_api::{EffectivePolicy, SizingPolicy, Violation, VirtualMachine, nearest, validate};
use reef_policy::RuleError;
use serde::Deserialize;

use super::check;
use super::fault::{Fault, Position};
use super::fields;
use super::node::{Kind as NodeKind, Node};
use super::object::Kind;
use super::yaml;
use crate::packed::Packed;
use crate::source::escaped;

/// What a document turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// Nothing, or comments only.
    Empty,
    /// An object of a kind that is not ours.
    Foreign(String),
    /// An object of ours.
    Object(Box<Object>),
    /// Not usable.
    Broken { faults: Vec<Fault>, guess: Guess },
}

/// An object as its document states it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    pub(super) name: String,
    /// The namespace, where the document states one.
    pub(super) namespace: Option<String>,
    pub(super) manifest: Packed,
    pub(super) typed: Typed,
    pub(super) at: Position,
    /// Where the namespace is stated, or else the metadata.
    pub(super) namespace_at: Position,
    pub(super) warnings: Vec<Fault>,
}

/// An object of ours by its kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Typed {
    /// Of a VM the manifest is enough.
    Vm,
    Policy(Box<SizingPolicy>),
}

impl Typed {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Vm => Kind::VirtualMachine,
            Self::Policy(_) => Kind::SizingPolicy,
        }
    }
}

/// What a broken document seems to be about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
}

impl Guess {
    /// Whether it is surely about something that is none of our business.
    fn is_foreign(&self) -> bool {
        let plain = |kind: &str| !kind.is_empty() && kind.chars().all(|letter| letter.is_ascii_alphanumeric());
        let known = [&Kind::NAMES[..], &[check::KIND]].concat();
        let others = |kind: &str| !known.contains(&kind) && kind != "List" && nearest(kind, &known).is_none();
        self.kind.as_deref().is_some_and(|kind| plain(kind) && others(kind))
    }
}

/// Reads the text of one document. One that says at its outermost level that it is foreign is not looked into.
pub(super) fn read(text: &str) -> Content {
    let guess = guess_from_text(text);
    if let Some(kind) = guess.kind.as_ref().filter(|_| guess.is_foreign()) {
        return Content::Foreign(kind.clone());
    }
    match yaml::parse(text) {
        Ok(root) => classify(&root).unwrap_or_else(|faults| Content::Broken { faults, guess: guess_from_node(&root) }),
        Err(fault) => Content::Broken { faults: vec![fault], guess },
    }
}

fn classify(root: &Node) -> Result<Content, Vec<Fault>> {
    match &root.kind {
        NodeKind::Null => Ok(Content::Empty),
        NodeKind::Map(entries) if entries.is_empty() => Ok(Content::Empty),
        NodeKind::Map(_) => mapping(root),
        NodeKind::List(_) => Ok(Content::Foreign("(list)".to_owned())),
        _ => Err(vec![Fault::at(
            root.at,
            "this is a single value and no object; a manifest has apiVersion, kind, metadata and spec",
        )]),
    }
}

fn mapping(root: &Node) -> Result<Content, Vec<Fault>> {
    let version = root.get("apiVersion").and_then(Node::text);
    let kind = root.get("kind").and_then(Node::text);
    let (Some(version), Some(kind)) = (version, kind) else {
        return no_envelope(root, version.is_some());
    };
    match Kind::named(kind) {
        Some(ours) if version == ours.api_version() => {
            object(root, ours).map(|object| Content::Object(Box::new(object)))
        }
        Some(ours) if group(version) == ours.group() => Err(vec![Fault::at(
            root.nearest("apiVersion").at,
            format!(
                "{kind} of version `{}` is not known to this Reef; it reads {}",
                escaped(version, 80),
                ours.api_version()
            ),
        )]),
        Some(ours) if nearest(group(version), &[ours.group()]).is_some() => Err(vec![Fault::at(
            root.nearest("apiVersion").at,
            format!("apiVersion `{}` is not known; did you mean `{}`?", escaped(version, 80), ours.api_version()),
        )]),
        None if kind == check::KIND && group(version) == REEF_GROUP => check::read(root, version),
        None if kind == "List" => {
            Err(vec![Fault::at(root.at, "lists are not read; write one document for each object")])
        }
        None if matches!(group(version), VM_GROUP) => Err(vec![misspelt(root, kind)]),
        Some(_) | None => Ok(Content::Foreign(escaped(kind, 80))),
    }
}

/// A file without an envelope may be anything; one with half of an envelope is a manifest with a mistake.
fn no_envelope(root: &Node, has_version: bool) -> Result<Content, Vec<Fault>> {
    let missing = if has_version { "kind" } else { "apiVersion" };
    match ["apiVersion", "kind"].iter().any(|key| root.get(key).is_some()) || root.get("spec").is_some() {
        true => Err(vec![Fault::at(root.nearest(missing).at, format!("`{missing}` is missing, or is no text"))]),
        false => Ok(Content::Foreign("(no kind)".to_owned())),
    }
}

fn misspelt(root: &Node, kind: &str) -> Fault {
    let meant = nearest(kind, &Kind::NAMES).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Fault::at(root.nearest("kind").at, format!("kind `{}` is not known{meant}", escaped(kind, 80)))
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn object(root: &Node, kind: Kind) -> Result<Object, Vec<Fault>> {
    let fields = fields::unknown(root, kind);
    if !fields.refused.is_empty() {
        return Err(fields.refused);
    }
    let typed = match kind {
        Kind::VirtualMachine => vm(root)?,
        Kind::SizingPolicy => policy(root)?,
    };
    let metadata = root.nearest("metadata");
    let mut manifest = root.value();
    let mut warnings = fields.kept;
    if let Some(status) = manifest.as_object_mut().and_then(|fields| fields.remove("status")).and(root.get("status")) {
        warnings.push(Fault::at(status.at, "the status is left out: Reef writes it"));
    }
    Ok(Object {
        name: metadata.get("name").and_then(Node::text).unwrap_or_default().to_owned(),
        namespace: metadata.get("namespace").and_then(Node::text).map(str::to_owned),
        manifest: Packed::from(&manifest),
        typed,
        at: root.at,
        namespace_at: root.nearest("metadata.namespace").at,
        warnings,
    })
}

fn vm(root: &Node) -> Result<Typed, Vec<Fault>> {
    let vm = VirtualMachine::deserialize(root).map_err(|fault| vec![fault])?;
    let violations = validate(&vm, &EffectivePolicy::default()).err().unwrap_or_default();
    let counts = violations.iter().any(|violation| violation.path.starts_with("spec.instance.cpu."));
    // The product of counts that are wrong says nothing more.
    let violations = violations.iter().filter(|violation| !(counts && violation.path == "spec.instance.cpu"));
    let faults: Vec<Fault> = violations.filter_map(|violation| fault(root, violation)).collect();
    if faults.is_empty() { Ok(Typed::Vm) } else { Err(faults) }
}

/// A violation at its place; none for what is not up to the document.
fn fault(root: &Node, violation: &Violation) -> Option<Fault> {
    // What the Pod needs depends on the overhead, which only the cluster's policies tell. Floors and ceilings that nobody
    // states follow from the size, and are right when it is.
    let derived = ["spec.instance.memory.min", "spec.instance.memory.max"];
    let stated = root.at_path(violation.path).is_some();
    if violation.path == "spec.resources" || (derived.contains(&violation.path) && !stated) {
        return None;
    }
    Some(Fault::at(root.nearest(violation.path).at, escaped(&violation.to_string(), 400)))
}

fn policy(root: &Node) -> Result<Typed, Vec<Fault>> {
    let policy = SizingPolicy::deserialize(root).map_err(|fault| vec![fault])?;
    let name = policy.metadata.name.as_deref().unwrap_or_default();
    reef_api::dns1123_subdomain(name).map_err(|error| {
        vec![Fault::at(root.nearest("metadata.name").at, format!("metadata.name cannot be used: {error}"))]
    })?;
    let rules = reef_policy::check(&policy.spec.rules);
    let shape = reef_policy::unsound(&policy.spec);
    let shape = shape.iter().map(|found| Fault::at(root.nearest(found.path).at, escaped(&found.to_string(), 400)));
    let faults: Vec<Fault> = shape.chain(rules.iter().map(|error| rule_fault(root, error))).collect();
    if faults.is_empty() { Ok(Typed::Policy(Box::new(policy))) } else { Err(faults) }
}

/// What is wrong with a rule, where its expression stands.
fn rule_fault(root: &Node, error: &RuleError) -> Fault {
    let rules = root.nearest("spec.rules");
    let rule = rules.items().nth(error.rule).unwrap_or(rules);
    Fault::at(rule.nearest("expression").at, escaped(&format!("spec.{error}"), 400))
}

fn guess_from_node(root: &Node) -> Guess {
    let text = |key: &str| root.get("metadata").and_then(|node| node.get(key)).and_then(Node::text).map(str::to_owned);
    Guess {
        kind: root.get("kind").and_then(Node::text).map(str::to_owned),
        namespace: text("namespace"),
        name: text("name"),
    }
}

/// Reads the few lines that tell what a document is about from a text that cannot be parsed.
fn guess_from_text(text: &str) -> Guess {
    let mut guess = Guess::default();
    let mut in_metadata = false;
    for line in text.lines() {
        let indented = line.starts_with([' ', '\t']);
        let Some((key, value)) = line.trim().split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        let slot = match (indented, key) {
            (false, "kind") => &mut guess.kind,
            (true, "name") if in_metadata => &mut guess.name,
            (true, "namespace") if in_metadata => &mut guess.namespace,
            _ => {
                in_metadata = if indented { in_metadata } else { key == "metadata" };
                continue;
            }
        };
        match slot {
            None if !value.is_empty() => *slot = Some(escaped(value, 100)),
            // Said twice: nothing is sure.
            Some(_) if key == "kind" => guess.kind = Some(String::new()),
            Some(_) | None => {}
        }
    }
    guess
}

impl Kind {
    const NAMES: [&'static str; 2] = ["VirtualMachine", "SizingPolicy"];

    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "VirtualMachine" => Some(Self::VirtualMachine),
            "SizingPolicy" => Some(Self::SizingPolicy),
            _ => None,
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::VirtualMachine => VM_GROUP,
            Self::SizingPolicy => REEF_GROUP,
        }
    }

    fn api_version(self) -> String {
        match self {
            Self::VirtualMachine => format!("{VM_GROUP}/{VM_VERSION}"),
            Self::SizingPolicy => reef_api_version(),
        }
    }
}
