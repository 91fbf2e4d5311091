//! Decimals that others stored, where they are exactly an integer or a double.
//!
//! The client library gives them as text: IEEE 754-2008, 5.12, writes a sign, up to 34 digits with a point among them, and an exponent.

use mongodb::bson::Decimal128;

/// The number `digits` · 10^`exponent`, with its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// None for infinity and NaN.
    pub(crate) fn new(number: Decimal128) -> Option<Decimal> {
        Decimal::parse(&number.to_string())
    }

    fn parse(text: &str) -> Option<Decimal> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = text.split_once(['E', 'e']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut digits: u128 = format!("{whole}{fraction}").parse().ok()?;
        let mut exponent = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        while digits != 0 && digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        Some(Decimal { negative, digits, exponent: if digits == 0 { 0 } else { exponent } })
    }

    /// The integer that it is.
    pub(crate) fn integer(self) -> Option<i64> {
        let power = 10u128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let number = i128::try_from(self.digits.checked_mul(power)?).ok()?;
        i64::try_from(if self.negative { -number } else { number }).ok()
    }

    /// The double that it is.
    pub(crate) fn float(self) -> Option<f64> {
        let magnitude = match u32::try_from(self.exponent) {
            // As of integers: from 2^53 on a double may stand for others beside it.
            Ok(exponent) => exactly(self.digits.checked_mul(10u128.checked_pow(exponent)?)?)?,
            // d / 10^n = (d / 5^n) / 2^n: a double where the first division leaves nothing.
            Err(_) => {
                let power = 5u128.checked_pow(self.exponent.unsigned_abs())?;
                if !self.digits.is_multiple_of(power) {
                    return None;
                }
                exactly(self.digits / power)? * 0.5f64.powi(self.exponent.checked_neg()?)
            }
        };
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The greatest integer that is not above it, within those of 64 bits.
    pub(crate) fn floor(self) -> i64 {
        let whole = match u32::try_from(self.exponent) {
            Ok(exponent) => 10u128.checked_pow(exponent).and_then(|power| self.digits.checked_mul(power)),
            Err(_) => Some(10u128.checked_pow(self.exponent.unsigned_abs()).map_or(0, |power| self.digits / power)),
        };
        let whole = whole.and_then(|whole| i64::try_from(whole).ok()).unwrap_or(i64::MAX);
        match self.negative {
            false => whole,
            true => (-whole).saturating_sub(i64::from(self.exponent < 0)),
        }
    }
}

fn exactly(whole: u128) -> Option<f64> {
    (whole <= 1 << 53).then_some(whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        // By way of the client library, whose text it is.
        Decimal::new(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn integers_are_exact() {
        for (text, number) in [
            ("12", 12),
            ("12.0", 12),
            ("-12.000", -12),
            ("1E+2", 100),
            ("1.5e1", 15),
            ("120E-1", 12),
            ("-0", 0),
            ("0E-20", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808.0", i64::MIN),
        ] {
            assert_eq!(decimal(text).integer(), Some(number), "{text}");
        }
        for text in ["0.5", "12.01", "9223372036854775808", "1E+19", "1E+6000", "1E-6000"] {
            assert_eq!(decimal(text).integer(), None, "{text}");
        }
    }

    #[test]
    fn doubles_are_exact() {
        for (text, number) in [("0.5", 0.5), ("-2.75", -2.75), ("12.0", 12.0), ("1E+3", 1_000.0), ("0", 0.0)] {
            assert_eq!(decimal(text).float(), Some(number), "{text}");
        }
        assert_eq!(decimal("0.0009765625").float(), Some(0.000_976_562_5), "2^-10");
        for text in ["0.1", "9007199254740993", "1E+40", "1E-40", "1E+6000", "1E-6000"] {
            assert_eq!(decimal(text).float(), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_neither() {
        for text in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(Decimal::new(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn the_integer_below() {
        for (text, number) in [
            ("12", 12),
            ("12.9", 12),
            ("-12.1", -13),
            ("-12.0", -12),
            ("1E-40", 0),
            ("1E+40", i64::MAX),
            ("9223372036854775807.5", i64::MAX),
        ] {
            assert_eq!(decimal(text).floor(), number, "{text}");
        }
    }
}
