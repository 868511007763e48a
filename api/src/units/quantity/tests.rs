//! Compares reading and printing with a table that Kubernetes' own code made, and holds the properties of both.

use proptest::prelude::*;

use super::super::{Bytes, MilliCpu, Overcommit, Vcpus};
use super::*;

/// Made by `testdata/quantity/quantities.go`, which says how, from k8s.io/apimachinery v0.35.4.
const TABLE: &str = include_str!("../../../testdata/quantity/quantities.tsv");

struct Row {
    text: String,
    /// Exact amount, format, canonical text, `Value()`; `None` where Kubernetes refuses the text.
    accepted: Option<[String; 4]>,
}

fn rows() -> Vec<Row> {
    TABLE.lines().map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.split('\t').collect();
    let text = cells[0].replace("\\t", "\t").replace("\\n", "\n");
    let accepted = match cells[1] {
        "accept" => Some([cells[2], cells[3], cells[4], cells[5]].map(str::to_owned)),
        "reject" => None,
        other => panic!("verdict {other:?}"),
    };
    Row { text, accepted }
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::DecimalSi => "DecimalSI",
        Format::BinarySi => "BinarySI",
        Format::DecimalExponent => "DecimalExponent",
    }
}

/// The exact amount of a row in billionths; `None` beyond the range of `Quantity`.
fn exact_nanos(amount: &str) -> Option<i128> {
    let (integer, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let kept: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    format!("{integer}{kept}").parse().ok()
}

/// Texts without a digit, which Kubernetes reads as zero and Reef refuses.
fn has_no_digit(row: &Row) -> bool {
    !row.text.chars().any(|c| c.is_ascii_digit()) || row.text.starts_with(['e', '.']) && exact_is_zero(row)
}

fn exact_is_zero(row: &Row) -> bool {
    row.accepted.as_ref().is_some_and(|[amount, ..]| exact_nanos(amount) == Some(0))
}

/// Whole multiples of 1000E lose their suffix in Kubernetes, and so become another number.
fn printed_wrongly_by_kubernetes(quantity: &Quantity) -> bool {
    let kilo_exa = 1_000_000_000_000_000_000_000 * NANOS;
    quantity.format() == Format::DecimalSi && quantity.nanos() != 0 && quantity.nanos() % kilo_exa == 0
}

#[test]
fn the_table_is_whole() {
    let rows = rows();
    assert!(rows.len() > 1200, "{} rows", rows.len());
    assert!(rows.iter().filter(|row| row.accepted.is_none()).count() > 80);
}

#[test]
fn what_kubernetes_refuses_is_refused() {
    for row in rows().iter().filter(|row| row.accepted.is_none()) {
        assert!(row.text.parse::<Quantity>().is_err(), "{:?}", row.text);
    }
}

#[test]
fn what_kubernetes_accepts_has_the_same_amount_format_and_canonical_text() {
    let mut compared = 0;
    for row in rows() {
        let Some([amount, format, canonical, value]) = &row.accepted else { continue };
        let (Some(nanos), false) = (exact_nanos(amount), has_no_digit(&row)) else { continue };
        let read: Quantity = row.text.parse().unwrap_or_else(|why| panic!("{:?}: {why}", row.text));
        assert_eq!(read.nanos(), nanos, "{:?}", row.text);
        assert_eq!(format_name(read.format()), format, "{:?}", row.text);
        if !printed_wrongly_by_kubernetes(&read) {
            assert_eq!(&read.to_string(), canonical, "{:?}", row.text);
        }
        // Kubernetes' own Value() of a negative fraction comes out positive.
        if value != "-" && nanos >= 0 {
            assert_eq!(&read.units().to_string(), value, "{:?}", row.text);
        }
        compared += 1;
    }
    assert!(compared > 1000, "{compared} rows compared");
}

#[test]
fn a_suffix_without_digits_is_refused_although_kubernetes_reads_zero() {
    for text in ["Gi", "-", "+", ".", "-.", "k", "m", "E", "e3", ".e3"] {
        let found = text.parse::<Quantity>();
        assert_eq!(found, Err(UnitError::NoDigits { text: text.to_owned() }));
    }
}

#[test]
fn decimal_numbers_beyond_the_range_are_refused_and_binary_ones_capped() {
    for text in ["9e400", "1e30", "9223372036854775808E", "-1e99"] {
        assert!(matches!(text.parse::<Quantity>(), Err(UnitError::TooLarge { .. })), "{text}");
    }
    for text in ["8Ei", "16Ei", "99999999999999999999999999999999999999Ei"] {
        assert_eq!(text.parse::<Quantity>().unwrap().nanos(), KUBERNETES_MAX, "{text}");
        let negative = format!("-{text}").parse::<Quantity>().unwrap();
        assert_eq!(negative.nanos(), -KUBERNETES_MAX, "{text}");
    }
    assert!(Quantity::parse_uncapped("8Ei").unwrap().nanos() > KUBERNETES_MAX);
}

#[test]
fn a_wrong_unit_is_told_with_what_to_write() {
    let message = |text: &str| text.parse::<Quantity>().unwrap_err().to_string();
    let table: Vec<String> = [
        "4GB", "4gb", "4gi", "4GiB", "4 Gi", " 4Gi", "4K", "4ki", "4 mb", "4B", "1e3Gi", "0x10", "0o17", "1_000",
        "1,000", "NaN", "four", "50%", "1.5.0", "--1", "4Gi\n", "", "Gi", "4Zi",
    ]
    .iter()
    .map(|text| message(text))
    .collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn long_or_unprintable_text_is_shortened_and_escaped_in_the_message() {
    let message = format!("1{}", "\u{1b}x".repeat(5000)).parse::<Quantity>().unwrap_err().to_string();
    assert!(message.len() < 400, "{}", message.len());
    assert!(!message.contains('\u{1b}'));
}

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::DecimalSi), Just(Format::BinarySi), Just(Format::DecimalExponent)]
}

/// Integers of every magnitude, not only the large ones.
fn any_u64() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
}

proptest! {
    #[test]
    fn reading_what_was_printed_gives_the_same_quantity(nanos in any::<i128>(), shift in 0_u32..128, format in any_format()) {
        let quantity = Quantity::from_nanos(nanos >> shift, format);
        prop_assert_eq!(Quantity::parse_uncapped(&quantity.to_string()), Ok(quantity));
    }

    #[test]
    fn printing_is_canonical(nanos in any::<i128>(), shift in 0_u32..128, format in any_format()) {
        let printed = Quantity::from_nanos(nanos >> shift, format).to_string();
        prop_assert_eq!(Quantity::parse_uncapped(&printed).unwrap().to_string(), printed);
    }

    #[test]
    fn reading_what_was_printed_gives_the_same_unit(value in any_u64(), small in any::<u32>()) {
        prop_assert_eq!(Bytes(value).to_string().parse(), Ok(Bytes(value)));
        prop_assert_eq!(MilliCpu(value).to_string().parse(), Ok(MilliCpu(value)));
        prop_assert_eq!(Vcpus(small).to_string().parse(), Ok(Vcpus(small)));
        let json = serde_json::to_string(&Bytes(value)).unwrap();
        prop_assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), Bytes(value));
    }

    #[test]
    fn reading_what_was_printed_gives_the_same_ratio(nanos in 1_000_000_000..u64::MAX) {
        let ratio: Overcommit = format!("{nanos}n").parse().unwrap();
        prop_assert_eq!(ratio.to_string().parse(), Ok(ratio));
    }

    #[test]
    fn a_request_under_overcommit_is_the_smallest_that_covers_the_limit(millis in any_u64(), nanos in 1_000_000_000..u64::MAX) {
        let ratio: Overcommit = format!("{nanos}n").parse().unwrap();
        let request = u128::from(MilliCpu(millis).divided_by(ratio).0);
        let covered = |request: u128| request * u128::from(nanos) >= u128::from(millis) * 1_000_000_000;
        prop_assert!(covered(request));
        prop_assert!(request == 0 || !covered(request - 1));
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,40}", number in "[-+]?[0-9.]{0,50}[eEinumkKMGTP]{0,3}[-+]?[0-9]{0,20}") {
        let _ = (text.parse::<Quantity>(), number.parse::<Quantity>());
        let _ = (text.parse::<Bytes>(), number.parse::<Bytes>());
        let _ = (text.parse::<MilliCpu>(), number.parse::<Vcpus>());
    }
}

#[test]
fn the_ends_of_every_range_read_back() {
    for value in [0, 1, 999, 1000, 1023, 1024, u64::MAX - 1, u64::MAX] {
        assert_eq!(Bytes(value).to_string().parse(), Ok(Bytes(value)));
        assert_eq!(MilliCpu(value).to_string().parse(), Ok(MilliCpu(value)));
    }
    for nanos in [i128::MIN + 1, -1, 0, 1, i128::MAX] {
        let quantity = Quantity::from_nanos(nanos, Format::DecimalSi);
        assert_eq!(Quantity::parse_uncapped(&quantity.to_string()), Ok(quantity));
    }
}
