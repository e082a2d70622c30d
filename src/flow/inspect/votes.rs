//! Votes: what each answer is worth, and which of them enter fusion.

use crate::config::WhenNone;
use crate::flow::plan::{Member, Panel, Plan};
use crate::flow::verdict::{Reason, Vote};
use crate::flow::{Answer, Findings, MemberAnswer, Unanswered};
use crate::fusion::classes::{ClassWeights, weighted};
use crate::fusion::{Ballot, Fused, Fusion};
use crate::name::Name;
use crate::task::{classes, defect_score};

/// One answer as a vote.
pub(super) fn vote(plan: &Plan, panel: &Panel, MemberAnswer { member, answer }: &MemberAnswer) -> Vote {
    let passport = &plan.model(answer.model).passport;
    let seat = panel.members.get(*member);
    let (score, missing) = match &answer.findings {
        Ok(findings) => (defect_score(findings, passport), None),
        Err(why) => (nothing_to_look_at(seat, why), Some(why.clone())),
    };
    let score = score.map(|score| seat.map_or(score, |seat| seat.calibrated(score)));
    let weight = seat.filter(|seat| seat.votes && score.is_some()).map_or(0.0, |seat| seat.weight);
    Vote {
        member: *member,
        model: answer.model,
        camera: answer.camera.clone(),
        crop: answer.crop,
        weight,
        score,
        missing,
    }
}

/// The score of a member that is shown crops and had none, where the plan gives it one.
fn nothing_to_look_at(seat: Option<&Member>, why: &Unanswered) -> Option<f64> {
    let (_, crops) = seat?.crops.as_ref()?;
    let nothing = matches!(why, Unanswered::NothingToLookAt { .. }) && crops.when_none == WhenNone::Good;
    nothing.then_some(0.0)
}

/// The reason to stay undecided when a required member failed.
pub(super) fn required_failure(plan: &Plan, panel: &Panel, vote: &Vote) -> Option<Reason> {
    let required = panel.members.get(vote.member).is_some_and(|member| member.required);
    let why = vote.missing.as_ref().filter(|why| required && why.degrades())?.to_string();
    Some(Reason::RequiredMemberFailed { model: plan.model(vote.model).passport.name.clone(), why })
}

/// What one seat says of one frame: crops of a frame speak with the voice of the worst of them.
#[derive(Debug)]
pub(super) struct Voice<'a> {
    pub(super) seat: usize,
    pub(super) camera: Option<&'a Name>,
    pub(super) weight: f64,
    /// The probability of a defect, 0 to 1.
    pub(super) score: f64,
    /// Labels with their probabilities, under the names that the panel shares.
    pub(super) classes: Vec<(Name, f64)>,
    /// Those of the labels that are defects.
    pub(super) defects: Vec<Name>,
    /// What the voice rests on; `None` where nothing was looked at, or where several members speak together.
    pub(super) findings: Option<&'a Findings>,
}

/// The votes that enter fusion, in the order of the seats and cameras.
pub(super) fn voices<'a>(plan: &Plan, panel: &Panel, answers: &'a [MemberAnswer], votes: &'a [Vote]) -> Vec<Voice<'a>> {
    let mut voices: Vec<Voice<'a>> = Vec::new();
    for (MemberAnswer { answer, .. }, vote) in answers.iter().zip(votes) {
        let Some((score, seat)) = vote.score.zip(panel.members.get(vote.member)).filter(|(_, seat)| seat.votes) else {
            continue;
        };
        let voice = voice(plan, seat, answer, (vote, score));
        let same = |other: &&mut Voice<'_>| other.seat == voice.seat && other.camera == voice.camera;
        match voices.iter_mut().find(same).filter(|_| vote.crop.is_some()) {
            Some(worse) if worse.score >= voice.score => {}
            Some(better) => *better = voice,
            None => voices.push(voice),
        }
    }
    voices
}

fn voice<'a>(plan: &Plan, seat: &Member, answer: &'a Answer, (vote, score): (&'a Vote, f64)) -> Voice<'a> {
    let findings = answer.findings.as_ref().ok();
    let shared = |label: &Name| seat.rename.get(label).unwrap_or(label).clone();
    let classes = findings.map(classes).unwrap_or_default();
    let calibrated = classes.into_iter().map(|(label, probability)| (shared(label), seat.calibrated(probability)));
    Voice {
        seat: vote.member,
        camera: vote.camera.as_ref(),
        weight: vote.weight,
        score,
        classes: calibrated.collect(),
        defects: plan.model(answer.model).passport.labels.defects.iter().map(shared).collect(),
        findings,
    }
}

impl Voice<'_> {
    /// One voice for several members together, with the sum of their weights; `None` when there are none.
    pub(super) fn together(seats: &[(usize, f64)], score: f64, defects: Vec<Name>) -> Option<Self> {
        let weight = seats.iter().map(|(_, weight)| weight).sum();
        let (seat, _) = *seats.first()?;
        Some(Self { seat, camera: None, weight, score, classes: Vec::new(), defects, findings: None })
    }

    /// Joins voices by a rule.
    pub(super) fn join(voices: &[Voice<'_>], fusion: Fusion) -> Option<Fused> {
        Self::ballots(voices, |ballots| fusion.apply(ballots))
    }

    /// Joins each label of the voices by its own weights.
    ///
    /// # Errors
    /// One sentence that names a label of which nobody with a weight for it has spoken.
    pub(super) fn join_by_class(voices: &[Voice<'_>], classes: &[ClassWeights]) -> Result<Option<Fused>, String> {
        let seats: Vec<usize> = voices.iter().map(|voice| voice.seat).collect();
        Self::ballots(voices, |ballots| weighted(ballots, &seats, classes))
    }

    /// Voices as fusion sees them.
    fn ballots<T>(voices: &[Voice<'_>], join: impl FnOnce(&[Ballot<'_>]) -> T) -> T {
        let classes: Vec<Vec<(&Name, f64)>> =
            voices.iter().map(|voice| voice.classes.iter().map(|(label, p)| (label, *p)).collect()).collect();
        let ballots: Vec<Ballot<'_>> = voices
            .iter()
            .zip(&classes)
            .map(|(Voice { weight, score, defects, .. }, classes)| Ballot {
                weight: *weight,
                score: *score,
                classes,
                defects,
            })
            .collect();
        join(&ballots)
    }
}
