use std::{fmt::Display, str::FromStr, time::Duration};

use auth_domain::Rate;
use serde::{Deserialize, Deserializer, de::Error};

/// A list as TOML has it, or comma-separated as the environment has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Many(Vec<String>),
    Joined(String),
}

/// Reads a [`Listed`] of things that can be parsed from text.
pub(super) fn list<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr,
    T::Err: Display,
{
    let items = match Listed::deserialize(deserializer)? {
        Listed::Many(items) => items,
        Listed::Joined(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
    };
    let parse = |item: &String| item.parse().map_err(|wrong| D::Error::custom(format!("{item:?}: {wrong}")));
    items.iter().filter(|item| !item.is_empty()).map(parse).collect()
}

/// A span of time, or `off`.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpanOrOff(pub Option<Duration>);

impl<'de> Deserialize<'de> for SpanOrOff {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self(None));
        }
        let span = humantime::parse_duration(&text);
        let wrong =
            |wrong| D::Error::custom(format!("{text:?} is neither off nor a span of time such as 10m: {wrong}"));
        span.map(Some).map(Self).map_err(wrong)
    }
}

/// A span of time such as `24h` or `30d`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = humantime::parse_duration(&text);
        span.map(Self).map_err(|wrong| D::Error::custom(format!("{text:?} is no span of time such as 24h: {wrong}")))
    }
}

/// So much in so long, such as `6/1h`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Often(pub Rate);

impl FromStr for Often {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &dyn Display| format!("{text:?} is no rate such as 6/1h: {why}");
        let (times, span) = text.split_once('/').ok_or_else(|| wrong(&"there is no slash in it"))?;
        let times = times.trim().parse().map_err(|_not_a_number| wrong(&"a whole number stands before the slash"))?;
        let span = humantime::parse_duration(span.trim()).map_err(|error| wrong(&error))?;
        Rate::new(times, span).map(Self).map_err(|error| wrong(&error))
    }
}

impl<'de> Deserialize<'de> for Often {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_so_much_in_so_long() {
        for (text, times, seconds) in [
            ("6/1h", 6, 3600),
            ("300 / 1m", 300, 60),
            ("1/1s", 1, 1),
            ("20/1h 30m", 20, 5400),
            ("1/365d", 1, 31_536_000),
        ] {
            let Often(rate) = text.parse().unwrap();
            assert_eq!(rate, Rate::new(times, Duration::from_secs(seconds)).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_quoted_with_what_is_wrong() {
        for (text, why) in [
            ("", "there is no slash in it"),
            ("6", "there is no slash in it"),
            ("six/1h", "a whole number stands before the slash"),
            ("-6/1h", "a whole number stands before the slash"),
            ("6.5/1h", "a whole number stands before the slash"),
            ("5000000000/1h", "a whole number stands before the slash"),
            ("6/h", "expected number at 0"),
            ("6/1h/1", "invalid character at 2"),
            ("6/60", "time unit needed, for example 60sec or 60ms"),
            ("0/1h", "a rate is at least once"),
            ("6/0s", "a rate is at least once"),
            ("1001/1s", "a rate is at least once"),
            ("1/2years", "a rate is at least once"),
        ] {
            let Err(told) = text.parse::<Often>() else { panic!("{text}") };
            assert!(told.starts_with(&format!("{text:?} is no rate such as 6/1h: {why}")), "{told}");
        }
    }
}
