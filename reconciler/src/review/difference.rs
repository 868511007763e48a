//! What a commit changes in the text of a VM's document, line by line. For people alone: what it means is the plan's business.

use similar::{ChangeTag, TextDiff};

use crate::source::escaped;

/// Lines that are shown of one VM; the rest is counted.
const MOST_LINES: usize = 40;
/// The widest line that is shown.
const WIDTH: usize = 160;
/// Lines before and after one that differs.
const AROUND: usize = 1;

/// The lines that differ, each behind its sign.
pub(super) fn lines(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(AROUND) {
        for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match line.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign}{}", escaped(line.value().trim_end(), WIDTH)));
        }
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.truncate(MOST_LINES);
        lines.push(format!(" ... and {more} lines more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_between_its_neighbours() {
        let shown = lines("a:\n  b: 1\n  c: 2\n  d: 3\n", "a:\n  b: 1\n  c: 4\n  d: 3\n");
        assert_eq!(shown, ["   b: 1", "-  c: 2", "+  c: 4", "   d: 3"]);
    }

    #[test]
    fn many_lines_are_cut_and_counted_and_a_long_one_is_shortened() {
        let many: String = (0..60).map(|number| format!("{number}\n")).collect();
        let shown = lines("", &many);
        assert_eq!((shown.len(), shown.last().map(String::as_str)), (41, Some(" ... and 20 lines more")));
        assert!(lines("", &"x".repeat(10_000)).iter().all(|line| line.chars().count() < 170));
    }
}
