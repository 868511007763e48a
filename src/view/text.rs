//! Small pieces of text: colours, ages, shortened commits.

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use jiff::{SignedDuration, Timestamp};

/// How much of a commit is shown; enough to be found with in any repository of this size.
const COMMIT_LENGTH: usize = 7;

/// Whether text carries colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours.
    Colours,
    /// Plain text.
    Plain,
}

/// What a piece of text means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// On its way.
    Moving,
    /// Somebody should look.
    Bad,
    /// Neither.
    Neutral,
}

impl Tone {
    const fn colour(self) -> Option<Color> {
        match self {
            Self::Good => Some(Color::Green),
            Self::Moving => Some(Color::Yellow),
            Self::Bad => Some(Color::Red),
            Self::Neutral => None,
        }
    }
}

impl Paint {
    /// A cell of a table in the colour of its meaning.
    pub fn cell(self, text: impl ToString, tone: Tone) -> Cell {
        let cell = Cell::new(text);
        match tone.colour().filter(|_| self == Self::Colours) {
            Some(colour) => cell.fg(colour),
            None => cell,
        }
    }
}

/// A table without lines, as kubectl prints them. It is as wide as its content.
pub fn table(header: &[&str], paint: Paint) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    match paint {
        Paint::Colours => table.enforce_styling(),
        Paint::Plain => table.force_no_tty(),
    };
    table.set_header(header.iter().map(Cell::new));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The text of a table, no line of it with blanks at its end.
pub fn rendered(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Text that others wrote, fit for a terminal: control characters are shown and not sent, but for the ends of lines.
pub fn harmless(text: &str) -> String {
    let shown = |sign: char| match sign {
        '\n' => "\n".to_owned(),
        sign if sign.is_control() => sign.escape_default().to_string(),
        sign => sign.to_string(),
    };
    text.chars().map(shown).collect()
}

/// The first characters of a commit.
pub fn short(commit: &str) -> String {
    commit.chars().take(COMMIT_LENGTH).collect()
}

/// How long ago something was, in one or two units.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(since))
}

/// A span of time in one or two units; below ten seconds to the tenth.
pub fn span(span: SignedDuration) -> String {
    let span = span.max(SignedDuration::ZERO);
    let (seconds, tenths) = (span.as_secs(), span.subsec_millis() / 100);
    match seconds {
        0..10 => format!("{seconds}.{tenths}s"),
        10..120 => format!("{seconds}s"),
        120..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_others_never_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\tc\r\nd"), "a\\u{1b}[2Jb\\tc\\r\nd");
    }

    #[test]
    fn spans_are_told_in_at_most_two_units() {
        let told = |millis| span(SignedDuration::from_millis(millis));
        let table = [-5, 0, 1_250, 9_999, 59_000, 121_000, 7_200_000, 200_000_000];
        assert_eq!(table.map(told), ["0.0s", "0.0s", "1.2s", "9.9s", "59s", "2m1s", "2h0m", "2d7h"]);
    }
}
