//! How the votes of a verdict became its score, by the panel that the config has today. Believed only where the same votes give
//! the same score again.

use serde::Serialize;

use crate::config::Thresholds;
use crate::explain::joining::{Contributions, Joining, Said};
use crate::flow::plan::{Panel, Plan};
use crate::flow::publish::message::VerdictMessage;
use crate::fusion::concatenation::{Concatenation, Term};
use crate::fusion::{Over, Rule};

/// How near the score that is found again must come to that of the verdict: numbers that were written out and read again.
const SAME: f64 = 1e-9;

/// How votes became a score.
#[derive(Debug, Serialize)]
pub(super) struct Joined {
    /// `mean`, `weighted mean`, `maximum`, `stacking` or `concatenation`.
    pub(super) by: &'static str,
    /// The places of the votes that entered, among the verdict's votes.
    pub(super) votes: Vec<usize>,
    /// What each of them added; `None` where the score is no sum.
    pub(super) contributions: Option<Contributions>,
    /// The places among the verdict's votes of those that decided alone, where the score is no sum.
    pub(super) deciding: Vec<usize>,
    /// `None` where a member gives more numbers than its score: of a concatenation.
    #[serde(skip)]
    pub(super) joining: Option<Joining>,
    #[serde(skip)]
    pub(super) said: Vec<Said>,
}

/// How the votes became `score`, and what should be known of it.
///
/// # Errors
/// One sentence on why it cannot be told.
pub(super) fn joined(message: &VerdictMessage, score: f64, plan: &Plan) -> Result<(Joined, Vec<String>), String> {
    let panel = panel(message, plan)?;
    if let Some(head) = panel.fit.as_ref().and_then(|fit| fit.concatenation.as_ref()) {
        return concatenated(message, score, head).map(|joined| {
            let mut notes = notes(message, panel);
            notes.push(
                "each member gives several numbers: what would have changed the verdict is told of the score alone"
                    .into(),
            );
            (joined, notes)
        });
    }
    if let Some(measured) = panel.fit.as_ref().and_then(|fit| fit.measured.as_ref()) {
        let quantity = &measured.quantity;
        return Err(format!("the members' values of {quantity} are joined to one, so the score is no sum of theirs"));
    }
    let joining = joining(panel)?;
    let mut votes = voices(message);
    if let Some(first) = panel.fit.as_ref().and_then(|fit| fit.student_first) {
        let of_teacher = |place: &usize| message.votes[*place].member == first.teacher;
        let woken = votes.iter().any(of_teacher);
        votes.retain(|place| !woken || of_teacher(place));
    }
    let said: Vec<Said> = votes
        .iter()
        .filter_map(|&place| message.votes.get(place))
        .map(|vote| Said { score: vote.score.unwrap_or_default(), weight: vote.weight })
        .collect();
    let again = joining.score(&said).ok_or("the panel of the config joins another number of votes")?;
    same(again, score)?;
    let by = match &joining {
        Joining::Stacking(_) => "stacking",
        Joining::Rule(Rule::Mean) => "mean",
        Joining::Rule(Rule::WeightedMean) => "weighted mean",
        Joining::Rule(Rule::Maximum) => "maximum",
    };
    let contributions = joining.contributions(&said);
    let deciding = joining.deciding(&said).into_iter().filter_map(|place| votes.get(place).copied()).collect();
    let joining = Some(joining);
    Ok((Joined { by, votes, contributions, deciding, joining, said }, notes(message, panel)))
}

/// Whether the score that is found again is that of the verdict.
fn same(again: f64, score: f64) -> Result<(), String> {
    if (again - score).abs() > SAME {
        return Err(format!(
            "the config joins these votes to {again}, the verdict has {score}: it was judged otherwise"
        ));
    }
    Ok(())
}

/// How everything that the members said became `score`.
fn concatenated(message: &VerdictMessage, score: f64, head: &Concatenation) -> Result<Joined, String> {
    let (mut votes, mut seats, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for Term { seat, says, .. } in &head.terms {
        let place = message.votes.iter().position(|vote| vote.member == *seat);
        let place = place.ok_or_else(|| format!("the verdict has no answer of seat {seat}, the fit wants one"))?;
        let vote = &message.votes[place];
        let number = says.read(vote.score, vote.answer.findings.as_ref());
        numbers.push(number.ok_or_else(|| format!("seat {seat} did not say {}, which the fit wants", says.told()))?);
        if !seats.contains(seat) {
            seats.push(*seat);
            votes.push(place);
        }
    }
    let again = head.apply(&numbers).ok_or("the fit concatenates another count of numbers")?;
    same(again, score)?;
    let contributions = Contributions::of_concatenation(head, &numbers, &seats);
    Ok(Joined { by: "concatenation", votes, contributions, deciding: Vec::new(), joining: None, said: Vec::new() })
}

/// The panel that the config has where the verdict was made.
fn panel<'p>(message: &VerdictMessage, plan: &'p Plan) -> Result<&'p Panel, String> {
    let name = message.route.last().ok_or("it took no route")?;
    let (index, _) = plan
        .routes()
        .find(|(_, route)| route.name == *name)
        .ok_or_else(|| format!("the config has no route {name} any more"))?;
    let rung = match &message.rung {
        None => 0,
        Some(rung) => plan
            .rungs
            .iter()
            .position(|known| known == rung)
            .ok_or_else(|| format!("the ladder of the config has no rung {rung} any more"))?,
    };
    plan.panel(index, rung).ok_or_else(|| format!("nobody judges on route {name} any more"))
}

fn joining(panel: &Panel) -> Result<Joining, String> {
    if let Some(stacking) = panel.fit.as_ref().and_then(|fit| fit.stacking.clone()) {
        return Ok(Joining::Stacking(stacking));
    }
    let what = match panel.fusion.over {
        Over::Defect => return Ok(Joining::Rule(panel.fusion.rule)),
        Over::Classes => "label by label",
        Over::Boxes => "box by box",
        Over::Maps => "pixel by pixel",
    };
    Err(format!("the members are joined {what}, so the score is no sum of theirs"))
}

/// The places of the votes that entered fusion: of the crops of a frame that one seat was shown, the worst.
fn voices(message: &VerdictMessage) -> Vec<usize> {
    let mut voices: Vec<usize> = Vec::new();
    for (place, vote) in message.votes.iter().enumerate().filter(|(_, vote)| vote.weight > 0.0 && vote.score.is_some())
    {
        let same = |other: &&mut usize| {
            let other = &message.votes[**other];
            other.member == vote.member && other.answer.camera == vote.answer.camera
        };
        match voices.iter_mut().find(same).filter(|_| vote.answer.crop.is_some()) {
            Some(worst) if message.votes[*worst].score >= vote.score => {}
            Some(worst) => *worst = place,
            None => voices.push(place),
        }
    }
    voices
}

/// What the changes that are told take as given.
fn notes(message: &VerdictMessage, panel: &Panel) -> Vec<String> {
    let mut notes = Vec::new();
    if panel.fit.as_ref().is_some_and(|fit| fit.adaptive.is_some()) {
        notes.push(
            "the weights move with the members' own doubt; what would have changed the verdict holds them as they were"
                .into(),
        );
    }
    if let Some(first) = panel.fit.as_ref().and_then(|fit| fit.student_first)
        && !message.votes.iter().any(|vote| vote.member == first.teacher && vote.score.is_some())
    {
        let Thresholds { reject_from, pass_below } = first.bounds;
        notes.push(format!(
            "the student judged alone: with a score from {pass_below} to below {reject_from} the teacher would have been asked and would \
             have judged"
        ));
    }
    for vote in &message.votes {
        if let Some(why) = &vote.answer.not_asked {
            let model = &vote.answer.model;
            notes.push(format!("model {model}: {why}; what would have changed the verdict takes it as not asked"));
        }
    }
    notes
}
