//! The mean of a map within a rectangle that may stand askew.

/// The mean of the numbers of a map, rows of `width` of them, whose places lie within a convex outline or on its edge;
/// 0 when none does. As in OCR toolkits, the corners go to the whole numbers below, and an edge takes along every place
/// that a line drawn from corner to corner passes.
pub(super) fn mean_within(map: &[f32], width: usize, corners: &[[f64; 2]; 4]) -> f64 {
    let rows = map.len() / width.max(1);
    let top = corners.iter().map(|corner| whole(corner[1])).min().unwrap_or_default().max(0);
    let mut spans = vec![(i64::MAX, i64::MIN); rows];
    let ends = corners.iter().cycle().skip(1);
    for (from, to) in corners.iter().zip(ends) {
        edge(from.map(whole), to.map(whole), &mut spans);
    }
    let (mut sum, mut count) = (0.0, 0_u32);
    let top = usize::try_from(top).unwrap_or(usize::MAX).min(rows);
    let rows = map.chunks_exact(width.max(1)).zip(spans).skip(top);
    for (row, (from, to)) in rows.take_while(|(_, (from, to))| from <= to) {
        let place = |x: i64| usize::try_from(x.max(0)).unwrap_or(usize::MAX).min(width);
        let within = row.get(place(from)..place(to.saturating_add(1))).unwrap_or_default();
        sum += within.iter().map(|&number| f64::from(number)).sum::<f64>();
        count = count.saturating_add(u32::try_from(within.len()).unwrap_or(u32::MAX));
    }
    sum / f64::from(count.max(1))
}

/// The whole number below, where rounding has not just missed one.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates; places in a map are small")]
fn whole(at: f64) -> i64 {
    (at + 1e-6).floor() as i64
}

/// Widens the span of each row by the places that a line passes (Bresenham 1965): one place for each step of the axis
/// that changes more.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "places in a map are small; `as` saturates"
)]
fn edge([x, y]: [i64; 2], [to_x, to_y]: [i64; 2], spans: &mut [(i64, i64)]) {
    let (across, down) = (to_x - x, to_y - y);
    let steps = across.abs().max(down.abs());
    for step in 0..=steps {
        let at = |from: i64, change: i64| from + (step as f64 * change as f64 / steps.max(1) as f64).round() as i64;
        let (x, y) = (at(x, across), at(y, down));
        if let Some(span) = usize::try_from(y).ok().and_then(|y| spans.get_mut(y)) {
            *span = (span.0.min(x), span.1.max(x));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_edge_counts() {
        let map = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let mean = |corners| mean_within(&map, 4, &corners);
        assert!((mean([[1.0, 1.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]]) - 1.0).abs() < 1e-12);
        assert!((mean([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]]) - 4.0 / 9.0).abs() < 1e-12);
        assert!((mean([[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]]) - 4.0 / 16.0).abs() < 1e-12);
        assert!(mean([[20.0, 20.0], [30.0, 20.0], [30.0, 30.0], [20.0, 30.0]]).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_mean_lies_between_the_least_and_the_greatest(
            map in prop::collection::vec(0.25_f32..0.75, 9 * 7),
            corners in prop::array::uniform4((-3.0..12.0, -3.0..12.0)),
        ) {
            let mean = mean_within(&map, 9, &corners.map(|(x, y)| [x, y]));
            prop_assert!(mean == 0.0 || (0.25..=0.75).contains(&mean), "{}", mean);
        }
    }
}
