//! Quantities, as people and API servers write them, beside a slow reading that is too simple to be wrong in the same way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a finding panics"
)]

use super::reference::{Reading, reference};
use reef_api::{Bytes, MilliCpu, Overcommit, Quantity, UnitError, Vcpus};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// The bytes are a text.
pub fn quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(reading) = reference(text) {
        agree(text, &reading);
    }
    if let Ok(quantity) = text.parse::<Quantity>() {
        let printed = quantity.to_string();
        let again: Quantity = printed.parse().expect("what was printed can be read");
        assert_eq!(again.nanos(), quantity.nanos(), "{text:?} is printed as {printed:?}");
        assert_eq!(again.to_string(), printed, "{text:?}");
    }
    prints_what_it_reads::<Bytes>(text);
    prints_what_it_reads::<MilliCpu>(text);
    prints_what_it_reads::<Vcpus>(text);
    prints_what_it_reads::<Overcommit>(text);
}

fn agree(text: &str, reading: &Reading) {
    match (Quantity::parse_uncapped(text), reading) {
        (Ok(quantity), Reading::Nanos(nanos)) => assert_eq!(&quantity.nanos().to_string(), nanos, "{text:?}"),
        (Err(UnitError::TooLarge { .. }), Reading::Nanos(nanos)) => {
            assert!(nanos.parse::<i128>().is_err_and(|_| nanos.len() >= 39), "{text:?} is {nanos} billionths");
        }
        (Err(_), Reading::Refused) => {}
        (parsed, reading) => panic!("{text:?}: {parsed:?}, and by the reference {reading:?}"),
    }
    capped(text, reading);
}

/// A binary quantity stays below 2^63 as it does in Kubernetes.
fn capped(text: &str, reading: &Reading) {
    let (Ok(quantity), Reading::Nanos(nanos)) = (text.parse::<Quantity>(), reading) else { return };
    let most = i128::from(i64::MAX) * 1_000_000_000;
    let exact = nanos.parse::<i128>().unwrap_or(if nanos.starts_with('-') { i128::MIN } else { i128::MAX });
    let is_binary = text.ends_with('i');
    assert_eq!(quantity.nanos(), if is_binary { exact.clamp(-most, most) } else { exact }, "{text:?}");
    assert!(format!("{:?}", quantity.format()) != "BinarySi" || is_binary, "{text:?}");
}

fn prints_what_it_reads<T: FromStr + Display + PartialEq + Debug>(text: &str)
where
    T::Err: Debug,
{
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert_eq!(printed.parse::<T>().expect("what was printed can be read"), value, "{text:?}");
    }
}
