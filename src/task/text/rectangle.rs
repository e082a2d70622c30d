//! Rectangles that stand askew: the smallest around an outline, grown, and its corners in the order of reading.
//!
//! Growing a rectangle by a distance on every side gives the smallest rectangle around the outline grown with round
//! corners by that distance, so no polygon has to be offset.

/// A rectangle that may stand askew; x to the right, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Oriented {
    centre: [f64; 2],
    /// The direction of reading, of length 1.
    along: [f64; 2],
    /// The side in the direction of reading.
    length: f64,
    /// The side across.
    height: f64,
}

/// From this share of the shorter side on, text runs along the longer one.
const LONG: f64 = 1.5;

impl Oriented {
    /// The rectangle of the smallest area around a convex outline; one of its sides lies on an edge of the outline
    /// (Freeman and Shapira 1975). `None` for an outline of fewer than three points.
    pub(super) fn around(hull: &[[i64; 2]]) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "the sides of a map are far below 2^52")]
        let points: Vec<[f64; 2]> = hull.iter().map(|&[x, y]| [x as f64, y as f64]).collect();
        if points.len() < 3 {
            return None;
        }
        let ends = points.iter().cycle().skip(1);
        let edges = points.iter().zip(ends).map(|(from, to)| [to[0] - from[0], to[1] - from[1]]);
        let around = edges.map(|[x, y]| {
            let length = x.hypot(y);
            Self::along([x / length, y / length], &points)
        });
        around.min_by(|one, other| one.area().total_cmp(&other.area())).map(Self::read)
    }

    /// The rectangle around points with a side in a given direction.
    fn along(along: [f64; 2], points: &[[f64; 2]]) -> Self {
        let [x, y] = along;
        let extent = |of: &dyn Fn(&[f64; 2]) -> f64| {
            let places = points.iter().map(of);
            places.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), at| (least.min(at), most.max(at)))
        };
        let (from, to) = extent(&|point| point[0] * x + point[1] * y);
        let (upper, lower) = extent(&|point| point[1] * x - point[0] * y);
        let (u, v) = (f64::midpoint(from, to), f64::midpoint(upper, lower));
        Self { centre: [u * x - v * y, u * y + v * x], along, length: to - from, height: lower - upper }
    }

    /// The same rectangle with the direction of reading: along the longer side where it is much longer, else along the
    /// side that lies flatter; to the right, or downwards where that is steeper than 45 degrees.
    fn read(self) -> Self {
        let long = self.length >= LONG * self.height;
        let tall = self.height >= LONG * self.length;
        let flat = self.along[0].abs() >= self.along[1].abs();
        let turned = tall || (!long && !flat);
        let [x, y] = self.along;
        let (along, length, height) =
            if turned { ([-y, x], self.height, self.length) } else { ([x, y], self.length, self.height) };
        let backwards = if along[0].abs() >= along[1].abs() { along[0] < 0.0 } else { along[1] < 0.0 };
        let along = if backwards { along.map(|part| -part) } else { along };
        Self { centre: self.centre, along, length, height }
    }

    /// The same rectangle, every side moved outwards by `by`.
    pub(super) fn grown(self, by: f64) -> Self {
        Self { length: self.length + 2.0 * by, height: self.height + 2.0 * by, ..self }
    }

    pub(super) const fn shortest_side(&self) -> f64 {
        self.length.min(self.height)
    }

    pub(super) fn area(&self) -> f64 {
        self.length * self.height
    }

    pub(super) fn perimeter(&self) -> f64 {
        2.0 * (self.length + self.height)
    }

    /// The corners clockwise, from the upper corner at the start of the text.
    pub(super) fn corners(&self) -> [[f64; 2]; 4] {
        let ([x, y], [centre_x, centre_y]) = (self.along, self.centre);
        [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(along, down)| {
            let (u, v) = (along * self.length, down * self.height);
            [centre_x + u * x - v * y, centre_y + u * y + v * x]
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(seen: [[f64; 2]; 4], wanted: [[f64; 2]; 4]) -> bool {
        seen.as_flattened().iter().zip(wanted.as_flattened()).all(|(seen, wanted)| (seen - wanted).abs() < 1e-9)
    }

    #[test]
    fn the_smallest_rectangle_stands_askew_where_its_points_do() {
        let flat = Oriented::around(&[[2, 3], [12, 3], [12, 7], [2, 7]]).unwrap();
        assert!(near(flat.corners(), [[2.0, 3.0], [12.0, 3.0], [12.0, 7.0], [2.0, 7.0]]), "{flat:?}");
        assert!(near(flat.grown(1.0).corners(), [[1.0, 2.0], [13.0, 2.0], [13.0, 8.0], [1.0, 8.0]]));
        assert!((flat.area() - 40.0).abs() < 1e-9 && (flat.perimeter() - 28.0).abs() < 1e-9);
        let askew = Oriented::around(&[[0, 0], [8, 6], [5, 10], [-3, 4]]).unwrap();
        assert!(near(askew.corners(), [[0.0, 0.0], [8.0, 6.0], [5.0, 10.0], [-3.0, 4.0]]), "{askew:?}");
        assert_eq!(Oriented::around(&[[0, 0], [8, 6]]), None);
    }

    #[test]
    fn a_tall_line_is_read_downwards_and_a_square_to_the_right() {
        let tall = Oriented::around(&[[0, 0], [4, 0], [4, 10], [0, 10]]).unwrap();
        assert!(near(tall.corners(), [[4.0, 0.0], [4.0, 10.0], [0.0, 10.0], [0.0, 0.0]]), "{tall:?}");
        let square = Oriented::around(&[[0, 0], [4, 0], [4, 5], [0, 5]]).unwrap();
        assert!(near(square.corners(), [[0.0, 0.0], [4.0, 0.0], [4.0, 5.0], [0.0, 5.0]]), "{square:?}");
    }

    proptest! {
        #[test]
        fn every_point_lies_within(points in prop::collection::vec((0_i64..200, 0_i64..90), 3..40)) {
            let points: Vec<[i64; 2]> = points.into_iter().map(|(x, y)| [x, y]).collect();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let floats: Vec<[f64; 2]> = points.iter().map(|&[x, y]| [x as f64, y as f64]).collect();
            let turned = Oriented::along([0.8, 0.6], &floats).read();
            let [start, end, _, below] = turned.corners();
            let (length, height) = (turned.length.max(1e-9), turned.height.max(1e-9));
            for [x, y] in floats {
                let along = ((x - start[0]) * (end[0] - start[0]) + (y - start[1]) * (end[1] - start[1])) / length;
                let down = ((x - start[0]) * (below[0] - start[0]) + (y - start[1]) * (below[1] - start[1])) / height;
                prop_assert!((-1e-6..=turned.length + 1e-6).contains(&along));
                prop_assert!((-1e-6..=turned.height + 1e-6).contains(&down));
            }
        }
    }
}
