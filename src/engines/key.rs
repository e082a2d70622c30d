//! The key of an engine: a hash over everything that makes it this engine and no other.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::Machine;
use super::options::Options;
use crate::models::catalogue::sha256_of;
use crate::models::graph::Graph;
use crate::models::passport::Model;
use crate::name::Name;

/// SHA-256 over [`Ingredients`], 64 hex digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key(String);

impl Key {
    /// A text that is a key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (text.len() == 64 && text.chars().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    /// The first twelve digits, which tell keys apart for a reader.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is no key: want 64 hex digits")))
    }
}

/// The versions of the libraries that build and run an engine, as they tell them; none is readable by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// ONNX Runtime.
    pub onnxruntime: String,
    /// TensorRT, as the number of `getInferLibVersion`; empty where it does not tell.
    pub tensorrt: String,
    /// The CUDA runtime, as the number of `cudaRuntimeGetVersion`; empty where it does not tell.
    pub cuda: String,
}

/// Everything an engine depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingredients {
    /// The model.
    pub model: Name,
    /// The name of its file, which is part of ONNX Runtime's own name of an engine.
    pub file: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// SHA-256 of each file with weights beside it.
    pub external: BTreeMap<String, String>,
    /// The shape that each input is fed with.
    pub inputs: BTreeMap<String, Vec<usize>>,
    /// The lengths given to axes that the graph leaves open.
    pub pins: BTreeMap<String, usize>,
    /// The options of the provider, without places on disk.
    pub options: Options,
    /// The board.
    pub board: Name,
    /// The libraries.
    pub versions: Versions,
}

impl Ingredients {
    /// Gathers what the engine of a model depends on. Hashes are those of the passport, which are held against the files
    /// whenever a session is opened.
    #[must_use]
    pub fn new(model: &Model, graph: &Graph, options: Options, machine: &Machine) -> Self {
        let passport = &model.passport;
        let external = passport.file.external.iter();
        let name = |path: &std::path::Path| path.display().to_string();
        Self {
            model: passport.name.clone(),
            file: model.file().file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default(),
            sha256: passport.file.sha256.clone(),
            external: external.map(|file| (name(&file.path), file.sha256.clone())).collect(),
            inputs: passport.inputs.iter().map(|input| (input.name().to_owned(), input.shape().to_vec())).collect(),
            pins: graph.pins(passport),
            options,
            board: machine.board.name.clone(),
            versions: machine.versions.clone(),
        }
    }

    /// The key: SHA-256 of these as JSON, whose order is fixed.
    #[must_use]
    pub fn key(&self) -> Key {
        // A map with text for keys can always be written as JSON.
        Key(sha256_of(&serde_json::to_vec(self).unwrap_or_default()))
    }
}
