//! Text from outside (names, messages, libgit2's own words) made fit for terminals, logs and conditions. Knows no secrets.

use std::fmt::Write;

/// Replaces control and text-direction characters by their escapes and cuts at `max` characters.
#[must_use]
pub fn escaped(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (position, character) in text.chars().enumerate() {
        if position == max {
            out.push('…');
            break;
        }
        push_escaped(&mut out, character);
    }
    out
}

/// [`escaped`] for bytes that need not be UTF-8.
pub(super) fn escaped_bytes(bytes: &[u8], max: usize) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&escaped(chunk.valid(), max));
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Whether a character could move the cursor, reverse the line or hide: never shown, never part of a path.
pub(super) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn push_escaped(out: &mut String, character: char) {
    if is_unprintable(character) {
        out.extend(character.escape_default());
    } else {
        out.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reversed_text_become_visible() {
        assert_eq!(escaped("a\u{1b}[31mb\u{202e}c\nd", 50), "a\\u{1b}[31mb\\u{202e}c\\nd");
        assert_eq!(escaped_bytes(b"bad\xff.yaml", 50), "bad\\xff.yaml");
        assert_eq!(escaped("abcdef", 3), "abc…");
    }
}
