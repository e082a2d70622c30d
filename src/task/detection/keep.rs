//! Which boxes are kept, in which order.
//!
//! Suppression itself is that of box fusion: one rule for the boxes of one model and of several. The order is the surest
//! first; of equally sure ones by corners, then label, then place in the head. It does not depend on the order in which
//! boxes were found.

use std::cmp::Ordering;

use crate::fusion::boxes::{BoxFusion, Candidate, Member, Shape};
use crate::models::passport::detection::{Detection, OrientedOverlap};

use super::{Found, probiou};

/// Suppresses what overlaps better boxes, where the passport says so, and brings the rest into order.
///
/// # Errors
/// A sentence when the overlap in the passport is out of range.
pub(super) fn keep(mut found: Vec<Found>, task: &Detection) -> Result<Vec<Found>, String> {
    found.sort_unstable_by(order);
    let Some(iou_above) = task.overlap_up_to else { return Ok(found) };
    if task.oriented_overlap == OrientedOverlap::Probiou {
        return Ok(probiou::suppress(found, iou_above, task.across_labels));
    }
    let candidates: Vec<Candidate> = found
        .iter()
        .map(|found| Candidate {
            shape: found.shape,
            confidence: found.confidence,
            label: if task.across_labels { 0 } else { found.label },
            member: 0,
        })
        .collect();
    let suppression = BoxFusion::Nms { iou_above, skip_below: 0.0 };
    let outcome = suppression.fuse(&[Member::default()], &candidates).map_err(|why| why.to_string())?;
    let kept = outcome.boxes.iter().filter_map(|kept| found.get(*kept.from.first()?).copied());
    Ok(kept.collect())
}

fn order(a: &Found, b: &Found) -> Ordering {
    (b.confidence.total_cmp(&a.confidence))
        .then_with(|| {
            let pairs = coordinates(&a.shape).zip(coordinates(&b.shape));
            pairs.map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        })
        .then_with(|| (a.label, a.place).cmp(&(b.label, b.place)))
}

fn coordinates(shape: &Shape) -> impl Iterator<Item = f64> + '_ {
    match shape {
        Shape::Upright(corners) => corners.iter().copied(),
        Shape::Oriented(points) => points.as_flattened().iter().copied(),
    }
}
