//! Small pieces of text: colours, ages, shortened commits.

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
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

/// The least that is left for a last column before all columns share what there is.
const LAST_COLUMN: usize = 12;

/// The text of a table that is no wider than the terminal. Where it would be, the columns of `spare` are left out one by one, in their order, and named below;
/// then the last column is broken into lines, and only where that leaves it no room, all are. Without a width nothing is cut: a file is as wide as it has to be.
pub fn fitted(mut table: Table, width: Option<u16>, spare: &[&str]) -> String {
    let Some(width) = width.map(usize::from).filter(|width| *width > 0) else { return rendered(&table) };
    for column in table.column_iter_mut() {
        column.remove_constraint();
    }
    let names: Vec<String> = table.header().into_iter().flat_map(|row| row.cell_iter()).map(Cell::content).collect();
    let mut wide: Vec<usize> =
        table.column_max_content_widths().into_iter().map(|one| usize::from(one) + GAP).collect();
    let total = |wide: &[usize]| wide.iter().sum::<usize>().saturating_sub(GAP);
    // Prose in the last column goes on below itself before another column is left out for it.
    let prose = wide.last().map_or(0, |last| last.saturating_sub(READABLE));
    let mut left_out = Vec::new();
    for spare in spare {
        let Some(at) = names.iter().position(|name| name == spare).filter(|_| total(&wide) > width + prose) else {
            continue;
        };
        hide(&mut table, &mut wide, at);
        left_out.push(*spare);
    }
    if total(&wide) > width {
        wrap(&mut table, &wide, width);
    }
    let note = format!("(no room for {})\n", left_out.join(", "));
    rendered(&table) + if left_out.is_empty() { "" } else { &note }
}

/// What a last column is read well in, with its gap.
const READABLE: usize = 26;

/// Blanks between two columns.
const GAP: usize = 2;

fn hide(table: &mut Table, wide: &mut [usize], at: usize) {
    if let (Some(column), Some(width)) = (table.column_mut(at), wide.get_mut(at)) {
        column.set_constraint(ColumnConstraint::Hidden);
        *width = 0;
    }
}

fn wrap(table: &mut Table, wide: &[usize], width: usize) {
    let shown = wide.iter().enumerate().filter(|(_, width)| **width > 0);
    let last = shown.map(|(at, _)| at).next_back().unwrap_or_default();
    let others: usize = wide.iter().take(last).sum();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::try_from(width).unwrap_or(u16::MAX));
    for (at, column) in table.column_iter_mut().enumerate().filter(|(at, _)| wide.get(*at).is_some_and(|one| *one > 0))
    {
        if others + LAST_COLUMN > width {
            column.remove_constraint();
        } else if at < last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// Text in lines no wider than the terminal, each after the first behind `indent` blanks; the first begins there already.
pub fn wrapped(text: &str, indent: usize, width: Option<u16>) -> String {
    let room = width.map_or(usize::MAX, |width| usize::from(width).saturating_sub(indent).max(20));
    let (mut out, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}

/// A time as people read it, to the second and in UTC.
pub fn clock(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
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

    fn sample(width: Option<u16>) -> String {
        let mut lines = table(&["VM", "NODE", "WAITS FOR"], Paint::Plain);
        lines.add_row(
            ["web-1", "node-with-a-long-name-1", "Deferred: the node has no room for it at present"].map(Cell::new),
        );
        fitted(lines, width, &["NODE"])
    }

    #[test]
    fn a_table_leaves_out_what_is_spare_then_breaks_its_last_column() {
        let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
        assert_eq!((sample(None).lines().count(), widest(&sample(None))), (2, Some(80)));
        assert_eq!(sample(Some(80)), sample(None));
        let (cut, broken, tiny) = (sample(Some(60)), sample(Some(40)), sample(Some(14)));
        let told = "VM     NODE                     WAITS FOR\nweb-1  node-with-a-long-name-1  Deferred: the node has no\n                                room for it at present\n";
        assert_eq!(cut, told);
        assert!(broken.ends_with("(no room for NODE)\n"), "{broken}");
        assert!(widest(&broken) <= Some(40) && broken.contains("\n       "), "{broken}");
        assert!(tiny.lines().filter(|line| !line.starts_with('(')).all(|line| line.chars().count() <= 14), "{tiny}");
    }

    #[test]
    fn a_long_sentence_goes_on_behind_its_indent() {
        assert_eq!(wrapped("one two three four five six", 4, Some(24)), "one two three four\n    five six");
        assert_eq!(wrapped("one two three four five six", 4, None), "one two three four five six");
    }

    #[test]
    fn spans_are_told_in_at_most_two_units() {
        let told = |millis| span(SignedDuration::from_millis(millis));
        let table = [-5, 0, 1_250, 9_999, 59_000, 121_000, 7_200_000, 200_000_000];
        assert_eq!(table.map(told), ["0.0s", "0.0s", "1.2s", "9.9s", "59s", "2m1s", "2h0m", "2d7h"]);
    }
}
