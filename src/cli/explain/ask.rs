//! A model that is asked about one frame again and again: as it is, behind random masks, and hidden and shown step by step.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::anyhow;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::explain::deletion::{self, Way};
use crate::explain::rise::{MASKS, Masks};
use crate::explain::veil::Veiled;
use crate::flow::infer::feed::{Feed, Question};
use crate::flow::infer::session::Session;
use crate::flow::pool::Pool;
use crate::flow::{Findings, Frame, Image};
use crate::models::passport::Model;
use crate::task::geometry::{Geometry, Rectangle};
use crate::task::{self, Map};
use crate::tensor::Tensor;

/// How a map fares, and how random ones do.
#[derive(Debug, Serialize)]
pub(super) struct Curves {
    /// While the picture is hidden: lower is better.
    pub(super) deletion: Against,
    /// While it is shown: higher is better.
    pub(super) insertion: Against,
}

/// How a map fares along one curve, and how random ones do.
#[derive(Debug, Serialize)]
pub(super) struct Against {
    /// The mean score over the curve of the map, 0 to 1.
    pub(super) area: f64,
    /// The same of maps with the same numbers in random places.
    pub(super) scattered: Vec<f64>,
    /// The same of the map itself at random places.
    pub(super) misplaced: Vec<f64>,
    /// The scores along the curve of the map, from its beginning to its end.
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

    /// What another session of the same inputs says of the frame as it is, as `read` reads it.
    pub(super) fn by<T>(
        &self,
        session: &mut dyn Session,
        read: impl FnOnce(&[Tensor], &Geometry) -> Result<T, String>,
    ) -> Result<T, String> {
        let (_, feed) = &mut *self.running.borrow_mut();
        let (inputs, geometry) = feed.fill(&self.question)?;
        read(session.run(inputs).map_err(|error| error.to_string())?, &geometry)
    }

    /// The score of the frame with a part of each pixel hidden.
    fn hidden(&self, veiled: &Veiled<'_>, hidden: &[f32], pool: &Pool) -> anyhow::Result<f64> {
        let findings = veiled.hide(hidden, pool).and_then(|image| self.about(Some(image)));
        let score = findings.map(|findings| task::defect_score(&findings, &self.model.passport));
        let told =
            |why: String| anyhow!("model {} cannot be asked with places hidden: {why}", self.model.passport.name);
        score.map_err(told)?.ok_or_else(|| told("it gave no score".into()))
    }

    /// What its score rests on, by random masks.
    pub(super) fn rise(&self, image: &Image, area: Rectangle) -> anyhow::Result<Map> {
        let masks = Masks::new(area, (image.width(), image.height()));
        let veiled = Veiled::new(image, area.width.min(area.height)).map_err(anyhow::Error::msg)?;
        let (pool, progress) = (Pool::new(1), ProgressBar::new(MASKS as u64));
        let scores = (0..MASKS).map(|mask| {
            progress.inc(1);
            self.hidden(&veiled, &masks.hidden(mask), &pool)
        });
        let scores = scores.collect::<anyhow::Result<Vec<_>>>();
        progress.finish_and_clear();
        Ok(masks.map(&scores?))
    }

    /// A map against random ones, so many of each kind.
    pub(super) fn curves(&self, image: &Image, area: Rectangle, map: &Map, random: u64) -> anyhow::Result<Curves> {
        let veiled = Veiled::new(image, area.width.min(area.height)).map_err(anyhow::Error::msg)?;
        let progress = ProgressBar::new(2 * (1 + 2 * random));
        let against = |way| {
            let curve = |map: &Map| {
                progress.inc(1);
                self.curve(way, &veiled, map, area)
            };
            let area_of = |map: Map| curve(&map).map(|curve| deletion::area(&curve));
            let curve = curve(map)?;
            Ok::<_, anyhow::Error>(Against {
                area: deletion::area(&curve),
                scattered: (0..random).map(|seed| area_of(deletion::shuffled(map, seed))).collect::<Result<_, _>>()?,
                misplaced: (0..random).map(|seed| area_of(deletion::misplaced(map, seed))).collect::<Result<_, _>>()?,
                curve,
            })
        };
        let curves = Curves { deletion: against(Way::Deletion)?, insertion: against(Way::Insertion)? };
        progress.finish_and_clear();
        Ok(curves)
    }

    /// The scores along a curve, the hottest places first.
    fn curve(&self, way: Way, veiled: &Veiled<'_>, map: &Map, area: Rectangle) -> anyhow::Result<Vec<f64>> {
        let (size, pool) = (veiled.size(), Pool::new(1));
        let (order, side) = (deletion::order(map, size), area.width.min(area.height));
        let step = |step| self.hidden(veiled, &deletion::hidden(way, &order, size, side, step), &pool);
        (0..=deletion::STEPS).map(step).collect()
    }
}
