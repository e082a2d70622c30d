//! `kenpin eval`: how well a config's verdicts agree with a labelled set. No cameras, no journal, no broker: each labelled
//! image is routed, shown to the models and judged exactly as on the line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;

use super::labelled::{self, Labelled};
use super::line::{self, Line};
use super::table::{Agreement, Judged};
use super::{FINDINGS, check, load_settings_for_figures, runtime, start_logging};
use crate::clock::{cpu_time, milliseconds};
use crate::flow::infer::Crew;
use crate::flow::verdict::{Verdict, Vote};
use crate::flow::{Placement, Unanswered, Walked, inspect};
use crate::models::catalogue;
use crate::name::Name;
use crate::simulate::corrupt::Corruption;
use crate::telemetry::Telemetry;

/// Judge a labelled folder or list and print how well the verdicts agree with the truth.
///
/// A folder holds `good/` and `defective/` (or `bad/`); sub-folders and names that begin with a dot are passed over. A list is
/// a CSV file with the columns `image` and `truth` (`good` or `defective`); a column `batch` is passed over,
/// every further column `sensor.key` becomes a value of that sensor's reading for the part.
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
    /// Judge each picture as it would have been taken: blur=PIXELS (standard deviation), exposure=PERCENT (such as -40) or
    /// noise=LEVELS (standard deviation, of 255). Simulated: the figures are not those of the line.
    #[arg(long, value_name = "KIND=NUMBER", allow_hyphen_values = true)]
    corrupt: Option<Corruption>,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::cast_precision_loss, reason = "a count of images")]
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let settings = match load_settings_for_figures(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let camera = line::camera(args.camera.as_ref(), &args.config, &settings)?;
    let mut set = labelled::read(&args.labelled, &settings.sensors.keys().collect::<Vec<_>>())?;
    for labelled in &mut set {
        labelled.corruption = args.corrupt;
    }
    let models = catalogue::load_all(&settings)?;
    let plan = Arc::new(check::plan(&args.config.display().to_string(), &settings, &models)?);
    let crew = Crew::open(&plan, &settings.runtime, Telemetry::default())?;
    tell_models(&crew);
    let rung = line::rung(args.rung.as_ref(), &args.config, &plan)?;
    let line = Line { rung, camera, settings: &settings, plan: &plan, crew: &crew };
    let judge =
        |labelled: &Labelled, walked: &Walked| beside_truth(labelled.defective, walked, &inspect::judge(walked));
    let begun = cpu_time();
    let judged = runtime()?.block_on(line.walk_all(set.iter(), judge));
    let spent = cpu_time().saturating_sub(begun);
    if let Some(path) = &args.scores {
        write_scores(path, &set, &judged).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let judged: Vec<Judged> = judged.into_iter().flatten().collect();
    let cpu_ms_per_part = milliseconds(spent) / set.len() as f64;
    let (agreement, unreadable) = (Agreement::of(&judged), set.len() - judged.len());
    let simulated = args.corrupt.map(|corruption| corruption.to_string());
    let report = Report { simulated, agreement, cpu_ms_per_part, unreadable };
    if args.json {
        super::say(serde_json::to_string_pretty(&report)?)?;
    } else {
        if let Some(corruption) = &report.simulated {
            super::say(format_args!("simulated: every picture was corrupted with {corruption}"))?;
        }
        super::say(report.agreement.table())?;
        super::say(format_args!("CPU: {cpu_ms_per_part:.2} ms for each image, from its file to the verdict"))?;
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
    /// What was done to every picture before anybody saw it, where something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    simulated: Option<String>,
    #[serde(flatten)]
    agreement: Agreement,
    /// CPU milliseconds of this process for each image, from its file to the verdict.
    cpu_ms_per_part: f64,
    unreadable: usize,
}

/// Tells every model that does not judge, or does not run on what was asked for first.
pub(super) fn tell_models(crew: &Crew) {
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

/// Whether a member had to say something: one that was not needed says nothing of how well it judges.
fn asked(vote: &Vote) -> bool {
    vote.missing.as_ref().is_none_or(Unanswered::degrades)
}

/// A verdict beside its truth.
fn beside_truth(defective: bool, walked: &Walked, verdict: &Verdict) -> Judged {
    let model = |vote: &Vote| walked.part.plan.model(vote.model).passport.name.to_string();
    Judged {
        defective,
        decision: verdict.decision,
        score: verdict.score,
        members: verdict.votes.iter().filter(|vote| asked(vote)).map(|vote| (model(vote), vote.score)).collect(),
        reject_from: verdict.thresholds.map_or(f64::INFINITY, |thresholds| thresholds.reject_from),
    }
}
