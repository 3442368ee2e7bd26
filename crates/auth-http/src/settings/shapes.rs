use std::{fmt::Display, str::FromStr, time::Duration};

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
