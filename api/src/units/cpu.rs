//! CPU in the two ways it is counted: thousandths of CPU time for Pods, whole vCPUs for guests.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{UnitError, echo};
use super::overcommit::Overcommit;
use super::quantity::{Format, Quantity};
use super::wire::quantity_on_the_wire;

/// CPU time in thousandths of a CPU.
///
/// Printed as a canonical decimal quantity (`500m`, `2`). Read from any quantity that is not negative; what is finer
/// than a thousandth rounds up, as Kubernetes' `MilliValue()` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MilliCpu(pub u64);

impl MilliCpu {
    /// No CPU time.
    pub const ZERO: MilliCpu = MilliCpu(0);

    /// Returns the number of thousandths.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Adds; `None` on overflow.
    pub const fn checked_add(self, other: MilliCpu) -> Option<MilliCpu> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(MilliCpu(sum)),
            None => None,
        }
    }

    /// Subtracts; `None` when the result would be negative.
    pub const fn checked_sub(self, other: MilliCpu) -> Option<MilliCpu> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(MilliCpu(difference)),
            None => None,
        }
    }

    /// Adds, staying at the largest value on overflow.
    pub const fn saturating_add(self, other: MilliCpu) -> MilliCpu {
        MilliCpu(self.0.saturating_add(other.0))
    }

    /// Subtracts, staying at zero where the result would be negative.
    pub const fn saturating_sub(self, other: MilliCpu) -> MilliCpu {
        MilliCpu(self.0.saturating_sub(other.0))
    }

    /// Returns what is requested for this limit under an overcommit ratio, rounded up to a thousandth.
    pub fn divided_by(self, ratio: Overcommit) -> MilliCpu {
        ratio.divide(self)
    }
}

impl fmt::Display for MilliCpu {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quantity::from_millis(self.0, Format::DecimalSi).fmt(out)
    }
}

impl FromStr for MilliCpu {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let millis = Quantity::parse_uncapped(text)?.millis();
        if millis < 0 {
            return Err(UnitError::Negative { text: echo(text), unit: "CPU time" });
        }
        u64::try_from(millis).map(MilliCpu).map_err(|_| UnitError::TooLarge {
            text: echo(text),
            unit: "amount of CPU time",
            limit: MilliCpu(u64::MAX).to_string(),
        })
    }
}

quantity_on_the_wire!(MilliCpu, "MilliCpu");

/// A number of virtual CPUs.
///
/// Written as a plain decimal integer, in text and in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Vcpus(pub u32);

impl Vcpus {
    /// No vCPU.
    pub const ZERO: Vcpus = Vcpus(0);

    /// Returns the number of vCPUs.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Adds; `None` on overflow.
    pub const fn checked_add(self, other: Vcpus) -> Option<Vcpus> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Vcpus(sum)),
            None => None,
        }
    }

    /// Subtracts; `None` when the result would be negative.
    pub const fn checked_sub(self, other: Vcpus) -> Option<Vcpus> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Vcpus(difference)),
            None => None,
        }
    }

    /// Multiplies, as sockets by cores; `None` on overflow.
    pub const fn checked_mul(self, by: u32) -> Option<Vcpus> {
        match self.0.checked_mul(by) {
            Some(product) => Some(Vcpus(product)),
            None => None,
        }
    }

    /// Subtracts, staying at zero where the result would be negative.
    pub const fn saturating_sub(self, other: Vcpus) -> Vcpus {
        Vcpus(self.0.saturating_sub(other.0))
    }
}

impl From<Vcpus> for MilliCpu {
    /// A vCPU at full speed uses one CPU. The product always fits.
    fn from(vcpus: Vcpus) -> MilliCpu {
        MilliCpu(u64::from(vcpus.0).saturating_mul(1000))
    }
}

impl fmt::Display for Vcpus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for Vcpus {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let unit = "vCPUs";
        if text.is_empty() {
            return Err(UnitError::Empty);
        }
        let plain = text == "0" || !text.starts_with('0');
        if !plain || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(UnitError::NotWhole { text: echo(text), unit });
        }
        text.parse().map(Vcpus).map_err(|_| UnitError::TooLarge {
            text: echo(text),
            unit: "number of vCPUs",
            limit: u32::MAX.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_prints_canonically_and_rounds_up_to_a_thousandth() {
        assert_eq!(MilliCpu(500).to_string(), "500m");
        assert_eq!(MilliCpu(2000).to_string(), "2");
        assert_eq!(MilliCpu(2_000_000).to_string(), "2k");
        assert_eq!("0.5".parse(), Ok(MilliCpu(500)));
        assert_eq!("1n".parse(), Ok(MilliCpu(1)));
        assert_eq!("1.0001".parse(), Ok(MilliCpu(1001)));
    }

    #[test]
    fn cpu_time_too_large_or_negative_is_refused() {
        let refused = |text: &str| text.parse::<MilliCpu>().unwrap_err().to_string();
        assert_eq!(refused("-1m"), "\"-1m\" is negative: CPU time must be zero or more");
        assert_eq!(refused("20P"), "\"20P\" is too large: the largest amount of CPU time is 18446744073709551615m");
    }

    #[test]
    fn vcpus_are_plain_decimal_integers() {
        assert_eq!("16".parse(), Ok(Vcpus(16)));
        assert_eq!("0".parse(), Ok(Vcpus(0)));
        for text in ["+4", "-4", "04", "4.0", "4m", "0x4", "1_0", " 4", "four", "٣"] {
            let found = text.parse::<Vcpus>();
            assert_eq!(found, Err(UnitError::NotWhole { text: text.to_owned(), unit: "vCPUs" }));
        }
        assert!(matches!("4294967296".parse::<Vcpus>(), Err(UnitError::TooLarge { .. })));
        assert_eq!("".parse::<Vcpus>(), Err(UnitError::Empty));
    }

    #[test]
    fn vcpus_travel_as_integers() {
        assert_eq!(serde_json::to_string(&Vcpus(4)).unwrap(), "4");
        assert_eq!(serde_json::from_str::<Vcpus>("4").unwrap(), Vcpus(4));
        assert!(serde_json::from_str::<Vcpus>("-1").is_err());
        assert!(serde_json::from_str::<Vcpus>("1.0").is_err());
        assert!(serde_json::from_str::<Vcpus>("4294967296").is_err());
        assert_eq!(serde_json::from_str::<MilliCpu>("2").unwrap(), MilliCpu(2000));
    }

    #[test]
    fn a_vcpu_is_one_cpu_even_for_the_largest_count() {
        assert_eq!(MilliCpu::from(Vcpus(4)), MilliCpu(4000));
        assert_eq!(MilliCpu::from(Vcpus(u32::MAX)), MilliCpu(4_294_967_295_000));
    }
}
