//! The floors: what a part costs with nothing around it. Each frame decoded, each model's pixels prepared, each model run on
//! prepared tensors, one after the other on one thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio_util::sync::CancellationToken;

use super::clocks::Clocks;
use crate::config::Settings;
use crate::flow::acquire::{Camera, open_camera};
use crate::flow::infer::backend::Backend;
use crate::flow::infer::feed::{Feed, Question};
use crate::flow::infer::session::{Session, Tensor};
use crate::flow::pool::Pool;
use crate::flow::{Frame, Placement};
use crate::models::passport::Model;
use crate::models::reference;
use crate::name::Name;
use crate::task::geometry::Region;

/// CPU milliseconds of one model's floors.
#[derive(Debug, Clone)]
pub(super) struct ModelFloor {
    /// From pixels to tensor; `None` for a model that looks at no pixels or needs more than them.
    pub(super) prepare: Option<f64>,
    /// Inside the runtime.
    pub(super) run: f64,
}

/// CPU milliseconds of the floors of one round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// Reading and decoding one frame, by camera.
    pub(super) decode: Vec<f64>,
    /// By model, in the order of [`Floors::models`].
    pub(super) models: Vec<ModelFloor>,
}

/// Cameras and sessions of the floors' own.
pub(super) struct Floors {
    cameras: Vec<(Name, Box<dyn Camera>)>,
    models: Vec<Open>,
    pool: Pool,
}

struct Open {
    name: Name,
    /// Whether it looks at pixels.
    looks: bool,
    session: Box<dyn Session>,
    feed: Feed,
    /// What it is run on where it cannot be fed with a frame alone.
    tensors: Vec<Tensor>,
}

impl Floors {
    /// Opens the cameras and every model of the config once more.
    pub(super) fn open(settings: &Settings, models: &BTreeMap<Name, Arc<Model>>) -> anyhow::Result<Self> {
        let backend = Backend::choose(&settings.runtime)?;
        let open = |(name, model): (&Name, &Arc<Model>)| {
            let session = backend.open(model, &settings.runtime)?;
            let feed = Feed::new(model).map_err(|why| anyhow!("model {name}: {why}"))?;
            let tensors = reference::read(model)?.into_iter().next().map(|case| case.inputs);
            let zeros = || model.passport.inputs.iter().map(|input| Tensor::zeros(input.shape(), input.element()));
            let tensors = tensors.unwrap_or_else(|| zeros().collect());
            Ok(Open { name: name.clone(), looks: model.looks(), session, feed, tensors })
        };
        let models = models.iter().map(open).collect::<anyhow::Result<_>>()?;
        let cameras = settings
            .cameras
            .iter()
            .map(|(name, camera)| Ok((name.clone(), open_camera(camera).with_context(|| format!("camera {name}"))?)));
        Ok(Self { cameras: cameras.collect::<anyhow::Result<_>>()?, models, pool: Pool::new(1) })
    }

    /// The models by their names in the config, and where each runs.
    pub(super) fn models(&self) -> impl Iterator<Item = (&Name, &Placement)> {
        self.models.iter().map(|open| (&open.name, open.session.placement()))
    }

    /// One round, which gives each floor about `span`.
    pub(super) fn round(&mut self, span: Duration) -> anyhow::Result<Round> {
        let mut decode = Vec::new();
        let mut last = None;
        for (name, camera) in &mut self.cameras {
            decode.push(each(span, || {
                let shot = camera
                    .capture(&self.pool, &CancellationToken::new())?
                    .ok_or_else(|| anyhow!("camera {name} has no pictures left"))?;
                last = Some((name.clone(), shot));
                Ok(())
            })?);
        }
        let frame = last.map(|(camera, shot)| {
            Arc::new(Frame { camera, sequence: 0, captured: shot.captured, part: None, image: shot.image })
        });
        let question = Question { frame, region: Region::Whole, readings: Arc::default(), found: Vec::new() };
        let models = self.models.iter_mut().map(|open| open.round(&question, span)).collect::<anyhow::Result<_>>()?;
        Ok(Round { decode, models })
    }
}

impl Open {
    fn round(&mut self, question: &Question, span: Duration) -> anyhow::Result<ModelFloor> {
        let Self { name, looks, session, feed, tensors } = self;
        let fed = *looks && feed.fill(question).is_ok();
        let told = |why: String| anyhow!("model {name}: {why}");
        let prepare = fed.then(|| each(span, || feed.fill(question).map(drop).map_err(told))).transpose()?;
        let inputs = if fed { feed.fill(question).map_err(told)?.0 } else { tensors.as_slice() };
        let run = each(span, || Ok(session.run(inputs).map(drop)?))?;
        Ok(ModelFloor { prepare, run })
    }
}

/// CPU milliseconds of each of as many runs of `work` as `span` holds, at least two after a first that is not counted.
fn each(span: Duration, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    work()?;
    let (begun, before, mut count) = (Instant::now(), Clocks::now(), 0_u32);
    while count < 2 || begun.elapsed() < span {
        work()?;
        count += 1;
    }
    Ok(Clocks::now().since(&before, f64::from(count)).cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_thrice_at_least_and_its_failure_is_told() {
        let mut times = 0;
        each(Duration::ZERO, || {
            times += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(times, 3);
        assert_eq!(each(Duration::ZERO, || Err(anyhow!("no"))).unwrap_err().to_string(), "no");
    }
}
