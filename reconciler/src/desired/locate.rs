//! Finds where in a file something stands, for those who want to show it. Reads the file anew, and decides nothing.

use super::fault::snippet;
use super::text::{decode, documents};
use super::yaml;

/// Line and column, both from 1, of a dotted path in one document of a file (counted from 1); of its innermost part that is stated, where all of it is not.
pub fn locate(bytes: &[u8], document: usize, path: &str) -> Option<(u32, u32)> {
    shown_at(bytes, document, path).map(|(line, column, _)| (line, column))
}

/// The same, with the lines around it drawn.
pub fn shown_at(bytes: &[u8], document: usize, path: &str) -> Option<(u32, u32, Option<String>)> {
    let chunks = documents(decode(bytes).ok()?).ok()?;
    let chunk = chunks.get(document.checked_sub(1)?)?;
    let at = yaml::parse(chunk.text).ok()?.nearest(path).at;
    let line = chunk.first_line.saturating_add(at.line).saturating_sub(1);
    Some((line, at.column, snippet(chunk.text, chunk.first_line, at)))
}

/// The text of one document of a file (counted from 1), as it stands there.
pub fn document_text(bytes: &[u8], document: usize) -> Option<&str> {
    let chunks = documents(decode(bytes).ok()?).ok()?;
    chunks.get(document.checked_sub(1)?).map(|chunk| chunk.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_document_and_path_or_what_is_next_to_it() {
        let text = b"a: 1\n---\nspec:\n  memory:\n    size: 2Gi\n";
        assert_eq!(locate(text, 2, "spec.memory.size").map(|(line, _)| line), Some(5));
        assert_eq!(locate(text, 2, "spec.memory.max").map(|(line, _)| line), Some(5));
        assert_eq!(locate(text, 3, "spec"), None);
        assert_eq!(locate(b"\0", 1, "spec"), None);
    }
}
