//! Labelled parts from the journal: what the members said of them stands in their verdicts, so no model is asked again and no
//! picture is wanted.
//!
//! Promises: a label counts only where its verdict says the score of every voting member, by the model files that sit there now;
//! whatever does not count is counted by its reason. Parts weigh by one over the chance with which they were put up for review;
//! where a bound is asked for, which only parts that were drawn alike can show, only those count that a plain random sample of
//! all parts holds. What it cannot check: whether passports, cameras or crops were others then, and whether those who label
//! leave out what is hard.

use std::path::Path;

use serde::Serialize;

use super::beside::{beside, labels, missing, terms};
use super::gather::{Gathered, known_classes};
use super::scores::voters;
use super::{Args, Seat};
use crate::cli::label::{pictures, verdict_of};
use crate::cli::leak::Trained;
use crate::config::Settings;
use crate::flow::plan::{Member, Plan};
use crate::flow::pool::Pool;
use crate::flow::publish::message::{VerdictMessage, VoteMessage};
use crate::flow::review::{Review, Truth, draw};
use crate::flow::verdict::Decision;
use crate::fusion::Over;
use crate::learn::ensemble::Parts;
use crate::learn::sampling;
use crate::models::catalogue::sha256_of;
use crate::models::fit::Reviewed;
use crate::models::passport::Passport;
use crate::models::price::MeasuredSet;
use crate::name::Name;
use crate::record::journal::beside::Beside;
use crate::record::journal::labels::Label;
use crate::task::defect_score;

/// What became of the labels.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct Census {
    /// The labels in force.
    pub(super) labels: usize,
    /// Those that were fitted to.
    pub(super) used: usize,
    /// Those on verdicts that are not kept any more.
    pub(super) pruned: usize,
    /// Those on parts of other routes or rungs.
    pub(super) elsewhere: usize,
    /// Those on verdicts that were not put up for review: nobody knows how likely they were to be labelled.
    pub(super) not_put_up: usize,
    /// Those on verdicts of other model files or cameras.
    pub(super) other_models: usize,
    /// Those on verdicts for which a model ran on something other than what was asked for.
    pub(super) fallback: usize,
    /// Those on verdicts in which a voting member gave no score.
    pub(super) silent: usize,
    /// Those on parts that a member was trained on.
    pub(super) trained_on: usize,
    /// With a bound: those outside of the plain random sample.
    pub(super) outside_sample: usize,
    /// Verdicts of this route and rung that are put up for review and have no label.
    pub(super) unanswered: usize,
    /// Where labels are fused by themselves: parts that were fitted to and whose class nobody said by a name that the panel knows.
    pub(super) without_class: usize,
    /// With --trained: parts that were fitted to and whose pictures are not kept, so that nobody knows.
    pub(super) pixels_unknown: usize,
}

/// One label that may count.
struct Candidate {
    label: Label,
    verdict: VerdictMessage,
    review: Review,
    scores: Vec<f64>,
    /// What each seat says beside.
    beside: Vec<Vec<f64>>,
}

/// Why a verdict does not say what every voting member scored.
enum Missing {
    OtherModels,
    Fallback,
    Silent,
    /// Another member was so sure that this one was not asked.
    NotNeeded,
}

/// The labelled parts of the journal that the panel of `seat` judged; a sentence where they cannot show what is asked for.
///
/// # Errors
/// When the journal or a kept picture cannot be read.
pub(super) fn gather(
    args: &Args,
    settings: &Settings,
    plan: &Plan,
    seat: &Seat<'_>,
) -> anyhow::Result<Result<Gathered, String>> {
    let journal = Beside::open(&settings.journal)?;
    let (mut census, mut candidates, mut not_needed) = (Census::default(), Vec::new(), 0);
    let mut unread = Ok(());
    journal.each_in_force(|label, body| {
        census.labels += 1;
        let Some(body) = body else {
            census.pruned += 1;
            return;
        };
        let verdict = match verdict_of(label.seq, &body) {
            Ok(verdict) => verdict,
            Err(error) => return unread = Err(error),
        };
        let review =
            verdict.review.filter(|review| review.asked && label.probability.is_some_and(|chance| chance > 0.0));
        match (is_of(&verdict, seat), review) {
            (false, _) => census.elsewhere += 1,
            (true, None) => census.not_put_up += 1,
            (true, Some(review)) => match scores(&verdict, plan, seat) {
                Ok((scores, beside)) => candidates.push(Candidate { label, verdict, review, scores, beside }),
                Err(Missing::OtherModels) => census.other_models += 1,
                Err(Missing::Fallback) => census.fallback += 1,
                Err(Missing::Silent) => census.silent += 1,
                Err(Missing::NotNeeded) => not_needed += 1,
            },
        }
    })?;
    unread?;
    if not_needed > 0 {
        return Ok(Err(format!(
            "of {not_needed} labelled parts a member was not asked, because another was sure: the verdicts tell what all say of \
             doubtful parts only; fit to a labelled folder, where everybody is asked"
        )));
    }
    leave_out_trained(args, settings, &mut census, &mut candidates)?;
    let others = unanswered(&journal, seat, &candidates)?;
    census.unanswered = others.len();
    let bound = args.escape_bound.is_some() || args.cascade.is_some();
    if bound && let Err(why) = thin(&mut census, &mut candidates, &others) {
        return Ok(Err(why));
    }
    if candidates.is_empty() {
        let (path, all, route) = (settings.journal.path.display(), census.labels, seat.route);
        return Ok(Err(format!("{path}: none of {all} labels is of use for route {route}: {}", unused(&census))));
    }
    census.used = candidates.len();
    gathered(&settings.journal.path, plan, seat, bound, &candidates, census).map(Ok)
}

/// Whether a verdict comes from the panel.
fn is_of(verdict: &VerdictMessage, seat: &Seat<'_>) -> bool {
    verdict.route.last() == Some(seat.route) && verdict.rung.as_ref() == seat.rung
}

/// What each voting member scored, as its model gave it, and what each seat said beside.
fn scores(verdict: &VerdictMessage, plan: &Plan, seat: &Seat<'_>) -> Result<(Vec<f64>, Vec<Vec<f64>>), Missing> {
    let of_seat = |(place, member): (usize, &Member)| {
        let passport = &plan.model(member.model).passport;
        let votes = verdict.votes.iter().filter(|vote| vote.member == place);
        let said = votes.map(|vote| score(vote, member, passport)).collect::<Result<Vec<_>, _>>()?;
        // Crops and frames of one seat speak with the voice of the worst, as when the models are asked.
        said.into_iter().flatten().reduce(f64::max).ok_or(Missing::Silent)
    };
    let beside_of = |(place, member): (usize, &Member)| {
        let vote = verdict.votes.iter().find(|vote| vote.member == place);
        beside(member, vote.and_then(|vote| vote.answer.findings.as_ref()))
    };
    let scores = voters(seat.panel).map(of_seat).collect::<Result<Vec<f64>, _>>()?;
    let beside: Vec<Vec<f64>> = seat.panel.members.iter().enumerate().map(beside_of).collect();
    if missing(plan, seat.panel, &beside).is_some() { Err(Missing::Silent) } else { Ok((scores, beside)) }
}

fn score(vote: &VoteMessage, member: &Member, passport: &Passport) -> Result<Option<f64>, Missing> {
    let answer = &vote.answer;
    if answer.sha256 != passport.file.sha256 || member.camera.is_some() && answer.camera != member.camera {
        return Err(Missing::OtherModels);
    }
    if answer.placement.as_ref().is_some_and(|placement| placement.fallback.is_some()) {
        return Err(Missing::Fallback);
    }
    match (&answer.findings, &answer.not_asked) {
        (Some(findings), _) => Ok(defect_score(findings, passport)),
        (None, Some(_)) if member.crops.is_none() => Err(Missing::NotNeeded),
        // Nothing to look at, which the plan takes for good.
        (None, Some(_)) => Ok(vote.score.map(|_| 0.0)),
        (None, None) => Ok(None),
    }
}

/// The leak guard, for the parts whose pictures are kept.
fn leave_out_trained(
    args: &Args,
    settings: &Settings,
    census: &mut Census,
    candidates: &mut Vec<Candidate>,
) -> anyhow::Result<()> {
    let Some((list, pixels)) = args.trained.as_deref().zip(args.pixels.as_deref()) else { return Ok(()) };
    let (trained, pool) = (Trained::read(list, pixels)?, Pool::new(1));
    let mut keep = Vec::new();
    for candidate in candidates.drain(..) {
        let kept = pictures(settings, &candidate.verdict);
        let known = kept.iter().map(|path| trained.name_of(path, &pool)).collect::<anyhow::Result<Vec<_>>>()?;
        if known.iter().any(Option::is_some) {
            census.trained_on += 1;
            continue;
        }
        census.pixels_unknown += usize::from(kept.len() < candidate.verdict.frames.len());
        keep.push(candidate);
    }
    *candidates = keep;
    Ok(())
}

/// The verdicts of the panel that are put up for review and have no label.
fn unanswered(journal: &Beside, seat: &Seat<'_>, candidates: &[Candidate]) -> anyhow::Result<Vec<(u64, Review)>> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let (mut found, mut unread) = (Vec::new(), Ok(()));
    journal.each_unanswered(usize::MAX, |seq, body| match verdict_of(seq, &body) {
        Ok(verdict) => found.extend(verdict.review.filter(|_| is_of(&verdict, seat)).map(|review| (seq, review))),
        Err(error) => unread = Err(error),
    })?;
    unread.map(|()| found)
}

/// Leaves the parts that a plain random sample of all holds: those below the least audit share by the draw of their keys, whatever
/// was decided. A sentence where they cannot show a bound.
fn thin(census: &mut Census, candidates: &mut Vec<Candidate>, others: &[(u64, Review)]) -> Result<(), String> {
    let share = candidates.iter().map(|one| one.review.audit_share).fold(1.0, f64::min);
    let before = candidates.len();
    candidates.retain(|one| draw(one.verdict.epoch, one.label.seq) < share);
    census.outside_sample = before - candidates.len();
    let audited = candidates.iter().filter(|one| one.verdict.verdict == Decision::Pass).count();
    if audited == 0 {
        return Err(format!(
            "no audited pass is among {before} labelled parts: nobody knows what escapes, so no bound can be shown; set `[review] \
             audit_share` and label what `kenpin label --queue` puts up"
        ));
    }
    let (Some(epoch), Some(last)) =
        (candidates.first().map(|one| one.verdict.epoch), candidates.iter().map(|one| one.label.seq).max())
    else {
        return Ok(());
    };
    let skipped = others.iter().filter(|(seq, _)| *seq < last && draw(epoch, *seq) < share).count();
    if skipped > 0 {
        let all = candidates.len() + skipped;
        return Err(format!(
            "{skipped} of the {all} parts in the random sample up to verdict {last} have no label: a bound over those that \
             somebody chose to label holds for nothing; label what `kenpin label --queue` puts up"
        ));
    }
    Ok(())
}

fn gathered(
    path: &Path,
    plan: &Plan,
    seat: &Seat<'_>,
    bound: bool,
    candidates: &[Candidate],
    mut census: Census,
) -> anyhow::Result<Gathered> {
    let chance = |one: &Candidate| if bound { 1.0 } else { one.label.probability.unwrap_or(1.0) };
    let weights = sampling::weights(&candidates.iter().map(chance).collect::<Vec<f64>>());
    let defective: Vec<bool> = candidates.iter().map(|one| one.label.truth == Truth::Bad).collect();
    let line = |one: &Candidate| {
        let Candidate { label, verdict, .. } = one;
        format!("{} {} {} {}\n", verdict.epoch, label.seq, label.truth.as_str(), chance(one))
    };
    let decided = |wanted: Decision| candidates.iter().filter(|one| one.verdict.verdict == wanted).count();
    let reviewed = Reviewed {
        rejects: decided(Decision::Reject),
        undecided: decided(Decision::Undecided),
        passes: decided(Decision::Pass),
        effective: sampling::effective(&weights),
    };
    let member = |at: usize| candidates.iter().filter_map(|one| one.scores.get(at).copied()).collect();
    let members: Vec<Vec<f64>> = (0..voters(seat.panel).count()).map(member).collect();
    let said: Vec<&[Vec<f64>]> = candidates.iter().map(|one| one.beside.as_slice()).collect();
    let (mut all_terms, mut classes) = (None, None);
    if seat.panel.fusion.over == Over::Classes {
        let labels = labels(plan, seat.panel);
        let truth: Vec<Option<&Name>> = candidates.iter().map(|one| class_of(&one.label, &labels)).collect();
        census.without_class = truth.iter().filter(|class| class.is_none()).count();
        classes = Some(known_classes(plan, seat, &said, &truth)?);
    } else {
        all_terms = terms(plan, seat.panel, &members, &said);
    }
    let name = |(_, member): (usize, &Member)| plan.model(member.model).passport.name.to_string();
    Ok(Gathered {
        labels: MeasuredSet {
            path: path.to_owned(),
            sha256: sha256_of(candidates.iter().map(line).collect::<String>().as_bytes()),
            parts: defective.len(),
            defective: defective.iter().filter(|is| **is).count(),
        },
        parts: Parts {
            names: voters(seat.panel).map(name).collect(),
            members,
            defective,
            weights,
            groups: None,
            copies: None,
            terms: all_terms,
            classes,
            measured: None,
        },
        left_out: census.labels - census.used,
        taken: None,
        reviewed: Some((reviewed, census)),
    })
}

/// The class that a label names among those that the panel knows; of a good part without one the only good class. `None` where
/// nobody knows, or where the class contradicts what the part is said to be.
fn class_of<'l>(label: &Label, labels: &'l [(Name, bool)]) -> Option<&'l Name> {
    let defective = label.truth == Truth::Bad;
    let mut of_kind = labels.iter().filter(|(_, defect)| *defect == defective).map(|(name, _)| name);
    match (&label.class, defective) {
        (Some(class), _) => of_kind.find(|name| name.as_str() == class),
        (None, true) => None,
        (None, false) => of_kind.next().filter(|_| of_kind.next().is_none()),
    }
}

/// The labels that do not count, by their reasons.
pub(super) fn unused(census: &Census) -> String {
    let reasons = [
        (census.pruned, "on verdicts that are not kept any more"),
        (census.elsewhere, "on other routes or rungs"),
        (census.not_put_up, "on verdicts that were not put up for review"),
        (census.other_models, "on verdicts of other model files or cameras"),
        (census.fallback, "on verdicts of a fallback"),
        (census.silent, "on verdicts in which a member gave no score"),
        (census.trained_on, "on parts that a member was trained on"),
        (census.outside_sample, "outside of the plain random sample that a bound wants"),
    ];
    let told: Vec<String> =
        reasons.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
    if told.is_empty() { "there are no others".into() } else { told.join(", ") }
}

/// What the labels are, for people.
pub(super) fn lines(Reviewed { rejects, undecided, passes, effective }: &Reviewed, census: &Census) -> Vec<String> {
    let Census { labels, used, unanswered, without_class, pixels_unknown, .. } = census;
    let mut lines = vec![format!(
        "labels: {used} of {labels} used, on {rejects} rejects, {undecided} undecided and {passes} audited passes; they tell as \
         much as {effective:.1} that were drawn alike"
    )];
    if labels > used {
        lines.push(format!("labels not used: {}", unused(census)));
    }
    if *passes == 0 {
        lines.push("no audited pass is among them: how many defective parts pass is not known".into());
    }
    if *unanswered > 0 {
        lines.push(format!(
            "{unanswered} verdicts of this route wait for a label: the figures hold if those are no harder than the labelled"
        ));
    }
    if *without_class > 0 {
        lines.push(format!(
            "of {without_class} parts nobody said a class that the panel knows: they count for the score and not for the weights by \
             class"
        ));
    }
    if *pixels_unknown > 0 {
        lines.push(format!(
            "the pictures of {pixels_unknown} are not kept: whether a member was trained on them is not known"
        ));
    }
    lines
}
