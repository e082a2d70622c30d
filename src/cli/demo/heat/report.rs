//! What the demo with heat tells: what each rung did, and what each change of rung cost. Every figure is computed from the
//! messages that the subscriber received and from ELPV's labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::cli::demo::cells::{Cell, write};
use crate::cli::demo::inspection::{Seen, lines, parsed};
use crate::cli::{FINDINGS, say};
use crate::flow::publish::message::{GovernorMessage, VerdictMessage};
use crate::flow::verdict::Decision;
use crate::learn::metrics::percentile;
use crate::name::Name;

/// Parts behind a change of rung whose latency is counted as that of the change: a second of the line.
const AFTER: usize = 20;

/// The demo's figures.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    /// What was no real thing.
    simulated: &'static str,
    parts: usize,
    /// Cells without a verdict.
    lost: usize,
    /// Messages beyond the first for one part.
    duplicates: usize,
    /// In the order in which they were first in force.
    rungs: Vec<Rung>,
    switches: Vec<Switch>,
}

/// What was judged on one rung.
#[derive(Debug, Serialize)]
struct Rung {
    name: Name,
    /// The models that its verdicts name.
    models: BTreeSet<String>,
    /// The fit that its verdicts name, SHA-256.
    fits: BTreeSet<String>,
    parts: usize,
    defective: usize,
    escapes: usize,
    false_rejects: usize,
    undecided: usize,
    /// From capture to verdict.
    latency_ms: Latency,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: Option<f64>,
    p99: Option<f64>,
    worst: Option<f64>,
}

/// A change of rung, as the verdicts show it.
#[derive(Debug, Serialize)]
struct Switch {
    from: Name,
    to: Name,
    /// The first verdict behind it.
    seq: u64,
    /// What the governor told of it.
    told: Option<String>,
    /// The latest verdict of the second behind it, from capture to verdict.
    worst_ms: f64,
    /// By how much that is above the median of the same rung.
    added_ms: f64,
}

/// Writes the files, prints the tables.
pub(super) fn tell(cells: &[Cell], seen: &Seen, out: &Path) -> anyhow::Result<ExitCode> {
    let governed: Vec<GovernorMessage> = parsed(&seen.governed)?;
    let report = report(cells, parsed(&seen.verdicts)?, &governed)?;
    write(&out.join("verdicts.jsonl"), lines(&seen.verdicts))?;
    write(&out.join("governor.jsonl"), lines(&seen.governed))?;
    write(&out.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    let Report { parts, lost, duplicates, switches, .. } = &report;
    say(rungs(&report.rungs))?;
    for switch in switches {
        say(told(switch))?;
    }
    say(format_args!(
        "{parts} parts, {lost} lost, {duplicates} duplicates, {} changes of rung; the board and its heat are simulated\n\
         Wrote {out}/report.json, {out}/verdicts.jsonl, {out}/governor.jsonl, {out}/fits and {out}/kenpin.toml.",
        switches.len(),
        out = out.display()
    ))?;
    let whole = *lost == 0 && *duplicates == 0 && !switches.is_empty();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// A verdict with what is asked of it here.
struct Judged<'m> {
    rung: &'m Name,
    message: &'m VerdictMessage,
    defective: bool,
    milliseconds: f64,
}

fn report(cells: &[Cell], mut messages: Vec<VerdictMessage>, governed: &[GovernorMessage]) -> anyhow::Result<Report> {
    let sent = messages.len();
    // Two parts may be judged in another order than they were captured in; rungs change between captures.
    messages.sort_by_key(|message| (message.captured, message.seq));
    let truth: BTreeMap<&str, bool> = cells.iter().map(|cell| (cell.name.as_str(), cell.defective)).collect();
    let mut met = BTreeSet::new();
    messages.retain(|message| truth.contains_key(message.part.as_str()) && met.insert(message.part.clone()));
    let judged = messages.iter().map(|message| {
        let rung = message.rung.as_ref().with_context(|| format!("verdict {} names no rung", message.seq))?;
        let milliseconds = message.milliseconds.with_context(|| format!("verdict {} has no times", message.seq))?.total;
        Ok(Judged { rung, message, defective: truth[message.part.as_str()], milliseconds })
    });
    let judged = judged.collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(!judged.is_empty(), "no verdict arrived");
    let mut names: Vec<&Name> = Vec::new();
    for one in &judged {
        if !names.contains(&one.rung) {
            names.push(one.rung);
        }
    }
    Ok(Report {
        schema: "kenpin.demo-heat/1",
        simulated: "the board, its temperature and its clocks; the pictures, the models and the times are real",
        parts: judged.len(),
        lost: cells.len() - judged.len(),
        duplicates: sent - judged.len(),
        rungs: names.into_iter().map(|name| rung(name, &judged)).collect(),
        switches: switches(&judged, governed),
    })
}

fn rung(name: &Name, judged: &[Judged<'_>]) -> Rung {
    let of: Vec<&Judged<'_>> = judged.iter().filter(|one| one.rung == name).collect();
    let count = |wanted: &dyn Fn(&Judged<'_>) -> bool| of.iter().filter(|one| wanted(one)).count();
    let milliseconds: Vec<f64> = of.iter().map(|one| one.milliseconds).collect();
    let votes = of.iter().flat_map(|one| &one.message.votes);
    Rung {
        name: name.clone(),
        models: votes.map(|vote| vote.answer.model.to_string()).collect(),
        fits: of.iter().filter_map(|one| one.message.fit.clone()).collect(),
        parts: of.len(),
        defective: count(&|one| one.defective),
        escapes: count(&|one| one.defective && one.message.verdict == Decision::Pass),
        false_rejects: count(&|one| !one.defective && one.message.verdict == Decision::Reject),
        undecided: count(&|one| one.message.verdict == Decision::Undecided),
        latency_ms: Latency {
            p50: percentile(&milliseconds, 0.5),
            p99: percentile(&milliseconds, 0.99),
            worst: percentile(&milliseconds, 1.0),
        },
    }
}

/// Where the rung of one part is another than that of the part before it.
fn switches(judged: &[Judged<'_>], governed: &[GovernorMessage]) -> Vec<Switch> {
    let borders = (1..judged.len()).filter(|&place| judged[place].rung != judged[place - 1].rung);
    let of_rung = |rung: &Name| {
        let times: Vec<f64> = judged.iter().filter(|one| one.rung == rung).map(|one| one.milliseconds).collect();
        percentile(&times, 0.5).unwrap_or_default()
    };
    borders
        .map(|place| {
            let (from, first) = (judged[place - 1].rung, &judged[place]);
            let behind = judged[place..].iter().take(AFTER).take_while(|one| one.rung == first.rung);
            let worst_ms = behind.map(|one| one.milliseconds).fold(0.0, f64::max);
            // The newest that the governor told of this change before the part was judged.
            let told = governed.iter().rev().map(|message| &message.governed).find(|governed| {
                let change = (governed.from.as_ref(), &governed.rung) == (Some(from), first.rung);
                change && governed.since <= first.message.judged
            });
            Switch {
                from: from.clone(),
                to: first.rung.clone(),
                seq: first.message.seq,
                told: told.and_then(|governed| governed.told.clone()),
                worst_ms,
                added_ms: worst_ms - of_rung(first.rung),
            }
        })
        .collect()
}

fn told(switch: &Switch) -> String {
    let Switch { from, to, seq, told, worst_ms, added_ms } = switch;
    let told = told.as_deref().unwrap_or("the governor told nothing of it");
    format!(
        "verdict {seq}, {from} -> {to}: {told}\n  slowest of the second behind it {worst_ms:.1} ms, {added_ms:.1} above the rung's median"
    )
}

/// The table of the rungs.
fn rungs(rungs: &[Rung]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "rung",
        "models",
        "parts",
        "escapes",
        "false rejects",
        "undecided",
        "p50 ms",
        "p99 ms",
        "worst ms",
    ]);
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.1}"));
    for rung in rungs {
        let good = rung.parts - rung.defective;
        table.add_row([
            rung.name.to_string(),
            rung.models.iter().cloned().collect::<Vec<_>>().join(", "),
            rung.parts.to_string(),
            format!("{} of {}", rung.escapes, rung.defective),
            format!("{} of {good}", rung.false_rejects),
            rung.undecided.to_string(),
            number(rung.latency_ms.p50),
            number(rung.latency_ms.p99),
            number(rung.latency_ms.worst),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
