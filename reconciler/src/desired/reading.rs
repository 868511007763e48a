//! All files together: who defines what, who contradicts whom, and what stays as it was. Reads no text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Desired;
use super::document::{Content, Guess, Object, Typed};
use super::file::{ParsedDocument, ParsedFile};
use super::object::{DesiredPolicy, DesiredVm, Kind, Listed, ObjectName, Origin, Problem, Since};
use super::scope::Scope;
use crate::packed::Packed;
use crate::source::{RepoPath, SkipReason, Skipped, escaped};

/// Other places of one object that are told with each of them.
const MOST_NAMED: usize = 5;

/// What has been read so far.
pub(super) struct Reading<'f> {
    scope: Scope<'f>,
    /// The commit, shared by all that it changed.
    revision: Arc<str>,
    desired: Desired,
    claims: BTreeMap<ObjectName, Vec<(&'f Origin, &'f Object)>>,
    /// Files that could not be read as a whole, and folders that could not be read at all.
    unread: BTreeSet<String>,
}

impl<'f> Reading<'f> {
    pub(super) fn new(scope: Scope<'f>, commit: &str) -> Self {
        let desired = Desired { commit: commit.to_owned(), ..Desired::default() };
        Self { scope, revision: Arc::from(commit), desired, claims: BTreeMap::new(), unread: BTreeSet::new() }
    }

    pub(super) fn file(&mut self, path: &RepoPath, file: &'f ParsedFile) {
        if !file.is_whole() {
            self.unread.insert(path.to_string());
        }
        if file.is_empty() {
            let message = "the file defines nothing; what it defined before is kept: delete the file to remove it";
            self.warn(whole(path.as_str()), None, message.to_owned());
        }
        for document in &file.documents {
            self.document(document);
        }
    }

    fn document(&mut self, document: &'f ParsedDocument) {
        match &document.content {
            Content::Empty => {}
            Content::Foreign(kind) => {
                let count = self.desired.foreign.entry(kind.clone()).or_default();
                *count = count.saturating_add(1);
            }
            Content::Object(object) => self.object(document, object),
            Content::Broken { guess, .. } => self.broken(document, guess),
        }
    }

    fn object(&mut self, document: &'f ParsedDocument, object: &'f Object) {
        let kind = object.typed.kind();
        let name = self.named(kind, object.namespace.as_deref(), &object.name);
        if !self.scope.allows(&name) {
            self.unread.insert(document.origin.file.to_string());
            let message = self.scope.refusal(&name);
            let place = document.namespace.as_deref().cloned();
            let place = place.unwrap_or(Problem {
                origin: document.origin.clone(),
                object: None,
                message: String::new(),
                snippet: None,
            });
            return self.desired.problems.push(Problem { object: Some(name), message, ..place });
        }
        let remarks = document.remarks.iter().cloned();
        self.desired.warnings.extend(remarks.map(|remark| Problem { object: Some(name.clone()), ..remark }));
        self.claims.entry(name).or_default().push((&document.origin, object));
    }

    fn broken(&mut self, document: &ParsedDocument, guess: &Guess) {
        let kind = match guess.kind.as_deref() {
            Some("SizingPolicy") => Some(Kind::SizingPolicy),
            Some("VirtualMachine") => Some(Kind::VirtualMachine),
            _ => None,
        };
        let object =
            kind.zip(guess.name.as_deref()).map(|(kind, name)| self.named(kind, guess.namespace.as_deref(), name));
        let remarks = document.remarks.iter().cloned().map(|remark| Problem { object: object.clone(), ..remark });
        self.desired.problems.extend(remarks);
    }

    pub(super) fn skipped(&mut self, skipped: &Skipped) {
        self.unread.insert(skipped.path.clone());
        let is_manifest =
            [".yaml", ".yml", ".json"].iter().any(|ending| skipped.path.to_ascii_lowercase().ends_with(ending));
        let message = format!("`{}` {}", skipped.path, skipped.reason);
        match &skipped.reason {
            SkipReason::Symlink | SkipReason::Submodule => self.warn(whole(&skipped.path), None, message),
            _ if is_manifest => self.refuse(whole(&skipped.path), None, message),
            _ => self.warn(whole(&skipped.path), None, message),
        }
    }

    /// Settles who defines what, and adds what has to stay.
    pub(super) fn finish(mut self, previous: &Desired) -> Desired {
        for (name, claims) in std::mem::take(&mut self.claims) {
            match claims.as_slice() {
                [(origin, object)] => self.define(name, origin, object, previous),
                several => self.contradiction(&name, several, previous),
            }
        }
        for (name, listed) in previous.defined_or_left() {
            // What it may not state any more it lets go, as a source does that is gone: kept, it would still be applied.
            if !self.knows(&name) && self.scope.allows(&name) {
                self.absent(name, listed, previous);
            }
        }
        self.desired.problems.sort_by(|left, right| left.origin.cmp(&right.origin));
        self.desired.warnings.sort_by(|left, right| left.origin.cmp(&right.origin));
        self.desired
    }

    fn define(&mut self, name: ObjectName, origin: &Origin, object: &Object, previous: &Desired) {
        let key = name.key();
        let first = previous.commit.is_empty();
        match &object.typed {
            Typed::Vm => {
                let before = previous.vms.get(&key);
                let (revision, since) =
                    revised(before.map(|old| (&old.manifest, &old.revision, old.since)), object, &self.revision, first);
                let next = DesiredVm { manifest: object.manifest.clone(), origin: origin.clone(), revision, since };
                self.desired.vms.insert(key, kept(before, next));
            }
            Typed::Policy(policy) => {
                let before = previous.policies.get(&key);
                let spec = policy.spec.clone();
                let (revision, since) =
                    revised(before.map(|old| (&old.manifest, &old.revision, old.since)), object, &self.revision, first);
                let next =
                    DesiredPolicy { manifest: object.manifest.clone(), spec, origin: origin.clone(), revision, since };
                self.desired.policies.insert(key, kept(before, next));
            }
        }
    }

    /// None of several definitions is better than the others, so the last good state stays.
    fn contradiction(&mut self, name: &ObjectName, claims: &[(&Origin, &Object)], previous: &Desired) {
        for (origin, _) in claims {
            let others = claims.iter().map(|(other, _)| *other).filter(|other| other != origin);
            let mut named: Vec<String> = others.take(MOST_NAMED).map(Origin::to_string).collect();
            let more = claims.len().saturating_sub(named.len()).saturating_sub(1);
            named.extend((more > 0).then(|| format!("{more} more places")));
            let message = format!("it is defined in {} too, and none of them is used; keep one", named.join(" and "));
            self.refuse((*origin).clone(), Some(name.clone()), message);
        }
        if let Some(listed) = previous.listed(name) {
            self.keep(name.clone(), Listed { removed: false, ..listed }, previous);
        }
    }

    /// Absence counts only where everything could be read.
    fn absent(&mut self, name: ObjectName, listed: Listed, previous: &Desired) {
        let mut folders = listed.path.match_indices('/').filter_map(|(end, _)| listed.path.get(..end));
        let unread = self.unread.contains(&*listed.path) || folders.any(|folder| self.unread.contains(folder));
        if unread && !listed.removed {
            self.keep(name, listed, previous);
        } else {
            self.desired.left.insert(name, Listed { removed: true, ..listed });
        }
    }

    fn keep(&mut self, name: ObjectName, listed: Listed, previous: &Desired) {
        let key = name.key();
        match name.kind {
            Kind::VirtualMachine => {
                self.desired.vms.extend(previous.vms.get(&key).cloned().map(|vm| (key, vm)));
            }
            Kind::SizingPolicy => {
                self.desired.policies.extend(previous.policies.get(&key).cloned().map(|policy| (key, policy)));
            }
        }
        // After a restart nothing more is known of it than that it was there.
        if !self.desired.defines(&name) {
            self.desired.left.insert(name, listed);
        }
    }

    fn knows(&self, name: &ObjectName) -> bool {
        self.desired.defines(name) || self.desired.left.contains_key(name)
    }

    /// Escaping changes no name that Kubernetes accepts.
    fn named(&self, kind: Kind, namespace: Option<&str>, name: &str) -> ObjectName {
        let namespace = escaped(namespace.unwrap_or(self.scope.fallback()), 100);
        ObjectName { kind, namespace, name: escaped(name, 260) }
    }

    fn refuse(&mut self, origin: Origin, object: Option<ObjectName>, message: String) {
        self.desired.problems.push(Problem { origin, object, message, snippet: None });
    }

    fn warn(&mut self, origin: Origin, object: Option<ObjectName>, message: String) {
        self.desired.warnings.push(Problem { origin, object, message, snippet: None });
    }
}

fn whole(path: &str) -> Origin {
    Origin { file: Arc::from(path), ..Origin::default() }
}

/// The commit that changed an object last.
fn revised(
    before: Option<(&Packed, &Arc<str>, Since)>,
    object: &Object,
    commit: &Arc<str>,
    first: bool,
) -> (Arc<str>, Since) {
    match before {
        Some((manifest, revision, since)) if *manifest == object.manifest => (Arc::clone(revision), since),
        None if first => (Arc::clone(commit), Since::Unknown),
        Some(_) | None => (Arc::clone(commit), Since::Seen),
    }
}

/// The object of before where nothing about it changed.
fn kept<T: PartialEq>(before: Option<&Arc<T>>, next: T) -> Arc<T> {
    before.filter(|before| ***before == next).cloned().unwrap_or_else(|| Arc::new(next))
}
