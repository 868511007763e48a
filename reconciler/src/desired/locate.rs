//! Finds where in a document something stands, for those who want to show it. Reads the text anew, and decides nothing.

use super::fault::snippet;
use super::node::Node;
use super::text::{Chunk, decode, documents};
use super::yaml;

/// The documents of a file, none of which has been read.
pub struct Documents<'t>(Vec<Chunk<'t>>);

impl<'t> Documents<'t> {
    /// Splits a file; none where it is no text.
    pub fn of(bytes: &'t [u8]) -> Option<Self> {
        Some(Self(documents(decode(bytes).ok()?).ok()?))
    }

    /// The text of one document, counted from 1.
    pub fn text(&self, document: usize) -> Option<&'t str> {
        Some(self.chunk(document)?.text)
    }

    /// Reads one document, counted from 1; none where it cannot be read.
    pub fn located(&self, document: usize) -> Option<Located<'t>> {
        let chunk = self.chunk(document)?;
        Some(Located { chunk, root: yaml::parse(chunk.text).ok()? })
    }

    fn chunk(&self, document: usize) -> Option<Chunk<'t>> {
        self.0.get(document.checked_sub(1)?).copied()
    }
}

/// One document of a file, read for its places.
pub struct Located<'t> {
    chunk: Chunk<'t>,
    root: Node,
}

impl<'t> Located<'t> {
    /// Reads one document of a file, counted from 1; none where it cannot be read.
    pub fn of(bytes: &'t [u8], document: usize) -> Option<Self> {
        Documents::of(bytes)?.located(document)
    }

    /// The text of the document, as it stands in the file.
    pub fn text(&self) -> &'t str {
        self.chunk.text
    }

    /// Line and column in the file, both from 1, of a dotted path; of its innermost part that is stated, where all of it is not.
    pub fn at(&self, path: &str) -> (u32, u32) {
        let at = self.root.nearest(path).at;
        (self.chunk.first_line.saturating_add(at.line).saturating_sub(1), at.column)
    }

    /// The lines around that place, drawn.
    pub fn snippet(&self, path: &str) -> Option<String> {
        snippet(self.chunk.text, self.chunk.first_line, self.root.nearest(path).at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_document_and_path_or_what_is_next_to_it() {
        let text = b"a: 1\n---\nspec:\n  memory:\n    size: 2Gi\n";
        let line = |document: usize, path: &str| Located::of(text, document).map(|located| located.at(path).0);
        assert_eq!(line(2, "spec.memory.size"), Some(5));
        assert_eq!(line(2, "spec.memory.max"), Some(5));
        assert_eq!(line(3, "spec"), None);
        assert!(Located::of(b"\0", 1).is_none());
    }
}
