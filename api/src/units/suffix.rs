//! The suffixes of a quantity: what each multiplies by, in which order printing tries them, and what was meant by one that does not exist.

use super::digits::Factor;
use super::error::{UnitError, echo};
use super::quantity::Format;

/// Decimal suffixes with their power of ten, smallest first.
pub(super) const DECIMAL: [(&str, i64); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

/// Binary suffixes with their power of two, smallest first.
pub(super) const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

const ALL: &str = "the suffixes are n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or an exponent such as e3";

/// Reads what follows the number. A bare `E` is the suffix for 10^18, an `E` with digits is an exponent.
pub(super) fn interpret(suffix: &str) -> Option<(Factor, Format)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Factor::Ten(*power), Format::DecimalSi));
    }
    if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((Factor::Two(*power), Format::BinarySi));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    exponent.parse().ok().map(|power| (Factor::Ten(power), Format::DecimalExponent))
}

/// Says what is wrong with a text whose number is followed by no known suffix.
pub(super) fn refuse(text: &str, number: &str, suffix: &str) -> UnitError {
    if !number.contains(|c: char| c.is_ascii_digit()) {
        return UnitError::Malformed {
            text: echo(text),
            hint: "it must start with decimal digits, such as \"4Gi\"".to_owned(),
        };
    }
    match misspelt(suffix) {
        Some(hint) => {
            UnitError::UnknownSuffix { text: echo(text), suffix: echo(suffix), hint: hint.spell(number, suffix) }
        }
        None => UnitError::UnknownSuffix { text: echo(text), suffix: echo(suffix), hint: ALL.to_owned() },
    }
}

/// What a person probably meant by an unknown suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    Plain,
    One(&'static str),
    TwoFamilies { decimal: &'static str, binary: &'static str, power_of_ten: i64, power_of_two: u32 },
    ExponentAndSuffix,
    DecimalOnly,
    NoSeparators,
}

impl Hint {
    fn spell(self, number: &str, suffix: &str) -> String {
        match self {
            Hint::Plain => format!("write \"{}\", bytes need no suffix", echo(number)),
            Hint::One(name) => format!("write \"{}{name}\"", echo(number)),
            Hint::TwoFamilies { decimal, binary, power_of_ten, power_of_two } => {
                let number = echo(number);
                format!(
                    "write \"{number}{decimal}\" (times 10^{power_of_ten}) or \"{number}{binary}\" (times 2^{power_of_two})"
                )
            }
            Hint::ExponentAndSuffix => "an exponent and a suffix exclude each other, write one of them".to_owned(),
            Hint::DecimalOnly => "only decimal numbers are read, write the value in base ten".to_owned(),
            Hint::NoSeparators => {
                let digits: String =
                    number.chars().chain(suffix.chars()).filter(|c| !matches!(c, '_' | ',' | '\'')).collect();
                format!("write the digits without separators, as \"{}\"", echo(&digits))
            }
        }
    }
}

fn misspelt(suffix: &str) -> Option<Hint> {
    let trimmed = suffix.trim();
    let folded = trimmed.to_ascii_lowercase();
    if folded.starts_with(['x', 'o', 'b'])
        && folded.len() > 1
        && folded.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())
    {
        return Some(Hint::DecimalOnly);
    }
    if folded.starts_with(['_', ',', '\'']) && folded.bytes().skip(1).any(|byte| byte.is_ascii_digit()) {
        return Some(Hint::NoSeparators);
    }
    if folded.starts_with('e') && folded.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some(Hint::ExponentAndSuffix);
    }
    if matches!(folded.as_str(), "b" | "byte" | "bytes") {
        return Some(Hint::Plain);
    }
    let unit = ["bytes", "byte", "b"].iter().find_map(|end| folded.strip_suffix(end));
    by_letter(unit.unwrap_or(&folded), trimmed)
}

/// Finds the suffixes that begin with the same letter, whatever its case: `gi` can only be `Gi`, `gb` may be `G` or `Gi`.
fn by_letter(unit: &str, written: &str) -> Option<Hint> {
    if let Some((name, _)) = DECIMAL.iter().find(|(name, _)| *name == written) {
        return Some(Hint::One(name));
    }
    if let Some((name, _)) = BINARY.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
        return Some(Hint::One(name));
    }
    let scaling = DECIMAL.iter().filter(|(_, power)| *power > 0);
    let (decimal, binary) = scaling.zip(&BINARY).find(|((name, _), _)| name.eq_ignore_ascii_case(unit))?;
    Some(Hint::TwoFamilies { decimal: decimal.0, binary: binary.0, power_of_ten: decimal.1, power_of_two: binary.1 })
}
