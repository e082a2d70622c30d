//! `kenpin chart`: a control chart of the reject rate from the verdicts in a journal.

mod plot;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FINDINGS, load_settings, say};
use crate::flow::verdict::Decision;
use crate::learn::control_chart::{Chart, Point, Subgroup, chart};
use crate::name::Name;
use crate::record::journal::past::Past;

/// Draw a control chart of the reject rate from a journal, and tell where it is more than chance.
///
/// A p-chart: the verdicts, in the order in which they were given, become subgroups of --parts, or of the hours in which they were
/// given; the limits are three standard errors around the mean of all, each by the size of its subgroup. A subgroup is told with
/// the rule of Western Electric that it violates: one beyond three standard errors; two of three beyond two; four of five beyond
/// one; eight in turn on one side. Parts that stay undecided count as parts and not as rejects; those that were interrupted are
/// left out, and so is a last subgroup that is not full yet. The journal may be in use.
///
/// Exit code 1 when a rule is violated, or when there are no verdicts for a chart.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A config (`*.toml`), whose journal is read, or a journal.
    from: PathBuf,
    /// The parts of a subgroup: enough that five rejects are to be expected.
    #[arg(long, default_value_t = 100, value_parser = parts)]
    parts: usize,
    /// Subgroups of so many hours in the place of --parts.
    #[arg(long, conflicts_with = "parts", value_parser = clap::value_parser!(u32).range(1..=8760))]
    hours: Option<u32>,
    /// Only the verdicts of this production run.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    run: Option<Name>,
    /// An SVG file that gets the chart.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn parts(text: &str) -> Result<usize, String> {
    let parts = text.parse().ok().filter(|parts: &usize| (2..=1_000_000).contains(parts));
    parts.ok_or_else(|| "want a number from 2 to 1,000,000".into())
}

/// What is read of a verdict.
#[derive(Debug, Deserialize)]
struct Row {
    run: String,
    verdict: Decision,
    judged: Timestamp,
    /// `None` for a part that was interrupted.
    plan: Option<String>,
}

/// Verdicts that follow one another.
#[derive(Debug, Clone)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    subgroup: Subgroup,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report {
    /// Parts that have no full subgroup yet.
    left_out: usize,
    mean: f64,
    in_control: bool,
    subgroups: Vec<Told>,
}

#[derive(Debug, Serialize)]
struct Told {
    /// The first and the last verdict, UTC.
    from: Timestamp,
    to: Timestamp,
    #[serde(flatten)]
    point: Point,
}

/// Reads, charts, prints, draws.
///
/// # Errors
/// When the journal cannot be read or the picture cannot be written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let path = if args.from.extension().is_some_and(|extension| extension == "toml") {
        match load_settings(&args.from) {
            Ok(settings) => settings.journal.path,
            Err(code) => return Ok(code),
        }
    } else {
        args.from.clone()
    };
    let judged = verdicts(&path, args.run.as_ref())?;
    let mut stretches: Vec<Stretch> = Vec::new();
    for one in &judged {
        put(&mut stretches, one, args);
    }
    let full = |stretch: &Stretch| args.hours.is_some() || stretch.subgroup.parts == args.parts;
    let left_out = stretches.pop_if(|last| !full(last)).map_or(0, |last| last.subgroup.parts);
    let subgroups: Vec<Subgroup> = stretches.iter().map(|stretch| stretch.subgroup).collect();
    let Some(Chart { mean, points }) = chart(&subgroups) else {
        let (path, seen) = (path.display(), judged.len());
        eprintln!("kenpin: {path}: {seen} verdicts make no full subgroup, and so no chart");
        return Ok(ExitCode::from(FINDINGS));
    };
    let in_control = points.iter().all(|point| point.violated.is_empty());
    let subgroups: Vec<Told> =
        stretches.into_iter().zip(points).map(|(Stretch { from, to, .. }, point)| Told { from, to, point }).collect();
    let report = Report { left_out, mean, in_control, subgroups };
    say(if args.json { serde_json::to_string_pretty(&report)? } else { report.text() })?;
    if let Some(path) = &args.plot {
        plot::draw(&report, path)?;
    }
    Ok(if in_control { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// The verdicts on parts that were judged.
fn verdicts(path: &Path, run: Option<&Name>) -> anyhow::Result<Vec<Row>> {
    let (past, mut judged) = (Past::open(path)?, Vec::new());
    for seq in past.first_seq()?.unwrap_or(1)..=past.last_seq() {
        // What is kept no more leaves no gap in the chart.
        let Some(body) = past.verdict(seq)? else { continue };
        let one: Row =
            serde_json::from_slice(&body).with_context(|| format!("{}, verdict {seq}, is none", path.display()))?;
        if one.plan.is_some() && run.is_none_or(|run| one.run == run.as_str()) {
            judged.push(one);
        }
    }
    if judged.is_empty() {
        bail!("{} holds no verdict on a part that was judged", path.display());
    }
    Ok(judged)
}

/// Puts a verdict into the last subgroup, or begins one with it.
fn put(stretches: &mut Vec<Stretch>, one: &Row, args: &Args) {
    let hour = |at: Timestamp| args.hours.map(|hours| at.as_second().div_euclid(3600 * i64::from(hours)));
    let goes_on = |last: &Stretch| match args.hours {
        Some(_) => hour(last.to) == hour(one.judged),
        None => last.subgroup.parts < args.parts,
    };
    let rejected = usize::from(one.verdict == Decision::Reject);
    if let Some(last) = stretches.last_mut().filter(|last| goes_on(last)) {
        last.to = one.judged;
        last.subgroup.parts += 1;
        last.subgroup.rejected += rejected;
    } else {
        let subgroup = Subgroup { parts: 1, rejected };
        stretches.push(Stretch { from: one.judged, to: one.judged, subgroup });
    }
}

impl Report {
    fn text(&self) -> String {
        let parts: usize = self.subgroups.iter().map(|told| told.point.subgroup.parts).sum();
        let rate = 100.0 * self.mean;
        let mut lines = vec![format!("{parts} parts in {} subgroups, {rate:.2} % rejected", self.subgroups.len())];
        lines.extend(self.subgroups.iter().filter_map(Told::line));
        lines.push(if self.in_control { "in control" } else { "out of control" }.to_owned());
        if self.left_out > 0 {
            lines.push(format!("the newest {} parts wait for their subgroup to be full", self.left_out));
        }
        lines.join("\n")
    }
}

impl Told {
    fn line(&self) -> Option<String> {
        let Point { subgroup: Subgroup { parts, rejected }, distance, violated, .. } = &self.point;
        let rules: Vec<&str> = violated.iter().map(|rule| rule.as_str()).collect();
        let (from, to) = (self.from, self.to);
        let told = || format!("{from} to {to}: {rejected} of {parts}, {distance:+.1} standard errors: ");
        (!rules.is_empty()).then(|| told() + &rules.join("; "))
    }
}
