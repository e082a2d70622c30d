//! Hard non-maximum suppression: of boxes that overlap, the best stays and the others go.

use super::{Entry, FusedBox};

/// Greedy suppression among entries of one label, best first: an entry stays unless its overlap with one that stayed is
/// above `iou_above`. What stays keeps its outline and its weighted confidence.
pub(super) fn suppress(entries: &[Entry], iou_above: f64) -> Vec<FusedBox> {
    let mut kept: Vec<&Entry> = Vec::new();
    for entry in entries {
        if !kept.iter().any(|better| better.outline.iou(&entry.outline) > iou_above) {
            kept.push(entry);
        }
    }
    kept.into_iter().map(|entry| FusedBox::alone(entry, entry.rank)).collect()
}
