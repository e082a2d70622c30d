//! Backend: which library runs the models of this process, and a session for each model on it.
//!
//! The list of the settings is walked once, in order; the first library that can be used serves every model. One that
//! is not the first is marked as a fallback in each placement. A model that the chosen library refuses is not tried on
//! another: that would be a silent change of what was asked for.

use super::hold;
use super::session::Session;
use crate::config;
use crate::models::graph::MAX_BYTES;
use crate::models::passport::Model;
use crate::models::{ModelError, catalogue, reference};

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

    /// Opens a session: reads the file, holds its hash and its signature against the passport, and warms it up on the
    /// model's references, which it must reproduce; a model without references runs once on zeroes.
    ///
    /// # Errors
    /// [`ModelError`]: unreadable, wrong hash, other signature, a reference that is not reproduced, or what the runtime
    /// said.
    #[cfg_attr(not(feature = "ort"), allow(unused_variables, reason = "only ONNX Runtime has settings of its own"))]
    pub fn open(&self, model: &Model, runtime: &config::Runtime) -> Result<Box<dyn Session>, ModelError> {
        let bytes = read_verified(model)?;
        let cases = reference::read(model)?;
        hold::preparation(model, &cases)?;
        match self.library {
            #[cfg(feature = "ort")]
            Library::OnnxRuntime(loaded) => {
                let session = super::ort::OrtSession::open(loaded, (model, &bytes), &cases, runtime, self.fallback())?;
                Ok(Box::new(session))
            }
            #[cfg(feature = "tract")]
            Library::Tract => Ok(Box::new(super::tract::TractSession::open(model, &bytes, &cases, self.fallback())?)),
        }
    }
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

/// The bytes of a model file whose hash is the passport's: what was checked is what runs. Files with external weights are
/// checked too; the runtime reads those itself, from where they were checked.
fn read_verified(model: &Model) -> Result<Vec<u8>, ModelError> {
    let path = model.file();
    let unreadable = |cause: String| ModelError::Unreadable { path: path.clone(), cause };
    let length = std::fs::metadata(&path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > MAX_BYTES {
        let cause = format!("it has {length} bytes, at most {MAX_BYTES} are run: export the weights as external data");
        return Err(unreadable(cause));
    }
    let bytes = std::fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    let (seen, wanted) = (catalogue::sha256_of(&bytes), model.passport.file.sha256.clone());
    if seen != wanted {
        return Err(ModelError::WrongHash { path, seen, wanted });
    }
    catalogue::verify_external(model)?;
    Ok(bytes)
}
