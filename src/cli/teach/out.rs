//! What `kenpin teach` prints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::models::price::Estimate;
use crate::models::taught::Taught;

/// How many pictures to label next are shown to people.
const SHOWN: usize = 10;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report<'r> {
    /// The model's folder; `None` where nothing was written.
    pub(super) written: Option<&'r Path>,
    /// What was taught, and how good it is.
    pub(super) taught: &'r Taught,
    /// Why nothing is known of how good it is.
    pub(super) no_estimate: Option<&'r str>,
    /// The unlabelled pictures, those first whose labels would teach most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Vec<Next>>,
}

/// An unlabelled picture.
#[derive(Debug, Serialize)]
pub(super) struct Next {
    pub(super) image: PathBuf,
    /// What the head calls it.
    pub(super) called: String,
    /// How many of the other heads call it something else.
    pub(super) heads_against: usize,
    /// How sure the head is, 0 to 1.
    pub(super) margin: f64,
}

/// The same for people.
pub(super) fn text(report: &Report<'_>) -> String {
    let taught = report.taught;
    let classes: Vec<String> =
        taught.classes.iter().map(|class| format!("{} of {}", class.examples, class.name)).collect();
    let classes = match (classes.split_first(), &taught.bank) {
        (Some((good, [])), Some(_)) => good.clone(),
        (Some((good, others)), Some(_)) => format!("{good}, judged by {} too", others.join(", ")),
        _ => classes.join(", "),
    };
    let mut text = format!("{} on {}, taught {classes}", taught.head, taught.embedding.model);
    let mut line = |words: String| {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{words}");
    };
    if let Some(bank) = &taught.bank {
        let (kept, radius) = (bank.kept, bank.radius);
        let farthest = format!("no other lies farther than {radius:.4} from the nearest of them");
        let whole = taught.classes.first().is_some_and(|good| good.examples == kept);
        line(format!("the bank keeps {kept} good examples, {}", if whole { "all of them" } else { &farthest }));
        line(format!(
            "rejected from a distance of {:.4}; of good parts drawn as the examples were, about {:.1} % lie beyond",
            bank.threshold,
            100.0 * bank.expected_false_rejects
        ));
    }
    if let Some(estimate) = &taught.estimate {
        let (way, count) = (&estimate.way, estimate.examples);
        line(format!("by {way} on {count} examples, with 95 % intervals, for parts drawn as the examples were:"));
        line(format!("  balanced accuracy  {}", shown(&estimate.balanced_accuracy)));
        line(format!("  ROC AUC            {}", shown(&estimate.auc)));
    }
    if let Some(why) = report.no_estimate {
        line(format!("how good it is is not known: {why}"));
    }
    if taught.seen_by_embedding.is_none() {
        line("whether the embedding model was trained on any of them was not said (--trained, --pixels)".into());
    }
    for (place, next) in report.next.iter().flatten().take(SHOWN).enumerate() {
        if place == 0 {
            line("label next:".into());
        }
        let Next { image, called, heads_against, margin } = next;
        let others = taught.bank.is_none().then(|| format!(", other heads against it: {heads_against}"));
        let others = others.unwrap_or_default();
        line(format!("  {}  called {called}, margin {margin:.3}{others}", image.display()));
    }
    line(match report.written {
        Some(folder) => format!("version {} is in {}", taught.number, folder.display()),
        None => "nothing was written: name a folder with --out".into(),
    });
    text
}

/// A figure with its interval.
pub(super) fn shown(estimate: &Estimate) -> String {
    format!("{:.3} ({:.3} to {:.3})", estimate.value, estimate.low, estimate.high)
}
