//! `kenpin models price`: what each model of a folder costs on this board, and what it is worth on a labelled set.
//!
//! Each model is measured in a process of its own, one after the other, so that none shares the processor with another.
//! What it costs is measured there, what it is worth is worked out here, from its scores and those of the teacher.

mod ask;
mod energy;
mod front;
pub(super) mod measure;
mod set;
mod setting;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use indicatif::ProgressBar;
use serde::Serialize;

use super::load;
use crate::board::Board;
use crate::cli::labelled::Labelled;
use crate::cli::{FINDINGS, check, say, start_logging};
use crate::config::{ConfigError, Provider};
use crate::learn::worth::{Teacher, Yardstick};
use crate::models::catalogue;
use crate::models::passport::{Model, Tier};
use crate::models::price::{Bench, Price, Priced, SCHEMA};
use crate::name::Name;
use ask::Measured;
use setting::Setting;

/// The score from which a model alone rejects: a passport says what a probability means, and an anomaly's score is
/// normalised so that its threshold is here. It is what a route rejects from when its config does not say.
const REJECT_FROM: f64 = 0.5;

/// The least share of the wall time that a model on the processor spends on it where nothing else runs.
const OWN: f64 = 0.9;

/// Measure what each model costs on this board and what it is worth on a labelled set.
///
/// Costs: milliseconds of inference and of preparing pixels, CPU milliseconds of all threads, the peak memory that opening and
/// running the model adds, the bytes of its files, and millijoules for a picture where the board has an INA3221 power monitor.
/// Each model is measured in a process of its own, and nothing else should run meanwhile.
///
/// Worth: accuracy and balanced accuracy of the model alone, rejecting from a score of 0.5; ROC AUC; escapes, the share of
/// defective parts that pass, where at most --false-reject-rate of the good ones is rejected; each with a 95 % interval (2,000
/// stratified bootstrap resamples). Against the teacher: the share of equal decisions, McNemar's exact test on the decisions,
/// DeLong's test on the ROC AUC. A model that names no defect, a gate say, gets its cost only.
///
/// Writes a file for each model to `prices/` in the state directory, over an older one of the same model, board and provider.
/// Exit code 1 when a passport has findings or a model cannot be run: it then has no price, the others have theirs.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder of one model, or of several.
    #[arg(default_value = "models")]
    folder: PathBuf,
    #[command(flatten)]
    setting: Setting,
    /// The model that the others are held against; the only teacher in the folder when not given.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| Name::new(text))]
    teacher: Option<Name>,
    /// The greatest share of good parts, 0 to 1, that may be rejected where escapes are counted.
    #[arg(long, default_value_t = 0.05, value_parser = share)]
    false_reject_rate: f64,
    /// The state directory, which gets the prices.
    #[arg(long, default_value = "state")]
    state: PathBuf,
    /// An SVG file that gets the accuracy-cost front: ROC AUC over milliseconds.
    #[arg(long, value_name = "FRONT.svg")]
    plot: Option<PathBuf>,
    /// A CSV file that gets a row for each image and model: `image`, `model`, `score` (the probability of a defect).
    #[arg(long, value_name = "FILE.csv")]
    scores: Option<PathBuf>,
    /// Print JSON instead of the tables.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "want a number from 0 to 1".into())
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    prices: Vec<Price>,
    /// What should be known beside the figures.
    notes: Vec<String>,
    /// Models without a price, and why.
    failed: Vec<String>,
}

/// One model that was measured.
struct Entry<'m> {
    model: &'m Model,
    measured: Measured,
}

impl Entry<'_> {
    fn name(&self) -> &Name {
        &self.model.passport.name
    }

    fn scores(&self) -> Option<&[f64]> {
        self.measured.scores.as_deref().ok()
    }
}

/// Measures, prints, writes.
///
/// # Errors
/// When the folder or the set cannot be read, `--teacher` is no model that judges the set, or a file cannot be written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let folder = args.folder.display();
    let folders = catalogue::find(&args.folder)?;
    anyhow::ensure!(!folders.is_empty(), "{folder}: no model in it, want folders with a passport.toml");
    let (models, findings) = load(&folders);
    if let Some(teacher) = &args.teacher
        && !models.iter().any(|model| model.passport.name == *teacher)
    {
        bail!("--teacher is {teacher}, want the name of a model in {folder}");
    }
    if let Some(teacher) = models.iter().find(|model| args.teacher.as_ref() == Some(&model.passport.name))
        && let Some(why) = measure::unscored(teacher)
    {
        bail!("--teacher is {}, which gives the set no scores: {why}", teacher.passport.name);
    }
    let (labelled, measured_set) = set::read(&args.setting.data)?;
    let yardstick = Yardstick {
        set: measured_set,
        defective: labelled.iter().map(|labelled| labelled.defective).collect(),
        reject_from: REJECT_FROM,
        false_reject_rate: args.false_reject_rate,
    };
    let (entries, failed) = measure_all(&models, &args.setting, labelled.len());
    for why in &failed {
        eprintln!("kenpin: {why}");
    }
    let (teacher, mut notes) = teacher(args, &entries)?;
    notes.extend(unscored(&entries));
    if args.setting.runtime().threads_per_session == 1 {
        notes.extend(entries.iter().filter_map(|entry| hindered(entry.name(), &entry.measured)));
    }
    let prices = prices(&entries, &yardstick, teacher, &args.setting)?;
    let written = prices.iter().map(|price| price.write(&args.state)).collect::<Result<BTreeSet<_>, _>>()?;
    let priced = failed.is_empty();
    let report = Report { schema: "kenpin.prices/1", prices, notes, failed };
    tell(args, &report, written.len())?;
    // What was measured is told and kept, whatever becomes of these.
    if let Some(path) = &args.scores {
        write_scores(path, &labelled, &entries).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &args.plot {
        front::draw(&report.prices, path)?;
    }
    if !findings.is_empty() {
        return Ok(check::report(&ConfigError::new(&folder.to_string(), findings)));
    }
    Ok(if priced { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// Measures one model after the other; a sentence for each that cannot be.
fn measure_all<'m>(models: &'m [Model], setting: &Setting, parts: usize) -> (Vec<Entry<'m>>, Vec<String>) {
    let lines = parts as u64 + 1;
    let progress = ProgressBar::new(models.len() as u64 * lines);
    let (mut entries, mut failed) = (Vec::new(), Vec::new());
    for (place, model) in models.iter().enumerate() {
        match ask::ask(model, setting, || progress.inc(1)) {
            Ok(measured) => entries.push(Entry { model, measured }),
            Err(error) => failed.push(format!("{} has no price: {error:#}", model.passport.name)),
        }
        // A model without scores told fewer lines.
        progress.set_position((place as u64 + 1) * lines);
    }
    progress.finish_and_clear();
    (entries, failed)
}

/// The model that the others are held against, and a note where there is none.
fn teacher<'e>(args: &Args, entries: &'e [Entry<'e>]) -> anyhow::Result<(Option<&'e Entry<'e>>, Vec<String>)> {
    let scored = || entries.iter().filter(|entry| entry.scores().is_some());
    if let Some(name) = &args.teacher {
        let named = scored().find(|entry| entry.name() == name);
        let named = named.ok_or_else(|| anyhow!("--teacher is {name}, which gives the set no scores"))?;
        return Ok((Some(named), Vec::new()));
    }
    let teachers: Vec<&Entry<'_>> = scored().filter(|entry| entry.model.passport.tier == Tier::Teacher).collect();
    match teachers.as_slice() {
        [only] => Ok((Some(only), Vec::new())),
        [] => Ok((None, vec!["no teacher: nothing is held against one, --teacher names a model".into()])),
        several => {
            let names: Vec<&str> = several.iter().map(|entry| entry.name().as_str()).collect();
            let names = names.join(", ");
            Ok((None, vec![format!("several teachers ({names}): nothing is held against one, --teacher names it")]))
        }
    }
}

/// A sentence for each model that gives no scores.
fn unscored<'e>(entries: &'e [Entry<'_>]) -> impl Iterator<Item = String> + 'e {
    entries.iter().filter_map(|entry| {
        Some(format!("{} has a cost and no worth: {}", entry.name(), entry.measured.scores.as_ref().err()?))
    })
}

/// A sentence for a model on one thread of the processor that waited for it: something else ran, and its wall times are not its own.
fn hindered(name: &Name, Measured { placement, cost, .. }: &Measured) -> Option<String> {
    let own = cost.cpu_ms / cost.wall_ms;
    let percent = 100.0 * (1.0 - own);
    (placement.provider == Provider::Cpu.as_str() && own < OWN).then(|| {
        format!(
            "{name} waited for the processor {percent:.0} % of the time: something else ran, and its wall times (run ms, \
             prepare ms) are too long"
        )
    })
}

fn prices(
    entries: &[Entry<'_>],
    yardstick: &Yardstick,
    teacher: Option<&Entry<'_>>,
    setting: &Setting,
) -> anyhow::Result<Vec<Price>> {
    let board = Board::read(&setting.board_root)?;
    let held = teacher.and_then(|teacher| {
        let sha256 = &teacher.model.passport.file.sha256;
        Some(Teacher { name: teacher.name(), sha256, scores: teacher.scores()? })
    });
    let price = |entry: &Entry<'_>| {
        let against = held.filter(|teacher| teacher.name != entry.name());
        let worth = entry.scores().map(|scores| yardstick.worth(scores, against)).transpose();
        let worth = worth.map_err(|why| anyhow!("model {}: {why}", entry.name()))?;
        let placement = &entry.measured.placement;
        Ok(Price {
            schema: SCHEMA.into(),
            kenpin: env!("CARGO_PKG_VERSION").into(),
            measured: jiff::Timestamp::now(),
            model: priced(entry.model)?,
            bench: Bench {
                board: board.name.clone(),
                told: board.told.clone(),
                backend: placement.backend.clone(),
                version: placement.version.clone(),
                provider: placement.provider.clone(),
                threads: setting.runtime().threads_per_session,
            },
            cost: entry.measured.cost.clone(),
            worth,
        })
    };
    entries.iter().map(price).collect()
}

fn priced(model: &Model) -> anyhow::Result<Priced> {
    let file = model.file();
    let external = model.passport.file.external.iter().map(|external| file.with_file_name(&external.path));
    let sizes = std::iter::once(file.clone()).chain(external).map(|path| {
        let seen = std::fs::metadata(&path).with_context(|| path.display().to_string())?;
        Ok(seen.len())
    });
    let passport = &model.passport;
    Ok(Priced {
        name: passport.name.clone(),
        tier: passport.tier,
        sha256: passport.file.sha256.clone(),
        bytes: sizes.sum::<anyhow::Result<u64>>()?,
    })
}

fn write_scores(path: &Path, set: &[Labelled], entries: &[Entry<'_>]) -> csv::Result<()> {
    let mut rows = csv::Writer::from_path(path)?;
    rows.write_record(["image", "model", "score"])?;
    for entry in entries {
        for (labelled, score) in set.iter().zip(entry.scores().unwrap_or_default()) {
            rows.write_record([&labelled.image.display().to_string(), entry.name().as_str(), &score.to_string()])?;
        }
    }
    Ok(rows.flush()?)
}

/// Prints the report; `files` is how many prices were written: models with the same file share one.
fn tell(args: &Args, report: &Report, files: usize) -> anyhow::Result<()> {
    if args.json {
        return say(serde_json::to_string_pretty(report)?);
    }
    let Report { prices, notes, .. } = report;
    if !prices.is_empty() {
        say(table::text(prices))?;
    }
    for note in notes {
        say(format_args!("note: {note}"))?;
    }
    let folder = args.state.join(crate::models::price::FOLDER);
    say(format_args!("{files} prices in {}", folder.display()))
}
