//! Backend: which library runs the models of this process, and a session for each model on it.
//!
//! The list of the settings is walked once, in order; the first library that can be used serves every model. One that
//! is not the first is marked as a fallback in each placement. A model that the chosen library refuses is not tried on
//! another: that would be a silent change of what was asked for.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::hold;
use super::session::Session;
use crate::config;
use crate::engines::{Place, Versions, Wanted};
use crate::models::graph::MAX_BYTES;
use crate::models::passport::Model;
use crate::models::reference::{self, Case};
use crate::models::{ModelError, catalogue};

/// The library that serves this process.
#[derive(Debug, Clone)]
pub struct Backend {
    library: Library,
    fallback: Option<String>,
}

/// A library that can be used.
#[derive(Debug, Clone, Copy)]
enum Library {
    #[cfg(feature = "ort")]
    OnnxRuntime(&'static super::ort::Loaded),
    #[cfg(feature = "tract")]
    Tract,
}

impl Backend {
    /// Walks `runtime.backends` and takes the first that can be used.
    ///
    /// # Errors
    /// [`ModelError::Runtime`] with one sentence for each entry of the list when none can be used.
    pub fn choose(runtime: &config::Runtime) -> Result<Self, ModelError> {
        let mut refused = Vec::new();
        for backend in &runtime.backends {
            let opened = match backend {
                config::Backend::OnnxRuntime => onnxruntime(runtime),
                config::Backend::Tract => tract(),
            };
            match opened {
                Ok(library) => {
                    let fallback = (!refused.is_empty()).then(|| refused.join("; "));
                    return Ok(Self { library, fallback });
                }
                Err(why) => refused.push(why),
            }
        }
        if refused.is_empty() {
            refused.push("`[runtime] backends` is empty: name onnxruntime, tract or both".into());
        }
        Err(ModelError::Runtime(refused.join("; ")))
    }

    /// Why this is not the first backend of the list, where it is not.
    #[must_use]
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// Opens a session: holds the file's hash and its signature against the passport, and warms it up on the
    /// model's references, which it must reproduce; a model without references runs once on zeroes.
    ///
    /// # Errors
    /// [`ModelError`]: unreadable, wrong hash, other signature, a reference that is not reproduced, or what the runtime
    /// said.
    pub fn open(&self, model: &Model, runtime: &config::Runtime) -> Result<Box<dyn Session>, ModelError> {
        let state = verify(model)?;
        let cases = reference::read(model)?;
        hold::preparation(model, &cases)?;
        let session = self.session(model, &cases, runtime)?;
        state.still(model)?;
        Ok(session)
    }

    /// The same on TensorRT with the engine at `place`, and only there: an engine that is missing is built in this process,
    /// so it is for the child that builds, and for who knows that it lies ready.
    ///
    /// # Errors
    /// As [`Backend::open`].
    pub fn open_engine(
        &self,
        model: &Model,
        runtime: &config::Runtime,
        place: &Place,
    ) -> Result<Box<dyn Session>, ModelError> {
        let state = verify(model)?;
        let cases = reference::read(model)?;
        let session = self.on_engine(model, &cases, runtime, place)?;
        state.still(model)?;
        Ok(session)
    }

    #[cfg_attr(not(feature = "ort"), allow(unused_variables, reason = "only ONNX Runtime has engines"))]
    fn on_engine(
        &self,
        model: &Model,
        cases: &[Case],
        runtime: &config::Runtime,
        place: &Place,
    ) -> Result<Box<dyn Session>, ModelError> {
        match self.library {
            #[cfg(feature = "ort")]
            Library::OnnxRuntime(loaded) => {
                Ok(Box::new(super::ort::OrtSession::on_engine(loaded, model, cases, runtime, place)?))
            }
            #[cfg(feature = "tract")]
            Library::Tract => Err(without_engines(model, place)),
        }
    }

    /// The engine that a model wants of TensorRT, where the settings ask for TensorRT and ONNX Runtime serves.
    ///
    /// # Errors
    /// As [`Wanted::of`].
    #[must_use]
    #[cfg_attr(not(feature = "ort"), allow(unused_variables, reason = "only ONNX Runtime has engines"))]
    pub fn wanted(&self, model: &Model, runtime: &config::Runtime) -> Option<Result<Wanted, String>> {
        if !runtime.providers.contains(&config::Provider::TensorRt) {
            return None;
        }
        match self.library {
            #[cfg(feature = "ort")]
            Library::OnnxRuntime(loaded) => Some(loaded.wanted(model, runtime)),
            #[cfg(feature = "tract")]
            Library::Tract => None,
        }
    }

    /// Where the library of ONNX Runtime lies, where it serves.
    #[must_use]
    pub fn library(&self) -> Option<&Path> {
        match self.library {
            #[cfg(feature = "ort")]
            Library::OnnxRuntime(loaded) => Some(loaded.path()),
            #[cfg(feature = "tract")]
            Library::Tract => None,
        }
    }

    /// Makes a tiny session on a provider of the library at `library`; a provider that is broken may end this process.
    ///
    /// # Errors
    /// One sentence: what the library said.
    pub(super) fn probe(provider: config::Provider, library: &Path) -> Result<Versions, String> {
        #[cfg(feature = "ort")]
        return super::ort::Loaded::load(library)?.probe(provider);
        #[cfg(not(feature = "ort"))]
        Err(format!("{} of {}: this build is without the cargo feature `ort`", provider.as_str(), library.display()))
    }

    /// A session of the library, warmed up on `cases`.
    #[cfg_attr(not(feature = "ort"), allow(unused_variables, reason = "only ONNX Runtime has settings of its own"))]
    fn session(
        &self,
        model: &Model,
        cases: &[Case],
        runtime: &config::Runtime,
    ) -> Result<Box<dyn Session>, ModelError> {
        match self.library {
            #[cfg(feature = "ort")]
            Library::OnnxRuntime(loaded) => {
                let session = super::ort::OrtSession::open(loaded, model, cases, runtime, self.fallback())?;
                Ok(Box::new(session))
            }
            #[cfg(feature = "tract")]
            Library::Tract => Ok(Box::new(super::tract::TractSession::open(model, cases, self.fallback())?)),
        }
    }
}

/// Only ONNX Runtime has engines.
#[cfg(feature = "tract")]
fn without_engines(model: &Model, place: &Place) -> ModelError {
    let cause = format!("the engine {} wants ONNX Runtime, which does not serve here", place.key);
    ModelError::Run { model: model.passport.name.to_string(), cause }
}

#[cfg(feature = "ort")]
fn onnxruntime(runtime: &config::Runtime) -> Result<Library, String> {
    let path = super::library::find_here(runtime.onnxruntime_library.as_deref())?;
    super::ort::Loaded::load(&path).map(Library::OnnxRuntime)
}

#[cfg(not(feature = "ort"))]
fn onnxruntime(_: &config::Runtime) -> Result<Library, String> {
    Err("onnxruntime is asked for and this build is without it: build with the cargo feature `ort`".into())
}

#[cfg(feature = "tract")]
fn tract() -> Result<Library, String> {
    Ok(Library::Tract)
}

#[cfg(not(feature = "tract"))]
fn tract() -> Result<Library, String> {
    Err("tract is asked for and this build is without it: build with the cargo feature `tract`".into())
}

/// Holds the hash of a model's file, and those of its files with weights, against the passport; gives the file's state
/// before that.
fn verify(model: &Model) -> Result<State, ModelError> {
    let state = State::of(model)?;
    if state.length > MAX_BYTES {
        let length = state.length;
        let cause = format!("it has {length} bytes, at most {MAX_BYTES} are run: export the weights as external data");
        return Err(ModelError::Unreadable { path: model.file(), cause });
    }
    let (seen, wanted) = (catalogue::sha256(&model.file())?, model.passport.file.sha256.clone());
    if seen != wanted {
        return Err(ModelError::WrongHash { path: model.file(), seen, wanted });
    }
    catalogue::verify_external(model)?;
    Ok(state)
}

/// What of a file changes when its content does, or when another file takes its place.
#[derive(Debug, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    length: u64,
    /// When content or name last changed, in seconds and nanoseconds: the kernel's own note, which no program can set.
    changed: (i64, i64),
}

impl State {
    fn of(model: &Model) -> Result<Self, ModelError> {
        let path = model.file();
        let seen = std::fs::metadata(&path);
        let seen = seen.map_err(|error| ModelError::Unreadable { path, cause: error.to_string() })?;
        let changed = (seen.ctime(), seen.ctime_nsec());
        Ok(Self { device: seen.dev(), inode: seen.ino(), length: seen.len(), changed })
    }

    /// What was checked is what was read: refuses a file that is no longer as it was.
    fn still(&self, model: &Model) -> Result<(), ModelError> {
        if *self == Self::of(model)? {
            return Ok(());
        }
        let cause = "it was changed or replaced while it was loaded: load it again".into();
        Err(ModelError::Unreadable { path: model.file(), cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::infer::crew::tests::model;

    #[test]
    fn a_file_that_is_replaced_while_it_is_loaded_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = Model::clone(&model("m"));
        model.folder = folder.path().into();
        std::fs::write(model.file(), "one").unwrap();
        let state = State::of(&model).unwrap();
        state.still(&model).unwrap();
        std::fs::write(folder.path().join("new"), "one").unwrap();
        std::fs::rename(folder.path().join("new"), model.file()).unwrap();
        let told = state.still(&model).unwrap_err().to_string();
        assert!(told.ends_with("it was changed or replaced while it was loaded: load it again"), "{told}");
        std::fs::remove_file(model.file()).unwrap();
        assert!(state.still(&model).is_err());
    }
}
