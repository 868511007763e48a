//! The table of faults as values: its rows, the ids that there have to be, and what is printed of it.
//!
//! It knows no test and runs none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Deserialize;

/// The letters, what they stand for, and how many ids each has.
pub const LETTERS: [(char, &str, u8); 11] = [
    ('G', "Git", 29),
    ('Y', "YAML and spec", 22),
    ('A', "API server", 24),
    ('P', "Pod resize", 18),
    ('H', "Hypervisor", 23),
    ('D', "Daemon", 10),
    ('C', "Controller", 13),
    ('M', "Policy and metrics", 14),
    ('W', "Webhook", 18),
    ('S', "Security", 16),
    ('I', "Invariants", 30),
];

/// The whole table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// What stands at each id.
    pub rows: BTreeMap<String, Row>,
}

/// What stands at one id.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// The tests that prove all of it.
    Tests(Vec<String>),
    /// Less than that.
    Less(Less),
}

/// An id of which something is not proven.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Less {
    /// Tests of what is proven.
    #[serde(default)]
    pub tests: Vec<String>,
    /// It belongs to something that does not exist yet.
    pub capability: Option<String>,
    /// It should have a test, and has none yet.
    pub open: Option<String>,
}

/// How far an id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Tests prove it.
    Mapped,
    /// What it is about does not exist yet.
    Capability,
    /// Something is not proven.
    Open,
}

impl Row {
    /// The tests that are named.
    pub fn tests(&self) -> &[String] {
        match self {
            Self::Tests(tests) | Self::Less(Less { tests, .. }) => tests,
        }
    }

    /// How far it is, and why it is no further.
    ///
    /// # Errors
    /// What is wrong with the row.
    pub fn state(&self) -> Result<(State, &str), &'static str> {
        match self {
            Self::Tests(tests) if tests.is_empty() => Err("names no test"),
            Self::Tests(_) => Ok((State::Mapped, "")),
            Self::Less(Less { capability: Some(why), open: None, .. }) => sentence(State::Capability, why),
            Self::Less(Less { capability: None, open: Some(why), .. }) => sentence(State::Open, why),
            Self::Less(_) => Err("says either `capability` or `open`"),
        }
    }
}

fn sentence(state: State, why: &str) -> Result<(State, &str), &'static str> {
    let whole = why.starts_with(char::is_uppercase) && why.ends_with('.') && why.split(' ').count() > 3;
    if whole { Ok((state, why)) } else { Err("gives no reason in a sentence") }
}

/// All ids that there have to be.
pub fn ids() -> BTreeSet<String> {
    LETTERS.iter().flat_map(|(letter, _, count)| (1..=*count).map(move |number| format!("{letter}{number}"))).collect()
}

impl Faults {
    /// What is wrong with the table itself.
    pub fn problems(&self) -> Vec<String> {
        let expected = ids();
        let missing = expected.iter().filter(|id| !self.rows.contains_key(*id)).map(|id| format!("{id} is missing"));
        let unknown = self.rows.keys().filter(|id| !expected.contains(*id)).map(|id| format!("{id} is no id"));
        let wrong = self.rows.iter().filter_map(|(id, row)| Some(format!("{id} {}", row.state().err()?)));
        missing.chain(unknown).chain(wrong).collect()
    }

    /// The rows of a letter, in the order of their numbers, with how far each is.
    fn of(&self, letter: char) -> Vec<(&str, State, &str)> {
        let mut rows: Vec<_> = self.rows.iter().filter(|(id, _)| id.starts_with(letter)).collect();
        rows.sort_by_key(|(id, _)| id.get(1..).and_then(|number| number.parse::<u8>().ok()));
        rows.into_iter()
            .filter_map(|(id, row)| row.state().ok().map(|(state, why)| (id.as_str(), state, why)))
            .collect()
    }

    /// The table for people: counts by letter, then what is not proven and why.
    pub fn print(&self) -> String {
        let mut text = line(["", "", "ids", "mapped", "capability", "open"].map(str::to_owned));
        let mut total = [0; 4];
        for (letter, name, _) in LETTERS {
            let rows = self.of(letter);
            let count = |state| rows.iter().filter(|(_, found, _)| *found == state).count();
            let counts = [rows.len(), count(State::Mapped), count(State::Capability), count(State::Open)];
            total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
            text += &line_of(&letter.to_string(), name, counts);
        }
        text += &line_of("", "all", total);
        text += &self.list(State::Capability, "It belongs to something that does not exist yet:");
        text += &self.list(State::Open, "It is open:");
        text
    }

    /// The ids of a state, those of one reason together.
    fn list(&self, state: State, title: &str) -> String {
        let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
        let rows = LETTERS.iter().flat_map(|(letter, ..)| self.of(*letter));
        for (id, _, why) in rows.filter(|(_, found, _)| *found == state) {
            match by_reason.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, ids)) => ids.push(id),
                None => by_reason.push((why, vec![id])),
            }
        }
        let mut text = format!("\n{title}\n");
        for (why, ids) in by_reason {
            let _ = writeln!(text, "  {}: {why}", ids.join(" "));
        }
        text
    }
}

fn line_of(letter: &str, name: &str, counts: [usize; 4]) -> String {
    let [ids, mapped, capability, open] = counts.map(|count| count.to_string());
    line([letter.to_owned(), name.to_owned(), ids, mapped, capability, open])
}

fn line([letter, name, ids, mapped, capability, open]: [String; 6]) -> String {
    format!("{letter:<2} {name:<20} {ids:>4} {mapped:>7} {capability:>11} {open:>5}\n")
}
