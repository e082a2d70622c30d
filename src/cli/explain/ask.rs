//! A model that is asked about one frame again and again: as it is, with one place hidden after another, and hidden step by step.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::anyhow;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::explain::deletion;
use crate::explain::occlusion::Places;
use crate::explain::veil::Veiled;
use crate::flow::infer::feed::{Feed, Question};
use crate::flow::infer::session::Session;
use crate::flow::pool::Pool;
use crate::flow::{Findings, Frame, Image};
use crate::models::passport::Model;
use crate::task::geometry::Rectangle;
use crate::task::{self, Map};

/// How a map fares in the deletion curve, and how random ones do.
#[derive(Debug, Serialize)]
pub(super) struct Against {
    /// The mean score over the curve of the map, 0 to 1.
    pub(super) area: f64,
    /// The same of maps with the same numbers in random places.
    pub(super) scattered: Vec<f64>,
    /// The same of the map itself at random places.
    pub(super) misplaced: Vec<f64>,
    /// The scores along the curve of the map: of the whole picture first, of the hidden one last.
    curve: Vec<f64>,
}

/// The mean; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a count of maps")]
pub(super) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// A model that is asked again and again about one frame.
pub(super) struct Asked<'m> {
    pub(super) model: &'m Model,
    /// The session and its tensors are changed by each run.
    running: RefCell<(Box<dyn Session>, Feed)>,
    question: Question,
}

impl<'m> Asked<'m> {
    pub(super) fn new(model: &'m Model, session: Box<dyn Session>, question: Question) -> Result<Self, String> {
        Ok(Self { model, running: RefCell::new((session, Feed::new(model)?)), question })
    }

    /// What the model finds, in the frame or in another picture in its place.
    pub(super) fn about(&self, picture: Option<Image>) -> Result<Findings, String> {
        let mut question = self.question.clone();
        if let (Some(image), Some(frame)) = (picture, &self.question.frame) {
            let (camera, captured) = (frame.camera.clone(), frame.captured);
            question.frame = Some(Arc::new(Frame { camera, sequence: 0, captured, part: None, image }));
        }
        let (session, feed) = &mut *self.running.borrow_mut();
        let (inputs, geometry) = feed.fill(&question)?;
        let outputs = session.run(inputs).map_err(|error| error.to_string())?;
        task::decode(&self.model.passport, outputs, &geometry)
    }

    /// The score of the frame with a part of each pixel hidden.
    fn hidden(&self, veiled: &Veiled<'_>, hidden: &[f32], pool: &Pool) -> anyhow::Result<f64> {
        let findings = veiled.hide(hidden, pool).and_then(|image| self.about(Some(image)));
        let score = findings.map(|findings| task::defect_score(&findings, &self.model.passport));
        let told =
            |why: String| anyhow!("model {} cannot be asked with places hidden: {why}", self.model.passport.name);
        score.map_err(told)?.ok_or_else(|| told("it gave no score".into()))
    }

    /// What its score rests on.
    pub(super) fn occlusion(&self, image: &Image, area: Rectangle) -> anyhow::Result<Map> {
        let places = Places::new(area, (image.width(), image.height()));
        let veiled = Veiled::new(image, area.width.min(area.height)).map_err(anyhow::Error::msg)?;
        let pool = Pool::new(1);
        let whole = self.hidden(&veiled, &vec![0.0; image.width() as usize * image.height() as usize], &pool)?;
        let progress = ProgressBar::new(places.count() as u64);
        let scores = (0..places.count())
            .map(|place| {
                progress.inc(1);
                self.hidden(&veiled, &places.hidden(place), &pool)
            })
            .collect::<anyhow::Result<Vec<_>>>();
        progress.finish_and_clear();
        Ok(places.map(whole, &scores?))
    }

    /// A map against random ones.
    pub(super) fn against(&self, image: &Image, area: Rectangle, map: &Map, random: u64) -> anyhow::Result<Against> {
        let veiled = Veiled::new(image, area.width.min(area.height)).map_err(anyhow::Error::msg)?;
        let progress = ProgressBar::new((1 + 2 * random) * deletion::STEPS as u64);
        let curve = |map: &Map| self.curve(&veiled, map, (image.width(), image.height()), &progress);
        let curve_of_map = curve(map)?;
        let area_of = |map: Map| curve(&map).map(|curve| deletion::area(&curve));
        let scattered =
            (0..random).map(|seed| area_of(deletion::shuffled(map, seed))).collect::<anyhow::Result<_>>()?;
        let misplaced =
            (0..random).map(|seed| area_of(deletion::misplaced(map, seed))).collect::<anyhow::Result<_>>()?;
        progress.finish_and_clear();
        Ok(Against { area: deletion::area(&curve_of_map), scattered, misplaced, curve: curve_of_map })
    }

    /// The scores while the picture is hidden, the hottest places first.
    fn curve(
        &self,
        veiled: &Veiled<'_>,
        map: &Map,
        size: (u32, u32),
        progress: &ProgressBar,
    ) -> anyhow::Result<Vec<f64>> {
        let (order, pool) = (deletion::order(map, size), Pool::new(1));
        let step = |step| {
            progress.inc(u64::from(step > 0));
            self.hidden(veiled, &deletion::hidden(&order, size, step), &pool)
        };
        (0..=deletion::STEPS).map(step).collect()
    }
}
