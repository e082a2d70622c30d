//! Hard non-maximum suppression: of boxes that overlap, the best stays and the others go.

use super::{Corners, Entry, FusedBox};

/// Greedy suppression among entries of one label, best first: an entry stays unless its overlap with one that stayed is
/// above `iou_above`. What stays keeps its outline and its weighted confidence.
pub(super) fn suppress(entries: &[Entry], iou_above: f64) -> Vec<FusedBox> {
    let mut kept: Vec<(Corners, &Entry)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let bounds = entry.outline.bounds();
        let overlaps = |(other, better): &(Corners, &Entry)| {
            meet(&bounds, other) && better.outline.iou(&entry.outline) > iou_above
        };
        if !kept.iter().any(overlaps) {
            kept.push((bounds, entry));
        }
    }
    kept.into_iter().map(|(_, entry)| FusedBox::alone(entry, entry.rank)).collect()
}

/// Whether two upright boxes share any area.
#[expect(clippy::needless_bitwise_bool, reason = "asked of every pair, where branches cannot be foretold")]
fn meet(a: &Corners, b: &Corners) -> bool {
    (a[0] < b[2]) & (b[0] < a[2]) & (a[1] < b[3]) & (b[1] < a[3])
}
