//! Suppression of oriented boxes by the probabilistic intersection over union, as Ultralytics does it.
//!
//! A box stands for the normal distribution with its centre and the covariance of a uniform one over it; the overlap of
//! two is one less their Hellinger distance (Llerena et al., "Gaussian Bounding Boxes and Probabilistic
//! Intersection-over-Union", 2021). Suppression is that of "fast NMS" (Bolya et al., "YOLACT", 2019): a box goes when any
//! better one overlaps it too much, whether that one stays or not.

use crate::fusion::boxes::{MOST_ORIENTED, Shape};

use super::Found;

/// Keeps divisions and logarithms of flat boxes finite; the reference has the same.
const EPSILON: f64 = 1e-7;

/// A box as a normal distribution.
#[derive(Clone, Copy)]
struct Normal {
    x: f64,
    y: f64,
    /// The covariance: xx, yy, xy.
    covariance: [f64; 3],
}

impl Normal {
    /// Of a box with half sides u and v the covariance is (u u' + v v') / 3.
    fn of(shape: &Shape) -> Self {
        let [a, b, c, d] = match *shape {
            Shape::Oriented(points) => points,
            Shape::Upright([left, top, right, bottom]) => [[left, top], [right, top], [right, bottom], [left, bottom]],
        };
        let (u, v) = ([(b[0] - a[0]) / 2.0, (b[1] - a[1]) / 2.0], [(d[0] - a[0]) / 2.0, (d[1] - a[1]) / 2.0]);
        let covariance = [u[0] * u[0] + v[0] * v[0], u[1] * u[1] + v[1] * v[1], u[0] * u[1] + v[0] * v[1]];
        Self { x: f64::midpoint(a[0], c[0]), y: f64::midpoint(a[1], c[1]), covariance: covariance.map(|sum| sum / 3.0) }
    }

    fn determinant([xx, yy, xy]: [f64; 3]) -> f64 {
        xx * yy - xy * xy
    }

    /// One less the Hellinger distance, by the Bhattacharyya distance of two normal distributions.
    fn overlap(&self, other: &Self) -> f64 {
        let [xx, yy, xy] = [0, 1, 2].map(|place| self.covariance[place] + other.covariance[place]);
        let (right, down) = (self.x - other.x, self.y - other.y);
        let joined = Self::determinant([xx, yy, xy]);
        let apart = (xx * down * down + yy * right * right - 2.0 * xy * right * down) / (joined + EPSILON) / 4.0;
        let alone = Self::determinant(self.covariance).max(0.0) * Self::determinant(other.covariance).max(0.0);
        let unlike = (joined / (4.0 * alone.sqrt() + EPSILON) + EPSILON).ln() / 2.0;
        let distance = (apart + unlike).clamp(EPSILON, 100.0);
        1.0 - (1.0 - (-distance).exp() + EPSILON).sqrt()
    }
}

/// Drops the boxes that any better one of the same label (of any label, across labels) overlaps by more than `above`. They
/// come in their order, the best first; of more than [`MOST_ORIENTED`] the best are looked at.
pub(super) fn suppress(mut found: Vec<Found>, above: f64, across_labels: bool) -> Vec<Found> {
    found.truncate(MOST_ORIENTED);
    let normals: Vec<(usize, Normal)> = found.iter().map(|found| (found.label, Normal::of(&found.shape))).collect();
    let mut place = 0;
    found.retain(|_| {
        let (better, rest) = normals.split_at(place);
        place += 1;
        let Some((label, normal)) = rest.first() else { return false };
        !better.iter().any(|(other, box_)| (across_labels || other == label) && box_.overlap(normal) > above)
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlap_of_normal_distributions_by_hand() {
        let square = |x: f64| Normal::of(&Shape::Upright([x, 0.0, x + 12.0, 12.0]));
        // Equal boxes: a Bhattacharyya distance of 0, but for the epsilon.
        assert!((square(0.0).overlap(&square(0.0)) - 1.0).abs() < 1e-3);
        // Variances of 12 each: (1/8) d' (S)^-1 d = 36 / 12 / 8 for a way of 6.
        let wanted = 1.0 - (1.0 - (-36.0_f64 / 12.0 / 8.0).exp()).sqrt();
        assert!((square(0.0).overlap(&square(6.0)) - wanted).abs() < 1e-6);
        assert!(square(0.0).overlap(&square(1e6)) < 1e-6);
    }
}
