//! How the outputs of text detection and text recognition are read, and the characters that a recogniser knows.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the first output, a map `[1, 1, height, width]` of the probability of text, becomes lines (differentiable
/// binarisation, Liao et al. 2020).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextDetection {
    /// A pixel of text has a probability above this, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pixel_from: f64,
    /// The lowest mean probability of a line that is kept, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub line_from: f64,
    /// How far a line is grown: its area times this over its perimeter.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub grow: f64,
}

/// How the first output, `[1, steps, classes]`, becomes a text (greedy decoding of connectionist temporal
/// classification, Graves et al. 2006). There is a class for each character and one for none, the blank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextRecognition {
    /// The characters by class, the blank left out.
    pub characters: Characters,
    /// Which class is the blank.
    #[serde(default)]
    pub blank: Blank,
}

/// Which class means that a step has no character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Blank {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
}

/// The characters that a recogniser knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Characters {
    /// Written here, one text a class.
    Listed(Vec<String>),
    /// In a file of their own, one line a class.
    File(CharactersFile),
}

impl Characters {
    /// One text a class.
    ///
    /// # Errors
    /// A sentence when they stand in a file and the passport was not loaded from its folder.
    pub fn list(&self) -> Result<&[String], String> {
        match self {
            Self::Listed(characters) => Ok(characters),
            Self::File(CharactersFile { characters: Some(characters), .. }) => Ok(characters),
            Self::File(file) => {
                Err(format!("the characters of {} were not read with the passport", file.path.display()))
            }
        }
    }
}

/// A file of characters and its identity. It is read, and its hash held against the passport, as the passport is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CharactersFile {
    /// The file, in UTF-8, relative to the passport: one line a class, nothing trimmed.
    pub path: PathBuf,
    /// SHA-256 of the file, 64 lower-case hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// What the file holds, once it was read.
    #[serde(skip)]
    pub characters: Option<Arc<[String]>>,
}
