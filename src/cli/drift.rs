//! `kenpin drift`: a trial of the watch for drift on labelled parts: how soon it sees a change, how often it is wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{bail, ensure};
use indicatif::ProgressBar;
use serde::Serialize;

use super::labelled::{self, Labelled};
use super::line::{self, Line};
use super::{check, eval, load_settings_for_figures, runtime, say, start_logging};
use crate::config::Settings;
use crate::config::file::Drift;
use crate::flow::embedding::embedding;
use crate::flow::infer::Crew;
use crate::flow::plan::Plan;
use crate::flow::statistics::quality;
use crate::flow::{Walked, inspect};
use crate::learn::drift::Watching;
use crate::learn::drift::trial::{Alarm, Change, Pool, Run, run as play};
use crate::learn::metrics::percentile;
use crate::models::catalogue;
use crate::models::fit::reference::{MOST, Seen, Statistic};
use crate::name::Name;
use crate::simulate::corrupt::Corruption;
use crate::telemetry::Telemetry;

/// Try the watch for drift on labelled parts: parts until the alarm, and false alarms.
///
/// Every picture is shown to the models once as it is and once for each --corrupt. Then lines are simulated: in each run the parts
/// are shuffled, one half becomes the reference, the other half the line. Undisturbed lines count the false alarms, beside what
/// is promised. Other lines change at a moment that is drawn, and count the parts from there to the alarm: to the corrupted
/// pictures, or to the parts of --others, such as another product. No part comes twice in a run, so a change that is not seen
/// before the parts have run out is told as not seen.
///
/// Where a member of the route gives embeddings, they are watched too: a quarter of the parts chooses in which directions.
///
/// The watch is that of `[drift]` in the config, or the default one. Exit code 1 when a picture cannot be read.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config whose routes, models and fits judge.
    config: PathBuf,
    /// The labelled folder or CSV list, as `kenpin eval` takes it.
    labelled: PathBuf,
    /// The route whose parts count; the only one that parts take when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    route: Option<Name>,
    /// The camera whose frames the images stand for; the config's only camera when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    camera: Option<Name>,
    /// The rung of the ladder; the heaviest when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    rung: Option<Name>,
    /// A change: how the pictures are taken from some part on, as `kenpin eval --corrupt` takes it; once for each.
    #[arg(long, value_name = "KIND=NUMBER", allow_hyphen_values = true)]
    corrupt: Vec<Corruption>,
    /// A change: the labelled folder or list of the parts that come from some part on.
    #[arg(long, value_name = "LABELLED")]
    others: Option<PathBuf>,
    /// Lines that are simulated for each change, and without one.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    runs: u64,
    /// Where the random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The parts of the longest look back in the place of those of `[drift]`: a multiple of 16 from 32 to 4096.
    #[arg(long, value_parser = window)]
    window: Option<usize>,
    /// In the place of that of `[drift]`.
    #[arg(long, value_parser = clap::value_parser!(u64).range(100..=1_000_000_000))]
    parts_per_false_alarm: Option<u64>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn window(text: &str) -> Result<usize, String> {
    let looks = crate::config::Drift::LOOKS;
    let parts = text.parse().ok().filter(|parts: &usize| parts.is_multiple_of(looks) && (32..=4096).contains(parts));
    parts.ok_or_else(|| format!("want a multiple of {looks} from 32 to 4096"))
}

/// Asks, plays, prints.
///
/// # Errors
/// When the models cannot be opened, or the arguments name what is not there.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let settings = match load_settings_for_figures(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let watching = watching(args, &settings);
    let camera = line::camera(args.camera.as_ref(), &args.config, &settings)?;
    let models = catalogue::load_all(&settings)?;
    let plan = Arc::new(check::plan(&args.config.display().to_string(), &settings, &models)?);
    let crew = Crew::open(&plan, &settings.runtime, Telemetry::default())?;
    eval::tell_models(&crew);
    let rung = line::rung(args.rung.as_ref(), &args.config, &plan)?;
    let line = Line { rung, camera: camera.clone(), settings: &settings, plan: &plan, crew: &crew };
    let asked = Asked { args, settings: &settings, plan: &plan, line };
    let Answers { parts, changed, others } = asked.ask()?;
    ensure!(parts.len() >= 4, "{} labelled parts are too few to be shuffled", parts.len());
    let mut pools = vec![("undisturbed".to_owned(), None)];
    let taken = args.corrupt.iter().zip(&changed);
    pools.extend(taken.map(|(way, parts)| (format!("simulated: {way}"), Some(Change::Taken(parts)))));
    pools.extend(others.as_ref().map(|parts| ("other parts".to_owned(), Some(Change::Others(parts)))));
    let progress = ProgressBar::new(pools.len() as u64 * args.runs);
    let played = pools.into_iter().map(|(name, change)| {
        let pool = Pool { parts: &parts, change };
        let seeds = (0..args.runs).map(|number| args.seed.wrapping_add(number));
        let runs: Vec<Run> = seeds
            .map(|seed| {
                progress.inc(1);
                play(&pool, watching, seed, &camera)
            })
            .collect();
        (name, runs)
    });
    let played: Vec<(String, Vec<Run>)> = played.collect();
    progress.finish_and_clear();
    let report = Report::of(parts.len(), watching, &played);
    say(if args.json { serde_json::to_string_pretty(&report)? } else { report.text() })?;
    Ok(ExitCode::SUCCESS)
}

fn watching(args: &Args, settings: &Settings) -> Watching {
    let default = Drift::default();
    let mut told = settings.drift.unwrap_or(crate::config::Drift {
        window: default.window,
        parts_per_false_alarm: default.parts_per_false_alarm,
        widen: default.widen,
    });
    told.window = args.window.unwrap_or(told.window);
    told.parts_per_false_alarm = args.parts_per_false_alarm.unwrap_or(told.parts_per_false_alarm);
    Watching::from(&told)
}

/// What was seen of the parts.
struct Answers {
    /// Those of the route, as they are.
    parts: Vec<Seen>,
    /// The same as each corruption leaves them.
    changed: Vec<Vec<Seen>>,
    /// The parts that come instead.
    others: Option<Vec<Seen>>,
}

/// Whose parts are wanted.
struct Asked<'a> {
    args: &'a Args,
    settings: &'a Settings,
    plan: &'a Plan,
    line: Line<'a>,
}

impl Asked<'_> {
    /// Shows all pictures in all ways; one that cannot be read ends it.
    fn ask(&self) -> anyhow::Result<Answers> {
        let sensors: Vec<&Name> = self.settings.sensors.keys().collect();
        let set = labelled::read(&self.args.labelled, &sensors)?;
        let plain = self.seen(&set, None)?;
        let route = self.route(&plain)?;
        let kept: Vec<usize> = (0..plain.len()).filter(|&place| plain[place].0 == route).collect();
        let of_route = |all: Vec<(String, Seen)>| kept.iter().map(|&place| all[place].1.clone()).collect::<Vec<Seen>>();
        let ways = self.args.corrupt.iter().map(|way| Ok(of_route(self.seen(&set, Some(*way))?)));
        let changed = ways.collect::<anyhow::Result<Vec<Vec<Seen>>>>()?;
        let others = self.args.others.as_ref().map(|path| -> anyhow::Result<Vec<Seen>> {
            let seen = self.seen(&labelled::read(path, &sensors)?, None)?;
            Ok(seen.into_iter().map(|(_, seen)| seen).collect())
        });
        Ok(Answers { parts: of_route(plain), changed, others: others.transpose()? })
    }

    fn seen(&self, set: &[Labelled], corruption: Option<Corruption>) -> anyhow::Result<Vec<(String, Seen)>> {
        let set: Vec<Labelled> = set.iter().map(|one| Labelled { corruption, ..one.clone() }).collect();
        let seen = |_: &Labelled, walked: &Walked| {
            let last = walked.path.last().map(|&last| self.plan.route(last).name.to_string());
            let quality = walked.part.frames.first().map(|frame| quality(&frame.image));
            let embedding = embedding(walked, &self.line.camera);
            (last.unwrap_or_default(), Seen { score: inspect::judge(walked).score, quality, embedding })
        };
        let seen = runtime()?.block_on(self.line.walk_all(set.iter(), seen));
        let unreadable = seen.iter().filter(|seen| seen.is_none()).count();
        ensure!(unreadable == 0, "{unreadable} of {} pictures cannot be read", seen.len());
        Ok(seen.into_iter().flatten().collect())
    }

    /// The route that is meant.
    fn route(&self, plain: &[(String, Seen)]) -> anyhow::Result<String> {
        if let Some(route) = &self.args.route {
            return Ok(route.to_string());
        }
        let mut taken: Vec<&str> = plain.iter().map(|(route, _)| route.as_str()).collect();
        taken.sort_unstable();
        taken.dedup();
        match taken.as_slice() {
            [only] => Ok((*only).to_owned()),
            several => bail!("the parts take several routes: say with --route which of {}", several.join(", ")),
        }
    }
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report {
    /// Parts that the runs are drawn from.
    parts: usize,
    /// Those of them that become a run's reference.
    reference_parts: usize,
    window: usize,
    parts_per_false_alarm: f64,
    undisturbed: Undisturbed,
    /// In the order in which they were named.
    changes: Vec<Changed>,
}

#[derive(Debug, Serialize)]
struct Undisturbed {
    runs: usize,
    parts_per_run: usize,
    false_alarms: usize,
    /// The most runs with a false alarm that are to be expected, with the standard error of their count.
    promised: f64,
    promised_error: f64,
}

#[derive(Debug, Serialize)]
struct Changed {
    change: String,
    runs: usize,
    /// The runs with an alarm after the change, and the least number of changed parts that there were in any.
    seen: usize,
    parts_to_see: usize,
    /// Runs with an alarm before the change.
    false_alarms: usize,
    /// From the change to the alarm, over the runs that saw it; null where none did.
    parts_until_alarm: Option<Spread>,
    /// In how many runs each statistic had differed.
    statistics: BTreeMap<Statistic, usize>,
}

#[derive(Debug, Serialize)]
struct Spread {
    least: f64,
    tenth: f64,
    median: f64,
    ninth_tenth: f64,
    greatest: f64,
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "counts of runs and parts")]
    fn of(parts: usize, watching: Watching, played: &[(String, Vec<Run>)]) -> Self {
        let plain = played.first().map(|(_, runs)| runs.as_slice()).unwrap_or_default();
        let parts_per_run = plain.first().map_or(0, |run| run.undisturbed);
        let rate = (parts_per_run as f64 / watching.parts_per_false_alarm).min(1.0);
        let runs = plain.len() as f64;
        Self {
            parts,
            reference_parts: (parts / 2).min(MOST),
            window: watching.window,
            parts_per_false_alarm: watching.parts_per_false_alarm,
            undisturbed: Undisturbed {
                runs: plain.len(),
                parts_per_run,
                false_alarms: plain.iter().filter(|run| run.alarm.is_some()).count(),
                promised: runs * rate,
                promised_error: (runs * rate * (1.0 - rate)).sqrt(),
            },
            changes: played.iter().skip(1).map(|(change, runs)| Changed::of(change, runs)).collect(),
        }
    }

    fn text(&self) -> String {
        let Self { parts, reference_parts, window, parts_per_false_alarm, undisturbed, changes } = self;
        let Undisturbed { runs, parts_per_run, false_alarms, promised, promised_error } = undisturbed;
        let mut lines = vec![
            format!(
                "simulated lines of {parts} labelled parts, {reference_parts} of them each time the reference; window {window}, \
                 one false alarm promised among {parts_per_false_alarm} parts"
            ),
            format!(
                "undisturbed: {false_alarms} false alarms in {runs} runs of {parts_per_run} parts; promised at most \
                 {promised:.1}, with a standard error of {promised_error:.1}"
            ),
        ];
        lines.extend(changes.iter().map(Changed::line));
        lines.join("\n")
    }
}

impl Changed {
    #[expect(clippy::cast_precision_loss, reason = "counts of parts")]
    fn of(change: &str, runs: &[Run]) -> Self {
        let alarms: Vec<&Alarm> = runs.iter().filter_map(|run| run.alarm.as_ref()).collect();
        let right: Vec<&Alarm> = alarms.iter().copied().filter(|alarm| !alarm.is_false).collect();
        let mut parts: Vec<f64> = right.iter().map(|alarm| alarm.parts as f64).collect();
        parts.sort_by(f64::total_cmp);
        let at = |share| percentile(&parts, share);
        let spread = || {
            let (least, tenth, median) = (at(0.0)?, at(0.1)?, at(0.5)?);
            Some(Spread { least, tenth, median, ninth_tenth: at(0.9)?, greatest: at(1.0)? })
        };
        let mut statistics = BTreeMap::new();
        for statistic in right.iter().flat_map(|alarm| &alarm.statistics) {
            *statistics.entry(*statistic).or_default() += 1;
        }
        Self {
            change: change.to_owned(),
            runs: runs.len(),
            seen: right.len(),
            parts_to_see: runs.iter().map(|run| run.disturbed).min().unwrap_or_default(),
            false_alarms: alarms.len() - right.len(),
            parts_until_alarm: spread(),
            statistics,
        }
    }

    fn line(&self) -> String {
        let Self { change, runs, seen, parts_to_see, false_alarms, parts_until_alarm, statistics } = self;
        let until = parts_until_alarm.as_ref().map_or_else(String::new, |spread| {
            let Spread { least, tenth, median, ninth_tenth, greatest } = spread;
            format!(
                "; parts until the alarm: median {median}, 10 to 90 % {tenth} to {ninth_tenth}, at least {least}, at most {greatest}"
            )
        });
        let named: Vec<String> =
            statistics.iter().map(|(statistic, runs)| format!("{} in {runs}", statistic.as_str())).collect();
        let named = if named.is_empty() { String::new() } else { format!("; by {}", named.join(", ")) };
        format!(
            "{change}: seen in {seen} of {runs} runs within {parts_to_see} parts or more, {false_alarms} alarms before the \
             change{until}{named}"
        )
    }
}
