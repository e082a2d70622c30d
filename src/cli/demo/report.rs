//! What the demo tells: the table, `report.json`, `verdicts.jsonl`. Every figure is computed from the messages that the
//! subscriber received and from ELPV's labels.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use serde::Serialize;

use super::Args;
use super::cells::{Cell, write};
use super::inspection::{Seen, lines, parsed};
use super::stage::Stage;
use crate::cli::table::{Agreement, Judged};
use crate::cli::{FINDINGS, say};
use crate::flow::publish::message::VerdictMessage;
use crate::flow::verdict::Decision;
use crate::learn::metrics::percentile;

/// The demo's figures.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    /// Parts with a verdict among the test cells.
    verdicts: usize,
    /// Test cells without a verdict.
    lost: usize,
    /// Messages beyond the first for one part.
    duplicates: usize,
    /// Verdicts in which something ran on other than what was asked for first.
    degraded: usize,
    parts_per_second: Option<f64>,
    /// From capture to verdict.
    latency_ms: Latency,
    /// The gate's answers over the cells whose type was not told.
    gate: Gate,
    /// Graph nodes stand in the verdicts; here the backends that answered, with their votes.
    backends: BTreeMap<String, usize>,
    #[serde(flatten)]
    agreement: Agreement,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: Option<f64>,
    p99: Option<f64>,
}

#[derive(Debug, Default, Serialize)]
struct Gate {
    asked: usize,
    right: usize,
}

/// Writes the files, prints the table.
pub(super) fn tell(stage: &Stage, seen: &Seen, args: &Args) -> anyhow::Result<ExitCode> {
    let messages: Vec<VerdictMessage> = parsed(&seen.verdicts)?;
    let report = report(stage, &messages);
    write(&args.out.join("verdicts.jsonl"), lines(&seen.verdicts))?;
    write(&args.out.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    say(text(&report, seen, args))?;
    Ok(if report.lost == 0 && report.duplicates == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

fn report(stage: &Stage, messages: &[VerdictMessage]) -> Report {
    let cells: BTreeMap<&str, &Cell> = stage.cells.iter().map(|cell| (cell.name.as_str(), cell)).collect();
    let mut met = BTreeSet::new();
    let first: Vec<(&Cell, &VerdictMessage)> = messages
        .iter()
        .filter_map(|message| Some((*cells.get(message.part.as_str())?, message)))
        .filter(|(cell, _)| met.insert(cell.name.as_str()))
        .collect();
    let verdict_on: BTreeMap<&str, &VerdictMessage> =
        first.iter().map(|(cell, message)| (cell.name.as_str(), *message)).collect();
    let judged: Vec<Judged> =
        stage.cells.iter().map(|cell| judged(cell, verdict_on.get(cell.name.as_str()).copied())).collect();
    let totals: Vec<f64> = first.iter().filter_map(|(_, message)| Some(message.milliseconds?.total)).collect();
    let mut backends = BTreeMap::new();
    for vote in messages.iter().flat_map(|message| &message.votes) {
        let backend = vote.answer.placement.as_ref().map_or("none", |placement| placement.backend.as_str());
        *backends.entry(backend.to_owned()).or_default() += 1;
    }
    Report {
        schema: "kenpin.demo/1",
        verdicts: first.len(),
        lost: cells.len() - first.len(),
        duplicates: messages.len() - first.len(),
        degraded: messages.iter().filter(|message| !message.degraded.is_empty()).count(),
        parts_per_second: rate(messages),
        latency_ms: Latency { p50: percentile(&totals, 0.5), p99: percentile(&totals, 0.99) },
        gate: gate(&first),
        backends,
        agreement: Agreement::of(&judged),
    }
}

/// A verdict beside its truth; a lost one counts as undecided.
fn judged(cell: &Cell, message: Option<&VerdictMessage>) -> Judged {
    let Some(message) = message else {
        let (decision, score, members) = (Decision::Undecided, None, Vec::new());
        return Judged { defective: cell.defective, decision, score, members, reject_from: f64::INFINITY };
    };
    let asked = message.votes.iter().filter(|vote| vote.answer.not_asked.is_none());
    Judged {
        defective: cell.defective,
        decision: message.verdict,
        score: message.score,
        members: asked.map(|vote| (vote.answer.model.to_string(), vote.score)).collect(),
        reject_from: message.thresholds.map_or(f64::INFINITY, |thresholds| thresholds.reject_from),
    }
}

/// How often the gate picked the route of the cell's real type.
fn gate(first: &[(&Cell, &VerdictMessage)]) -> Gate {
    let mut gate = Gate::default();
    for (cell, message) in first.iter().filter(|(_, message)| !message.gates.is_empty()) {
        gate.asked += 1;
        gate.right += usize::from(message.route.last().is_some_and(|route| route.as_str() == cell.kind));
    }
    gate
}

/// Parts per second from the first capture to the last verdict.
#[expect(clippy::cast_precision_loss, reason = "a count of parts stays far below 2^53")]
fn rate(messages: &[VerdictMessage]) -> Option<f64> {
    let first = messages.iter().filter_map(|message| message.captured).min()?;
    let last = messages.iter().map(|message| message.judged).max()?;
    let seconds = last.duration_since(first).as_secs_f64();
    (seconds > 0.0).then(|| messages.len() as f64 / seconds)
}

/// The table and what stands around it, for people.
fn text(report: &Report, seen: &Seen, args: &Args) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.1}"));
    let Report { verdicts, lost, duplicates, degraded, gate, .. } = report;
    let (parts, rate) = (report.agreement.fused.parts, number(report.parts_per_second));
    let (p50, p99) = (number(report.latency_ms.p50), number(report.latency_ms.p99));
    let (asked, right) = (gate.asked, gate.right);
    let (table, out, broker) = (report.agreement.table(), args.out.display(), seen.broker);
    format!(
        "{table}
{parts} parts, {verdicts} verdicts, {lost} lost, {duplicates} duplicates, {degraded} degraded
{rate} parts/s; capture to verdict {p50} ms (p50), {p99} ms (p99)
{asked} cells came without type text; the gate picked the right specialist for {right}

An undecided part counts as wrong. Members are counted over the parts they were asked about.
Wrote {out}/report.json, {out}/verdicts.jsonl and {out}/kenpin.toml.
The broker is open while the demo runs; subscribe beside it:
  make demo DEMO='--hold-s 10'
  mosquitto_sub -V 5 -h {} -p {} -t 'kenpin/#' -v",
        broker.ip(),
        broker.port()
    )
}
