//! Exact scaling of written decimal numbers to billionths. Works on the digits themselves, so no length of input overflows or rounds on the way.

/// Billionths in one.
pub(super) const NANOS: i128 = 1_000_000_000;

/// The power of ten of [`NANOS`].
const NANO_DIGITS: i64 = 9;

/// A decimal number as it was written: sign, integer digits, fraction digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written<'a> {
    pub negative: bool,
    pub integer: &'a str,
    pub fraction: &'a str,
}

/// What the suffix multiplies by: ten to a power, or two to a power of at most 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factor {
    Ten(i64),
    Two(u32),
}

/// Integers of so many digits fit into `u64`.
const SHORT: usize = 19;

impl Written<'_> {
    /// Returns the number times the factor in billionths, rounded up away from zero; `None` when it exceeds `i128`.
    pub fn nanos(&self, factor: Factor) -> Option<i128> {
        let magnitude = self.short(factor).or_else(|| self.magnitude(factor))?;
        if self.negative { magnitude.checked_neg() } else { Some(magnitude) }
    }

    /// The amount of a short integer that stays one in billionths: nearly all that are ever read, and a tenth of the work.
    fn short(&self, factor: Factor) -> Option<i128> {
        if !self.fraction.is_empty() || self.integer.len() > SHORT {
            return None;
        }
        let value = self.digits().fold(0_u64, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit)));
        let scale = match factor {
            Factor::Two(power) => NANOS.checked_mul(1_i128.checked_shl(power)?)?,
            Factor::Ten(power) => 10_i128.checked_pow(u32::try_from(power.checked_add(NANO_DIGITS)?).ok()?)?,
        };
        i128::from(value).checked_mul(scale)
    }

    fn magnitude(&self, factor: Factor) -> Option<i128> {
        let digits = match factor {
            Factor::Ten(_) => self.digits().collect(),
            Factor::Two(power) => times(self.digits().collect(), 1_u64.checked_shl(power)?)?,
        };
        let fraction_len = i64::try_from(self.fraction.len()).ok()?;
        let ten = match factor {
            Factor::Ten(power) => power,
            Factor::Two(_) => 0,
        };
        let shift = ten.checked_sub(fraction_len)?.checked_add(NANO_DIGITS)?;
        shifted(&digits, shift)
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.integer.bytes().chain(self.fraction.bytes()).map(|byte| byte.wrapping_sub(b'0'))
    }
}

/// Multiplies a decimal number, most significant digit first, by an integer.
fn times(digits: Vec<u8>, by: u64) -> Option<Vec<u8>> {
    let mut product = Vec::with_capacity(digits.len().saturating_add(20));
    let mut carry: u128 = 0;
    for digit in digits.into_iter().rev() {
        carry = carry.checked_add(u128::from(digit).checked_mul(u128::from(by))?)?;
        product.push(u8::try_from(carry % 10).ok()?);
        carry /= 10;
    }
    while carry > 0 {
        product.push(u8::try_from(carry % 10).ok()?);
        carry /= 10;
    }
    product.reverse();
    Some(product)
}

/// Shifts a decimal number by powers of ten; digits that fall off below the point round it up.
fn shifted(digits: &[u8], shift: i64) -> Option<i128> {
    if digits.iter().all(|digit| *digit == 0) {
        return Some(0);
    }
    let dropped = usize::try_from(shift.min(0).unsigned_abs()).unwrap_or(usize::MAX).min(digits.len());
    let (kept, lost) = digits.split_at(digits.len().checked_sub(dropped)?);
    let mut value =
        kept.iter().try_fold(0_i128, |value, digit| value.checked_mul(10)?.checked_add(i128::from(*digit)))?;
    if lost.iter().any(|digit| *digit != 0) {
        value = value.checked_add(1)?;
    }
    // A value that starts with zeros may carry a long shift; 10^39 already exceeds i128, so the rest is never computed.
    if shift > 0 && value != 0 {
        value = value.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<'a>(integer: &'a str, fraction: &'a str) -> Written<'a> {
        Written { negative: false, integer, fraction }
    }

    #[test]
    fn what_falls_below_a_billionth_rounds_up_however_far_below() {
        assert_eq!(written("1", "").nanos(Factor::Ten(-400)), Some(1));
        assert_eq!(written("0", "0000000000000000000000000000000000000000001").nanos(Factor::Ten(0)), Some(1));
        assert_eq!(Written { negative: true, integer: "0", fraction: "00000000015" }.nanos(Factor::Ten(0)), Some(-1));
    }

    #[test]
    fn binary_factors_stay_exact_under_long_fractions() {
        assert_eq!(written("1", "5").nanos(Factor::Two(60)), Some(1_729_382_256_910_270_464 * NANOS));
        assert_eq!(
            written("7", "9999999999999999999999999999999999999").nanos(Factor::Two(60)),
            Some(8 * (1 << 60) * NANOS)
        );
    }

    #[test]
    fn short_integers_come_out_as_by_their_digits() {
        let numbers = ["0", "1", "007", "512", "1073741824", "9223372036854775807", "9999999999999999999"];
        let twos = (0..=60).map(Factor::Two);
        let factors: Vec<Factor> = twos.chain((-12..=40).map(Factor::Ten)).collect();
        for (number, factor) in numbers.iter().flat_map(|number| factors.iter().map(move |factor| (number, factor))) {
            let number = written(number, "");
            assert_eq!(number.nanos(*factor), number.magnitude(*factor), "{number:?} {factor:?}");
        }
    }

    #[test]
    fn numbers_beyond_the_range_are_refused_and_zero_never_is() {
        assert_eq!(written("9", "").nanos(Factor::Ten(400)), None);
        assert_eq!(written("0", "").nanos(Factor::Ten(i64::MAX / 2)), Some(0));
        assert_eq!(written("9223372036854775807", "").nanos(Factor::Two(60)), None);
    }
}
