//! Labelled images on the line: each is decoded, routed and shown to the models exactly as the daemon does it, without cameras,
//! journal or broker.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use indicatif::ProgressBar;

use super::labelled::Labelled;
use crate::app::Shown;
use crate::clock::Monotonic;
use crate::config::{JpegScale, Settings};
use crate::flow::acquire::decode::read_image;
use crate::flow::infer::Crew;
use crate::flow::plan::Plan;
use crate::flow::pool::Pool;
use crate::flow::{Image, Walked};
use crate::models::catalogue::sha256_of;
use crate::name::Name;
use crate::simulate::corrupt::corrupt;

/// The camera the images stand for.
pub(super) fn camera(asked: Option<&Name>, config: &Path, settings: &Settings) -> anyhow::Result<Name> {
    let mut cameras = settings.cameras.keys();
    match (asked, cameras.next(), cameras.next()) {
        (Some(asked), _, _) if settings.cameras.contains_key(asked) => Ok(asked.clone()),
        (Some(asked), _, _) => bail!("{} has no camera {asked}", config.display()),
        (None, Some(only), None) => Ok(only.clone()),
        (None, None, _) => {
            bail!("{} has no camera: name the one whose frames these are", config.display())
        }
        (None, _, _) => {
            bail!("{} has several cameras: say with --camera whose frames these are", config.display())
        }
    }
}

/// The place of the rung to judge on.
pub(super) fn rung(asked: Option<&Name>, config: &Path, plan: &Plan) -> anyhow::Result<usize> {
    let Some(asked) = asked else { return Ok(0) };
    plan.rungs.iter().position(|rung| rung == asked).with_context(|| {
        let known: Vec<&str> = plan.rungs.iter().map(Name::as_str).collect();
        format!("{} has no rung {asked}; its ladder is [{}]", config.display(), known.join(", "))
    })
}

/// How JPEG pictures of a camera are decoded.
pub(super) fn jpeg_scale(camera: &Name, settings: &Settings) -> JpegScale {
    settings.cameras.get(camera).map_or(JpegScale::Whole, |told| told.source.jpeg_scale())
}

/// What judges.
pub(super) struct Line<'l> {
    pub(super) camera: Name,
    pub(super) rung: usize,
    pub(super) settings: &'l Settings,
    pub(super) plan: &'l Arc<Plan>,
    pub(super) crew: &'l Crew,
}

impl Line<'_> {
    /// Walks every part of a set, a few at once, and makes something of each; `None` for an image that cannot be read, which
    /// is told.
    pub(super) async fn walk_all<'s, T>(
        &self,
        set: impl ExactSizeIterator<Item = &'s Labelled>,
        made: impl Fn(&Labelled, &Walked) -> T,
    ) -> Vec<Option<T>> {
        let pool = Pool::new(self.settings.runtime.parts_in_flight);
        let progress = ProgressBar::new(set.len() as u64);
        let (pool, told, made) = (&pool, &progress, &made);
        let walked = futures::stream::iter(set).map(|labelled| async move {
            let walked = self.walk(labelled, pool).await;
            told.inc(1);
            let made = walked.map(|walked| made(labelled, &walked));
            made.map_err(|error| told.suspend(|| eprintln!("kenpin: {error:#}"))).ok()
        });
        let walked = walked.buffered(self.settings.runtime.parts_in_flight).collect().await;
        progress.finish_and_clear();
        walked
    }

    /// One labelled image, from its file to the answers of the models.
    async fn walk(&self, labelled: &Labelled, pool: &Pool) -> anyhow::Result<Walked> {
        // As the camera would decode it.
        let scale = jpeg_scale(&self.camera, self.settings);
        let image = read_image(&labelled.image, scale, pool).and_then(|image| taken(labelled, image, pool));
        let image =
            image.map_err(anyhow::Error::msg).with_context(|| format!("{} is left out", labelled.image.display()))?;
        let now = Monotonic::now();
        let shown = Shown { image, camera: &self.camera, readings: labelled.readings(now), rung: self.rung };
        Ok(self.crew.walk(shown.part(&self.settings.line, self.plan, now)).await)
    }
}

/// The picture as the set wants it: as it is, or corrupted with random numbers that begin at its own pixels.
fn taken(labelled: &Labelled, image: Image, pool: &Pool) -> Result<Image, String> {
    let Some(corruption) = labelled.corruption else { return Ok(image) };
    let hash = sha256_of(image.bytes());
    let seed = hash.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    corrupt(&image, corruption, seed, pool)
}
