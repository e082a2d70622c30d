//! Crops: which parts of a frame another model's findings point at. Pure.

use crate::config::Crops;
use crate::flow::Findings;
use crate::task::geometry::{Rectangle, Region};

/// The parts of a frame that findings point at, at most `crops.most` of them, the surest first: upright boxes widened by
/// the margin, oriented boxes and lines of text as their four corners.
pub(super) fn regions(findings: &Findings, crops: &Crops) -> Vec<Region> {
    match findings {
        Findings::Detection { detections } => {
            let meant = |label| crops.labels.is_empty() || crops.labels.contains(label);
            let meant = detections.iter().filter(|found| meant(&found.label)).take(crops.most);
            meant
                .map(|found| match found.oriented {
                    Some(corners) => Region::Quadrilateral(corners),
                    None => Region::Rectangle(widened(Rectangle::between(found.corners), crops.margin)),
                })
                .collect()
        }
        Findings::Text { lines } => {
            lines.iter().filter_map(|line| line.corners).take(crops.most).map(Region::Quadrilateral).collect()
        }
        _ => Vec::new(),
    }
}

/// A rectangle with a margin on every side, as a share of that side's length.
fn widened(inner: Rectangle, margin: f64) -> Rectangle {
    let (right, down) = (inner.width * margin, inner.height * margin);
    Rectangle {
        left: inner.left - right,
        top: inner.top - down,
        width: inner.width + 2.0 * right,
        height: inner.height + 2.0 * down,
    }
}

/// Left, top, right and bottom of a region, in pixels of the frame; `None` for the whole frame.
pub(super) fn bounds(region: &Region) -> Option<[f64; 4]> {
    match region {
        Region::Whole => None,
        Region::Rectangle(rectangle) => Some(rectangle.corners()),
        Region::Quadrilateral(corners) => {
            let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
            Some(corners.iter().fold(start, |[left, top, right, bottom], &[x, y]| {
                [left.min(x), top.min(y), right.max(x), bottom.max(y)]
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WhenNone;
    use crate::name::Name;
    use crate::task::{Detected, TextLine};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn crops(labels: &[&str], margin: f64, most: usize) -> Crops {
        let labels = labels.iter().map(|label| name(label)).collect();
        Crops { of: name("finder"), labels, margin, most, when_none: WhenNone::Abstain }
    }

    fn found(label: &str, corners: [f64; 4]) -> Detected {
        Detected { label: name(label), confidence: 0.5, corners, oriented: None, covered: None, mask: None }
    }

    #[test]
    fn boxes_of_the_labels_that_are_meant_widened_and_no_more_than_asked_for() {
        let detections = vec![
            found("joint", [10.0, 20.0, 30.0, 60.0]),
            found("label", [0.0, 0.0, 5.0, 5.0]),
            found("joint", [1.0, 1.0, 2.0, 2.0]),
        ];
        let findings = Findings::Detection { detections };
        let seen = regions(&findings, &crops(&["joint"], 0.1, 1));
        assert_eq!(seen, [Region::Rectangle(Rectangle { left: 8.0, top: 16.0, width: 24.0, height: 48.0 })]);
        assert_eq!(regions(&findings, &crops(&[], 0.0, 9)).len(), 3);
        assert_eq!(bounds(&seen[0]), Some([8.0, 16.0, 32.0, 64.0]));
    }

    #[test]
    fn lines_of_text_keep_their_corners() {
        let corners = [[0.0, 1.0], [9.0, 2.0], [9.0, 4.0], [0.0, 3.0]];
        let line = TextLine { text: String::new(), confidence: 0.9, corners: Some(corners) };
        let seen = regions(&Findings::Text { lines: vec![line] }, &crops(&[], 0.5, 4));
        assert_eq!(seen, [Region::Quadrilateral(corners)]);
        assert_eq!(bounds(&seen[0]), Some([0.0, 1.0, 9.0, 4.0]));
    }
}
