//! Amounts of memory in whole bytes. Alignment rules of particular VMMs are constants here; who applies them decides elsewhere.

use std::fmt;
use std::str::FromStr;

use super::error::{UnitError, echo};
use super::quantity::{Format, Quantity};
use super::wire::quantity_on_the_wire;

/// 2^10 bytes.
pub const KIB: Bytes = Bytes(1 << 10);
/// 2^20 bytes.
pub const MIB: Bytes = Bytes(1 << 20);
/// 2^30 bytes.
pub const GIB: Bytes = Bytes(1 << 30);

/// The block in which x86-64 Linux takes memory on and off line, below 64 GiB of RAM: 128 MiB.
///
/// Cloud Hypervisor demands multiples of it for the size of a hotplug region and for each ACPI hotplug
/// (`hotplug_size` of another size fails the boot), and guests plug virtio-mem in steps of it.
pub const MEMORY_BLOCK: Bytes = Bytes(128 << 20);

/// The block size of virtio-mem in Cloud Hypervisor and QEMU on x86-64: 2 MiB, the size of a huge page.
///
/// A resize by another multiple is refused by either VMM.
pub const VIRTIO_MEM_GRANULE: Bytes = Bytes(2 << 20);

/// An amount of memory in bytes.
///
/// Printed as a canonical binary quantity (`4Gi`, `1536Mi`; below 1024 the decimal form, as Kubernetes has it). Read from any quantity that is not negative;
/// a fraction of a byte rounds up, as Kubernetes' `Value()` does (`1m` is one byte). What exceeds 2^64-1 is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl Bytes {
    /// No memory.
    pub const ZERO: Bytes = Bytes(0);

    /// Makes an amount of whole mebibytes; `None` when it exceeds 2^64-1 bytes.
    pub const fn from_mib(mib: u64) -> Option<Bytes> {
        MIB.checked_mul(mib)
    }

    /// Makes an amount of whole gibibytes; `None` when it exceeds 2^64-1 bytes.
    pub const fn from_gib(gib: u64) -> Option<Bytes> {
        GIB.checked_mul(gib)
    }

    /// Returns the number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Adds; `None` on overflow.
    pub const fn checked_add(self, other: Bytes) -> Option<Bytes> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Bytes(sum)),
            None => None,
        }
    }

    /// Subtracts; `None` when the result would be negative.
    pub const fn checked_sub(self, other: Bytes) -> Option<Bytes> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Bytes(difference)),
            None => None,
        }
    }

    /// Multiplies; `None` on overflow.
    pub const fn checked_mul(self, by: u64) -> Option<Bytes> {
        match self.0.checked_mul(by) {
            Some(product) => Some(Bytes(product)),
            None => None,
        }
    }

    /// Adds, staying at 2^64-1 on overflow.
    pub const fn saturating_add(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_add(other.0))
    }

    /// Subtracts, staying at zero where the result would be negative.
    pub const fn saturating_sub(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_sub(other.0))
    }

    /// Says whether it is a whole number of blocks; with a block of zero only zero is.
    pub const fn is_multiple_of(self, block: Bytes) -> bool {
        self.0.is_multiple_of(block.0)
    }

    /// Returns the next whole number of blocks; `None` on overflow or for a block of zero.
    pub const fn checked_next_multiple_of(self, block: Bytes) -> Option<Bytes> {
        match self.0.checked_next_multiple_of(block.0) {
            Some(rounded) => Some(Bytes(rounded)),
            None => None,
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quantity::from_units(self.0, Format::BinarySi).fmt(out)
    }
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let units = Quantity::parse_uncapped(text)?.units();
        if units < 0 {
            return Err(UnitError::Negative { text: echo(text), unit: "memory" });
        }
        u64::try_from(units).map(Bytes).map_err(|_| UnitError::TooLarge {
            text: echo(text),
            unit: "amount of memory",
            limit: format!("{} bytes", u64::MAX),
        })
    }
}

quantity_on_the_wire!(Bytes, "Bytes");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_prints_as_the_largest_binary_suffix_without_a_fraction() {
        let printed = |bytes: u64| Bytes(bytes).to_string();
        assert_eq!(printed(0), "0");
        assert_eq!(printed(1000), "1k");
        assert_eq!(printed(1024), "1Ki");
        assert_eq!(printed(4 << 30), "4Gi");
        assert_eq!(printed(1536 << 20), "1536Mi");
        assert_eq!(printed(4_000_000_000), "3906250Ki");
        assert_eq!(printed(u64::MAX), "18446744073709551615");
    }

    #[test]
    fn fractions_of_a_byte_round_up() {
        assert_eq!("1m".parse(), Ok(Bytes(1)));
        assert_eq!("0.5Ki".parse(), Ok(Bytes(512)));
        assert_eq!("1.0001Ki".parse(), Ok(Bytes(1025)));
    }

    #[test]
    fn memory_too_large_or_negative_is_refused_with_the_text() {
        let refused = |text: &str| text.parse::<Bytes>().unwrap_err().to_string();
        let limit = "is too large: the largest amount of memory is 18446744073709551615 bytes";
        assert_eq!(refused("16Ei"), format!("\"16Ei\" {limit}"));
        assert_eq!(refused("18446744073709551616"), format!("\"18446744073709551616\" {limit}"));
        assert_eq!(refused("9e400"), "\"9e400\" is too large: the largest quantity is 9223372036854775807");
        assert_eq!(refused("-1Gi"), "\"-1Gi\" is negative: memory must be zero or more");
    }

    #[test]
    fn memory_travels_as_text_and_is_read_from_text_or_integer() {
        let read = |json: &str| serde_json::from_str::<Bytes>(json);
        assert_eq!(serde_json::to_string(&GIB).unwrap(), "\"1Gi\"");
        assert_eq!(read("\"1Gi\"").unwrap(), GIB);
        assert_eq!(read("1073741824").unwrap(), GIB);
        assert!(read("-5").unwrap_err().to_string().starts_with("\"-5\" is negative: memory must be zero or more"));
        assert!(read("1.5").unwrap_err().to_string().contains("write it in quotes"));
        assert!(read("null").is_err());
    }

    #[test]
    fn alignment_and_arithmetic_are_checked() {
        assert!(MEMORY_BLOCK.is_multiple_of(VIRTIO_MEM_GRANULE));
        assert!(!Bytes(1).is_multiple_of(Bytes(0)));
        assert_eq!(Bytes(1).checked_next_multiple_of(KIB), Some(KIB));
        assert_eq!(Bytes(1).checked_next_multiple_of(Bytes(0)), None);
        assert_eq!(Bytes(u64::MAX).checked_add(Bytes(1)), None);
        assert_eq!(KIB.checked_sub(MIB), None);
        assert_eq!(KIB.saturating_sub(MIB), Bytes::ZERO);
        assert_eq!(Bytes::from_gib(u64::MAX), None);
    }
}
