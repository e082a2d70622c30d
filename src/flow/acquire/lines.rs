//! One line of sensor text to one [`Reading`]: pure, total, and never silent about what it could not read.
//!
//! Three formats: `key=value` pairs, one flat JSON object, plain text. Values are typed as [`Value`]: `true` and `false`,
//! finite numbers, everything else as text. Does not read from anywhere, ask for the time or count.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::clock::Monotonic;
use crate::config::{LineFormat, Sensor};
use crate::flow::{PartId, PartIdError, Reading};
use crate::name::Name;
use crate::value::Value;

/// When a line was complete, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// On the monotonic clock.
    pub at: Monotonic,
    /// On the wall clock.
    pub utc: Timestamp,
    /// Whether the wall clock is synchronised, so that a time in the text may be compared with it.
    pub synchronised: bool,
}

/// Why a line is no reading. Texts are cut to 80 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// A word without `=`, or with nothing before it.
    #[error("{seen:?} is no pair; want key=value")]
    NoPair {
        /// The word.
        seen: String,
    },
    /// A quote that is not closed, or is followed by something other than a separator.
    #[error(
        "the quoted value of {key:?} does not end well; want \"...\" and then a blank, comma, semicolon or the end"
    )]
    Quote {
        /// The key.
        key: String,
    },
    /// A key that comes twice.
    #[error("the key {key:?} comes twice; want each key once")]
    Twice {
        /// The key.
        key: String,
    },
    /// Not one JSON object.
    #[error("not one JSON object: {cause}")]
    Json {
        /// What the JSON parser says.
        cause: String,
    },
    /// A JSON value that has values in itself.
    #[error("the value of {key:?} is {seen}; want text, a number, true, false or null")]
    Nested {
        /// The key.
        key: String,
        /// `an array` or `an object`.
        seen: &'static str,
    },
    /// A part id that is none.
    #[error("the value of {key:?}: {cause}")]
    Part {
        /// The key.
        key: String,
        /// What is wrong with it.
        cause: PartIdError,
    },
    /// A time that is none.
    #[error("the value of {key:?} is {seen:?}; want a time in RFC 3339 such as 2026-01-31T12:00:00Z")]
    Time {
        /// The key.
        key: String,
        /// The value.
        seen: String,
    },
}

/// Reads `line`, which came from the sensor `name` with its `settings`.
///
/// * The part is the text under `part_key`, as written; a line without that key names no part.
/// * The capture time is the time under `time_key` where the line has one and the wall clock is synchronised, else the
///   arrival less the sensor's delay.
///
/// # Errors
/// [`LineError`] when the line is not of the sensor's format, or its part or time is none.
pub fn parse(line: &str, name: &Name, settings: &Sensor, arrival: Arrival) -> Result<Reading, LineError> {
    let fields = match settings.format {
        LineFormat::KeyValue => key_values(line)?,
        LineFormat::Json => json(line)?,
        LineFormat::Text => vec![Field::text("text", line.trim())],
    };
    let written = |key: &Option<String>| {
        let key = key.as_ref()?;
        fields.iter().find(|field| field.key == *key).map(|field| (key.clone(), field.written.as_str()))
    };
    let part = written(&settings.part_key)
        .map(|(key, text)| PartId::new(text).map_err(|cause| LineError::Part { key, cause }))
        .transpose()?;
    let own_time = written(&settings.time_key).map(|(key, text)| time(key, text)).transpose()?;
    let captured = match own_time {
        Some(time) if arrival.synchronised => on_monotonic(time, arrival),
        _ => arrival.at - settings.delay,
    };
    Ok(Reading { sensor: name.clone(), captured, part, values: values(fields)?, asker: None })
}

/// A key with its value, as it was written and as it is understood.
struct Field {
    key: String,
    written: String,
    value: Value,
}

impl Field {
    fn text(key: &str, text: &str) -> Self {
        Self { key: key.into(), written: text.into(), value: Value::Text(text.into()) }
    }

    /// An unquoted word: a flag, a finite number or text.
    fn word(key: &str, word: &str) -> Self {
        Self { key: key.into(), written: word.into(), value: Value::parse(word) }
    }
}

fn values(fields: Vec<Field>) -> Result<BTreeMap<String, Value>, LineError> {
    let mut values = BTreeMap::new();
    for Field { key, value, .. } in fields {
        if values.contains_key(&key) {
            return Err(LineError::Twice { key: cut(&key) });
        }
        values.insert(key, value);
    }
    Ok(values)
}

fn time(key: String, text: &str) -> Result<Timestamp, LineError> {
    text.parse().map_err(|_| LineError::Time { key, seen: cut(text) })
}

/// The point on the monotonic clock that lies as far from the arrival as `time` does on the wall clock.
fn on_monotonic(time: Timestamp, arrival: Arrival) -> Monotonic {
    let ago = arrival.utc.duration_since(time);
    if ago.is_negative() { arrival.at + ago.unsigned_abs() } else { arrival.at - ago.unsigned_abs() }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

const fn is_separator(character: char) -> bool {
    matches!(character, ' ' | '\t' | ',' | ';')
}

/// `key=value` pairs between separators. A quoted value is text; in it `\"` is a quote and `\\` a backslash.
fn key_values(line: &str) -> Result<Vec<Field>, LineError> {
    let mut fields = Vec::new();
    let mut rest = line.trim_start_matches(is_separator).trim_end_matches(['\r', '\n']);
    while !rest.is_empty() {
        let word = rest.split(is_separator).next().unwrap_or(rest);
        let (key, after) = rest
            .split_once('=')
            .filter(|(key, _)| !key.is_empty() && key.len() < word.len() && !key.contains('"'))
            .ok_or_else(|| LineError::NoPair { seen: cut(word) })?;
        let (field, after) = if let Some(quoted) = after.strip_prefix('"') {
            let (text, after) = unquote(quoted).ok_or_else(|| LineError::Quote { key: cut(key) })?;
            (Field::text(key, &text), after)
        } else {
            let (word, after) = after.split_at(after.find(is_separator).unwrap_or(after.len()));
            (Field::word(key, word), after)
        };
        fields.push(field);
        rest = after.trim_start_matches(is_separator);
    }
    if fields.is_empty() { Err(LineError::NoPair { seen: cut(line) }) } else { Ok(fields) }
}

/// The text up to the closing quote, and what follows; `None` without a closing quote and a separator or end behind it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => {
                let after = &quoted[place + 1..];
                return (after.is_empty() || after.starts_with(is_separator)).then_some((text, after));
            }
            '\\' => match characters.next()? {
                (_, escaped @ ('"' | '\\')) => text.push(escaped),
                (_, other) => text.extend(['\\', other]),
            },
            _ => text.push(character),
        }
    }
    None
}

/// The fields of one flat JSON object. `null` is the same as no such key.
fn json(line: &str) -> Result<Vec<Field>, LineError> {
    let Members(members) = serde_json::from_str(line).map_err(|error| LineError::Json { cause: error.to_string() })?;
    members.into_iter().filter_map(|(key, value)| json_field(&key, value).transpose()).collect()
}

fn json_field(key: &str, value: serde_json::Value) -> Result<Option<Field>, LineError> {
    use serde_json::Value as Json;
    let nested = |seen| Err(LineError::Nested { key: cut(key), seen });
    match value {
        Json::Null => Ok(None),
        Json::Bool(flag) => Ok(Some(Field { key: key.into(), written: flag.to_string(), value: Value::Flag(flag) })),
        Json::Number(number) => {
            let value = number.as_f64().map_or_else(|| Value::Text(number.to_string()), Value::Number);
            Ok(Some(Field { key: key.into(), written: number.to_string(), value }))
        }
        Json::String(text) => Ok(Some(Field::text(key, &text))),
        Json::Array(_) => nested("an array"),
        Json::Object(_) => nested("an object"),
    }
}

/// The members of a JSON object in their order, none dropped when a key comes twice.
struct Members(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests;
