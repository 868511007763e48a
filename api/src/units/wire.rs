//! How units travel as JSON and YAML: written as quantity text, read from text or an integer, described to Kubernetes as `x-kubernetes-int-or-string`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};

/// The form that Kubernetes' own schemas demand of a quantity in text.
pub(super) const QUANTITY_PATTERN: &str =
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$";

/// Reads text or an integer through the unit's own `FromStr`.
///
/// A number with a fraction is refused: it has been a float before it came here, and its digits are no longer those
/// that were written. The API server refuses it too.
pub(super) fn text_or_integer<'de, T, D>(input: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    input.deserialize_any(TextOrInteger(PhantomData))
}

struct TextOrInteger<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextOrInteger<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a quantity as text such as \"4Gi\", or an integer")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(format_args!("the number {number} has a fraction or an exponent: write it in quotes")))
    }
}

/// Gives a unit its wire form: serialised as its printed text, read by [`text_or_integer`], with an int-or-string schema.
macro_rules! quantity_on_the_wire {
    ($unit:ty, $name:literal) => {
        impl serde::Serialize for $unit {
            fn serialize<S: serde::Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $unit {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                $crate::units::wire::text_or_integer(input)
            }
        }

        impl schemars::JsonSchema for $unit {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "x-kubernetes-int-or-string": true,
                    "pattern": $crate::units::wire::QUANTITY_PATTERN,
                })
            }
        }
    };
}

pub(super) use quantity_on_the_wire;
