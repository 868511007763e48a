//! One file: its documents, each read by itself, so that a broken one costs only itself. Knows no namespace and no other file.

use std::sync::Arc;

use super::document::{self, Content};
use super::fault::{Fault, Position, snippet};
use super::object::{Kind, Origin, Problem};
use super::text::{self, Chunk};
use crate::source::RepoPath;

/// A file as far as it can be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ParsedFile {
    pub(super) documents: Vec<ParsedDocument>,
}

/// A document with what is to be said about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ParsedDocument {
    pub(super) origin: Origin,
    pub(super) content: Content,
    /// Faults of a broken document, else warnings; their object is filled in later.
    pub(super) remarks: Vec<Problem>,
    /// Where an object's namespace stands, to be filled in should it be the wrong one; none where it states none.
    pub(super) namespace: Option<Box<Problem>>,
}

impl ParsedDocument {
    /// Kind and namespace of an object that states one.
    pub(super) fn namespace_stated(&self) -> Option<(Kind, String)> {
        match &self.content {
            Content::Object(object) => Some((object.typed.kind(), object.namespace.clone()?)),
            Content::Empty | Content::Foreign(_) | Content::Broken { .. } => None,
        }
    }
}

impl ParsedFile {
    /// Reads the bytes of the file at `path`.
    pub(super) fn read(path: &RepoPath, bytes: &[u8]) -> Self {
        let path = &path.shared();
        let text = text::decode(bytes);
        let chunks = text.clone().and_then(|text| text::merge_marker(text).map_or_else(|| text::documents(text), Err));
        match (chunks, text) {
            (Ok(chunks), _) => {
                let documents =
                    chunks.iter().enumerate().map(|(index, chunk)| parsed(path, index.saturating_add(1), *chunk));
                Self { documents: documents.collect() }
            }
            (Err(fault), text) => Self { documents: vec![unreadable(path, fault, text.unwrap_or_default())] },
        }
    }

    /// A file whose content was let go, and what was read of it too. It takes nothing away.
    pub(super) fn lost(path: &RepoPath) -> Self {
        let fault = Fault::anywhere("what was read of the file is not at hand any more; this is a defect of Reef");
        Self { documents: vec![unreadable(&path.shared(), fault, "")] }
    }

    /// Whether everything in it could be read, and there was something.
    pub(super) fn is_whole(&self) -> bool {
        let broken = self.documents.iter().any(|document| matches!(document.content, Content::Broken { .. }));
        !broken && !self.is_empty()
    }

    /// Whether it holds no object at all.
    pub(super) fn is_empty(&self) -> bool {
        self.documents.iter().all(|document| document.content == Content::Empty)
    }
}

fn parsed(path: &Arc<str>, document: usize, chunk: Chunk<'_>) -> ParsedDocument {
    let content = document::read(chunk.text);
    let (at, faults) = match &content {
        Content::Object(object) => (object.at, object.warnings.as_slice()),
        Content::Broken { faults, .. } => (Position { line: 1, column: 0 }, faults.as_slice()),
        Content::Empty | Content::Foreign(_) => (Position { line: 1, column: 0 }, &[][..]),
    };
    let origin =
        |at: Position| Origin { file: Arc::clone(path), document, line: line_in_file(chunk, at), column: at.column };
    let remarks = faults.iter().map(|fault| remark(chunk, fault, origin(fault.at.unwrap_or(at)))).collect();
    let namespace = match &content {
        Content::Object(object) if object.namespace.is_some() => {
            let fault = Fault::at(object.namespace_at, "");
            Some(Box::new(remark(chunk, &fault, origin(object.namespace_at))))
        }
        Content::Object(_) | Content::Empty | Content::Foreign(_) | Content::Broken { .. } => None,
    };
    let origin = Origin { column: 0, ..origin(at) };
    ParsedDocument { origin, content, remarks, namespace }
}

fn line_in_file(chunk: Chunk<'_>, at: Position) -> u32 {
    chunk.first_line.saturating_add(at.line).saturating_sub(1)
}

fn remark(chunk: Chunk<'_>, fault: &Fault, origin: Origin) -> Problem {
    let line = fault.at.and_then(|at| chunk.text.lines().nth(usize::try_from(at.line).ok()?.checked_sub(1)?));
    let hint = text::hint(line.unwrap_or(chunk.text));
    Problem {
        origin,
        object: None,
        message: hint.map_or_else(|| fault.message.clone(), |hint| format!("{}; {hint}", fault.message)),
        snippet: fault.at.and_then(|at| snippet(chunk.text, chunk.first_line, at)),
    }
}

fn unreadable(path: &Arc<str>, fault: Fault, text: &str) -> ParsedDocument {
    let at = fault.at.unwrap_or_default();
    let origin = Origin { file: Arc::clone(path), document: 1, line: at.line, column: at.column };
    let snippet = fault.at.and_then(|at| snippet(text, 1, at));
    let remarks = vec![Problem { origin: origin.clone(), object: None, message: fault.message.clone(), snippet }];
    let content = Content::Broken { faults: vec![fault], guess: document::Guess::default() };
    ParsedDocument { origin, content, remarks, namespace: None }
}
