//! The ratio by which CPU limits may exceed CPU requests. Exact: a division rounds once, up, to a thousandth.

use std::fmt;
use std::str::FromStr;

use super::cpu::MilliCpu;
use super::digits::NANOS;
use super::error::{UnitError, echo};
use super::quantity::{Format, Quantity};
use super::wire::quantity_on_the_wire;

/// How many CPUs are promised for each that is requested: 1 or more, exact to a billionth.
///
/// Written as a quantity (`1.5`, `1500m`, `2`), printed as its canonical form. What is finer than a billionth rounds up,
/// as every quantity does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Overcommit {
    nanos: u64,
}

impl Overcommit {
    /// No overcommit: requests equal limits.
    pub const NONE: Overcommit = Overcommit { nanos: NANOS as u64 };

    /// Says whether requests equal limits.
    pub const fn is_none(self) -> bool {
        self.nanos == Self::NONE.nanos
    }

    pub(super) fn divide(self, limit: MilliCpu) -> MilliCpu {
        let scaled = u128::from(limit.0).saturating_mul(NANOS.unsigned_abs());
        let request = scaled.div_ceil(u128::from(self.nanos));
        // A ratio of at least one never makes the amount larger, so it always fits.
        MilliCpu(u64::try_from(request).unwrap_or(limit.0))
    }
}

impl Default for Overcommit {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Display for Overcommit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quantity::from_nanos(i128::from(self.nanos), Format::DecimalSi).fmt(out)
    }
}

impl FromStr for Overcommit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let nanos = Quantity::parse_uncapped(text)?.nanos();
        if nanos < NANOS {
            return Err(UnitError::RatioBelowOne { text: echo(text) });
        }
        u64::try_from(nanos).map(|nanos| Overcommit { nanos }).map_err(|_| UnitError::TooLarge {
            text: echo(text),
            unit: "overcommit ratio",
            limit: Overcommit { nanos: u64::MAX }.to_string(),
        })
    }
}

quantity_on_the_wire!(Overcommit, "Overcommit");

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(text: &str) -> Overcommit {
        text.parse().unwrap()
    }

    #[test]
    fn requests_are_limits_divided_by_the_ratio_and_rounded_up() {
        assert_eq!(MilliCpu(4000).divided_by(Overcommit::NONE), MilliCpu(4000));
        assert_eq!(MilliCpu(4000).divided_by(ratio("2")), MilliCpu(2000));
        assert_eq!(MilliCpu(4000).divided_by(ratio("1.5")), MilliCpu(2667));
        assert_eq!(MilliCpu(1).divided_by(ratio("10")), MilliCpu(1));
        assert_eq!(MilliCpu(0).divided_by(ratio("10")), MilliCpu(0));
        assert_eq!(MilliCpu(u64::MAX).divided_by(Overcommit::NONE), MilliCpu(u64::MAX));
    }

    #[test]
    fn ratios_print_as_quantities_and_read_back() {
        assert_eq!(ratio("1.5").to_string(), "1500m");
        assert_eq!(ratio("1500m"), ratio("1.5"));
        assert_eq!(serde_json::from_str::<Overcommit>("2").unwrap(), ratio("2"));
        assert_eq!(Overcommit::default().to_string(), "1");
    }

    #[test]
    fn ratios_below_one_and_beyond_the_range_are_refused() {
        let refused = |text: &str| text.parse::<Overcommit>().unwrap_err().to_string();
        let below = "is below 1: an overcommit ratio is 1 or more, such as \"1.5\"";
        for text in ["0", "0.999999999", "-2", "999m"] {
            assert_eq!(refused(text), format!("\"{text}\" {below}"));
        }
        assert!(refused("100G").contains("too large"));
        for text in ["NaN", ".nan", "inf", "-inf", "Infinity", "-0.0", "1e400"] {
            assert!(refused(text).starts_with(&format!("{text:?}")), "{text}: {}", refused(text));
        }
    }
}
