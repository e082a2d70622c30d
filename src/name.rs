//! Names that people give to things: devices, cameras, sensors, models, routes, recipes, runs.
//!
//! A name travels into MQTT topics, file names and log lines, so it is held to a small alphabet once, here.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A checked, cheaply cloned name: 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{seen:?} is not a name: {}", Name::WANTED)]
pub struct NameError {
    /// The text as it was given.
    pub seen: String,
}

impl Name {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The pattern of a name, as a regular expression for JSON Schema.
    pub const PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

    /// What a name must be, in words.
    pub const WANTED: &str = "want 1 to 64 of a-z A-Z 0-9 . _ -, beginning with a letter or digit";

    /// Checks `text` and makes it a name.
    ///
    /// # Errors
    /// [`NameError`] when the text is empty, too long or has a character outside the alphabet.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if first && text.len() <= Self::MAX_BYTES && text.chars().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(NameError { seen: text.into() })
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::new(&text).map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": Self::PATTERN,
            "description": "A name: 1 to 64 of a-z A-Z 0-9 . _ -, beginning with a letter or digit."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_would_break_a_topic_or_a_path() {
        for bad in ["", "a/b", "+", "#", "..", ".hidden", "a b", "ä", &"x".repeat(65)] {
            assert_eq!(Name::new(bad), Err(NameError { seen: bad.into() }), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_pattern_and_the_check_agree(text in "[A-Za-z0-9._-]{1,64}") {
            let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
            prop_assert_eq!(Name::new(&text).is_ok(), starts_well);
        }
    }
}
