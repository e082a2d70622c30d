//! Engines: what TensorRT builds of a model on one board, kept under a key of everything it depends on.
//!
//! TensorRT's provider in ONNX Runtime names its cache by the file name and the names inside the graph, not by weights, shapes
//! or options: a retrained model under the old name would silently answer with the old weights. So each engine has a folder of
//! its own, named by a [`Key`] over model, options, shapes, board and versions. An engine is untrusted until its owner and its
//! hashes have been looked at ([`store`]); it is built by a child process ([`build`]), for a builder that crashes takes its
//! process with it, and nothing of TensorRT or CUDA is touched before another child has ([`probe`]).
//!
//! Runs no model and loads no library itself. The machinery is tested with stand-ins; no engine was ever built on a board.

pub mod build;
pub mod child;
pub mod key;
pub mod options;
pub mod probe;
pub mod profiles;
pub mod store;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::config::Runtime;
use crate::memory::machine;
use crate::models::graph::Graph;
use crate::models::passport::Model;
pub use key::{Ingredients, Key, Versions};
use options::Options;
use store::{State, Store};

/// Where a session finds its engine, and what it is opened with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The key, which is also what the engine's files begin with.
    pub key: Key,
    /// The folder of the engine.
    pub folder: PathBuf,
    /// What the engine depends on, in the words of ONNX Runtime.
    pub options: Options,
    /// Whether measured times of kernels are kept beside it.
    pub timing_cache: bool,
}

impl Place {
    /// Every option of the provider: those the engine depends on, and where it lies.
    ///
    /// # Errors
    /// One sentence when the folder's path is not text.
    pub fn all_options(&self) -> Result<Options, String> {
        let mut all = self.options.clone();
        all.extend(options::cache(&self.folder, &self.key, self.timing_cache)?);
        Ok(all)
    }
}

/// The engine that a model wants here and now, and whether it is there.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where engines are kept.
    pub store: Store,
    /// What the engine depends on.
    pub ingredients: Ingredients,
    /// What a session on it is opened with.
    pub place: Place,
    /// Whether it is there.
    pub state: State,
}

impl Wanted {
    /// Works out which engine `model` wants and looks whether it is there; reads the model's graph and probes TensorRT with
    /// the library at `library` first, once a process.
    ///
    /// # Errors
    /// One sentence: TensorRT cannot be used, the board has no such accelerator, the model has no references, or its file is
    /// no graph.
    pub fn of(model: &Model, runtime: &Runtime, library: &Path, root: &Path) -> Result<Self, String> {
        let versions = probe::probe(crate::config::Provider::TensorRt, runtime, library)?;
        let board = Board::read(root).map_err(|error| error.to_string())?;
        Self::with(model, runtime, &Machine { board, versions, memory: machine::total(root) })
    }

    /// The same on a machine that is handed in.
    ///
    /// # Errors
    /// As [`Wanted::of`].
    pub fn with(model: &Model, runtime: &Runtime, machine: &Machine) -> Result<Self, String> {
        let settings = &runtime.tensorrt;
        unchecked(model).map_or(Ok(()), Err)?;
        options::fits_board(settings, &machine.board)?;
        let graph = Graph::read(&model.file()).map_err(|error| error.to_string())?;
        let profiles = profiles::of(&model.passport, &graph, settings.profiles.get(&model.folder));
        let options = options::of(settings, &profiles, machine.memory);
        let ingredients = Ingredients::new(model, &graph, options.clone(), machine);
        let key = ingredients.key();
        let store = Store::new(&settings.folder);
        let state = store.look(&ingredients);
        let place = Place { folder: store.folder_of(&key), key, options, timing_cache: settings.timing_cache };
        Ok(Self { store, ingredients, place, state })
    }
}

/// Why a model can have no engine: nothing tells whether its answers would be right. An engine computes with other kernels
/// and other precision than the file was checked with.
#[must_use]
pub fn unchecked(model: &Model) -> Option<String> {
    let why =
        "its passport names no references, and an engine may not judge unchecked: `kenpin models import` makes some";
    model.passport.reference.is_none().then(|| why.to_owned())
}

/// What an engine depends on besides its model and the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The board.
    pub board: Board,
    /// The libraries.
    pub versions: Versions,
    /// Bytes of memory, where the board tells.
    pub memory: Option<u64>,
}

#[cfg(test)]
pub(crate) mod tests;
