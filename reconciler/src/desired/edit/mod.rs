//! Another size in the text of a manifest: one or two values change, and not a letter more. Pure: text in, text or an error out.
//!
//! The strict reader tells which bytes a value stands in; those are exchanged. What comes out is read again, and held against what went in.

mod counts;
mod error;
mod guard;
mod patch;

use std::sync::Arc;

use reef_api::{Bytes, EffectivePolicy, Size, Vcpus, VirtualMachine, defaulted};
use serde::Deserialize;
use serde_json::Value;

use super::document::{Content, Typed};
use super::fault::{Fault, Position};
use super::file::ParsedFile;
use super::node::Node;
use super::object::Origin;
use super::text::{Chunk, decode, documents};
use super::yaml;
use crate::source::RepoPath;
use patch::Patch;

pub use error::EditError;

const CPU: &str = "spec.instance.cpu";
const MEMORY: &str = "spec.instance.memory";

/// What a VM is to have. What is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Its vCPUs.
    pub vcpus: Option<Vcpus>,
    /// Its memory.
    pub memory: Option<Bytes>,
}

impl From<Size> for Wish {
    fn from(size: Size) -> Self {
        Self { vcpus: Some(size.vcpus), memory: Some(size.memory) }
    }
}

/// A file in which a VM has another size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole file; the same as before where the VM had the size already.
    pub text: String,
    /// The size that was stated, with what is the default where nothing was.
    pub from: Size,
    /// The size that is stated now.
    pub to: Size,
}

/// Which document of a file states the VM of this name; none where none does, or several do.
#[must_use]
pub fn stating(file: &RepoPath, bytes: &[u8], name: &str) -> Option<Origin> {
    let parsed = ParsedFile::read(file, bytes);
    let mut states = parsed.documents.into_iter().filter(|document| match &document.content {
        Content::Object(object) => object.typed == Typed::Vm && object.name == name,
        Content::Empty | Content::Foreign(_) | Content::Broken { .. } => false,
    });
    states.next().filter(|_| states.next().is_none()).map(|document| document.origin)
}

/// Gives the VM that the document of `origin` states another size.
///
/// Of sockets and cores the one is changed that yields the number. A field that is absent is added to the block of its parent.
///
/// # Errors
/// Where the document is no VM, where no single value yields the size, where the field's parent is absent too, and where the
/// manifest would not be valid with it.
pub fn resized(bytes: &[u8], origin: &Origin, wish: Wish) -> Result<Edited, EditError> {
    let document = Document::of(bytes, origin)?;
    let from = defaulted(&document.vm, &EffectivePolicy::default()).size;
    let to = Size::new(wish.vcpus.unwrap_or(from.vcpus), wish.memory.unwrap_or(from.memory));
    let mut fields = Vec::new();
    if to.vcpus != from.vcpus {
        fields.push(document.vcpus(to.vcpus)?);
    }
    if to.memory != from.memory {
        fields.push(Field { parent: MEMORY, name: "size", value: Value::String(to.memory.to_string()) });
    }
    let patches = fields.iter().map(|field| patch::of(&document, field)).collect::<Result<Vec<Patch>, EditError>>()?;
    let text = patch::applied(document.whole, document.start, &patches).ok_or_else(|| document.torn())?;
    guard::check(&document, &fields, &patches, &text)?;
    Ok(Edited { text, from, to })
}

/// A field and the value that it is to have.
struct Field {
    parent: &'static str,
    name: &'static str,
    value: Value,
}

/// A document in its file.
struct Document<'t> {
    /// The whole file.
    whole: &'t str,
    /// Where the document begins in it.
    start: usize,
    chunk: Chunk<'t>,
    root: Node,
    vm: VirtualMachine,
    origin: &'t Origin,
}

impl<'t> Document<'t> {
    fn of(bytes: &'t [u8], origin: &'t Origin) -> Result<Self, EditError> {
        let unreadable = |fault: Fault| EditError::Unreadable { at: origin.clone(), detail: fault.message };
        let text = decode(bytes).map_err(unreadable)?;
        let chunks = documents(text).map_err(unreadable)?;
        let index = origin.document.saturating_sub(1);
        let chunk = *chunks.get(index).ok_or_else(|| unreadable(Fault::anywhere("it has no such document")))?;
        let root = yaml::parse(chunk.text).map_err(unreadable)?;
        let vm = VirtualMachine::deserialize(&root).map_err(unreadable)?;
        // Documents follow each other without a gap; before the first there is a byte order mark at most.
        let whole = std::str::from_utf8(bytes).unwrap_or(text);
        let before: usize = chunks.iter().take(index).map(|chunk| chunk.text.len()).sum();
        let start = whole.len().saturating_sub(text.len()).saturating_add(before);
        Ok(Self { whole, start, chunk, root, vm, origin })
    }

    /// The count that yields the number, and its value.
    fn vcpus(&self, wanted: Vcpus) -> Result<Field, EditError> {
        let cpu = self.vm.spec.instance.cpu.clone().unwrap_or_default();
        let (name, count) = counts::yielding(&cpu, wanted).map_err(|uneven| uneven.at(self.place(CPU)))?;
        Ok(Field { parent: CPU, name, value: Value::from(count) })
    }

    /// Where a field stands, or its innermost parent that does.
    fn place(&self, path: &str) -> Origin {
        self.origin_of(self.root.keys(path).last().map_or(self.root.at, |key| key.at))
    }

    fn origin_of(&self, at: Position) -> Origin {
        let line = self.chunk.first_line.saturating_add(at.line).saturating_sub(1);
        Origin { file: Arc::clone(&self.origin.file), document: self.origin.document, line, column: at.column }
    }

    fn torn(&self) -> EditError {
        EditError::Guard { at: self.origin.clone(), detail: "a value does not stand where it was read" }
    }
}

#[cfg(test)]
mod tests;
