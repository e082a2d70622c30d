//! `kenpin gauge`: the attribute gauge study of people and machines, from a CSV list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use comfy_table::{CellAlignment, Table, presets};
use serde::Deserialize;

use super::{FINDINGS, say};
use crate::learn::gauge::{Gauge, Grade, Inspector, Says, Share, Study, gauge};

/// Do inspectors, people and machines alike, agree with themselves, with each other and with what the parts really are?
///
/// STUDY.csv has the columns `part`, `reference` (good or defective), `inspector`, `trial` and `says` (good, defective or
/// undecided), a line for each time a part was shown. Show every part to every inspector equally often, at least twice, in an
/// order nobody knows: 50 parts, a third of them defective and as many at the limit, three times, is usual. Kenpin takes part as
/// an inspector like any other: run the parts past it once for each trial, and write down its verdicts.
///
/// Repeatability: parts of which an inspector said the same each time. Effectiveness: parts of which it said what they are, each
/// time. Misses are defective parts called good, false alarms good ones called defective, both as shares of the trials. Kappa is
/// the agreement beyond chance: above 0.75 is good, below 0.4 poor. An inspector is acceptable with an effectiveness of at least
/// 90 %, 2 % misses and 5 % false alarms, marginal to 80, 5 and 10 % (AIAG, Measurement Systems Analysis, 4th edition).
///
/// Exit code 1 when an inspector is unacceptable.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The list.
    #[arg(value_name = "STUDY.csv")]
    study: PathBuf,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
}

/// One line of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    part: String,
    reference: Says,
    inspector: String,
    trial: String,
    says: Says,
}

/// Reads, reckons, prints.
///
/// # Errors
/// When the list cannot be read or is no study.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shown = args.study.display();
    let told = gauge(&read(&args.study)?).map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
    say(if args.json { serde_json::to_string_pretty(&told)? } else { text(&told) })?;
    let bad = told.inspectors.iter().any(|inspector| inspector.grade == Grade::Unacceptable);
    Ok(if bad { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
}

/// Trials by inspector and part, a part being known by its place.
type Trials = BTreeMap<String, BTreeMap<usize, BTreeMap<String, Says>>>;

fn read(path: &Path) -> anyhow::Result<Study> {
    let shown = path.display();
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .with_context(|| format!("{shown} cannot be read"))?;
    let (mut places, mut parts, mut reference): (BTreeMap<String, usize>, Vec<String>, Vec<Says>) = Default::default();
    let mut trials = Trials::new();
    for row in reader.deserialize() {
        let Row { part, reference: is, inspector, trial, says } =
            row.with_context(|| format!("{shown}: want the columns part, reference, inspector, trial and says"))?;
        let place = *places.entry(part.clone()).or_insert_with(|| {
            parts.push(part.clone());
            reference.push(is);
            parts.len() - 1
        });
        ensure!(reference.get(place) == Some(&is), "{shown}: the reference of part {part} is told in two ways");
        let of_part = trials.entry(inspector.clone()).or_default().entry(place).or_default();
        if of_part.insert(trial.clone(), says).is_some() {
            bail!("{shown}: trial {trial} of part {part} by {inspector} is told twice");
        }
    }
    let mut inspectors = Vec::new();
    for (name, mut of_parts) in trials {
        let said = parts.iter().enumerate().map(|(place, part)| {
            let said = of_parts.remove(&place).with_context(|| format!("{shown}: {name} was not shown part {part}"))?;
            Ok(said.into_values().collect())
        });
        let said = said.collect::<anyhow::Result<Vec<Vec<Says>>>>()?;
        inspectors.push((name, said));
    }
    Ok(Study { reference, inspectors })
}

fn text(told: &Gauge) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let Gauge { parts, defective, trials, .. } = told;
    let header = format!("{parts} parts, {defective} defective, {trials} trials");
    table.set_header([&header, "repeatability", "effectiveness", "kappa", "misses", "false alarms", "grade"]);
    for Inspector { name, repeatability, effectiveness, kappa, misses, false_alarms, grade, .. } in &told.inspectors {
        table.add_row([
            name.clone(),
            share(repeatability.as_ref()),
            share(Some(effectiveness)),
            number(*kappa),
            share(misses.as_ref()),
            share(false_alarms.as_ref()),
            format!("{grade:?}").to_lowercase(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let between = told.between.as_ref().map(|between| {
        format!("\nall inspectors said the same of {}, kappa {}", share(Some(between)), number(told.kappa_between))
    });
    format!("{table}{}\nin brackets: exact 95 % intervals (Clopper and Pearson)", between.unwrap_or_default())
}

fn share(share: Option<&Share>) -> String {
    share.map_or_else(
        || "-".to_owned(),
        |Share { value, low, high, .. }| {
            let percent = |share: &f64| 100.0 * share;
            format!("{:.1} % ({:.1} to {:.1})", percent(value), percent(low), percent(high))
        },
    )
}

fn number(kappa: Option<f64>) -> String {
    kappa.map_or_else(|| "-".to_owned(), |kappa| format!("{kappa:.3}"))
}
