//! How much two outlines overlap: the area they share over the area they cover together.
//!
//! Owns the two shapes of a detection, the check of their geometry, and their intersection over union. Upright boxes are
//! compared by their corners; as soon as one of the two is oriented, its polygon is clipped by the other's (Sutherland
//! and Hodgman, "Reentrant polygon clipping", 1974). Allocates nothing. Does not know confidences or labels.

use std::cmp::Ordering;

/// The left, top, right and bottom of an upright box, in any one unit; right > left and bottom > top.
pub type Corners = [f64; 4];

/// A place: x, y.
pub type Point = [f64; 2];

/// The greatest magnitude of a coordinate. No picture is larger in any unit, and no product of two overflows.
pub const FARTHEST: f64 = 1e9;

/// The outline of a detection, as it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A box along the axes of the picture.
    Upright(Corners),
    /// An oriented box: its four corners in the order of its edge, either way round. Any strictly convex quadrilateral.
    Oriented([Point; 4]),
}

impl Shape {
    /// A total order: upright before oriented, then by the coordinates as they are given.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Upright(a), Self::Upright(b)) => by_value(a, b),
            (Self::Oriented(a), Self::Oriented(b)) => by_value(a.as_flattened(), b.as_flattened()),
            (Self::Upright(_), Self::Oriented(_)) => Ordering::Less,
            (Self::Oriented(_), Self::Upright(_)) => Ordering::Greater,
        }
    }
}

/// A shape whose geometry is sound, ready to be compared many times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outline {
    /// The upright box around the shape: the shape itself where it is upright.
    bounds: Corners,
    /// The area of the shape: finite, above 0.
    area: f64,
    /// The corners of an oriented shape, as they were given.
    turned: Option<[Point; 4]>,
}

impl Outline {
    /// Checks a shape; `None` when a coordinate is not finite or beyond [`FARTHEST`], or when the shape is inverted, has
    /// no area, or (oriented) is not strictly convex.
    #[must_use]
    pub fn of(shape: &Shape) -> Option<Self> {
        match shape {
            Shape::Upright(corners) => Self::upright(*corners),
            Shape::Oriented(points) => Self::oriented(*points),
        }
    }

    fn upright(corners: Corners) -> Option<Self> {
        let [left, top, right, bottom] = corners;
        let sound = corners.iter().all(|value| value.abs() <= FARTHEST) && left < right && top < bottom;
        let outline = Self::within(corners);
        (sound && outline.area > 0.0).then_some(outline)
    }

    /// The outline of corners that lie between those of sound boxes.
    pub(super) fn within(corners: Corners) -> Self {
        let [left, top, right, bottom] = corners;
        Self { bounds: corners, area: (right - left) * (bottom - top), turned: None }
    }

    fn oriented(points: [Point; 4]) -> Option<Self> {
        if !points.as_flattened().iter().all(|value| value.abs() <= FARTHEST) {
            return None;
        }
        let ring = positive(points);
        let [a, b, c, d] = ring;
        let convex =
            [[a, b, c], [b, c, d], [c, d, a], [d, a, b]].iter().all(|&[from, to, next]| side(from, to, next) > 0.0);
        let area = area(&ring);
        let nothing = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        let bounds = points.iter().fold(nothing, |[left, top, right, bottom], &[x, y]| {
            [left.min(x), top.min(y), right.max(x), bottom.max(y)]
        });
        (convex && area > 0.0).then_some(Self { bounds, area, turned: Some(points) })
    }

    /// The shape as it was given.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.turned.map_or(Shape::Upright(self.bounds), Shape::Oriented)
    }

    /// The upright box around the shape.
    #[must_use]
    pub fn bounds(&self) -> Corners {
        self.bounds
    }

    /// Whether the shape is an oriented box.
    #[must_use]
    pub fn is_oriented(&self) -> bool {
        self.turned.is_some()
    }

    /// The intersection over union of two outlines, 0 to 1; the same from either side, to the last bit.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f64 {
        let ([left, top, right, bottom], [l, t, r, b]) = (self.bounds, other.bounds);
        let width = right.min(r) - left.max(l);
        let height = bottom.min(b) - top.max(t);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let shared = match (self.turned, other.turned) {
            (None, None) => width * height,
            _ if self.shape().order(&other.shape()).is_gt() => shared_area(other, self),
            _ => shared_area(self, other),
        };
        (shared / (self.area + other.area - shared)).clamp(0.0, 1.0)
    }

    /// The corners, in the order that makes the shoelace sum positive, relative to `origin`.
    fn points(&self, [x, y]: Point) -> [Point; 4] {
        let [left, top, right, bottom] = self.bounds;
        let points = self.turned.unwrap_or([[left, top], [right, top], [right, bottom], [left, bottom]]);
        positive(points).map(|[px, py]| [px - x, py - y])
    }
}

/// Compares numbers one after the other.
fn by_value(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Twice the area of the triangle `a`, `b`, `p`: above 0 when `p` lies on the inner side of the edge from `a` to `b`.
fn side(a: Point, b: Point, p: Point) -> f64 {
    (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])
}

/// The area of a polygon by triangles from its first corner, negative when its corners run the other way round.
fn area(points: &[Point]) -> f64 {
    let Some(&origin) = points.first() else { return 0.0 };
    points.windows(2).filter_map(|edge| if let &[a, b] = edge { Some(side(origin, a, b)) } else { None }).sum::<f64>()
        / 2.0
}

/// The corners the way round that makes the area positive.
fn positive(mut points: [Point; 4]) -> [Point; 4] {
    if area(&points) < 0.0 {
        points.reverse();
    }
    points
}

/// A polygon in a place of its own. Each of four clips at most doubles the corners, whatever rounding does.
struct Polygon {
    points: [Point; 64],
    count: usize,
}

impl Polygon {
    fn new() -> Self {
        Self { points: [[0.0; 2]; 64], count: 0 }
    }

    fn push(&mut self, point: Point) {
        if let Some(slot) = self.points.get_mut(self.count) {
            *slot = point;
            self.count += 1;
        }
    }

    fn corners(&self) -> &[Point] {
        self.points.get(..self.count).unwrap_or_default()
    }

    /// Becomes the part of `subject` on the inner side of the edge from `a` to `b`.
    fn clip(&mut self, subject: &[Point], a: Point, b: Point) {
        self.count = 0;
        let Some(&last) = subject.last() else { return };
        let mut previous = (last, side(a, b, last));
        for &point in subject {
            let here = side(a, b, point);
            let (from, there) = previous;
            if (here < 0.0) != (there < 0.0) {
                let part = there / (there - here);
                self.push([from[0] + (point[0] - from[0]) * part, from[1] + (point[1] - from[1]) * part]);
            }
            if here >= 0.0 {
                self.push(point);
            }
            previous = (point, here);
        }
    }
}

/// The area that two outlines share, at most that of the smaller.
fn shared_area(subject: &Outline, window: &Outline) -> f64 {
    let [left, top, _, _] = subject.bounds;
    let origin = [left, top];
    let mut now = Polygon::new();
    let mut next = Polygon::new();
    for point in subject.points(origin) {
        now.push(point);
    }
    let [a, b, c, d] = window.points(origin);
    for (from, to) in [(a, b), (b, c), (c, d), (d, a)] {
        next.clip(now.corners(), from, to);
        std::mem::swap(&mut now, &mut next);
    }
    area(now.corners()).clamp(0.0, subject.area.min(window.area))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn upright(corners: Corners) -> Outline {
        Outline::of(&Shape::Upright(corners)).unwrap()
    }

    /// A rectangle by its centre, size and angle in degrees.
    fn rectangle([x, y]: Point, [width, height]: Point, degrees: f64) -> Shape {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let corner = |along: f64, across: f64| {
            let (dx, dy) = (along * width / 2.0, across * height / 2.0);
            [x + dx * cos - dy * sin, y + dx * sin + dy * cos]
        };
        Shape::Oriented([corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)])
    }

    fn turned(centre: Point, size: Point, degrees: f64) -> Outline {
        Outline::of(&rectangle(centre, size, degrees)).unwrap()
    }

    #[test]
    fn upright_boxes_by_hand() {
        let unit = upright([0.0, 0.0, 2.0, 2.0]);
        let iou = |corners| unit.iou(&upright(corners)).to_bits();
        assert_eq!(iou([0.0, 0.0, 2.0, 2.0]), 1f64.to_bits());
        assert_eq!(iou([1.0, 0.0, 3.0, 2.0]), (2f64 / 6.0).to_bits());
        assert_eq!(iou([2.0, 0.0, 3.0, 2.0]), 0f64.to_bits());
        assert_eq!(iou([0.5, 0.5, 1.5, 1.5]), 0.25f64.to_bits());
    }

    #[test]
    fn oriented_boxes_by_hand() {
        let near = |seen: f64, wanted: f64| assert!((seen - wanted).abs() < 1e-12, "{seen}, want {wanted}");
        let square = upright([-1.0, -1.0, 1.0, 1.0]);
        // A square of side 2 and the same turned by 45 degrees share a regular octagon of area 8 (sqrt 2 - 1).
        let octagon = 8.0 * (2f64.sqrt() - 1.0);
        near(square.iou(&turned([0.0, 0.0], [2.0, 2.0], 45.0)), octagon / (8.0 - octagon));
        // The diamond with its corners in the middle of the square's edges has half its area.
        near(square.iou(&turned([0.0, 0.0], [2f64.sqrt(), 2f64.sqrt()], 45.0)), 0.5);
        // A plank of 4 by 1 and the same turned by 90 degrees share a unit square: 1 / 7.
        near(turned([5.0, 5.0], [4.0, 1.0], 30.0).iou(&turned([5.0, 5.0], [4.0, 1.0], 120.0)), 1.0 / 7.0);
        // Along the axes u, v of a plank of 4 by 1 at 45 degrees the square is |u| + |v| <= sqrt 2, the plank |v| <= 1/2.
        let shared = 2.0 * 2f64.sqrt() - 0.5;
        near(square.iou(&turned([0.0, 0.0], [4.0, 1.0], 45.0)), shared / (8.0 - shared));
        near(turned([0.0, 0.0], [2.0, 1.0], 17.0).iou(&turned([0.0, 0.0], [2.0, 1.0], 197.0)), 1.0);
        near(turned([0.0, 0.0], [1.0, 1.0], 45.0).iou(&turned([1.2, 1.2], [1.0, 1.0], 45.0)), 0.0);
    }

    #[test]
    fn unsound_shapes_are_refused() {
        let refused = |shape: Shape| assert_eq!(Outline::of(&shape), None, "{shape:?}");
        let nan = f64::NAN;
        for corners in [
            [0.0, 0.0, 0.0, 1.0],
            [0.0, 0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0, 1.0],
            [0.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 1e-200, 1e-200],
            [nan, 0.0, 1.0, 1.0],
            [0.0, 0.0, 1.0, nan],
            [0.0, 0.0, f64::INFINITY, 1.0],
            [-2e9, 0.0, 1.0, 1.0],
        ] {
            refused(Shape::Upright(corners));
        }
        refused(Shape::Oriented([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])); // crosses itself
        refused(Shape::Oriented([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])); // a line
        refused(Shape::Oriented([[0.0, 0.0], [4.0, 0.0], [1.0, 1.0], [0.0, 4.0]])); // a dart
        refused(Shape::Oriented([[0.0, 0.0], [1.0, 0.0], [1.0, nan], [0.0, 1.0]]));
        refused(Shape::Oriented([[0.0; 2]; 4]));
    }

    fn any_rectangle() -> impl Strategy<Value = (Point, Point, f64)> {
        let place = (-3.0..3.0f64, -3.0..3.0f64).prop_map(|(x, y)| [x, y]);
        let size = (0.1..4.0f64, 0.1..4.0f64).prop_map(|(width, height)| [width, height]);
        (place, size, -360.0..360.0f64)
    }

    proptest! {
        #[test]
        fn at_angle_nought_both_ways_agree(a in any_rectangle(), b in any_rectangle(), quarter in 0u8..4) {
            let flat = |(centre, size, _): (Point, Point, f64)| {
                let [x, y] = centre;
                let [width, height] = size;
                upright([x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0])
            };
            let straight = flat(a).iou(&flat(b));
            prop_assert!((turned(a.0, a.1, 0.0).iou(&turned(b.0, b.1, 180.0)) - straight).abs() < 1e-12);
            prop_assert!((turned(a.0, a.1, 0.0).iou(&flat(b)) - straight).abs() < 1e-12);
            // Turning both together by right angles about the origin changes nothing.
            let spin = |[x, y]: Point| (0..quarter).fold([x, y], |[x, y], _| [-y, x]);
            let by = 90.0 * f64::from(quarter);
            prop_assert!((turned(spin(a.0), a.1, by).iou(&turned(spin(b.0), b.1, by)) - straight).abs() < 1e-9);
        }

        #[test]
        fn overlap_is_symmetric_bounded_and_whole_with_itself(a in any_rectangle(), b in any_rectangle(), far in -1e6..1e6f64) {
            let (first, second) = (turned(a.0, a.1, a.2), turned(b.0, b.1, b.2));
            let iou = first.iou(&second);
            prop_assert_eq!(iou.to_bits(), second.iou(&first).to_bits());
            prop_assert!((0.0..=1.0).contains(&iou));
            prop_assert!((first.iou(&first) - 1.0).abs() < 1e-9);
            let (area, other) = (a.1[0] * a.1[1], b.1[0] * b.1[1]);
            prop_assert!(iou <= area.min(other) / area.max(other) + 1e-9);
            let away = |(centre, size, angle): (Point, Point, f64)| turned([centre[0] + far, centre[1] - far], size, angle);
            prop_assert!((away(a).iou(&away(b)) - iou).abs() < 1e-6);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_shared_area_is_that_of_a_fine_grid(a in any_rectangle(), b in any_rectangle()) {
            let inside = |[p, q, r, s]: [Point; 4], place: Point| {
                [(p, q), (q, r), (r, s), (s, p)].iter().all(|&(from, to)| side(from, to, place) >= 0.0)
            };
            let (first, second) = (turned(a.0, a.1, a.2), turned(b.0, b.1, b.2));
            let (one, two) = (first.points([0.0; 2]), second.points([0.0; 2]));
            let (mut both, mut any) = (0u32, 0u32);
            for row in 0..200 {
                for column in 0..200 {
                    let place = [f64::from(column) * 0.06 - 5.97, f64::from(row) * 0.06 - 5.97];
                    let (one, two) = (inside(one, place), inside(two, place));
                    both += u32::from(one && two);
                    any += u32::from(one || two);
                }
            }
            let counted = f64::from(both) / f64::from(any.max(1));
            prop_assert!(any < 500 || (first.iou(&second) - counted).abs() < 0.1);
        }
    }
}
