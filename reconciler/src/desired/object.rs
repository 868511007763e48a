//! What comes out of reading: objects with their origin, and problems that say where they are. No logic beyond printing.

use std::fmt;
use std::sync::Arc;

use reef_api::{SizingPolicySpec, VirtualMachine, VmKey};

use crate::packed::Packed;

/// Where in the repository something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, by its path from the root.
    pub file: Arc<str>,
    /// The document in the file, from 1.
    pub document: usize,
    /// The line in the file, from 1; 0 for the file as a whole.
    pub line: u32,
    /// The column, from 1; 0 for the whole line.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => out.write_str(&self.file),
            (line, 0) => write!(out, "{}:{line}", self.file),
            (line, column) => write!(out, "{}:{line}:{column}", self.file),
        }
    }
}

/// The kinds that are read from Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A VM.
    VirtualMachine,
    /// A policy.
    SizingPolicy,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::VirtualMachine => "VirtualMachine",
            Self::SizingPolicy => "SizingPolicy",
        })
    }
}

/// Kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// The kind.
    pub kind: Kind,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// Namespace and name.
    #[must_use]
    pub fn key(&self) -> VmKey {
        VmKey::new(&self.namespace, &self.name)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Namespace and name of a policy.
pub type PolicyKey = VmKey;

/// What is known of an object that the tip does not define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The file that defined it last.
    pub path: Arc<str>,
    /// Whether a tip that could be read no longer defines it.
    pub removed: bool,
}

/// How sure it is that `revision` is the commit that changed an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The change was seen.
    Seen,
    /// The object was there when reading began: an older commit may have changed it last.
    Unknown,
}

/// A VM that Git asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredVm {
    /// What Git states, and nothing more: for server-side apply. It was validated without a policy.
    pub manifest: Packed,
    /// Where it stands.
    pub origin: Origin,
    /// The commit that changed it last.
    pub revision: Arc<str>,
    /// Whether that is certain.
    pub since: Since,
}

impl DesiredVm {
    /// The manifest, typed, with the namespace that it is meant for filled in.
    #[must_use]
    pub fn vm(&self, namespace: &str) -> Option<VirtualMachine> {
        let mut vm: VirtualMachine = self.manifest.read()?;
        vm.metadata.namespace = Some(namespace.to_owned());
        Some(vm)
    }
}

/// A policy that Git asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredPolicy {
    /// What Git states, and nothing more: for server-side apply.
    pub manifest: Packed,
    /// The same, typed.
    pub spec: SizingPolicySpec,
    /// Where it stands.
    pub origin: Origin,
    /// The commit that changed it last.
    pub revision: Arc<str>,
    /// Whether that is certain.
    pub since: Since,
}

/// Something in the repository that people should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// The object concerned, as far as it can be told.
    pub object: Option<ObjectName>,
    /// What is wrong, and what to do.
    pub message: String,
    /// The lines concerned.
    pub snippet: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.origin)?;
        if let Some(object) = &self.object {
            write!(out, "{object}: ")?;
        }
        out.write_str(&self.message)?;
        self.snippet.as_ref().map_or(Ok(()), |snippet| write!(out, "\n{snippet}"))
    }
}
