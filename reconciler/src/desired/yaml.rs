//! From the text of one document to its tree, by the strict reading: no anchors, no tags, no merge keys, no duplicate keys, decimal numbers.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::{Event, Parser};
use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, MessageFormatter, Options, UserMessageFormatter};

use super::fault::{Fault, Position};
use super::node::Node;
use crate::source::escaped;

/// How deep values may be nested. A VM needs twelve levels, and each takes some 30 KiB of stack in a build without optimisation.
const MOST_LEVELS: usize = 24;
/// How many values a document may have.
const MOST_VALUES: usize = 100_000;

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let root: Node = serde_saphyr::from_str_with_options(text, options()).map_err(|error| fault(&error))?;
    tagged(text)?;
    match root.numbers().into_iter().find(|node| !is_decimal(node, text)) {
        Some(number) => {
            Err(Fault::at(number.at, "write this number with decimal digits only, or quote it if it is text"))
        }
        None => Ok(root),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_depth: MOST_LEVELS,
            flow_nesting_limit: MOST_LEVELS,
            max_nodes: MOST_VALUES,
            max_events: MOST_VALUES.saturating_mul(3),
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn fault(error: &Error) -> Fault {
    let error = error.without_snippet();
    let message = match error {
        Error::Budget { breach: BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. }, .. } => {
            "anchors and aliases are not accepted; write the value out".to_owned()
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("values are nested more than {MOST_LEVELS} levels deep")
        }
        Error::MergeKeyNotAllowed { .. } => "merge keys (`<<`) are not accepted; write the fields out".to_owned(),
        other => escaped(&UserMessageFormatter.format_message(other), 300),
    };
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let place = |location: serde_saphyr::Location| Position {
        line: number(location.line()),
        column: number(location.column()),
    };
    Fault { at: error.location().map(place).filter(|at| at.line > 0), message }
}

/// A tag says that a value is not what it looks like, and every reader of the file would have to agree on what.
///
/// To be called on texts that passed the budgets only: this reading has none.
fn tagged(text: &str) -> Result<(), Fault> {
    // Reading it again takes as long as the first time did.
    if !text.contains('!') {
        return Ok(());
    }
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        let tag = match event {
            Event::Scalar(_, _, _, tag) | Event::SequenceStart(_, _, tag) | Event::MappingStart(_, _, tag) => tag,
            _ => None,
        };
        if tag.is_some() {
            let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
            let at = Position { line: number(span.start.line()), column: number(span.start.col()).saturating_add(1) };
            return Err(Fault::at(at, "tags (`!`, `!!`) are not accepted; write a plain value"));
        }
    }
    Ok(())
}

/// Readers disagree on `0x10`, `0o17`, `1_000` and the like, so that a reviewer may see another number than the one that is used.
fn is_decimal(node: &Node, text: &str) -> bool {
    let written = node.span.and_then(|(start, length)| text.get(start..start.checked_add(length)?));
    let Some(written) = written.map(str::trim) else { return true };
    let digits = written.strip_prefix(['-', '+']).unwrap_or(written);
    digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
}
