use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// The largest number up to which every integer has a floating-point number of its own: 2⁵³.
const EXACT_UP_TO: f64 = 9_007_199_254_740_992.0;

/// A number without a fraction, however it is spelled: JSON knows no integers, and `30`, `30.0` and `3e1` are one number
/// (RFC 8259 §6, JSON Schema 2020-12 §4.2.3).
pub(crate) struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Spelled)
    }
}

struct Spelled;

impl de::Visitor<'_> for Spelled {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        i64::try_from(number).map(Whole).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        if number.fract() != 0.0 || number.abs() > EXACT_UP_TO {
            return Err(E::custom("not a whole number"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is within the integers")]
        Ok(Whole(number as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_fraction_is_whole_however_it_is_spelled() {
        for (text, expected) in [("30", 30), ("30.0", 30), ("3e1", 30), ("-1", -1), ("-0.0", 0), ("1E+2", 100)] {
            assert_eq!(serde_json::from_str::<Whole>(text).unwrap().0, expected, "{text}");
        }
        for text in ["1.5", "1e-1", "1e16", "1e300", "18446744073709551615", "\"30\"", "null", "true", "[30]"] {
            assert!(serde_json::from_str::<Whole>(text).is_err(), "{text}");
        }
    }
}
