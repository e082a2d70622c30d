//! Models as things on disk: what a passport promises, and whether the file beside it keeps the promise.

pub mod catalogue;
pub mod fit;
pub mod graph;
pub mod history;
pub mod passport;
pub mod price;
pub mod propose;
pub mod reference;
pub mod taught;

use std::path::PathBuf;

/// Why a model may not judge. Each text names the thing, the value seen and the value wanted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// The model file is not the one the passport speaks of.
    #[error("{}: sha256 is {seen}, the passport wants {wanted}", path.display())]
    WrongHash {
        /// The model file.
        path: PathBuf,
        /// The hash of the file as it is, 64 hex digits.
        seen: String,
        /// The hash that the passport states.
        wanted: String,
    },
    /// All models together take more memory than they may.
    #[error(
        "the models take {seen} of memory, `[runtime] memory_mib` allows {wanted}: take some off the routes or rungs, or allow more"
    )]
    Memory {
        /// What they take, and each of them.
        seen: String,
        /// What they may take.
        wanted: String,
    },
    /// A file could not be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The graph's inputs or outputs differ from the passport.
    #[error("model {model}: {what} is {seen}, the passport wants {wanted}")]
    Signature {
        /// The model's name.
        model: String,
        /// The differing thing, such as `the shape of input "image"`.
        what: String,
        /// As the graph has it.
        seen: String,
        /// As the passport has it.
        wanted: String,
    },
    /// A reference is not reproduced: the model does not judge.
    #[error("model {model}: {what} is {seen}, the reference wants {wanted}: {cause}")]
    Reference {
        /// The model's name.
        model: String,
        /// The number, such as `output "logits" at [0, 1] of case "dark"`.
        what: String,
        /// The number as it is.
        seen: String,
        /// The number of the reference, and how near is near enough.
        wanted: String,
        /// The likely cause.
        cause: String,
    },
    /// No backend of the configured list could be used.
    #[error("{0}")]
    Runtime(String),
    /// A run failed.
    #[error("model {model}: {cause}")]
    Run {
        /// The model's name.
        model: String,
        /// What the runtime said.
        cause: String,
    },
}
