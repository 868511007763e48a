//! A script as text: what it is for in lines that begin with `#`, then seed, ground, and a line for each deed.
//!
//! ```text
//! seed 7
//! ground {"nodes":[{"cpu":"16","memory":"64Gi"}],"refuser":"kubelet","mendedAfterMs":600000}
//!     1500 {"commit":{"changes":[{"vm":"web-1","to":{"size":{"vcpus":4,"memory":"4Gi"}}}]}}
//! ```

use super::{Ground, Script, Timed};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A line that is none.
    #[error("line {line} of the script cannot be read: {text}")]
    Line {
        /// Which, from 1 on.
        line: usize,
        /// What it says.
        text: String,
        /// What is wrong with it.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// No seed or no ground.
    #[error("the script has no line that begins with `{0}`")]
    Missing(&'static str),
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "ground {}", serde_json::to_string(&self.ground).map_err(|_| fmt::Error)?)?;
        for Timed { at, deed } in &self.deeds {
            writeln!(f, "{:>8} {}", at.as_millis(), serde_json::to_string(deed).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let (mut seed, mut ground, mut deeds) = (None, None, Vec::new());
        for (number, line) in text.lines().enumerate() {
            let bad = |source| ScriptError::Line { line: number + 1, text: line.to_owned(), source };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(' ').ok_or_else(|| bad(None))?;
            match word {
                "seed" => seed = Some(rest.parse().map_err(|_| bad(None))?),
                "ground" => ground = Some(serde_json::from_str::<Ground>(rest).map_err(|error| bad(Some(error)))?),
                at => {
                    let at = Duration::from_millis(at.parse().map_err(|_| bad(None))?);
                    deeds.push(Timed { at, deed: serde_json::from_str(rest).map_err(|error| bad(Some(error)))? });
                }
            }
        }
        let seed = seed.ok_or(ScriptError::Missing("seed"))?;
        Ok(Self { seed, ground: ground.ok_or(ScriptError::Missing("ground"))?, deeds })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scale;
    use super::*;

    #[test]
    fn reading_what_was_printed_gives_the_same_script() {
        for seed in 0..50 {
            let script = Script::of(seed, Scale::FULL);
            assert_eq!(script.to_string().parse::<Script>().unwrap(), script, "seed {seed}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_told_with_its_number() {
        let told = "seed 1\n7 {\"dance\":{}}".parse::<Script>().unwrap_err().to_string();
        assert_eq!(told, "line 2 of the script cannot be read: 7 {\"dance\":{}}");
        assert_eq!(
            "seed 1".parse::<Script>().unwrap_err().to_string(),
            "the script has no line that begins with `ground`"
        );
    }
}
