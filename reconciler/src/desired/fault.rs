//! What is wrong with a piece of text and where in it. Becomes a problem once the file and the object are known.

use std::fmt;

use crate::source::escaped;

/// A place in a document's text; both count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: Option<Position>,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn at(position: Position, message: impl Into<String>) -> Self {
        Self { at: Some(position), message: message.into() }
    }

    pub(super) fn anywhere(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into() }
    }

    /// Says where it was; the innermost place wins.
    pub(super) fn or_at(self, position: Position) -> Self {
        Self { at: self.at.or(Some(position)), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string().replace("expected i32", "expected a whole number of at most 2147483647");
        Self::anywhere(escaped(&message, 500))
    }
}

/// What is told of one kind of mistake in one document.
const MOST_TOLD: usize = 20;

/// The first ones, and how many more there are: nobody reads ten thousand, and each costs a look at the text.
pub(super) fn few(mut faults: Vec<Fault>) -> Vec<Fault> {
    let more = faults.len().saturating_sub(MOST_TOLD);
    let rest = faults.get(MOST_TOLD).map(|first| Fault {
        at: first.at,
        message: format!("{}; and {} more in this document", first.message, more.saturating_sub(1)),
    });
    faults.truncate(MOST_TOLD);
    faults.extend(rest);
    faults
}

/// The widest piece of a line that is shown.
const WIDTH: usize = 100;

/// Draws the line of a place, and the one before it for orientation.
///
/// `first_line` is the number of the text's first line in its file.
pub(super) fn snippet(text: &str, first_line: u32, at: Position) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let index = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let line = lines.get(index)?;
    let number = first_line.saturating_add(at.line).saturating_sub(1);
    let margin = number.to_string().len();
    let skipped = usize::try_from(at.column).ok()?.saturating_sub(1).saturating_sub(WIDTH * 3 / 4);
    let before = index.checked_sub(1).and_then(|before| lines.get(before)).filter(|before| !before.trim().is_empty());
    let before = before.map(|before| format!("{:margin$} | {}\n", number.saturating_sub(1), cut(before, skipped)));
    let column = usize::try_from(at.column).ok()?.saturating_sub(1).saturating_sub(skipped);
    let shown = cut(line, skipped);
    Some(format!("{}{number:margin$} | {shown}\n{:margin$} | {:column$}^", before.unwrap_or_default(), "", ""))
}

fn cut(line: &str, skipped: usize) -> String {
    let piece: String =
        line.chars().skip(skipped).map(|character| if character == '\t' { ' ' } else { character }).collect();
    escaped(piece.trim_end(), WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_its_predecessor_and_a_mark_are_drawn() {
        let text = "a:\r\n  b: \u{1b}x\n";
        let drawn = snippet(text, 9, Position { line: 2, column: 6 }).unwrap();
        assert_eq!(drawn, " 9 | a:\n10 |   b: \\u{1b}x\n   |      ^");
        assert_eq!(snippet(text, 1, Position { line: 9, column: 1 }), None);
    }

    #[test]
    fn of_many_faults_the_first_are_told_and_the_others_counted() {
        let many = |count: u32| (1..=count).map(|line| Fault::at(Position { line, column: 1 }, "x")).collect();
        assert_eq!(few(many(20)).len(), 20);
        let told = few(many(1000));
        let last = told.last().unwrap();
        assert_eq!(
            (told.len(), last.at.unwrap().line, last.message.as_str()),
            (21, 21, "x; and 979 more in this document")
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = "x".repeat(10_000);
        let drawn = snippet(&text, 1, Position { line: 1, column: 5_000 }).unwrap();
        assert!(drawn.lines().all(|line| line.chars().count() < 120), "{drawn}");
    }
}
