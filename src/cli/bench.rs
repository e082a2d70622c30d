//! `kenpin bench`: what a part of a config costs on this machine, over its floors, and where the time goes.
//!
//! Floors and road take turns, round by round, in one process. The road is the whole daemon but for its broker and its sensors:
//! nobody outside is told of parts that are none.

mod clocks;
mod floors;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::{FINDINGS, check, load_settings_for_figures, runtime, start_logging};
use crate::app::App;
use crate::config::{Camera, CameraSource, Pace, Replay, ReplayPartId, Settings};
use crate::models::{ModelError, catalogue};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};
use clocks::Clocks;
use floors::Floors;
use report::{Report, Round};

/// Parts on the road before the clocks are read: by then it is full and every buffer has grown.
const BEFORE: u64 = 8;

/// The fewest parts between two readings of the clocks.
const FEWEST: u64 = 4;

/// How often the count of parts is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Measure what a part of a config costs on this machine, and where the time goes.
///
/// Plays the pictures of the config's cameras, or those of --images, as fast as the road takes them, and measures in turn the
/// floors (a frame decoded, a model's pixels prepared, the bare model run) and the whole daemon (camera, joining, routing,
/// models, fusion, verdict, durable journal). CPU time is that of all threads, the kernel's part included.
///
/// Publishes nothing, reads no sensors and keeps no images; the journal is one of its own. Exit code 1 when a model does not
/// judge.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config whose cameras, routes and models are measured.
    config: PathBuf,
    /// A folder of pictures that every camera plays instead of its own.
    #[arg(long)]
    images: Option<PathBuf>,
    /// Rounds of floors and road.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds of road in a round; each floor has a fifth of it.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Print JSON instead of the tables.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let mut settings = match load_settings_for_figures(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let left_out = alone(&mut settings, args.images.as_ref())?;
    let work = beside_the_journal(&settings)?;
    let models = catalogue::load_all(&settings)?;
    check::plan(&args.config.display().to_string(), &settings, &models)?;
    let mut floors = match Floors::open(&settings, &models) {
        Err(error) if does_not_judge(&error) => {
            eprintln!("kenpin: {error:#}");
            return Ok(ExitCode::from(FINDINGS));
        }
        opened => opened?,
    };
    let span = Duration::from_secs(args.seconds.into());
    let progress = ProgressBar::new(args.rounds.into());
    let (mut rounds, mut parts) = (Vec::new(), 0);
    for number in 0..args.rounds {
        let floors = floors.round(span / 5)?;
        settings.journal.path = work.path().join(format!("journal-{number}.sqlite"));
        let (road, judged) = road(settings.clone(), span)?;
        rounds.push(Round { floors, road });
        parts += judged;
        progress.inc(1);
    }
    progress.finish_and_clear();
    let named = floors.models().map(|(name, placement)| (name.clone(), placement.clone()));
    let report = Report::of(&settings, named, &rounds, parts, left_out);
    super::say(if args.json { serde_json::to_string_pretty(&report)? } else { report.text() })?;
    Ok(ExitCode::SUCCESS)
}

/// Whether an error is about a model, and not about what runs it.
fn does_not_judge(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ModelError>().is_some_and(|error| !matches!(error, ModelError::Runtime(_)))
}

/// A folder for journals of the bench's own, on the disk of the config's journal: how long durability takes is the disk's.
fn beside_the_journal(settings: &Settings) -> anyhow::Result<tempfile::TempDir> {
    let folder = settings.journal.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| tempfile::tempdir_in(folder))
        .with_context(|| format!("a folder for the journal cannot be made in {}", folder.display()))
}

/// Settles the settings to run alone and as fast as they can; gives what is left out, a sentence each.
fn alone(settings: &mut Settings, images: Option<&PathBuf>) -> anyhow::Result<Vec<String>> {
    let mut left_out = Vec::new();
    if settings.mqtt.take().is_some() {
        left_out.push("publication over MQTT".into());
    }
    if settings.images.take().is_some() {
        left_out.push("kept images".into());
    }
    if !settings.sensors.is_empty() {
        let names: Vec<&str> = settings.sensors.keys().map(Name::as_str).collect();
        left_out.push(format!("the sensors {}: parts take the ways that pictures alone lead to", names.join(", ")));
        settings.sensors.clear();
    }
    for (name, Camera { source, pace, .. }) in &mut settings.cameras {
        *pace = Pace::FreeRunning;
        match (&mut *source, images) {
            (_, Some(path)) => {
                let (path, part_id, jpeg_scale) = (path.clone(), ReplayPartId::FileStem, source.jpeg_scale());
                *source = CameraSource::Replay(Replay { path, repeat: true, part_id, raw: None, jpeg_scale });
            }
            (CameraSource::Replay(replay), None) => replay.repeat = true,
            _ => bail!("camera {name} is a live one: say with --images which pictures stand for its own"),
        }
    }
    Ok(left_out)
}

/// Runs the daemon for `span` once its road is full: what a part cost, and how many there were.
fn road(settings: Settings, span: Duration) -> anyhow::Result<(Clocks, u64)> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let app = App::open(settings).await?;
        let (telemetry, stop) = (app.telemetry(), CancellationToken::new());
        let running = tokio::spawn(app.run(stop.clone()));
        let judged = || telemetry.count(Event::PartJudged);
        let ended = || running.is_finished();
        let full = reach(&telemetry, BEFORE, ended).await;
        let (first, before) = (judged(), Clocks::now());
        tokio::time::sleep(span).await;
        let enough = reach(&telemetry, first + FEWEST, ended).await;
        let (last, after) = (judged(), Clocks::now());
        stop.cancel();
        running.await.context("the road broke off")??;
        if !(full && enough) {
            bail!("the cameras ended after {last} parts, {} are wanted: give a folder with --images", first + FEWEST);
        }
        if telemetry.count(Event::ModelStopped) > 0 {
            bail!("a model was opened for the floors and not for the road: `kenpin models verify --run` says why");
        }
        let parts = last - first;
        let count = f64::from(u32::try_from(parts).unwrap_or(u32::MAX));
        Ok((after.since(&before, count), parts))
    })
}

/// Waits until so many parts are judged; whether that came before the road ended.
async fn reach(telemetry: &Telemetry, parts: u64, ended: impl Fn() -> bool) -> bool {
    while telemetry.count(Event::PartJudged) < parts {
        if ended() {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}
