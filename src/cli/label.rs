//! `kenpin label`: what a person says a judged part really is, and what people are asked to look at. Beside a running daemon or
//! without one; the journal says how.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::{FINDINGS, load_settings, say, start_logging};
use crate::config::Settings;
use crate::flow::publish::message::VerdictMessage;
use crate::flow::review::Truth;
use crate::flow::verdict::Decision;
use crate::name::Name;
use crate::record::images;
use crate::record::journal::JournalError;
use crate::record::journal::beside::Beside;
use crate::record::journal::labels::{Label, NewLabel, Way};

/// Say what a judged part really is, or list what was said and what waits to be looked at.
///
/// `kenpin label kenpin.toml 17 bad` confirms or overrules verdict 17 of the journal; a later label on the same verdict stands in
/// its place, and both are kept with who said so and when. `kenpin fit --journal` learns from them.
///
/// With a table `[review]` in the config each verdict says whether a person is asked to look at it: at every rejected and undecided
/// part, and at a random share of the passed ones. --queue lists those that nobody has labelled, oldest first. Label them as they
/// come: whoever leaves out what is hard makes every figure too good. A label on a verdict that was not put up for review is kept,
/// and not learned from, for nobody knows how likely it was to be labelled.
///
/// The label goes straight into the journal's file and is on the disk when the command ends; a running daemon need not be told.
/// Over MQTT the same is the command `label`, see `kenpin schema --messages`. Exit code 1 for a verdict that is not there.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config whose journal it is.
    config: PathBuf,
    /// The sequence number of the verdict.
    #[arg(required_unless_present_any = ["list", "queue"])]
    seq: Option<u64>,
    /// What the part really is: good or bad.
    #[arg(value_parser = truth, required_unless_present_any = ["list", "queue"])]
    truth: Option<Truth>,
    /// What kind of defect, or of good part, it is: kept and listed.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| Name::new(text))]
    class: Option<Name>,
    /// Who says so; the user's name from $USER when not given.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| Name::new(text))]
    by: Option<Name>,
    /// List the labels, the newest last.
    #[arg(long, conflicts_with_all = ["seq", "truth", "class", "by", "queue"])]
    list: bool,
    /// List what is put up for review and has no label.
    #[arg(long, conflicts_with_all = ["seq", "truth", "class", "by"])]
    queue: bool,
    /// With --queue: how many, the oldest first.
    #[arg(long, default_value_t = 50, requires = "queue")]
    limit: usize,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn truth(text: &str) -> Result<Truth, String> {
    let found = [Truth::Good, Truth::Bad].into_iter().find(|truth| truth.as_str() == text);
    found.ok_or_else(|| "want good or bad".into())
}

/// Labels, or lists.
///
/// # Errors
/// When the journal cannot be read or written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let settings = match load_settings(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let mut journal = Beside::open(&settings.journal)?;
    match (args.seq, args.truth) {
        (Some(seq), Some(truth)) => label(args, &mut journal, seq, truth),
        _ if args.queue => queue(args, &settings, &journal),
        _ => list(args, &journal),
    }
}

/// What is printed as JSON of a label that was taken.
#[derive(Debug, Serialize)]
struct Told {
    seq: u64,
    part: String,
    truth: Truth,
    by: Name,
    /// The label that stood before.
    before: Option<Label>,
    /// Whether the same person had said the same: then nothing was written.
    said_before: bool,
}

fn label(args: &Args, journal: &mut Beside, seq: u64, truth: Truth) -> anyhow::Result<ExitCode> {
    let by = match &args.by {
        Some(by) => by.clone(),
        None => user()?,
    };
    let label = NewLabel { epoch: journal.epoch(), seq, truth, class: args.class.clone(), by, way: Way::Cli };
    let taken = match journal.label(&label) {
        Ok(taken) => taken,
        Err(error @ (JournalError::NoVerdict { .. } | JournalError::Pruned { .. })) => {
            eprintln!("kenpin: {error}");
            return Ok(ExitCode::from(FINDINGS));
        }
        Err(error) => return Err(error.into()),
    };
    let text = taken.to_string();
    if args.json {
        let (before, said_before) = (taken.before, taken.said_before);
        let told = Told { seq: taken.seq, part: taken.part, truth: taken.truth, by: taken.by, before, said_before };
        say(serde_json::to_string_pretty(&told)?)?;
    } else {
        say(text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Who is logged in.
fn user() -> anyhow::Result<Name> {
    let name = std::env::var("USER").context("who says so? $USER is not set: say it with --by NAME")?;
    Name::new(&name).with_context(|| format!("$USER is {name:?}: say with --by NAME who says so"))
}

fn list(args: &Args, journal: &Beside) -> anyhow::Result<ExitCode> {
    let labels = journal.labels()?;
    if args.json {
        say(serde_json::to_string_pretty(&labels)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table(["verdict", "is", "class", "who", "when", "over", "chance of review"]);
    for Label { seq, truth, class, by, at, way, probability, superseded } in labels {
        let chance = probability.map_or_else(|| "not put up".into(), |chance| chance.to_string());
        let truth = if superseded { format!("{}, superseded", truth.as_str()) } else { truth.as_str().into() };
        table.add_row([seq.to_string(), truth, class.unwrap_or_default(), by, at, way.as_str().into(), chance]);
    }
    say(table)?;
    Ok(ExitCode::SUCCESS)
}

/// A verdict that somebody should look at.
#[derive(Debug, Serialize)]
struct Waiting {
    seq: u64,
    run: String,
    part: String,
    verdict: Decision,
    /// The fused probability of a defect; null where nothing could be fused.
    score: Option<f64>,
    /// How likely such a verdict is to be put up for review.
    probability: Option<f64>,
    /// When it was reached, in UTC.
    judged: jiff::Timestamp,
    /// Its frames, where they are kept.
    pictures: Vec<PathBuf>,
}

/// What is printed as JSON of the queue.
#[derive(Debug, Serialize)]
struct Queue {
    /// The identity of the journal, for labels over MQTT.
    epoch: uuid::Uuid,
    /// How many wait, those that are not listed too.
    waiting: u64,
    verdicts: Vec<Waiting>,
}

fn queue(args: &Args, settings: &Settings, journal: &Beside) -> anyhow::Result<ExitCode> {
    let mut bodies = Vec::new();
    journal.each_unanswered(args.limit, |seq, body| bodies.push((seq, body)))?;
    let verdicts = bodies.into_iter().map(|(seq, body)| waiting(settings, seq, &body));
    let verdicts = verdicts.collect::<anyhow::Result<Vec<Waiting>>>()?;
    let queue = Queue { epoch: journal.epoch(), waiting: journal.count_unanswered()?, verdicts };
    if args.json {
        say(serde_json::to_string_pretty(&queue)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table(["verdict", "part", "says", "score", "chance of review", "pictures"]);
    for Waiting { seq, part, verdict, score, probability, pictures, .. } in &queue.verdicts {
        let number = |number: Option<f64>| number.map(|number| format!("{number:.4}")).unwrap_or_default();
        let pictures: Vec<String> = pictures.iter().map(|path| path.display().to_string()).collect();
        let says = verdict.as_str().to_owned();
        table.add_row([seq.to_string(), part.clone(), says, number(*score), number(*probability), pictures.join("\n")]);
    }
    say(table)?;
    say(format!("{} wait in epoch {}, {} are listed", queue.waiting, queue.epoch, queue.verdicts.len()))?;
    Ok(ExitCode::SUCCESS)
}

fn waiting(settings: &Settings, seq: u64, body: &[u8]) -> anyhow::Result<Waiting> {
    let verdict = verdict_of(seq, body)?;
    Ok(Waiting {
        seq,
        pictures: pictures(settings, &verdict),
        run: verdict.run,
        part: verdict.part,
        verdict: verdict.verdict,
        score: verdict.score,
        probability: verdict.review.map(|review| review.probability),
        judged: verdict.judged,
    })
}

/// The verdict that a body in the journal is.
///
/// # Errors
/// When it is none that this build reads.
pub(super) fn verdict_of(seq: u64, body: &[u8]) -> anyhow::Result<VerdictMessage> {
    serde_json::from_slice(body).with_context(|| format!("verdict {seq} in the journal is no verdict of this build"))
}

/// The pictures of a verdict that are kept.
pub(super) fn pictures(settings: &Settings, verdict: &VerdictMessage) -> Vec<PathBuf> {
    let cameras = verdict.frames.iter().map(|frame| &frame.camera);
    images::kept(settings.images.as_ref(), verdict.epoch, verdict.seq, cameras)
}

fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(header);
    table
}
