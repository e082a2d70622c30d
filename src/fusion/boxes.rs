//! Fusion of boxes: many detections, of one model or of several, become few.
//!
//! Owns the check of what goes in, the order that everything is done in, and the bound on the work; the settings and the
//! methods stand in files of their own. Each label is fused by itself. Pure.
//!
//! **Order.** Candidates are sorted by weighted confidence, the greatest first; equals by their corners, then by label,
//! plain confidence, weight and member. What comes out does not depend on the order of the candidates or of the members,
//! to the last bit: what is still equal after that is the same in every value, and only [`FusedBox::from`] can tell.
//!
//! **Weight.** A candidate's weighted confidence is its calibrated confidence times its member's weight over the greatest
//! weight of the panel; members of one weight leave confidences as they are. (The package `ensemble-boxes` divides by the
//! sum of the weights instead when it suppresses: the same order, and confidences smaller by one factor.)
//!
//! **Bound.** Candidates beyond the best [`MOST`] (with oriented boxes among them, [`MOST_ORIENTED`]) are cut and counted,
//! since the work grows with their square. At the bound, and with no box suppressing another, a fusion takes about a
//! second of one desktop core.

mod calibration;
mod nms;
mod overlap;
mod settings;
mod soft_nms;
mod weighted;

use std::cmp::Ordering;

pub use calibration::Calibration;
pub use overlap::{Corners, FARTHEST, Outline, Point, Shape};
pub use settings::{Agreement, BoxFusion};
use soft_nms::Decay;

/// How many candidates are fused at most: the best ones.
pub const MOST: usize = 10_000;

/// How many candidates are fused at most when any of them is oriented: clipping polygons takes longer.
pub const MOST_ORIENTED: usize = 3_000;

/// One box as one member sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Where it is; all candidates in one unit.
    pub shape: Shape,
    /// The member's confidence, 0 to 1.
    pub confidence: f64,
    /// What it is: an index into labels that the caller keeps for all members together.
    pub label: usize,
    /// Who says so: an index into the members.
    pub member: usize,
}

/// One model of those whose boxes are fused, whether it found anything or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// Its weight: finite and above 0; only the ratio to the others' matters.
    pub weight: f64,
    /// What its confidences are worth.
    pub calibration: Calibration,
}

impl Default for Member {
    fn default() -> Self {
        Self { weight: 1.0, calibration: Calibration::IDENTITY }
    }
}

/// One box that came out.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedBox {
    /// Where it is: the candidate's own shape, or (weighted boxes fusion) the average of several.
    pub shape: Shape,
    /// The confidence, 0 to 1.
    pub confidence: f64,
    /// What it is.
    pub label: usize,
    /// Which candidates shaped it, as indices into those given, best first: one where boxes are suppressed, one or more
    /// where they are averaged.
    pub from: Vec<usize>,
}

impl FusedBox {
    /// A candidate that stayed.
    fn alone(entry: &Entry, confidence: f64) -> Self {
        Self { shape: entry.outline.shape(), confidence, label: entry.label, from: vec![entry.index] }
    }

    /// A total order: the greatest confidence first, then shape, label and origin.
    fn order(&self, other: &Self) -> Ordering {
        (other.confidence.total_cmp(&self.confidence))
            .then_with(|| self.shape.order(&other.shape))
            .then_with(|| self.label.cmp(&other.label))
            .then_with(|| self.from.cmp(&other.from))
    }
}

/// What came out of a fusion.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// The boxes, the most confident first; equals by shape, then label.
    pub boxes: Vec<FusedBox>,
    /// How many candidates were left out because their confidence is not a number from 0 to 1, or because their geometry
    /// is unsound (see [`Outline::of`]) and their confidence would not have had them skipped anyway.
    pub refused: usize,
    /// How many sound candidates were cut because there were more than [`MOST`], or [`MOST_ORIENTED`].
    pub cut: usize,
}

/// Why boxes were not fused: the caller or the settings are wrong, whatever the models said.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FuseError {
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(String),
    /// A member's weight is not a finite number above 0.
    #[error("member {member} has weight {seen}: want a finite number above 0")]
    Weight {
        /// The member's index.
        member: usize,
        /// Its weight.
        seen: f64,
    },
    /// A member's calibration is out of its range.
    #[error("member {member} has calibration {seen:?}: want a finite slope above 0 and a finite intercept")]
    Calibration {
        /// The member's index.
        member: usize,
        /// Its calibration.
        seen: Calibration,
    },
    /// A candidate is of a member that does not exist.
    #[error("candidate {candidate} is of member {member}, but there are {members} members, counted from 0")]
    NoSuchMember {
        /// The candidate's index.
        candidate: usize,
        /// The member it names.
        member: usize,
        /// How many members there are.
        members: usize,
    },
    /// Oriented boxes have no agreed average.
    #[error(
        "candidate {candidate} is an oriented box: weighted boxes fusion averages upright boxes only; want nms or soft-nms"
    )]
    Oriented {
        /// The candidate's index.
        candidate: usize,
    },
}

/// A sound candidate, weighted.
#[derive(Debug, Clone, Copy)]
struct Entry {
    outline: Outline,
    /// The calibrated confidence times the share.
    rank: f64,
    /// The calibrated confidence.
    confidence: f64,
    /// The member's weight over the greatest.
    share: f64,
    label: usize,
    member: usize,
    index: usize,
}

impl Entry {
    /// The stated order: the best first.
    fn order(&self, other: &Self) -> Ordering {
        (other.rank.total_cmp(&self.rank))
            .then_with(|| self.outline.shape().order(&other.outline.shape()))
            .then_with(|| self.label.cmp(&other.label))
            .then_with(|| self.confidence.total_cmp(&other.confidence))
            .then_with(|| self.share.total_cmp(&other.share))
            .then_with(|| self.member.cmp(&other.member))
            .then_with(|| self.index.cmp(&other.index))
    }
}

/// What is to be known of the members together.
struct Panel {
    /// The greatest weight.
    greatest: f64,
    /// The sum of all weights over the greatest.
    shares: f64,
    /// How many members there are.
    members: f64,
}

impl Panel {
    fn of(members: &[Member]) -> Result<Self, FuseError> {
        for (member, &Member { weight, calibration }) in members.iter().enumerate() {
            if !(weight.is_finite() && weight > 0.0) {
                return Err(FuseError::Weight { member, seen: weight });
            }
            if !calibration.is_sound() {
                return Err(FuseError::Calibration { member, seen: calibration });
            }
        }
        let greatest = members.iter().map(|member| member.weight).fold(0.0, f64::max);
        let shares = weighted::sum(members.iter().map(|member| member.weight / greatest));
        Ok(Self { greatest, shares, members: weighted::count(members.len()) })
    }
}

impl BoxFusion {
    /// Fuses the candidates of the members, each label by itself.
    ///
    /// # Errors
    /// [`FuseError`] when a setting, a weight or a calibration is out of its range, a candidate is of no member, or an
    /// oriented box is to be averaged. What a model can say, NaN and infinity and boxes without area, is no error: it is
    /// left out and counted.
    pub fn fuse(&self, members: &[Member], candidates: &[Candidate]) -> Result<Outcome, FuseError> {
        if let Some(finding) = self.check().into_iter().next() {
            return Err(FuseError::Setting(finding));
        }
        let panel = Panel::of(members)?;
        let (mut entries, refused) = self.admit(members, candidates, &panel)?;
        let most = if entries.iter().any(|entry| entry.outline.is_oriented()) { MOST_ORIENTED } else { MOST };
        let cut = entries.len().saturating_sub(most);
        if cut > 0 {
            entries.select_nth_unstable_by(most, Entry::order);
            entries.truncate(most);
        }
        entries.sort_unstable_by(|a, b| a.label.cmp(&b.label).then_with(|| a.order(b)));
        let mut boxes = Vec::new();
        for group in entries.chunk_by(|a, b| a.label == b.label) {
            boxes.append(&mut self.one_label(group, &panel));
        }
        boxes.sort_unstable_by(FusedBox::order);
        Ok(Outcome { boxes, refused, cut })
    }

    /// The candidates that are neither skipped nor unsound, and how many are unsound.
    fn admit(
        &self,
        members: &[Member],
        candidates: &[Candidate],
        panel: &Panel,
    ) -> Result<(Vec<Entry>, usize), FuseError> {
        let (mut entries, mut refused) = (Vec::new(), 0);
        let (skip_below, upright_only) = (self.skip_below(), !self.takes_oriented());
        for (index, candidate) in candidates.iter().enumerate() {
            let &Candidate { ref shape, confidence, label, member } = candidate;
            let Some(&Member { weight, calibration }) = members.get(member) else {
                return Err(FuseError::NoSuchMember { candidate: index, member, members: members.len() });
            };
            if upright_only && matches!(shape, Shape::Oriented(_)) {
                return Err(FuseError::Oriented { candidate: index });
            }
            let sure = (0.0..=1.0).contains(&confidence);
            let confidence = calibration.apply(confidence);
            if sure && confidence < skip_below {
                continue;
            }
            let Some(outline) = Outline::of(shape).filter(|_| sure) else {
                refused += 1;
                continue;
            };
            let share = weight / panel.greatest;
            entries.push(Entry { outline, rank: confidence * share, confidence, share, label, member, index });
        }
        Ok((entries, refused))
    }

    /// Fuses sorted entries of one label.
    fn one_label(&self, entries: &[Entry], panel: &Panel) -> Vec<FusedBox> {
        match *self {
            Self::Nms { iou_above, .. } => nms::suppress(entries, iou_above),
            Self::SoftNmsLinear { iou_above, skip_below } => {
                soft_nms::decay(entries, Decay::Linear { iou_above }, skip_below)
            }
            Self::SoftNmsGaussian { sigma, skip_below } => {
                soft_nms::decay(entries, Decay::Gaussian { sigma }, skip_below)
            }
            Self::WeightedBoxes { iou_above, confidence, .. } => weighted::fuse(entries, iou_above, confidence, panel),
        }
    }
}

#[cfg(test)]
mod tests;
