//! The quantity of Kubernetes, read and printed exactly as its API machinery does, in whole billionths. Never a float.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::digits::{NANOS, Written};
use super::error::{UnitError, echo};
use super::suffix::{BINARY, DECIMAL, interpret, refuse};

/// The largest number of units that Kubernetes documents for a quantity.
const KUBERNETES_MAX: i128 = i64::MAX as i128 * NANOS;

/// The family of suffixes that a quantity was written with, and is printed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Powers of ten as letters: `n u m k M G T P E`.
    DecimalSi,
    /// Powers of 1024: `Ki Mi Gi Ti Pi Ei`.
    BinarySi,
    /// Powers of ten as exponents: `e3`, `E3`.
    DecimalExponent,
}

/// An exact amount in billionths of a unit, with the family of suffixes it is printed with.
///
/// Reading follows Kubernetes' `ParseQuantity`: what is finer than a billionth rounds up away from zero, and a binary
/// quantity beyond 2^63-1 becomes 2^63-1. Two things are refused that Kubernetes lets pass: text without any digit (`Gi`,
/// `-`), which it reads as zero, and decimal numbers beyond 10^29, with which its own arithmetic wraps around.
/// Printing is Kubernetes' canonical form: no fraction, the largest suffix possible. Comparison is by amount alone:
/// `1Gi` equals `1024Mi`.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// Makes a quantity of whole units.
    pub const fn from_units(units: u64, format: Format) -> Self {
        Self { nanos: units as i128 * NANOS, format }
    }

    /// Makes a quantity of thousandths.
    pub const fn from_millis(millis: u64, format: Format) -> Self {
        Self { nanos: millis as i128 * (NANOS / 1000), format }
    }

    /// Reads a quantity without Kubernetes' silent cap: a number too large to be held is an error instead.
    pub fn parse_uncapped(text: &str) -> Result<Self, UnitError> {
        let (written, suffix) = split(text)?;
        let number = text.strip_suffix(suffix).unwrap_or(text);
        let (factor, format) = interpret(suffix).ok_or_else(|| refuse(text, number, suffix))?;
        if written.integer.is_empty() && written.fraction.is_empty() {
            return Err(UnitError::NoDigits { text: echo(text) });
        }
        let nanos = written.nanos(factor).ok_or_else(|| too_large(text))?;
        let format = match format {
            Format::BinarySi if nanos != 0 && nanos.unsigned_abs() < NANOS.unsigned_abs() => Format::DecimalSi,
            Format::BinarySi | Format::DecimalSi | Format::DecimalExponent => format,
        };
        Ok(Self { nanos, format })
    }

    pub(super) const fn from_nanos(nanos: i128, format: Format) -> Self {
        Self { nanos, format }
    }

    /// Returns the amount in billionths of a unit.
    pub const fn nanos(&self) -> i128 {
        self.nanos
    }

    /// Returns the family of suffixes it was written with.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns whole units, rounded up away from zero as Kubernetes' `Value()` does.
    pub fn units(&self) -> i128 {
        divided_away_from_zero(self.nanos, NANOS)
    }

    /// Returns thousandths, rounded up away from zero as Kubernetes' `MilliValue()` does.
    pub fn millis(&self) -> i128 {
        divided_away_from_zero(self.nanos, NANOS / 1000)
    }
}

fn divided_away_from_zero(value: i128, by: i128) -> i128 {
    // One division: of these numbers each takes as long as everything else.
    let whole = value / by;
    let rest = value.saturating_sub(whole.saturating_mul(by)).signum();
    whole.saturating_add(rest)
}

fn too_large(text: &str) -> UnitError {
    UnitError::TooLarge { text: echo(text), unit: "quantity", limit: i64::MAX.to_string() }
}

/// Splits a text into the number and what follows it.
fn split(text: &str) -> Result<(Written<'_>, &str), UnitError> {
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    if text.trim() != text {
        let hint = format!("write \"{}\" without spaces around it", echo(text.trim()));
        return Err(UnitError::Malformed { text: echo(text), hint });
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (integer, rest) = leading_digits(unsigned);
    let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), leading_digits);
    Ok((Written { negative: text.starts_with('-'), integer, fraction }, suffix))
}

fn leading_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

impl FromStr for Quantity {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parsed = match Self::parse_uncapped(text) {
            Err(UnitError::TooLarge { .. }) if text.ends_with('i') => {
                let nanos = if text.starts_with('-') { -KUBERNETES_MAX } else { KUBERNETES_MAX };
                return Ok(Self { nanos, format: Format::BinarySi });
            }
            parsed => parsed?,
        };
        match parsed.format {
            Format::BinarySi => Ok(Self { nanos: parsed.nanos.clamp(-KUBERNETES_MAX, KUBERNETES_MAX), ..parsed }),
            Format::DecimalSi | Format::DecimalExponent => Ok(parsed),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            _ if self.nanos == 0 => out.write_str("0"),
            Format::BinarySi if self.nanos % NANOS == 0 && self.nanos.abs() >= 1024 * NANOS => {
                binary(self.nanos / NANOS, out)
            }
            // Kubernetes leaves the binary family where it would lose precision or say nothing.
            Format::BinarySi | Format::DecimalSi => decimal(self.nanos, out),
            Format::DecimalExponent => exponent(self.nanos, out),
        }
    }
}

fn binary(units: i128, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fitting = BINARY.iter().rev().find(|(_, power)| units.trailing_zeros() >= *power);
    match fitting {
        Some((name, power)) => write!(out, "{}{name}", units >> power),
        None => write!(out, "{units}"),
    }
}

fn decimal(nanos: i128, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let powers = DECIMAL.iter().map(|(_, power)| *power);
    let (mantissa, power) = largest_power(nanos, powers);
    let name = DECIMAL.iter().find(|(_, p)| *p == power).map_or("", |(name, _)| name);
    write!(out, "{mantissa}{name}")
}

fn exponent(nanos: i128, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match largest_power(nanos, (-9..=27).step_by(3)) {
        (mantissa, 0) => write!(out, "{mantissa}"),
        (mantissa, power) => write!(out, "{mantissa}e{power}"),
    }
}

/// Returns the mantissa for the largest of the ascending powers of ten that leaves no fraction.
fn largest_power(nanos: i128, powers: impl Iterator<Item = i64>) -> (i128, i64) {
    let mut best = (nanos, -9);
    let mut mantissa = nanos;
    for power in powers.skip(1) {
        if mantissa % 1000 != 0 {
            break;
        }
        mantissa /= 1000;
        best = (mantissa, power);
    }
    best
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
