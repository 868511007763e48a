//! A time that something is lent for: whole seconds, written as `30s`, `10m` or `1h30m`.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{UnitError, echo};

/// The shortest: a kubelet looks at a Pod that waits for room when another Pod goes, which takes some seconds.
const SHORTEST_SECONDS: u32 = 30;
/// The longest, a day: a wish that waits counts against its node all the time.
const LONGEST_SECONDS: u32 = 24 * 3600;
/// Where nothing is stated.
const USUAL_SECONDS: u32 = 600;

/// How long a wish that its node has no room for may wait, in whole seconds; from half a minute to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    seconds: u32,
}

impl Lease {
    /// What holds where nothing is stated.
    pub const USUAL: Lease = Lease { seconds: USUAL_SECONDS };

    /// The time.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.seconds))
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::USUAL
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.seconds / 3600, "h"), (self.seconds / 60 % 60, "m"), (self.seconds % 60, "s")];
        parts.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, unit)| write!(out, "{count}{unit}"))
    }
}

impl FromStr for Lease {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let read = text.parse::<SignedDuration>().ok().and_then(|span| u32::try_from(span.as_secs()).ok());
        let fits = |seconds: &u32| (SHORTEST_SECONDS..=LONGEST_SECONDS).contains(seconds);
        read.filter(fits).map(|seconds| Self { seconds }).ok_or_else(|| UnitError::NotLease { text: echo(text) })
    }
}

impl Serialize for Lease {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lease {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Lease {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lease".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lease(text: &str) -> Lease {
        text.parse().unwrap()
    }

    #[test]
    fn leases_are_read_as_people_write_them() {
        assert_eq!(lease("10m"), Lease::USUAL);
        assert_eq!(lease("600s"), Lease::USUAL);
        assert_eq!(lease("1h30m").duration(), SignedDuration::from_mins(90));
        assert_eq!(lease("90m").to_string(), "1h30m");
        assert_eq!(serde_json::from_str::<Lease>("\"45s\"").unwrap().to_string(), "45s");
    }

    #[test]
    fn what_is_no_lease_is_told_with_what_to_write() {
        for text in ["", "often", "29s", "25h", "-10m", "10"] {
            let error = text.parse::<Lease>().unwrap_err().to_string();
            assert_eq!(error, format!("\"{text}\" is no lease: write a time from 30s to 24h, such as \"10m\""));
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(seconds in SHORTEST_SECONDS..=LONGEST_SECONDS) {
            let lease = Lease { seconds };
            prop_assert_eq!(lease.to_string().parse(), Ok(lease));
        }
    }
}
