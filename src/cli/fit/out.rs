//! What `kenpin fit` prints: the evidence in a table, then what was fitted and what is promised of it.

use std::fmt::Write as _;
use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::boxes;
use super::journal::{self, Census};
use crate::config::Thresholds;
use crate::fusion::adaptive::{Feature, Tilt};
use crate::fusion::calibrator::Calibrator;
use crate::fusion::classes::ClassWeights;
use crate::fusion::concatenation::Concatenation;
use crate::fusion::measured::Measured;
use crate::learn::class_weights::EVENTS;
use crate::models::fit::{
    Evidence, Fit, FittedMember, MeasuredEvidence, Paired, Promise, Ranked, RankedClass, RankedValue,
};
use crate::name::Name;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The file; `None` where nothing was written.
    pub(super) written: Option<PathBuf>,
    /// Why nothing was written.
    pub(super) not_written: Option<String>,
    /// Labelled parts that were not used: of other routes, or told as left out.
    pub(super) left_out: usize,
    /// What became of the labels in the journal, where the parts come from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<Census>,
    /// Rungs of the route on which members judge and that have no fit yet: the line does not start until they have.
    pub(super) unfitted: Vec<Name>,
    pub(super) fit: Fit,
}

/// The same for people.
pub(super) fn text(report: &Report) -> String {
    let fit = &report.fit;
    let mut text = match (&fit.boxes, &fit.evidence) {
        (Some(boxes), _) => boxes::out::table(boxes).to_string(),
        (None, Some(evidence)) => table(evidence).to_string(),
        (None, None) => String::new(),
    };
    for line in lines(report, fit) {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{line}");
    }
    text
}

fn table(evidence: &Evidence) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let parts = format!("{} parts, {} defective", evidence.parts, evidence.defective);
    table.set_header([&parts, "ROC AUC (95 % interval)", "average precision", "log loss"]);
    let several = evidence.control.is_some();
    let methods = evidence.methods.iter().filter(|_| several);
    for Ranked { name, log_loss, average_precision, auc } in
        evidence.members.iter().chain(methods).chain([&evidence.fused])
    {
        let area = format!("{:.4} ({:.4} to {:.4})", auc.value, auc.low, auc.high);
        table.add_row([name.clone(), area, format!("{average_precision:.4}"), format!("{log_loss:.4}")]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn lines(report: &Report, fit: &Fit) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(control) = fit.evidence.as_ref().and_then(|evidence| evidence.control.as_ref()) {
        let (name, test) = (&control.name, control.delong);
        let test = test.map_or_else(String::new, |test| format!(" ({:+.4}, DeLong p {:.4})", test.difference, test.p));
        let how = match (control.beaten, control.significant) {
            (_, true) => "beaten",
            (true, false) => "not beaten: the difference could be chance",
            (false, _) => "not beaten",
        };
        lines.push(format!("control: {name}, the best member, is {how}{test}"));
    }
    lines.extend(fit.boxes.iter().flat_map(boxes::out::lines));
    lines.push(format!("method: {}", fit.method.as_str()));
    lines.extend(fit.members.iter().map(member));
    if let Some(stacking) = &fit.stacking {
        let weights: Vec<String> = stacking.weights.iter().map(|weight| format!("{weight:.4}")).collect();
        lines.push(format!("stacking: intercept {:.4}, weights {}", stacking.intercept, weights.join(", ")));
    }
    lines.extend(fit.concatenation.iter().flat_map(|head| concatenation(fit, head)));
    lines.extend(fit.classes.iter().map(|of| class(fit, of)));
    lines.extend(fit.evidence.iter().flat_map(|evidence| &evidence.classes).map(ranked_class));
    lines.extend(fit.measured.as_ref().map(|measured| value(fit, measured)));
    lines.extend(fit.evidence.iter().flat_map(|evidence| &evidence.measured).flat_map(ranked_values));
    if let Some(gate) = &fit.adaptive {
        lines.extend(fit.members.iter().filter(|member| member.weight > 0.0).zip(&gate.members).map(tilt));
    }
    if !fit.simulated.is_empty() {
        let ways = fit.simulated.join(", ");
        lines.push(format!("simulated: the table counts each picture as it is and corrupted with {ways}"));
    }
    let Thresholds { reject_from, pass_below } = fit.thresholds;
    lines.push(format!("thresholds: pass below {pass_below:.4}, reject from {reject_from:.4}"));
    lines.push(promise(&fit.promise));
    if let Some(cascade) = &fit.cascade {
        let percent = |share: f64| 100.0 * share;
        lines.push(format!(
            "cascade: the student passes below {:.4} and rejects from {:.4}; it woke the teacher for {:.1} % of {} tested parts \
             and added {:.4} false rejects a part, at most {} with {} % confidence",
            cascade.pass_below,
            cascade.reject_from,
            percent(cascade.woken),
            cascade.tested,
            cascade.added,
            cascade.loss_bound,
            percent(cascade.confidence)
        ));
    }
    lines.extend(embedding(fit));
    if let Some((reviewed, census)) = fit.reviewed.as_ref().zip(report.labels.as_ref()) {
        lines.extend(journal::lines(reviewed, census));
    } else if report.left_out > 0 {
        lines.push(format!("not used: {} labelled parts, of other routes or left out", report.left_out));
    }
    lines.extend(report.not_written.as_ref().map(|why| format!("not written: {why}")));
    lines.extend(report.written.as_ref().map(|path| format!("fit {} is in {}", fit.number, path.display())));
    if !report.unfitted.is_empty() {
        let rungs: Vec<&str> = report.unfitted.iter().map(Name::as_str).collect();
        let rungs = rungs.join(", ");
        lines
            .push(format!("without a fit yet: [{rungs}]; a rung may not judge by the fit of another, so fit them too"));
    }
    lines
}

/// Whose embeddings `[drift]` is to watch, and by how many parts.
fn embedding(fit: &Fit) -> Option<String> {
    let reference = fit.reference.as_ref()?;
    let space = reference.embedding.as_ref()?;
    let model = &fit.members.get(space.member)?.model;
    let (chosen_by, directions) = (space.chosen_by, space.directions.len());
    let parts = reference.parts;
    Some(format!(
        "embeddings of {model}: {chosen_by} of {parts} parts chose {directions} directions, the others say how far parts lie along and \
         beyond them"
    ))
}

fn member(FittedMember { model, weight, calibrator, .. }: &FittedMember) -> String {
    let map = match calibrator {
        Calibrator::None => "taken as it is".to_owned(),
        Calibrator::Temperature { slope } => format!("temperature {:.4}", 1.0 / slope),
        Calibrator::Platt { slope, intercept } => format!("Platt, slope {slope:.4}, intercept {intercept:.4}"),
        Calibrator::Beta { a, b, c } => format!("beta, a {a:.4}, b {b:.4}, c {c:.4}"),
        Calibrator::Isotonic { scores, .. } => format!("isotonic, {} points", scores.len()),
    };
    let idle = if *weight > 0.0 { "" } else { "; it has no weight: the route could do without it" };
    format!("  {model}: weight {weight:.4}, {map}{idle}")
}

/// A regression over everything, a line for each member.
fn concatenation(fit: &Fit, head: &Concatenation) -> Vec<String> {
    let Concatenation { intercept, penalty, terms } = head;
    let mut lines = vec![format!("concatenation: intercept {intercept:.4}, L2 penalty {penalty}")];
    for (seat, FittedMember { model, .. }) in fit.members.iter().enumerate() {
        let of_seat = terms.iter().filter(|term| term.seat == seat);
        let told: Vec<String> = of_seat.map(|term| format!("{} {:+.4}", term.says.told(), term.weight)).collect();
        if !told.is_empty() {
            lines.push(format!("  {model} says {}", told.join(", ")));
        }
    }
    lines
}

/// Whom to believe of one class.
fn class(fit: &Fit, ClassWeights { label, parts, own, weights }: &ClassWeights) -> String {
    let of_seats = fit.members.iter().zip(weights);
    let told: Vec<String> = of_seats.map(|(member, weight)| format!("{} {weight:.4}", member.model)).collect();
    let (wanted, whose) = if *own {
        (String::new(), "")
    } else {
        let wanted = format!(" (wanted are {EVENTS} of it, and of others, for each weight that is free to move)");
        (wanted, "; too few for weights of its own, these are those of the route")
    };
    format!("class {label}, {parts} parts{wanted}: {}{whose}", told.join(", "))
}

fn ranked_class(RankedClass { label, log_loss, log_loss_by_class, .. }: &RankedClass) -> String {
    format!(
        "class {label}, log loss by folds: {log_loss:.4} with one weight a member, {log_loss_by_class:.4} with weights by class"
    )
}

/// One value of several.
fn value(fit: &Fit, Measured { quantity, intercept, gains, penalty, standard_error, .. }: &Measured) -> String {
    let told: Vec<String> =
        fit.members.iter().zip(gains).map(|(member, gain)| format!("{gain:+.4} x {}", member.model)).collect();
    format!("{quantity} = {intercept:.4} {}; L2 penalty {penalty}, standard error {standard_error:.4}", told.join(" "))
}

/// How near the values come.
fn ranked_values(MeasuredEvidence { values, than, test }: &MeasuredEvidence) -> Vec<String> {
    let line = |RankedValue { name, rmse, mae, r2 }: &RankedValue| {
        format!("value, {name}: RMSE {rmse:.4}, MAE {mae:.4}, R2 {r2:.4}")
    };
    let test = test.map(|Paired { difference, p, .. }| {
        let how = if difference > 0.0 && p < 0.05 {
            "nearer"
        } else if p < 0.05 {
            "farther off"
        } else {
            "neither nearer nor farther off for certain"
        };
        format!("value: fused is {how} than {than} (squared error {difference:+.4} less, p {p:.4})")
    });
    values.iter().map(line).chain(test).collect()
}

/// How a member's weight moves, as factors.
fn tilt((FittedMember { model, .. }, Tilt { quality, uncertainty }): (&FittedMember, &Tilt)) -> String {
    let features = Feature::ALL.iter().zip(quality);
    let moved: Vec<String> = features.map(|(name, by)| format!("{} x{:.2}", name.as_str(), by.exp())).collect();
    let moved = moved.join(", ");
    format!(
        "adaptive, weight of {model}: {moved} for one deviation more; x{:.2} for one bit of doubt more",
        uncertainty.exp()
    )
}

fn promise(promise: &Promise) -> String {
    match promise {
        Promise::Cost { escape_cost } => format!("chosen for: an escape costs {escape_cost} false rejects"),
        Promise::AsConfigured => "promised: nothing; the thresholds are the config's".into(),
        Promise::EscapeBound { bound, confidence, defective, escaped, undecided, false_rejects } => format!(
            "promised: at most {} % of defective parts pass, with {} % confidence; of {defective} that nothing was fitted to \
             {escaped} passed, {:.1} % of all stayed undecided, {:.1} % of the good ones were rejected",
            100.0 * bound,
            100.0 * confidence,
            100.0 * undecided,
            100.0 * false_rejects
        ),
    }
}
