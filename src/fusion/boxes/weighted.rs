//! Weighted boxes fusion: of boxes that overlap, all have a part in the one that comes out.
//!
//! Solovyev, Wang and Gabruseva, "Weighted boxes fusion: ensembling boxes from different object detection models", 2021
//! (arXiv 1910.13302), with the confidences of the package `ensemble-boxes`. Corners are averaged in 64 bits, where the
//! package rounds to 32, and are held between those of the boxes that took part. Where every weighted confidence of a
//! cluster is 0 there is nothing to average by, and the corners are those of its first box. Upright boxes only.

use super::overlap::{Corners, Outline, Shape};
use super::{Agreement, Entry, FusedBox, Panel};

/// Boxes taken to be of one thing.
struct Cluster<'a> {
    /// The corners averaged by weighted confidence.
    outline: Outline,
    /// The sum of corners times weighted confidence.
    sum: Corners,
    /// The sum of weighted confidences.
    ranks: f64,
    /// The least and the greatest of each corner.
    hull: (Corners, Corners),
    /// Who took part, best first.
    parts: Vec<&'a Entry>,
}

impl<'a> Cluster<'a> {
    fn of(entry: &'a Entry) -> Self {
        let corners = entry.outline.bounds();
        let sum = corners.map(|corner| corner * entry.rank);
        Self { outline: entry.outline, sum, ranks: entry.rank, hull: (corners, corners), parts: vec![entry] }
    }

    fn join(&mut self, entry: &'a Entry) {
        let corners = entry.outline.bounds();
        self.ranks += entry.rank;
        self.sum = zip(self.sum, corners, |sum, corner| sum + corner * entry.rank);
        self.hull = (zip(self.hull.0, corners, f64::min), zip(self.hull.1, corners, f64::max));
        self.parts.push(entry);
        if self.ranks > 0.0 {
            let mean = self.sum.map(|sum| sum / self.ranks);
            self.outline = Outline::within(zip(zip(mean, self.hull.0, f64::max), self.hull.1, f64::min));
        }
    }

    /// The confidence of the cluster, 0 to 1.
    fn confidence(&self, agreement: Agreement, panel: &Panel) -> f64 {
        if self.ranks <= 0.0 {
            return 0.0;
        }
        let confidence = match agreement {
            Agreement::Average => {
                let boxes = count(self.parts.len());
                self.ranks / boxes * boxes.min(panel.members) / panel.shares
            }
            Agreement::BoxAndModelAverage => {
                let mut members: Vec<(usize, f64)> = self.parts.iter().map(|part| (part.member, part.share)).collect();
                members.sort_by_key(|&(member, _)| member);
                members.dedup();
                let present = sum(members.into_iter().map(|(_, share)| share));
                self.ranks / sum(self.parts.iter().map(|part| part.share)) * (present / panel.shares)
            }
        };
        confidence.clamp(0.0, 1.0)
    }
}

/// Fuses entries of one label, best first. Each joins the cluster whose average it overlaps most, where that overlap is
/// above `iou_above` (of equals the older cluster), or else begins a cluster.
pub(super) fn fuse(entries: &[Entry], iou_above: f64, agreement: Agreement, panel: &Panel) -> Vec<FusedBox> {
    let mut clusters: Vec<Cluster<'_>> = Vec::new();
    for entry in entries {
        let mut most = iou_above;
        let mut nearest = None;
        for cluster in &mut clusters {
            let iou = cluster.outline.iou(&entry.outline);
            if iou > most {
                (most, nearest) = (iou, Some(cluster));
            }
        }
        match nearest {
            Some(cluster) => cluster.join(entry),
            None => clusters.push(Cluster::of(entry)),
        }
    }
    let fused = clusters.iter().map(|cluster| FusedBox {
        shape: Shape::Upright(cluster.outline.bounds()),
        confidence: cluster.confidence(agreement, panel),
        label: cluster.parts.first().map_or(0, |first| first.label),
        from: cluster.parts.iter().map(|part| part.index).collect(),
    });
    fused.collect()
}

/// The sum of values in the order of their size: the same to the last bit in whatever order they come.
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.into_iter().sum()
}

/// A count as a number; counts here are bounded far below where 64 bits round.
#[expect(clippy::cast_precision_loss, reason = "counts of boxes and members")]
pub(super) fn count(things: usize) -> f64 {
    things as f64
}

fn zip(a: Corners, b: Corners, join: impl Fn(f64, f64) -> f64) -> Corners {
    let mut joined = a;
    joined.iter_mut().zip(b).for_each(|(value, other)| *value = join(*value, other));
    joined
}
