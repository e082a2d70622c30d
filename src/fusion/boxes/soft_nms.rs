//! Soft non-maximum suppression: of boxes that overlap, the best stays and the others lose confidence.
//!
//! Bodla, Singh, Chellappa and Davis, "Soft-NMS: improving object detection with one line of code", 2017, equations for
//! the linear and the Gaussian decay. What is returned is the decayed confidence, as in the paper; the package
//! `ensemble-boxes` selects by it, but returns the confidence from before the decay.

use super::{Entry, FusedBox};

/// How much confidence an overlap costs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decay {
    /// Times 1 - overlap where the overlap is above the limit.
    Linear { iou_above: f64 },
    /// Times exp(-overlap^2 / sigma).
    Gaussian { sigma: f64 },
}

impl Decay {
    /// The factor that an overlap leaves of a confidence, 0 to 1.
    fn factor(self, iou: f64) -> f64 {
        match self {
            Self::Linear { iou_above } if iou > iou_above => 1.0 - iou,
            Self::Gaussian { sigma } if iou > 0.0 => (-(iou * iou) / sigma).exp(),
            Self::Linear { .. } | Self::Gaussian { .. } => 1.0,
        }
    }
}

/// Takes the most confident entry of one label, lets the others decay, and so on. An entry whose confidence is, or has
/// decayed, below `skip_below`, or has decayed to 0, is gone. Of equals the first of the sorted entries is taken.
pub(super) fn decay(entries: &[Entry], decay: Decay, skip_below: f64) -> Vec<FusedBox> {
    let above = entries.iter().filter(|entry| entry.rank >= skip_below);
    let mut live: Vec<(f64, &Entry)> = above.map(|entry| (entry.rank, entry)).collect();
    let mut taken = Vec::new();
    while let Some(best) = first_greatest(&live) {
        let (confidence, entry) = live.remove(best);
        live.retain_mut(|(confidence, other)| {
            let factor = decay.factor(entry.outline.iou(&other.outline));
            *confidence *= factor;
            factor >= 1.0 || (*confidence >= skip_below && *confidence > 0.0)
        });
        taken.push(FusedBox::alone(entry, confidence));
    }
    taken
}

/// The place of the first of the greatest confidences.
fn first_greatest(live: &[(f64, &Entry)]) -> Option<usize> {
    let (mut place, &(mut greatest, _)) = (0, live.first()?);
    for (at, &(confidence, _)) in live.iter().enumerate() {
        if confidence > greatest {
            (place, greatest) = (at, confidence);
        }
    }
    Some(place)
}
