//! The learning curve of every head over a labelled set, as a table, JSON and a picture.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::ProgressBar;
use serde::Serialize;

use super::embed::Embedder;
use super::examples::Gathered;
use super::out::shown;
use super::{Args, plot, untaught};
use crate::cli::say;
use crate::learn::teach::curve::{Measured, Point, points};
use crate::learn::teach::{Examples, Learner};
use crate::name::Name;

/// Every head, as the command line calls it.
const MEASURED: [(&str, Measured); 4] = [
    ("prototype", Measured::Head(Learner::Prototype)),
    ("ridge", Measured::Head(Learner::Ridge)),
    ("logistic", Measured::Head(Learner::Logistic)),
    ("memory-bank", Measured::Bank),
];

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report<'r> {
    embedding: &'r Name,
    /// Parts that examples were drawn from and that were judged.
    parts: usize,
    /// Those of them that are defective.
    defective: usize,
    /// Parts that the embedding model was trained on, which are left out; `None` where nobody said what it was trained on.
    left_out: Option<usize>,
    points: Vec<Point>,
}

/// Measures, prints and draws.
///
/// # Errors
/// [`super::Untaught`] when there are too few parts; else when something cannot be written.
pub(super) fn run(args: &Args, embedder: &Embedder, gathered: &Gathered) -> anyhow::Result<()> {
    let mut parts = gathered.examples.only(|place| gathered.counts(place));
    // Good against any defect.
    parts.classes.iter_mut().for_each(|class| *class = (*class).min(1));
    parts = Examples { count: 2, ..parts };
    let progress = ProgressBar::new(args.curve.len() as u64);
    let mut told = Vec::new();
    for examples in &args.curve {
        told.extend(points(&MEASURED, &parts, *examples as usize, args.draws as usize).map_err(untaught)?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let report = Report {
        embedding: &embedder.model().passport.name,
        parts: parts.classes.len(),
        defective: parts.counts()[1],
        left_out: gathered.seen.as_ref().map(|seen| seen.iter().filter(|is| **is).count()),
        points: told,
    };
    if let Some(path) = &args.plot {
        plot::draw(report.embedding.as_str(), &report.points, path)?;
    }
    say(if args.json { serde_json::to_string_pretty(&report)? } else { text(&report) })
}

fn text(report: &Report<'_>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let parts = format!("{} parts, {} defective", report.parts, report.defective);
    table.set_header([&parts, "examples a class", "balanced accuracy", "ROC AUC"]);
    for Point { head, examples, balanced_accuracy, auc, .. } in &report.points {
        let accuracy = balanced_accuracy.as_ref().map_or_else(|| "no threshold".to_owned(), shown);
        table.add_row([(*head).to_owned(), examples.to_string(), accuracy, shown(auc)]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let left_out = match report.left_out {
        Some(count) => format!("left out, for the embedding model was trained on them: {count}"),
        None => "whether the embedding model was trained on any of them was not said (--trained, --pixels)".to_owned(),
    };
    let draws = report.points.first().map_or(0, |point| point.draws);
    format!(
        "{table}\n{left_out}\nmeans over {draws} draws of the examples, with 95 % intervals over the draws; a memory bank is taught the \
         good ones alone"
    )
}
