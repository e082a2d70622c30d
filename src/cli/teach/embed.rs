//! Pictures to vectors, by an embedding model on the daemon's own path: decoded, prepared, run and read as on the line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use indicatif::ProgressBar;

use super::untaught;
use crate::cli::leak::pixel_hash;
use crate::cli::models::import::runtime;
use crate::clock::Monotonic;
use crate::config::JpegScale;
use crate::flow::acquire::decode::read_image;
use crate::flow::infer::backend::Backend;
use crate::flow::infer::feed::{Feed, Question};
use crate::flow::infer::session::Session;
use crate::flow::pool::Pool;
use crate::flow::{Findings, Frame};
use crate::models::passport::{Element, Model, Task};
use crate::name::Name;
use crate::task;
use crate::task::geometry::Region;

/// An embedding model, open.
pub(super) struct Embedder {
    model: Model,
    session: Box<dyn Session>,
    feed: Feed,
    pool: Pool,
}

/// One picture as the model sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Embedded {
    /// The vector.
    pub(super) vector: Vec<f64>,
    /// The hash of the picture's decoded pixels.
    pub(super) pixels: String,
}

impl Embedder {
    /// Opens the model in `folder`, which must reproduce its references.
    ///
    /// # Errors
    /// [`super::Untaught`] for a model that is no embedding of pictures as one row of binary32; else what opening says.
    pub(super) fn open(folder: &Path, library: Option<&Path>) -> anyhow::Result<Self> {
        let model = Model::load(folder)?;
        length(&model).map_err(untaught)?;
        let runtime = runtime(library);
        let session = Backend::choose(&runtime)?.open(&model, &runtime)?;
        let feed = Feed::new(&model).map_err(|why| anyhow!(why))?;
        Ok(Self { model, session, feed, pool: Pool::new(1) })
    }

    /// The model.
    pub(super) const fn model(&self) -> &Model {
        &self.model
    }

    /// Frees the session and keeps the model's passport.
    pub(super) fn close(self) -> Model {
        self.model
    }

    /// The vectors of all pictures, in their order.
    ///
    /// # Errors
    /// When a picture cannot be read or the model says nothing of it.
    pub(super) fn all(&mut self, pictures: &[PathBuf]) -> anyhow::Result<Vec<Embedded>> {
        let progress = ProgressBar::new(pictures.len() as u64);
        let mut embedded = Vec::new();
        for path in pictures {
            embedded.push(self.one(path).with_context(|| path.display().to_string())?);
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(embedded)
    }

    fn one(&mut self, path: &Path) -> anyhow::Result<Embedded> {
        let image = read_image(path, JpegScale::Whole, &self.pool).map_err(anyhow::Error::msg)?;
        let pixels = pixel_hash(&image);
        let frame = Frame { camera: Name::new("teach")?, sequence: 0, captured: Monotonic::now(), part: None, image };
        let frame = Some(Arc::new(frame));
        let question = Question { frame, region: Region::Whole, readings: Arc::default(), found: Vec::new() };
        let (inputs, geometry) = self.feed.fill(&question).map_err(anyhow::Error::msg)?;
        let outputs = self.session.run(inputs)?;
        match task::decode(&self.model.passport, outputs, &geometry).map_err(anyhow::Error::msg)? {
            Findings::Embedding { vector } => {
                Ok(Embedded { vector: vector.into_iter().map(f64::from).collect(), pixels })
            }
            _ => Err(anyhow!("the answer is no vector")),
        }
    }
}

/// How many numbers the vector of an embedding model has.
///
/// # Errors
/// One sentence: another task, more inputs than a picture, or a vector that is not one row of binary32.
pub(super) fn length(model: &Model) -> Result<usize, String> {
    let passport = &model.passport;
    let name = &passport.name;
    if passport.task != Task::Embedding {
        return Err(format!("{name} is a model for {}, want one for embedding", passport.task.as_str()));
    }
    if passport.images().len() != passport.inputs.len() {
        return Err(format!("{name} wants more than a picture, want an embedding that looks at pixels alone"));
    }
    match passport.outputs.first().map(|output| (output.shape.as_slice(), output.element)) {
        Some((&[1, length], Element::Float32)) if length > 0 => Ok(length),
        Some((shape, element)) => {
            Err(format!("the vector of {name} is {element} {shape:?}, want float32 [1, numbers]"))
        }
        None => Err(format!("{name} has no output")),
    }
}
