//! From bytes to the texts of single documents. Knows no YAML beyond its document markers.

use super::fault::{Fault, Position};

/// Larger files are no manifests, and every parser's cost grows with them.
pub(super) const MOST_BYTES: usize = 1024 * 1024;
/// More documents than this in a file are no manifests.
const MOST_DOCUMENTS: usize = 1000;

/// The text of one document, and the number of its first line in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'t> {
    pub(super) text: &'t str,
    pub(super) first_line: u32,
}

/// Reads bytes as text, without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.len() > MOST_BYTES {
        return Err(Fault::anywhere(format!("the file has {} bytes, and {MOST_BYTES} are allowed", bytes.len())));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Fault::anywhere("the file is UTF-16; save it as UTF-8"));
    }
    if let Some(nul) = bytes.iter().position(|byte| *byte == 0) {
        return Err(Fault::at(position(bytes, nul), "the file holds a NUL byte; it is not text"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Fault::at(position(bytes, error.valid_up_to()), "the file is not UTF-8 from here on"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn position(bytes: &[u8], offset: usize) -> Position {
    let before = bytes.get(..offset).unwrap_or_default();
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
    Position { line: number(lines), column: number(column) }
}

/// An index as a number that counts from 1.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

/// Finds what no manifest has and what a parser would only trip over: the marks of a merge that was not finished.
pub(super) fn merge_marker(text: &str) -> Option<Fault> {
    let marked = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    let line = text.lines().position(marked)?;
    let at = Position { line: number(line), column: 1 };
    Some(Fault::at(at, "the file holds the marks of an unfinished merge; solve the conflict and commit again"))
}

/// Splits a text at its document markers, which YAML honours at the start of a line even inside of block texts.
///
/// Comments and directives before the first marker stay with what follows it.
pub(super) fn documents(text: &str) -> Result<Vec<Chunk<'_>>, Fault> {
    let mut chunks = Vec::new();
    let mut open = Open { start: 0, first_line: 1, is_prologue: true };
    let mut offset = 0_usize;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_marker(line, "---") && !open.is_prologue {
            chunks.extend(open.close(text, offset));
            open = Open { start: offset, first_line: number(index), is_prologue: false };
        }
        open.is_prologue &= is_prologue(line);
        offset = offset.saturating_add(line.len());
        if is_marker(line, "...") {
            chunks.extend(open.close(text, offset));
            open = Open { start: offset, first_line: number(index).saturating_add(1), is_prologue: true };
        }
        if chunks.len() > MOST_DOCUMENTS {
            let at = Position { line: number(index), column: 1 };
            return Err(Fault::at(at, format!("the file has more than {MOST_DOCUMENTS} documents; split it")));
        }
    }
    chunks.extend(open.close(text, offset));
    Ok(chunks)
}

struct Open {
    start: usize,
    first_line: u32,
    is_prologue: bool,
}

impl Open {
    fn close<'t>(&self, text: &'t str, end: usize) -> Option<Chunk<'t>> {
        let text = text.get(self.start..end)?;
        (!text.is_empty()).then_some(Chunk { text, first_line: self.first_line })
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_prologue(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line.starts_with('%')
}

/// Tells a person why a document may be strange: a line of it was meant for a program that should have run before.
pub(super) fn hint(line: &str) -> Option<&'static str> {
    let rendered = ["{{", "${", "<%", "{%"].iter().any(|mark| line.contains(mark));
    if rendered {
        return Some("this looks like a template that was not rendered; commit the rendered text");
    }
    line.starts_with("version https://git-lfs")
        .then_some("this is a pointer to a large file; store manifests in Git itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(u32, &str)> {
        documents(text).unwrap().iter().map(|chunk| (chunk.first_line, chunk.text)).collect()
    }

    #[test]
    fn documents_keep_their_lines() {
        assert_eq!(split("a\n---\nb\n---\n"), [(1, "a\n"), (2, "---\nb\n"), (4, "---\n")]);
        assert_eq!(split("# c\n%YAML 1.2\n---\na\n...\nb"), [(1, "# c\n%YAML 1.2\n---\na\n...\n"), (6, "b")]);
        assert_eq!(split("--- a\n----\n--- b"), [(1, "--- a\n----\n"), (3, "--- b")]);
        assert_eq!(split(""), []);
    }

    #[test]
    fn text_is_told_from_other_bytes() {
        assert_eq!(decode("\u{feff}a".as_bytes()), Ok("a"));
        for bytes in [&b"\xff\xfea\0"[..], b"a\0", b"a\n\xff"] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(decode(b"a\nb\xff").unwrap_err().at, Some(Position { line: 2, column: 2 }));
        assert!(decode(&vec![b' '; MOST_BYTES + 1]).is_err());
    }
}
