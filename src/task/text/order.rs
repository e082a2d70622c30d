//! The order in which lines are read.

use crate::task::TextLine;

/// Lines in reading order: rows from top to bottom, within a row from left to right. A line belongs to the row of the
/// line above it if its middle lies less than half that line's height below. Lines without corners come first, in the
/// order given.
#[must_use]
pub fn in_reading_order(lines: Vec<TextLine>) -> Vec<TextLine> {
    let (mut placed, mut ordered): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.corners.is_some());
    placed.sort_by(|one, other| {
        let ([x, y], [other_x, other_y]) = (middle(one), middle(other));
        y.total_cmp(&other_y).then(x.total_cmp(&other_x)).then_with(|| one.text.cmp(&other.text))
    });
    let mut row: Vec<TextLine> = Vec::new();
    for line in placed {
        if row.first().is_some_and(|first| middle(&line)[1] - middle(first)[1] >= 0.5 * height(first)) {
            ordered.append(&mut in_row(row));
            row = Vec::new();
        }
        row.push(line);
    }
    ordered.append(&mut in_row(row));
    ordered
}

/// From left to right; lines of one place keep their order.
fn in_row(mut row: Vec<TextLine>) -> Vec<TextLine> {
    row.sort_by(|one, other| middle(one)[0].total_cmp(&middle(other)[0]));
    row
}

/// The middle of a line, as x and y.
fn middle(line: &TextLine) -> [f64; 2] {
    let corners = line.corners.unwrap_or_default();
    [0, 1].map(|axis| corners.iter().map(|corner| corner[axis]).sum::<f64>() / 4.0)
}

/// The height of a line at its start.
fn height(line: &TextLine) -> f64 {
    let [start, _, _, below] = line.corners.unwrap_or_default();
    super::distance(start, below)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str, [left, top]: [f64; 2]) -> TextLine {
        let (right, bottom) = (left + 50.0, top + 10.0);
        let corners = Some([[left, top], [right, top], [right, bottom], [left, bottom]]);
        TextLine { text: text.into(), confidence: 0.9, corners }
    }

    #[test]
    fn rows_come_from_above_and_their_lines_from_the_left() {
        let lines =
            vec![line("d", [60.0, 24.0]), line("b", [60.0, 0.0]), line("a", [0.0, 4.0]), line("c", [0.0, 26.0])];
        let free = TextLine { text: "free".into(), confidence: 0.5, corners: None };
        let ordered = in_reading_order(lines.into_iter().chain([free]).collect());
        let texts: Vec<&str> = ordered.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["free", "a", "b", "c", "d"]);
    }

    proptest! {
        #[test]
        fn the_order_given_does_not_matter(
            places in prop::collection::vec((0.0..300.0, 0.0..60.0), 0..12), by in 0_usize..12
        ) {
            let name = |place: usize| format!("{place:02}");
            let lines: Vec<TextLine> =
                places.iter().enumerate().map(|(place, &(x, y))| line(&name(place), [x, y])).collect();
            let mut turned = lines.clone();
            turned.rotate_left(by % lines.len().max(1));
            let ordered = in_reading_order(lines.clone());
            prop_assert_eq!(ordered.len(), lines.len());
            prop_assert_eq!(ordered, in_reading_order(turned));
        }
    }
}
