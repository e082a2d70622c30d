//! `kenpin fit --rehearse`: how often a promise would have been broken, on splits of the labelled parts.

use std::process::ExitCode;

use indicatif::ProgressBar;

use super::{Args, refuse};
use crate::cli::say;
use crate::learn::ensemble::Parts;
use crate::learn::rehearsal::{Rehearsal, rehearse};

/// Rehearses the promise of --escape-bound and prints what came of it.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn run(args: &Args, splits: usize, bound: f64, parts: &Parts) -> anyhow::Result<ExitCode> {
    let methods = args.method.map_or_else(|| parts.methods(), |only| vec![only]);
    let progress = ProgressBar::new(splits as u64);
    let told = rehearse(parts, &methods, (bound, args.confidence), splits, || progress.inc(1));
    progress.finish_and_clear();
    let told = match told {
        Ok(told) => told,
        Err(why) => return Ok(refuse(&why)),
    };
    say(if args.json { serde_json::to_string_pretty(&told)? } else { text(&told) })?;
    Ok(ExitCode::SUCCESS)
}

fn text(told: &Rehearsal) -> String {
    let Rehearsal { splits, infeasible, defective: [tested, seen], .. } = told;
    let [undecided, low, high] = told.undecided_share.map(|share| 100.0 * share);
    let promised = format!(
        "promised in {splits} splits: at most {} % of defective parts pass, with {} % confidence, tested on {tested} defective parts",
        100.0 * told.bound,
        100.0 * told.confidence
    );
    let seen = format!(
        "seen on {seen} others: exceeded in {:.1} % of the splits (a true share of just the bound would exceed it in {:.1} %); \
         {:.2} % of them passed on average",
        100.0 * told.exceeded_share,
        100.0 * told.exceeded_at_bound,
        100.0 * told.escape_share
    );
    let cost =
        format!("undecided: {undecided:.1} % of all parts on average, {low:.1} to {high:.1} % in nine splits of ten");
    let unable =
        format!("nothing could be promised in {infeasible} splits: all of their parts count as undecided, none passes");
    let lines = [promised, seen, cost].into_iter().chain((*infeasible > 0).then_some(unable));
    lines.collect::<Vec<String>>().join("\n")
}
