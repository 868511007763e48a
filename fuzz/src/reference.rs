//! A slow reading of quantities, by long arithmetic on decimal digits as it is done on paper.
//!
//! Shares nothing with the one that is used, and has no limits but that it leaves absurd exponents alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a finding panics"
)]

/// What a text says.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// So many billionths, rounded up away from zero, as a decimal number.
    Nanos(String),
    /// It is no quantity.
    Refused,
}

/// Exponents beyond are not worth the digits.
const MOST_DIGITS: i64 = 400;

/// Reads a text; `None` where it is too long to be worth it.
pub fn reference(text: &str) -> Option<Reading> {
    let (sign, unsigned) = match text.chars().next() {
        Some(sign @ ('+' | '-')) => (sign, &text[1..]),
        _ => ('+', text),
    };
    let integer: String = unsigned.chars().take_while(char::is_ascii_digit).collect();
    let mut rest = &unsigned[integer.len()..];
    let mut fraction = String::new();
    if let Some(after) = rest.strip_prefix('.') {
        fraction = after.chars().take_while(char::is_ascii_digit).collect();
        rest = &after[fraction.len()..];
    }
    if integer.len() + fraction.len() > 400 {
        return None;
    }
    let Some((doublings, tens)) = suffix(rest) else { return Some(Reading::Refused) };
    if integer.is_empty() && fraction.is_empty() {
        return Some(Reading::Refused);
    }
    if tens.abs() > MOST_DIGITS {
        return None;
    }
    let mut number: Vec<u32> = integer.chars().chain(fraction.chars()).filter_map(|digit| digit.to_digit(10)).collect();
    for _ in 0..doublings {
        double(&mut number);
    }
    let shift = tens + 9 - i64::try_from(fraction.len()).expect("a short text");
    let nanos = printed(&shifted(number, shift));
    Some(Reading::Nanos(if sign == '-' && nanos != "0" { format!("-{nanos}") } else { nanos }))
}

/// How often to double, and how many zeros to append.
fn suffix(text: &str) -> Option<(u32, i64)> {
    let known = match text {
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "" => (0, 0),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => (0, exponent(text)?),
    };
    Some(known)
}

/// Kubernetes keeps an exponent in 64 bits.
fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['e', 'E'])?;
    let bare = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    let are_digits = !bare.is_empty() && bare.chars().all(|digit| digit.is_ascii_digit());
    if are_digits { digits.parse().ok() } else { None }
}

fn double(number: &mut Vec<u32>) {
    let mut carry = 0;
    for digit in number.iter_mut().rev() {
        let doubled = *digit * 2 + carry;
        (*digit, carry) = (doubled % 10, doubled / 10);
    }
    if carry > 0 {
        number.insert(0, carry);
    }
}

/// Appends zeros, or takes digits away and adds one where any of them counted.
fn shifted(mut number: Vec<u32>, shift: i64) -> Vec<u32> {
    number.extend(std::iter::repeat_n(0, usize::try_from(shift).unwrap_or(0)));
    let mut lost = false;
    for _ in shift..0 {
        lost |= number.pop().is_some_and(|digit| digit != 0);
    }
    if lost {
        add_one(&mut number);
    }
    number
}

fn add_one(number: &mut Vec<u32>) {
    for digit in number.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    number.insert(0, 1);
}

fn printed(number: &[u32]) -> String {
    let digits: String = number.iter().map(ToString::to_string).collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}
