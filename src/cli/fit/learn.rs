//! From gathered parts to a fit: which way of learning the arguments want, the file that comes of it, and why it may not be
//! written.

use super::{Args, Fitting, Seat};
use crate::config::{Settings, Thresholds};
use crate::fusion::calibrator::Calibrator;
use crate::fusion::classes::ClassWeights;
use crate::fusion::measured::Measured;
use crate::learn::ensemble::Parts;
use crate::learn::thresholds::Aim;
use crate::learn::{cascade, panel};
use crate::models::fit::{Fit, FittedMember, Method, Promise, SCHEMA};
use crate::models::price::MeasuredSet;
use crate::name::Name;

/// Fits the panel as the arguments say.
pub(super) fn learn(args: &Args, settings: &Settings, seat: &Seat<'_>, parts: &Parts) -> Result<panel::Panel, String> {
    let Some((student, teacher)) = &args.cascade else {
        let aim = args
            .escape_bound
            .map_or(Aim::Cost(args.escape_cost), |escapes| Aim::Bound { escapes, confidence: args.confidence });
        return panel::of_votes(parts, aim, args.method);
    };
    let members = &seat.panel.members;
    let named = |wanted: &Name| {
        // Models of a plan stand in the order of their names.
        let place = members.iter().position(|member| settings.models.keys().nth(member.model.get()) == Some(wanted));
        place.ok_or_else(|| format!("--cascade names {wanted}, which has no seat on route {}", seat.route))
    };
    let (student, teacher) = (named(student)?, named(teacher)?);
    let plain = members.iter().all(|member| member.votes && member.after().next().is_none());
    if members.len() != 2 || student == teacher || !plain {
        return Err("a cascade wants a panel of two that both vote on whole frames: the student and its teacher".into());
    }
    let bound = args.loss_bound.ok_or("--cascade wants --loss-bound")?;
    let promise = cascade::Promise { escape_cost: args.escape_cost, bound, confidence: args.confidence };
    panel::of_student_first(parts, (student, teacher), promise)
}

/// The file of a fit of scores.
pub(super) fn assemble(fitting: Fitting<'_>, fitted: panel::Panel, labels: MeasuredSet, number: u32) -> Fit {
    let panel::Panel { fused, thresholds, promise, cascade, evidence, .. } = fitted;
    let seat = fitting.seat;
    let by_class = fused.classes.into_iter();
    Fit {
        stacking: fused.stacking,
        concatenation: fused.concatenation,
        classes: by_class.map(|of| ClassWeights { weights: seated(seat, &of.weights), ..of }).collect(),
        measured: fused.measured.map(|of| Measured { gains: seated(seat, &of.gains), ..of }),
        adaptive: fused.adaptive,
        cascade,
        evidence: Some(evidence),
        ..begun(
            fitting,
            (fused.method, thresholds, promise),
            fused.weights.into_iter().zip(fused.calibrators),
            labels,
            number,
        )
    }
}

/// What every fit of this panel has: where it belongs, what it rests on, and what was `learned` of each voting member.
pub(super) fn begun(
    Fitting { args, plan, seat, .. }: Fitting<'_>,
    (method, thresholds, promise): (Method, Thresholds, Promise),
    mut learned: impl Iterator<Item = (f64, Calibrator)>,
    labels: MeasuredSet,
    number: u32,
) -> Fit {
    let members = seat.panel.members.iter().map(|member| {
        let passport = &plan.model(member.model).passport;
        let of_voter = if member.votes { learned.next() } else { None };
        let (weight, calibrator) = of_voter.unwrap_or((0.0, Calibrator::None));
        FittedMember { model: passport.name.clone(), sha256: passport.file.sha256.clone(), weight, calibrator }
    });
    Fit {
        schema: SCHEMA.into(),
        kenpin: env!("CARGO_PKG_VERSION").into(),
        fitted: jiff::Timestamp::now(),
        number,
        route: seat.route.clone(),
        rung: seat.rung.cloned(),
        over: seat.panel.fusion.over,
        method,
        thresholds,
        promise,
        members: members.collect(),
        stacking: None,
        concatenation: None,
        classes: Vec::new(),
        measured: None,
        adaptive: None,
        cascade: None,
        boxes: None,
        labels,
        simulated: args.corruptions().iter().map(ToString::to_string).collect(),
        scores: match &args.scores {
            Some(path) => path.display().to_string(),
            None if args.journal => "journal".into(),
            None => "models".into(),
        },
        reviewed: None,
        evidence: None,
        reference: None,
    }
}

/// Numbers of the voters as numbers of the seats; 0 for a seat that does not vote.
fn seated(seat: &Seat<'_>, of_voters: &[f64]) -> Vec<f64> {
    let mut of_voters = of_voters.iter().copied();
    let members = seat.panel.members.iter();
    members.map(|member| if member.votes { of_voters.next().unwrap_or(0.0) } else { 0.0 }).collect()
}

/// Why a fit is not written.
pub(super) fn refused(args: &Args, fit: &Fit) -> Option<String> {
    if args.dry_run {
        return Some("a dry run writes nothing".into());
    }
    // One member alone, with what its score is worth, is no ensemble.
    let alone = fit.method == Method::Single;
    let of_boxes = fit.boxes.as_ref().and_then(|boxes| boxes.evidence.control.as_ref());
    let of_scores = fit.evidence.as_ref().and_then(|evidence| evidence.control.as_ref());
    let control = of_scores.map(|control| (&control.name, control.significant));
    let control = control.or_else(|| of_boxes.map(|control| (&control.name, control.significant)));
    let (name, _) = control.filter(|(_, significant)| !significant && !args.force && !alone)?;
    Some(format!(
        "the ensemble does not beat {name}, its best member, with p < 0.05: judge with {name} alone, or write it with --force"
    ))
}
