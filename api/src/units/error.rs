//! What can be wrong with a written unit, told to the person who wrote it together with what to write instead.

use thiserror::Error;

/// The longest piece of foreign text that an error repeats, in characters.
const ECHO_LIMIT: usize = 40;

/// A text or number that is not the unit it should be.
///
/// None of these goes away by trying again: the text has to change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// The text is empty.
    #[error("the value is empty: write a quantity such as \"2\", \"500m\" or \"4Gi\"")]
    Empty,
    /// The text has no digit at all. Kubernetes reads a bare suffix as zero, which nobody means.
    #[error("\"{text}\" has no digits: write a number before the suffix, such as \"4Gi\"")]
    NoDigits {
        /// The text as written, shortened.
        text: String,
    },
    /// The text does not have the form of a number with a suffix.
    #[error("\"{text}\" is not a quantity: {hint}")]
    Malformed {
        /// The text as written, shortened.
        text: String,
        /// What to write instead.
        hint: String,
    },
    /// The number is followed by something that is no suffix.
    #[error("\"{text}\" has the unknown suffix \"{suffix}\": {hint}")]
    UnknownSuffix {
        /// The text as written, shortened.
        text: String,
        /// What follows the number, shortened.
        suffix: String,
        /// What to write instead.
        hint: String,
    },
    /// The number is larger than the unit can hold.
    #[error("\"{text}\" is too large: the largest {unit} is {limit}")]
    TooLarge {
        /// The text as written, shortened.
        text: String,
        /// Which unit was read.
        unit: &'static str,
        /// The largest value that this unit can hold.
        limit: String,
    },
    /// The unit counts something that cannot be negative.
    #[error("\"{text}\" is negative: {unit} must be zero or more")]
    Negative {
        /// The text as written, shortened.
        text: String,
        /// Which unit was read.
        unit: &'static str,
    },
    /// The text is not a plain decimal integer where one is required.
    #[error("\"{text}\" is not a whole number of {unit}: write decimal digits only, such as \"4\"")]
    NotWhole {
        /// The text as written, shortened.
        text: String,
        /// Which unit was read.
        unit: &'static str,
    },
    /// The text is no time that a lease can have.
    #[error("\"{text}\" is no lease: write a time from 30s to 24h, such as \"10m\"")]
    NotLease {
        /// The text as written, shortened.
        text: String,
    },
    /// An overcommit ratio below one would promise less than was asked for.
    #[error("\"{text}\" is below 1: an overcommit ratio is 1 or more, such as \"1.5\"")]
    RatioBelowOne {
        /// The text as written, shortened.
        text: String,
    },
}

/// Shortens foreign text and escapes control characters, so that an error stays one readable line.
pub(super) fn echo(text: &str) -> String {
    let mut shown: String = text.chars().take(ECHO_LIMIT).flat_map(char::escape_debug).collect();
    if text.chars().nth(ECHO_LIMIT).is_some() {
        shown.push_str("...");
    }
    shown
}
