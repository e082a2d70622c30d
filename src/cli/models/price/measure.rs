//! `kenpin models measure`: the process of one model. Opens it, measures what it costs and scores every picture of the set;
//! told in JSON lines on standard output.
//!
//! A process of its own: what an earlier model left in memory is not counted to the next, and a model that takes its process
//! down leaves the others their prices. Hidden: it is started by `kenpin models price`, which has looked at the set before.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::energy;
use super::setting::Setting;
use crate::cli::labelled::{self, Labelled};
use crate::cli::{say, start_logging};
use crate::clock::{Monotonic, cpu_time, milliseconds};
use crate::config::JpegScale;
use crate::flow::acquire::decode::read_image;
use crate::flow::infer::backend::Backend;
use crate::flow::infer::feed::{Feed, Question};
use crate::flow::infer::session::{Session, Tensor};
use crate::flow::pool::Pool;
use crate::flow::{Frame, Placement};
use crate::learn::metrics::percentile;
use crate::memory;
use crate::memory::resident::{Resident, forget_peak};
use crate::models::passport::Model;
use crate::models::price::Cost;
use crate::models::reference;
use crate::name::Name;
use crate::task;
use crate::task::geometry::{Geometry, Region};

/// Pictures that are shown in turn while times are taken.
const IN_TURN: usize = 8;

/// Runs before times are taken.
const WARM_UP: u32 = 10;

/// Which model is measured, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder of one model.
    folder: PathBuf,
    #[command(flatten)]
    setting: Setting,
}

/// A line of what is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// What the model costs and where it ran; comes first.
    Cost {
        /// Where it ran.
        placement: Placement,
        /// What it costs.
        cost: Box<Cost>,
        /// Why no scores follow, where none do.
        unscored: Option<String>,
    },
    /// The score of the next picture of the set.
    Score(f64),
    /// Why there is no price; comes last.
    Failed(String),
}

/// Measures one model.
///
/// # Errors
/// When standard output cannot be written to; what is wrong with the model is told in the last line.
pub(in crate::cli::models) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    if let Err(error) = measure(args) {
        tell(&Told::Failed(format!("{error:#}")))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(told: &Told) -> anyhow::Result<()> {
    say(serde_json::to_string(told)?)
}

/// Why a model gives no scores that a set of good and defective parts can judge, by its passport alone.
pub(super) fn unscored(model: &Model) -> Option<String> {
    let passport = &model.passport;
    if !passport.task.judges() {
        return Some(format!("a model for {} says nothing of defects", passport.task.as_str()));
    }
    (passport.task.has_labels() && passport.labels.defects.is_empty()).then(|| "its labels name no defect".into())
}

fn measure(args: &Args) -> anyhow::Result<()> {
    let model = Model::load(&args.folder)?;
    let set = labelled::read(&args.setting.data, &[])?;
    let pool = Pool::new(IN_TURN);
    let first =
        set.iter().take(IN_TURN).map(|labelled| question(labelled, &pool)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut bench = Bench::open(&model, &args.setting, &first)?;
    let (placement, cost) = (bench.session.placement().clone(), Box::new(bench.cost(&args.setting, &first)?));
    let unscored = bench.unscored();
    let scores = unscored.is_none();
    tell(&Told::Cost { placement, cost, unscored })?;
    for labelled in set.iter().filter(|_| scores) {
        let score = bench.score(&question(labelled, &pool)?);
        tell(&Told::Score(score.with_context(|| labelled.image.display().to_string())?))?;
    }
    Ok(())
}

/// A picture of the set as the models are asked about it.
fn question(labelled: &Labelled, pool: &Pool) -> anyhow::Result<Question> {
    let image = read_image(&labelled.image, JpegScale::Whole, pool).map_err(anyhow::Error::msg);
    let image = image.with_context(|| labelled.image.display().to_string())?;
    let frame = Frame { camera: Name::new("price")?, sequence: 0, captured: Monotonic::now(), part: None, image };
    Ok(Question { frame: Some(Arc::new(frame)), region: Region::Whole, readings: Arc::default(), found: Vec::new() })
}

/// One model, open.
struct Bench<'m> {
    model: &'m Model,
    session: Box<dyn Session>,
    feed: Feed,
    /// What it is run on where it cannot be fed with a picture alone.
    tensors: Option<Vec<Tensor>>,
    /// Megabytes that opening it and running it once added.
    memory_mb: Option<f64>,
}

/// Wall milliseconds of one run.
struct Times {
    prepare: Option<f64>,
    run: f64,
}

impl<'m> Bench<'m> {
    /// Opens the model, which reproduces its references, and shows it every one of `first` once.
    fn open(model: &'m Model, setting: &Setting, first: &[Question]) -> anyhow::Result<Self> {
        let runtime = setting.runtime();
        let backend = Backend::choose(&runtime)?;
        memory::give_back();
        let before = forget_peak().ok().and_then(|()| Resident::read());
        let session = backend.open(model, &runtime)?;
        let (seen, wanted) = (&session.placement().provider, setting.provider.as_str());
        if seen != wanted {
            bail!("it runs on {seen}, {wanted} was asked for");
        }
        let feed = Feed::new(model).map_err(anyhow::Error::msg)?;
        let mut bench = Self { model, session, feed, tensors: None, memory_mb: None };
        if !first.first().is_some_and(|question| model.looks() && bench.feed.fill(question).is_ok()) {
            bench.tensors = Some(stand_in(model)?);
        }
        for question in first {
            bench.once(question)?;
        }
        let after = before.and_then(|_| Resident::read());
        bench.memory_mb = before.zip(after).map(|(before, after)| megabytes(after.peak.saturating_sub(before.now)));
        Ok(bench)
    }

    /// Why this model gives no scores that the set can judge.
    fn unscored(&self) -> Option<String> {
        unscored(self.model).or_else(|| self.tensors.as_ref().map(|_| "it wants more than a picture, or none".into()))
    }

    /// Prepares, runs and reads the answer once.
    fn once(&mut self, question: &Question) -> anyhow::Result<Times> {
        self.answered(question).map(|(times, _)| times)
    }

    /// The same, with the probability of a defect that the daemon's vote would have, where there is one.
    fn answered(&mut self, question: &Question) -> anyhow::Result<(Times, Option<f64>)> {
        let begun = Instant::now();
        let (inputs, geometry) = match &self.tensors {
            Some(tensors) => (tensors.as_slice(), Geometry::identity(0, 0)),
            None => self.feed.fill(question).map_err(anyhow::Error::msg)?,
        };
        let prepared = Instant::now();
        let outputs = self.session.run(inputs)?;
        let run = milliseconds(prepared.elapsed());
        let prepare = self.tensors.is_none().then(|| milliseconds(prepared - begun));
        let passport = &self.model.passport;
        if self.tensors.is_some() {
            return Ok((Times { prepare, run }, None));
        }
        let findings = task::decode(passport, outputs, &geometry).map_err(anyhow::Error::msg)?;
        let score = task::defect_score(&findings, passport);
        Ok((Times { prepare, run }, score))
    }

    fn score(&mut self, question: &Question) -> anyhow::Result<f64> {
        self.answered(question)?.1.ok_or_else(|| anyhow!("the answer says nothing of defects"))
    }

    /// Measures what a picture costs.
    fn cost(&mut self, setting: &Setting, first: &[Question]) -> anyhow::Result<Cost> {
        let mut turn = first.iter().cycle();
        let mut next = || turn.next().context("the set holds no picture");
        for _ in 0..WARM_UP {
            self.once(next()?)?;
        }
        let (begun, before, mut times) = (Instant::now(), cpu_time(), Vec::new());
        for _ in 0..setting.repeats {
            times.push(self.once(next()?)?);
        }
        let (wall, cpu) = (begun.elapsed(), cpu_time().saturating_sub(before));
        let runs: Vec<f64> = times.iter().map(|times| times.run).collect();
        let prepared: Vec<f64> = times.iter().filter_map(|times| times.prepare).collect();
        let of_runs = |share| percentile(&runs, share).context("no run was measured");
        Ok(Cost {
            runs: setting.repeats,
            run_ms_p50: of_runs(0.5)?,
            run_ms_p99: of_runs(0.99)?,
            prepare_ms_p50: percentile(&prepared, 0.5),
            wall_ms: milliseconds(wall) / f64::from(setting.repeats),
            cpu_ms: milliseconds(cpu) / f64::from(setting.repeats),
            memory_mb: self.memory_mb,
            energy: energy::measure(&setting.board_root, || self.once(next()?).map(drop))?,
        })
    }
}

/// What a model is run on that cannot be fed with a picture alone: its first reference, else zeroes.
fn stand_in(model: &Model) -> anyhow::Result<Vec<Tensor>> {
    let reference = reference::read(model)?.into_iter().next().map(|case| case.inputs);
    let zeroes = || model.passport.inputs.iter().map(|input| Tensor::zeros(input.shape(), input.element())).collect();
    Ok(reference.unwrap_or_else(zeroes))
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "the memory of a machine stays far below 2^53 bytes")]
    let bytes = bytes as f64;
    bytes / 1e6
}

/// The command line that measures the model in `folder`.
pub(super) fn arguments(folder: &Path, setting: &Setting) -> Vec<std::ffi::OsString> {
    let command = ["models".into(), "measure".into(), folder.into()];
    command.into_iter().chain(setting.arguments()).collect()
}
