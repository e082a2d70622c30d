//! `kenpin eval`: how well a config's verdicts agree with a labelled set. No cameras, no journal, no broker: each labelled
//! image is routed, shown to the models and judged exactly as on the line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use indicatif::ProgressBar;
use serde::Serialize;

use super::labelled::{self, Labelled};
use super::table::{Agreement, Judged};
use super::{FINDINGS, check, load_settings, runtime, start_logging};
use crate::clock::Monotonic;
use crate::config::{CameraSource, EngineBuild, JpegScale, Settings};
use crate::flow::acquire::decode::read_image;
use crate::flow::dispatch::recipe;
use crate::flow::infer::Crew;
use crate::flow::plan::Plan;
use crate::flow::plan::choice::route;
use crate::flow::pool::Pool;
use crate::flow::verdict::Verdict;
use crate::flow::{Frame, Part, PartId, Placement, Walked, inspect};
use crate::models::catalogue;
use crate::name::Name;
use crate::telemetry::Telemetry;

/// Judge a labelled folder or list and print how well the verdicts agree with the truth.
///
/// A folder holds `good/` and `defective/` (or `bad/`); sub-folders and names that begin with a dot are passed over. A list is
/// a CSV file with the columns `image` and `truth` (`good` or `defective`); every further column `sensor.key` becomes a value of
/// that sensor's reading for the part.
///
/// Exit code 1 when an image cannot be read or a model does not judge: the figures are then not those of the line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config whose routes, models and thresholds judge.
    config: PathBuf,
    /// The labelled folder or CSV list.
    labelled: PathBuf,
    /// The camera whose frames the images stand for; the config's only camera when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    camera: Option<Name>,
    /// The rung of the ladder to judge on; the heaviest when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    rung: Option<Name>,
    /// A CSV file that gets a row for each judged image: `image`, `decision` (pass, reject, undecided) and `score`, empty
    /// where there is none.
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let mut settings = match load_settings(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    // Figures are about one placement, from the first part to the last.
    settings.runtime.tensorrt.engine_build = EngineBuild::BeforeStart;
    let camera = camera(args, &settings)?;
    let set = labelled::read(&args.labelled, &settings.sensors.keys().collect::<Vec<_>>())?;
    let models = catalogue::load_all(&settings)?;
    let plan = Arc::new(check::plan(&args.config.display().to_string(), &settings, &models)?);
    let crew = Crew::open(&plan, &settings.runtime, Telemetry::default())?;
    tell_models(&crew);
    let line = Line { rung: rung(args, &plan)?, camera, settings: &settings, plan: &plan, crew: &crew };
    let judged = runtime()?.block_on(line.judge_all(&set));
    if let Some(path) = &args.scores {
        write_scores(path, &set, &judged).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let judged: Vec<Judged> = judged.into_iter().flatten().collect();
    let report = Report { agreement: Agreement::of(&judged), unreadable: set.len() - judged.len() };
    if args.json {
        super::say(serde_json::to_string_pretty(&report)?)?;
    } else {
        super::say(report.agreement.table())?;
        super::say(format_args!("unreadable images, left out: {} of {}", report.unreadable, set.len()))?;
    }
    let whole = report.unreadable == 0 && crew.stopped().next().is_none();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// Writes what became of each image that could be read.
fn write_scores(path: &Path, set: &[Labelled], judged: &[Option<Judged>]) -> csv::Result<()> {
    let mut rows = csv::Writer::from_path(path)?;
    rows.write_record(["image", "decision", "score"])?;
    for (labelled, judged) in set.iter().zip(judged) {
        let Some(judged) = judged else { continue };
        let score = judged.score.map_or_else(String::new, |score| score.to_string());
        rows.write_record([&labelled.image.display().to_string(), judged.decision.as_str(), &score])?;
    }
    Ok(rows.flush()?)
}

/// What is printed: the figures, and how many images they lack.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    agreement: Agreement,
    unreadable: usize,
}

/// Tells every model that does not judge, or does not run on what was asked for first.
fn tell_models(crew: &Crew) {
    for (model, why) in crew.stopped() {
        eprintln!("kenpin: model {model} does not judge: {why}");
    }
    for (model, placement) in crew.placements() {
        let Placement { backend, version, provider, fallback, .. } = &*placement;
        if let Some(why) = fallback {
            eprintln!("kenpin: model {model} runs on {backend} {version}, {provider}: {why}");
        }
    }
}

/// The camera the images stand for.
fn camera(args: &Args, settings: &Settings) -> anyhow::Result<Name> {
    let mut cameras = settings.cameras.keys();
    match (&args.camera, cameras.next(), cameras.next()) {
        (Some(asked), _, _) if settings.cameras.contains_key(asked) => Ok(asked.clone()),
        (Some(asked), _, _) => bail!("{} has no camera {asked}", args.config.display()),
        (None, Some(only), None) => Ok(only.clone()),
        (None, None, _) => {
            bail!("{} has no camera: name the one whose frames these are", args.config.display())
        }
        (None, _, _) => {
            bail!("{} has several cameras: say with --camera whose frames these are", args.config.display())
        }
    }
}

/// The place of the rung to judge on.
fn rung(args: &Args, plan: &Plan) -> anyhow::Result<usize> {
    let Some(asked) = &args.rung else { return Ok(0) };
    plan.rungs.iter().position(|rung| rung == asked).with_context(|| {
        let known: Vec<&str> = plan.rungs.iter().map(Name::as_str).collect();
        format!("{} has no rung {asked}; its ladder is [{}]", args.config.display(), known.join(", "))
    })
}

/// What judges.
struct Line<'l> {
    camera: Name,
    rung: usize,
    settings: &'l Settings,
    plan: &'l Arc<Plan>,
    crew: &'l Crew,
}

impl Line<'_> {
    /// Judges the set, a few parts at once; `None` for an image that cannot be read, which is told.
    async fn judge_all(&self, set: &[Labelled]) -> Vec<Option<Judged>> {
        let pool = Pool::new(self.settings.runtime.parts_in_flight);
        let progress = ProgressBar::new(set.len() as u64);
        let judged = futures::stream::iter(set).map(|labelled| async {
            let judged = self.judge(labelled, &pool).await;
            progress.inc(1);
            judged.map_err(|error| progress.suspend(|| eprintln!("kenpin: {error:#}"))).ok()
        });
        let judged = judged.buffered(self.settings.runtime.parts_in_flight).collect().await;
        progress.finish_and_clear();
        judged
    }

    /// One labelled image, from file to verdict.
    async fn judge(&self, labelled: &Labelled, pool: &Pool) -> anyhow::Result<Judged> {
        // As the camera would decode it.
        let scale = self.settings.cameras.get(&self.camera).map_or(JpegScale::Whole, |told| {
            let CameraSource::Replay(replay) = &told.source;
            replay.jpeg_scale
        });
        let image = read_image(&labelled.image, scale, pool).map_err(anyhow::Error::msg);
        let image = image.with_context(|| format!("{} is left out", labelled.image.display()))?;
        let now = Monotonic::now();
        let frame = Frame { camera: self.camera.clone(), sequence: 0, captured: now, part: None, image };
        let readings = labelled.readings(now);
        let (recipe, unusable) = recipe(&self.settings.line, &readings);
        let mut part = Part {
            id: PartId::generate(),
            id_given: false,
            recipe,
            captured: now,
            joined: now,
            frames: vec![Arc::new(frame)],
            readings: Arc::new(readings),
            notes: unusable.into_iter().collect(),
            plan: Arc::clone(self.plan),
            route: None,
            rung: self.rung,
        };
        part.route = route(&part, self.plan);
        let walked = self.crew.walk(part).await;
        let verdict = inspect::judge(&walked);
        Ok(beside_truth(labelled.defective, &walked, &verdict))
    }
}

/// A verdict beside its truth.
fn beside_truth(defective: bool, walked: &Walked, verdict: &Verdict) -> Judged {
    let model = |vote: &crate::flow::verdict::Vote| walked.part.plan.model(vote.model).passport.name.to_string();
    Judged {
        defective,
        decision: verdict.decision,
        score: verdict.score,
        members: verdict.votes.iter().map(|vote| (model(vote), vote.score)).collect(),
        reject_from: verdict.thresholds.map_or(f64::INFINITY, |thresholds| thresholds.reject_from),
    }
}
