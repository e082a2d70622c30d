//! The table of figures that `eval` and `demo` print, and the same as JSON.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::flow::verdict::Decision;
use crate::learn::metrics::{Case, Figures};

/// One judged part: its truth, the fused verdict, and what each member said alone.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// Whether the part is really defective.
    pub(super) defective: bool,
    /// The decision.
    pub(super) decision: Decision,
    /// The fused score.
    pub(super) score: Option<f64>,
    /// Each member's own score by model name; `None` when it failed.
    pub(super) members: Vec<(String, Option<f64>)>,
    /// The score from which on a member alone would reject.
    pub(super) reject_from: f64,
}

/// The figures of a set of parts, fused and for each member.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Agreement {
    /// Of the fused verdicts.
    #[serde(flatten)]
    pub(super) fused: Figures,
    /// Of each member by itself, over the parts it was asked about.
    pub(super) members: BTreeMap<String, Figures>,
}

impl Agreement {
    /// Counts the parts.
    pub(super) fn of(parts: &[Judged]) -> Self {
        let fused: Vec<Case> = parts
            .iter()
            .map(|part| Case { defective: part.defective, decision: part.decision, score: part.score })
            .collect();
        let mut members: BTreeMap<String, Vec<Case>> = BTreeMap::new();
        for part in parts {
            for (member, score) in &part.members {
                members.entry(member.clone()).or_default().push(alone(part, *score));
            }
        }
        Self {
            fused: Figures::of(&fused),
            members: members.into_iter().map(|(member, cases)| (member, Figures::of(&cases))).collect(),
        }
    }

    /// The table for people.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header([
            "",
            "parts",
            "accuracy",
            "balanced",
            "F1",
            "ROC AUC",
            "escapes",
            "false rejects",
            "undecided",
        ]);
        for (member, figures) in &self.members {
            table.add_row(row(member, figures));
        }
        table.add_row(row("fused", &self.fused));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

/// What a member alone would have decided.
fn alone(part: &Judged, score: Option<f64>) -> Case {
    let decision = match score {
        Some(score) if score >= part.reject_from => Decision::Reject,
        Some(_) => Decision::Pass,
        None => Decision::Undecided,
    };
    Case { defective: part.defective, decision, score }
}

/// One line of the table.
fn row(name: &str, figures: &Figures) -> Vec<String> {
    let share = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.4}"));
    vec![
        name.into(),
        figures.parts.to_string(),
        share(figures.accuracy),
        share(figures.balanced_accuracy),
        share(figures.f1),
        share(figures.auc),
        figures.escapes.to_string(),
        figures.false_rejects.to_string(),
        figures.undecided.to_string(),
    ]
}
