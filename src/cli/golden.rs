//! `kenpin golden`: the golden set of a config, judged once; and its pictures for the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use super::{FINDINGS, check, eval, labelled, load_settings_for_figures, runtime, say, start_logging};
use crate::app::{Golden, GoldenPicture};
use crate::config::Settings;
use crate::flow::infer::Crew;
use crate::flow::publish::message::GoldenDifference;
use crate::flow::verdict::Decision;
use crate::models::catalogue;
use crate::telemetry::Telemetry;

/// Judge the golden set of a config, and tell what is judged otherwise than expected.
///
/// The golden set is what `[golden]` names: a folder with `good/` and `defective/`, or a CSV list, as `kenpin eval` takes it. Good
/// pictures are to pass, defective ones to be rejected, on the heaviest rung of the ladder; undecided is neither. `kenpin run`
/// does the same after each start, after each reload and once a day, beside the line.
///
/// Exit code 1 when a picture is judged otherwise than expected or cannot be judged.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config with its `[golden]`.
    config: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report {
    passed: bool,
    pictures: usize,
    differences: Vec<GoldenDifference>,
}

/// Reads, judges, prints.
///
/// # Errors
/// When the set cannot be read or the models cannot be opened.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let settings = match load_settings_for_figures(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let Some(golden) = read(&settings)? else {
        eprintln!("kenpin: {} has no [golden], which names the pictures", args.config.display());
        return Ok(ExitCode::from(FINDINGS));
    };
    let models = catalogue::load_all(&settings)?;
    let plan = Arc::new(check::plan(&args.config.display().to_string(), &settings, &models)?);
    let crew = Crew::open(&plan, &settings.runtime, Telemetry::default())?;
    eval::tell_models(&crew);
    let differences = runtime()?.block_on(golden.judge(&plan, &crew));
    let report = Report { passed: differences.is_empty(), pictures: golden.len(), differences };
    if args.json {
        say(serde_json::to_string_pretty(&report)?)?;
    } else {
        for different in &report.differences {
            say(different)?;
        }
        let as_expected = report.pictures - report.differences.len();
        say(format_args!("{as_expected} of {} pictures are judged as expected", report.pictures))?;
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// The golden set that settings name; `None` where they name none.
///
/// # Errors
/// When the folder or the list cannot be read.
pub(super) fn read(settings: &Settings) -> anyhow::Result<Option<Golden>> {
    let Some(told) = &settings.golden else { return Ok(None) };
    let set = labelled::read(&told.path, &settings.sensors.keys().collect::<Vec<_>>())?;
    let picture = |labelled: labelled::Labelled| GoldenPicture {
        image: labelled.image,
        expected: if labelled.defective { Decision::Reject } else { Decision::Pass },
        sensors: labelled.sensors,
    };
    Ok(Golden::new(settings, set.into_iter().map(picture).collect()))
}
