//! What a session is made of: a model's file, checked, and the lengths that its passport gives to open axes.

use std::collections::BTreeMap;

use ort::session::Session;
use ort::session::builder::SessionBuilder;

use crate::models::ModelError;
use crate::models::graph::Graph;
use crate::models::passport::Model;

/// A model and what its graph leaves open.
#[derive(Debug)]
pub(super) struct Contents<'m> {
    /// The model.
    pub(super) model: &'m Model,
    pins: BTreeMap<String, usize>,
}

impl<'m> Contents<'m> {
    /// Looks into the file of a model.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when it is no ONNX file; [`ModelError::Signature`] when it names other files with
    /// weights than the passport.
    pub(super) fn of(model: &'m Model) -> Result<Self, ModelError> {
        let graph = Graph::read(&model.file())?;
        graph.check_external(&model.passport)?;
        Ok(Self { model, pins: graph.pins(&model.passport) })
    }

    /// Pins the open axes, so that kernels are chosen and engines built for fixed shapes.
    pub(super) fn pin(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        for (axis, length) in &self.pins {
            builder = builder.with_dimension_override(axis, i64::try_from(*length).unwrap_or(i64::MAX))?;
        }
        Ok(builder)
    }

    /// Makes the session from the file, which the runtime reads piece by piece: a copy of it in memory would stand beside
    /// the weights that are made of it.
    pub(super) fn commit(&self, builder: &mut SessionBuilder) -> ort::Result<Session> {
        builder.commit_from_file(self.model.file())
    }
}
