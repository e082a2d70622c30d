//! What `kenpin teach` writes beside a model's passport: by what the head was taught, and how good it is. The model's folder is one
//! version; those before it lie in `old/` beside it, by their numbers.
//!
//! Promises that the folder is the old version or the new one, whole, at every moment: the two change places in one step.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ModelError;
use super::history::History;
use super::price::{Estimate, one_line};
use crate::name::Name;

/// The schema this build writes and reads.
pub const SCHEMA: &str = "kenpin.taught/1";

/// The name of the file in the model's folder.
pub const FILE_NAME: &str = "taught.toml";

/// The folder of earlier versions beside the model's.
const OLD: &str = "old";

/// How a model was taught.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taught {
    /// The version of this file's form, `kenpin.taught/1`.
    pub schema: String,
    /// The version of Kenpin that taught.
    pub kenpin: String,
    /// When it was taught, in UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub taught: jiff::Timestamp,
    /// From 1; each version of a model has the next number.
    #[schemars(range(min = 1))]
    pub number: u32,
    /// What was learned on top of the embedding: prototype, ridge, logistic or memory-bank.
    pub head: String,
    /// The examples of which the embedding model is said to have been trained on; absent where nobody said what it was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by_embedding: Option<usize>,
    /// The embedding model.
    pub embedding: Embedding,
    /// The classes with their examples, the good one first; a memory bank keeps of the first only.
    pub classes: Vec<Class>,
    /// The memory bank, where the head is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<Bank>,
    /// How good it is on examples that it was not taught; absent where there are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<HeldOutEstimate>,
}

/// The embedding model that a head stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// The name in its passport.
    pub model: Name,
    /// SHA-256 of its file.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// A class with its examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub name: Name,
    /// How many examples it has.
    pub examples: usize,
}

/// What a memory bank keeps and promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    /// How many good examples it keeps.
    pub kept: usize,
    /// The greatest distance of a good example to the nearest that is kept.
    pub radius: f64,
    /// The distance from which a part is rejected.
    pub threshold: f64,
    /// The share of good parts that is expected beyond it.
    pub expected_false_rejects: f64,
}

/// Figures on examples that were held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldOutEstimate {
    /// How they were held out: leave-one-out or twenty-folds.
    pub way: String,
    /// The examples that are counted: those that the embedding model was trained on are not.
    pub examples: usize,
    /// The mean of the shares of right answers of each class.
    pub balanced_accuracy: Estimate,
    /// The area under the ROC curve of good parts against all others.
    pub auc: Estimate,
}

/// Reads how the model in `folder` was taught.
///
/// # Errors
/// [`ModelError::Unreadable`]: not there, of another schema, or a key that is unknown or missing.
pub fn read(folder: &Path) -> Result<Taught, ModelError> {
    let path = folder.join(FILE_NAME);
    let refused = |cause: String| ModelError::Unreadable { path: path.clone(), cause };
    let text = std::fs::read_to_string(&path).map_err(|error| refused(error.to_string()))?;
    let taught: Taught = toml_edit::de::from_str(&text).map_err(|error| refused(one_line(&error)))?;
    if taught.schema == SCHEMA {
        return Ok(taught);
    }
    Err(refused(format!("its schema is {:?}, want {SCHEMA:?}: teach again with this build", taught.schema)))
}

/// The number that the next version of the model in `folder` gets.
///
/// # Errors
/// [`ModelError::Unreadable`]: the folder is there and was not taught, or earlier versions cannot be listed.
pub fn next_number(folder: &Path) -> Result<u32, ModelError> {
    history(folder).next_number(current(folder)?)
}

/// Puts a model's folder in the place of `folder`; the version that was there is kept.
///
/// # Errors
/// [`ModelError::Unreadable`]: what is there was not taught, or something cannot be moved; the older version is then in force.
pub fn put(new: &Path, folder: &Path) -> Result<(), ModelError> {
    let refused = |cause: String| ModelError::Unreadable {
        path: folder.into(),
        cause: format!("cannot be put in its place: {cause}"),
    };
    let number = current(folder)?;
    if number == 0 {
        return std::fs::rename(new, folder).map_err(|error| refused(error.to_string()));
    }
    let kept = history(folder).place(number)?;
    let exchange = || renameat_with(CWD, new, CWD, folder, RenameFlags::EXCHANGE);
    exchange().map_err(|error| refused(format!("the two versions cannot change places: {error}")))?;
    std::fs::rename(new, &kept).map_err(|error| {
        let back = exchange().map_or_else(|error| format!(", and neither back: {error}"), |()| String::new());
        refused(format!("version {number} cannot be moved to {}: {error}{back}", kept.display()))
    })
}

/// Withdraws the version in force and puts the one before it in its place; its number, or `None` where there was none.
///
/// # Errors
/// [`ModelError::Unreadable`]: there is none, it was not taught, or something cannot be moved.
pub fn roll_back(folder: &Path) -> Result<Option<u32>, ModelError> {
    let number = read(folder)?.number;
    history(folder).roll_back(folder, number)
}

/// The number of the version in force, 0 of none.
fn current(folder: &Path) -> Result<u32, ModelError> {
    if folder.exists() { Ok(read(folder)?.number) } else { Ok(0) }
}

fn history(folder: &Path) -> History {
    let name = folder.file_name().map(PathBuf::from).unwrap_or_default();
    History::new(folder.with_file_name(OLD).join(name), "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema;

    fn taught(number: u32) -> Taught {
        Taught {
            schema: SCHEMA.into(),
            kenpin: "0.1.0".into(),
            taught: "2026-11-26T12:00:00Z".parse().unwrap(),
            number,
            head: "memory-bank".into(),
            seen_by_embedding: Some(1),
            embedding: Embedding { model: Name::new("e").unwrap(), sha256: "0".repeat(64) },
            classes: vec![Class { name: Name::new("good").unwrap(), examples: 9 }],
            bank: Some(Bank { kept: 9, radius: 0.0, threshold: 1.5, expected_false_rejects: 0.1 }),
            estimate: None,
        }
    }

    fn made(around: &Path, number: u32) -> PathBuf {
        let folder = around.join(format!("new-{number}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(FILE_NAME), toml_edit::ser::to_string_pretty(&taught(number)).unwrap()).unwrap();
        folder
    }

    #[test]
    fn versions_are_put_in_force_and_taken_back_whole() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("model");
        for number in 1..=3 {
            assert_eq!(next_number(&folder).unwrap(), number);
            put(&made(around.path(), number), &folder).unwrap();
            assert_eq!(read(&folder).unwrap(), taught(number));
        }
        assert_eq!(roll_back(&folder).unwrap(), Some(2));
        assert_eq!(read(&folder).unwrap().number, 2);
        put(&made(around.path(), next_number(&folder).unwrap()), &folder).unwrap();
        assert_eq!((read(&folder).unwrap().number, roll_back(&folder).unwrap()), (3, Some(2)), "withdrawn twice");
        assert_eq!((roll_back(&folder).unwrap(), roll_back(&folder).unwrap()), (Some(1), None));
        assert!(!folder.exists());
        assert!(roll_back(&folder).unwrap_err().to_string().contains("No such file"));
        let kept = std::fs::read_dir(around.path().join("old/model")).unwrap();
        let mut kept: Vec<String> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        kept.sort();
        assert_eq!(kept, ["1.withdrawn", "2.withdrawn", "3.withdrawn", "3.withdrawn-2"]);
    }

    #[test]
    fn what_is_written_holds_to_the_schema_and_a_misspelt_key_does_not() {
        let validator = jsonschema::validator_for(&schema::of::<Taught>().to_value()).unwrap();
        let figure = Estimate { value: 0.9, low: 0.8, high: 1.0 };
        let (way, examples) = ("leave-one-out".to_owned(), 9);
        let estimate = HeldOutEstimate { way, examples, balanced_accuracy: figure, auc: figure };
        let whole = Taught { estimate: Some(estimate), ..taught(1) };
        let bare = Taught { bank: None, seen_by_embedding: None, ..taught(2) };
        for taught in [whole, bare] {
            let text = toml_edit::ser::to_string_pretty(&taught).unwrap();
            let mut json: serde_json::Value = toml_edit::de::from_str(&text).unwrap();
            assert!(validator.is_valid(&json), "{text}");
            json["heads"] = json["head"].clone();
            assert!(!validator.is_valid(&json));
        }
        assert!(!validator.is_valid(&serde_json::to_value(taught(0)).unwrap()), "versions begin at 1");
    }

    #[test]
    fn what_was_not_taught_is_left_alone() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("model");
        std::fs::create_dir(&folder).unwrap();
        assert!(put(&made(around.path(), 1), &folder).unwrap_err().to_string().contains("taught.toml"));
        std::fs::write(folder.join(FILE_NAME), "schema = \"kenpin.taught/2\"").unwrap();
        assert!(read(&folder).is_err());
    }
}
