//! Components: the pixels of a map that belong together, and the outline of each.
//!
//! A component is told by the corners of its pixels, so that an outline has the size of what it surrounds. Takes time
//! and memory in proportion to the map. Knows nothing of text.

/// A row of corners of pixels side by side.
#[derive(Debug, Clone, Copy)]
struct Run {
    y: i64,
    start: i64,
    end: i64,
    /// The place of another run of the same component, never behind this one; the first run leads to itself.
    leads_to: usize,
}

/// The components of a map.
#[derive(Debug)]
pub(super) struct Components {
    /// Every run in reading order.
    runs: Vec<Run>,
}

impl Components {
    /// Joins the pixels of a map, rows of `width` numbers, that are meant. Two belong together if their corners touch, or
    /// are neighbours: at most one pixel lies between them, in any of the eight directions. (This is the 2 by 2 dilation
    /// before the search for contours that OCR toolkits do, without its shift by half a pixel.)
    pub(super) fn of(map: &[f32], width: usize, meant: impl Fn(f32) -> bool) -> Self {
        let mut found = Self { runs: Vec::new() };
        let empty: &[f32] = &[];
        let mut rows = map.chunks_exact(width.max(1));
        let (mut above, mut y, mut last) = (empty, 0, 0..0);
        loop {
            let below = rows.next().unwrap_or_default();
            if above.is_empty() && below.is_empty() {
                return found;
            }
            let at = |row: &[f32], x: usize| row.get(x).is_some_and(|&number| meant(number));
            let pixel = |x: usize| at(above, x) || at(below, x);
            let first = found.runs.len();
            let mut start = None;
            for x in 0..=width + 1 {
                // The corner at x belongs to the pixels left and right of it.
                let corner = x <= width && (pixel(x) || x.checked_sub(1).is_some_and(pixel));
                match (corner, start) {
                    (true, None) => start = Some(x),
                    (false, Some(from)) => {
                        found.push(y, from, x - 1);
                        start = None;
                    }
                    _ => {}
                }
            }
            let these = first..found.runs.len();
            found.join(last, these.clone());
            (above, y, last) = (below, y + 1, these);
        }
    }

    fn push(&mut self, y: i64, start: usize, end: usize) {
        let place = |x: usize| i64::try_from(x).unwrap_or(i64::MAX);
        let leads_to = self.runs.len();
        self.runs.push(Run { y, start: place(start), end: place(end), leads_to });
    }

    /// Joins the runs of a row with those of the row above that touch them, also at a corner.
    fn join(&mut self, above: std::ops::Range<usize>, these: std::ops::Range<usize>) {
        let mut over = above.start;
        for this in these {
            let Run { start, end, .. } = self.runs[this];
            while over < above.end && self.runs[over].end + 1 < start {
                over += 1;
            }
            let mut touching = over;
            while touching < above.end && self.runs[touching].start <= end + 1 {
                let (one, other) = (self.first(touching), self.first(this));
                self.runs[one.max(other)].leads_to = one.min(other);
                touching += 1;
            }
        }
    }

    /// The first run of the component; the way there becomes shorter for the next to ask.
    fn first(&mut self, mut place: usize) -> usize {
        while self.runs[place].leads_to != place {
            let next = self.runs[place].leads_to;
            self.runs[place].leads_to = self.runs[next].leads_to;
            place = next;
        }
        place
    }

    /// The convex outline of each component, in the order in which the components begin.
    pub(super) fn hulls(mut self) -> Vec<Vec<[i64; 2]>> {
        let mut members: Vec<(usize, usize)> = (0..self.runs.len()).map(|place| (self.first(place), place)).collect();
        members.sort_unstable();
        let components = members.chunk_by(|one, other| one.0 == other.0);
        components
            .map(|members| {
                let runs = members.iter().map(|&(_, place)| self.runs[place]);
                hull(&runs.flat_map(|run| [[run.start, run.y], [run.end, run.y]]).collect::<Vec<_>>())
            })
            .collect()
    }
}

/// The convex hull of points that are sorted by y, then x, without points on its edges (Andrew's monotone chain, 1979).
fn hull(points: &[[i64; 2]]) -> Vec<[i64; 2]> {
    let mut hull: Vec<[i64; 2]> = Vec::new();
    for half in [points.iter().collect::<Vec<_>>(), points.iter().rev().collect()] {
        let base = hull.len();
        for &&point in &half {
            while let &[.., before, last] = &hull[base..]
                && turn(before, last, point) <= 0
            {
                hull.pop();
            }
            hull.push(point);
        }
        hull.pop();
    }
    hull
}

/// Above 0 where the way from `a` over `b` to `c` turns to the left as seen with y upwards.
const fn turn(a: [i64; 2], b: [i64; 2], c: [i64; 2]) -> i64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn outlines(rows: &[&str]) -> Vec<Vec<[i64; 2]>> {
        let map: Vec<f32> = rows.iter().flat_map(|row| row.bytes().map(|c| f32::from(u8::from(c == b'#')))).collect();
        Components::of(&map, rows[0].len(), |number| number > 0.5).hulls()
    }

    #[test]
    fn a_pixel_has_four_corners_and_a_gap_of_one_pixel_joins() {
        assert_eq!(outlines(&["...", ".#.", "..."]).concat().len(), 4);
        assert_eq!(outlines(&["#.#"]).len(), 1, "one pixel between");
        assert_eq!(outlines(&["#..#"]).len(), 2, "two pixels between");
        assert_eq!(outlines(&["#..", "...", "..#"]).len(), 1, "also askew");
        assert_eq!(outlines(&["...", "..."]), Vec::<Vec<[i64; 2]>>::new());
        let whole: BTreeSet<_> = outlines(&["##", "##"]).concat().into_iter().collect();
        assert_eq!(whole, BTreeSet::from([[0, 0], [2, 0], [2, 2], [0, 2]]));
    }

    #[test]
    fn arms_that_meet_late_are_one() {
        assert_eq!(outlines(&["#...#...#", "#...#...#", "#...#...#", "#########"]).len(), 1);
    }

    /// Which pixels belong together, by flooding.
    fn flooded(pixels: &[bool], width: usize) -> usize {
        let place = |at: usize| [at / width, at % width];
        let mut left: BTreeSet<usize> = (0..pixels.len()).filter(|&at| pixels[at]).collect();
        let mut count = 0;
        while let Some(seed) = left.pop_first() {
            count += 1;
            let mut edge = vec![seed];
            while let Some(at) = edge.pop() {
                let ([y, x], near) = (place(at), |a: usize, b: usize| a.abs_diff(b) <= 2);
                let reached: Vec<usize> =
                    left.iter().copied().filter(|&to| near(place(to)[0], y) && near(place(to)[1], x)).collect();
                left.retain(|to| !reached.contains(to));
                edge.extend(reached);
            }
        }
        count
    }

    proptest! {
        #[test]
        fn components_are_what_flooding_finds(pixels in prop::collection::vec(prop::bool::weighted(0.15), 12 * 11)) {
            let map: Vec<f32> = pixels.iter().map(|&pixel| f32::from(u8::from(pixel))).collect();
            let hulls = Components::of(&map, 12, |number| number > 0.5).hulls();
            prop_assert_eq!(hulls.len(), flooded(&pixels, 12));
            for hull in &hulls {
                prop_assert!(hull.len() >= 4);
                for at in 0..hull.len() {
                    let next = |by: usize| hull[(at + by) % hull.len()];
                    prop_assert!(turn(next(0), next(1), next(2)) > 0, "{:?}", hull);
                }
            }
        }
    }
}
