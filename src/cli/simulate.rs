//! `kenpin simulate`: what the governor is worth over a shift, on boards that are not there.

mod chart;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::ProgressBar;

use super::{FINDINGS, say, start_logging};
use crate::name::Name;
use crate::simulate::board::{Board, ORIN_NANO};
use crate::simulate::policy::Kind;
use crate::simulate::rungs::{EXAMPLE, Rungs};
use crate::simulate::scenario::Scenario;
use crate::simulate::trial::Trial;
use report::Report;

/// Play shifts on simulated boards: the governor against none, a fixed switch, the student alone and an oracle.
///
/// Runs the real governor against a board of three masses with a fan, the throttling of kernel and firmware, and sensors read
/// once a second. Each draw takes the board's figures anew within 30 %; all policies meet the same draws. A part that misses
/// its deadline counts as wrong. Everything printed is simulated; the board's figures are assumed unless its file says
/// otherwise, and nothing was measured on a Jetson.
///
/// Scenarios: ambient-25, ambient-40, ambient-50 (a hall of that temperature; any number does), failed-fan-40 (the fan stands
/// still from the second hour on), summer-hall (24 to 46 to 30 C), clogged-filter (35 C, the filter resists 3.5 times as
/// much in the end), two-lines (35 C, two lines start at once).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The board file; an Orin Nano with assumed figures when not given.
    #[arg(long, value_name = "FILE")]
    board: Option<PathBuf>,
    /// A state directory with prices, as `kenpin models price` writes them.
    #[arg(long, value_name = "STATE_DIR", requires = "rungs", conflicts_with = "ladder")]
    prices: Option<PathBuf>,
    /// The models that are the rungs, from the heaviest to the lightest.
    #[arg(long, value_name = "MODEL,MODEL", value_delimiter = ',', requires = "prices", value_parser = |text: &str| Name::new(text))]
    rungs: Vec<Name>,
    /// A ladder file; an example ladder when neither this nor prices are given.
    #[arg(long, value_name = "FILE")]
    ladder: Option<PathBuf>,
    /// Halls of one temperature, in degrees Celsius, -40 to 80. With these or --scenario, only what is named is played.
    #[arg(long, value_name = "C", num_args = 1.., allow_negative_numbers = true, value_parser = ambient)]
    ambient: Vec<Scenario>,
    /// Scenarios by name.
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = named)]
    scenario: Vec<Scenario>,
    /// Boards that are drawn for each scenario.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: u32,
    /// Where the random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Hours of a shift.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=48))]
    hours: u32,
    /// Print JSON instead of the tables: `missed`, `expected_accuracy` and `seconds_above_trip` are means over the draws.
    #[arg(long)]
    json: bool,
    /// An SVG file that gets one draw's shift (of failed-fan-40 where that is played, else of the first scenario), and what
    /// becomes of accuracy and heat where rungs draw 0.7 to 1.3 times what is assumed.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn ambient(text: &str) -> Result<Scenario, String> {
    let scenario = text.parse().ok().and_then(Scenario::ambient);
    scenario.ok_or_else(|| "want degrees Celsius from -40 to 80".into())
}

fn named(text: &str) -> Result<Scenario, String> {
    Scenario::named(text).ok_or_else(|| {
        let names: Vec<String> = Scenario::usual().iter().map(|scenario| scenario.name.to_string()).collect();
        format!("want one of {}, or ambient-C for any C from -40 to 80", names.join(", "))
    })
}

/// Plays, prints, draws.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let text = args.board.as_deref().map_or_else(|| Ok(ORIN_NANO.to_owned()), read)?;
    let board = match Board::read(&text) {
        Ok(board) => board,
        Err(why) => return Ok(refuse(args.board.as_deref(), &why)),
    };
    let rungs = match &args.prices {
        Some(state) => Rungs::priced(state, &args.rungs, &board),
        None => Rungs::read(&args.ladder.as_deref().map_or_else(|| Ok(EXAMPLE.to_owned()), read)?, &board),
    };
    let rungs = match rungs {
        Ok(rungs) => rungs,
        Err(why) => return Ok(refuse(args.prices.as_deref().or(args.ladder.as_deref()), &why)),
    };
    let settings = board.settings();
    let trial = Trial {
        board: &board,
        ladder: &rungs.ladder,
        settings: &settings,
        seconds: args.hours * 3600,
        draws: args.draws,
        seed: args.seed,
        monitor: true,
    };
    let scenarios = scenarios(args);
    let progress = ProgressBar::new(scenarios.len() as u64 * u64::from(args.draws));
    let outcomes = trial.run(&scenarios, &Kind::ALL, || progress.inc(1));
    progress.finish_and_clear();
    let report = Report::of(&trial, &rungs.note, &scenarios, &outcomes);
    say(if args.json { serde_json::to_string_pretty(&report)? } else { report.text() })?;
    if let (Some(path), Some(scenario)) = (&args.plot, shown(&scenarios)) {
        chart::draw(&trial, scenario, path)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is played: the scenarios that are named, else the usual ones.
fn scenarios(args: &Args) -> Vec<Scenario> {
    let named: Vec<Scenario> = args.ambient.iter().chain(&args.scenario).cloned().collect();
    if named.is_empty() { Scenario::usual() } else { named }
}

/// The scenario that is drawn.
fn shown(scenarios: &[Scenario]) -> Option<&Scenario> {
    scenarios.iter().find(|scenario| scenario.name == *"failed-fan-40").or(scenarios.first())
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Tells what is wrong with a file that the user wrote.
fn refuse(path: Option<&Path>, why: &str) -> ExitCode {
    eprintln!("kenpin: {}: {why}", path.map_or_else(|| "the built-in file".into(), |path| path.display().to_string()));
    ExitCode::from(FINDINGS)
}
