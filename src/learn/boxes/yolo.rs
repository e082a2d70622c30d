//! Labelled boxes in the form of YOLO: one text file a picture, one box a line. Pure: takes the text, not the file.
//!
//! A line is the number of the label, counted from 0, then either the centre's x and y, the width and the height of an upright
//! box, or x and y of the four corners of an oriented one; all as shares of the picture's width and height, 0 to 1. A line
//! without words is passed over. Outlines of segments (other counts of corners) are not boxes, and refused.
//!
//! Source: Ultralytics, "Object detection datasets overview" and "Oriented bounding box datasets overview".

use crate::fusion::boxes::{Outline, Shape};

/// A labelled box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// The number of the label, from 0.
    pub label: usize,
    /// Where it is, as shares of the picture's width and height; sound.
    shape: Shape,
}

/// A line that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadLine {
    /// The line, from 1.
    pub line: usize,
    /// What was seen and what was wanted.
    pub why: String,
}

/// What the numbers of an upright box are.
const SIDES: [&str; 4] = ["the centre's x", "the centre's y", "the width", "the height"];

/// What the numbers of an oriented box are.
const CORNERS: [&str; 8] = [
    "the 1st corner's x",
    "the 1st corner's y",
    "the 2nd corner's x",
    "the 2nd corner's y",
    "the 3rd corner's x",
    "the 3rd corner's y",
    "the 4th corner's x",
    "the 4th corner's y",
];

impl Labelled {
    /// The outline in a picture of this width and height, in its pixels; `None` where nothing is left of it.
    #[must_use]
    pub fn outline(&self, width: u32, height: u32) -> Option<Outline> {
        let (width, height) = (f64::from(width), f64::from(height));
        Outline::of(&match self.shape {
            Shape::Upright([left, top, right, bottom]) => {
                Shape::Upright([left * width, top * height, right * width, bottom * height])
            }
            Shape::Oriented(points) => Shape::Oriented(points.map(|[x, y]| [x * width, y * height])),
        })
    }
}

/// Reads the boxes of one picture, of which there are `labels` labels.
///
/// # Errors
/// Every line that is none: another count of numbers, a label that does not exist, a number out of its range, corners that are
/// no box, a box that is there twice.
pub fn parse(text: &str, labels: usize) -> Result<Vec<Labelled>, Vec<BadLine>> {
    let (mut boxes, mut bad): (Vec<(usize, Labelled)>, _) = (Vec::new(), Vec::new());
    for (place, text) in text.lines().enumerate() {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let line = place + 1;
        let one = one(&words, labels).and_then(|one| {
            let twin = boxes.iter().find(|(_, known)| *known == one);
            twin.map_or(Ok(one), |(first, _)| Err(format!("the same box as in line {first}, want each box once")))
        });
        match one {
            Ok(one) => boxes.push((line, one)),
            Err(why) => bad.push(BadLine { line, why }),
        }
    }
    if bad.is_empty() { Ok(boxes.into_iter().map(|(_, one)| one).collect()) } else { Err(bad) }
}

/// One line that has words.
fn one(words: &[&str], labels: usize) -> Result<Labelled, String> {
    let (label, numbers) = words.split_first().ok_or("there is nothing")?;
    let last = labels.saturating_sub(1);
    let label = label.parse().ok().filter(|label: &usize| *label < labels);
    let label = label.ok_or_else(|| {
        format!("the label is {:?}, want a whole number from 0 to {last}", words.first().unwrap_or(&""))
    })?;
    let shape = match numbers.len() {
        4 => upright(numbers)?,
        8 => oriented(numbers)?,
        seen => {
            return Err(format!(
                "there are {seen} numbers behind the label, want 4 (centre x, centre y, width, height) or 8 (x and y of four corners)"
            ));
        }
    };
    Ok(Labelled { label, shape })
}

/// A share, which `zero` may be 0.
fn share(text: &str, what: &str, zero: bool) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share) && (zero || *share > 0.0));
    let from = if zero { "from 0 to 1" } else { "above 0 and at most 1" };
    share.ok_or_else(|| format!("{what} is {text:?}, want a number {from}: a share of the picture"))
}

fn upright(numbers: &[&str]) -> Result<Shape, String> {
    let mut shares = [0.0; 4];
    for (place, ((share, text), what)) in shares.iter_mut().zip(numbers).zip(SIDES).enumerate() {
        *share = self::share(text, what, place < 2)?;
    }
    let [x, y, width, height] = shares;
    let shape = Shape::Upright([x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]);
    let sound = Outline::of(&shape).is_some();
    sound.then_some(shape).ok_or_else(|| format!("the box is {width} by {height}, want one with an area"))
}

fn oriented(numbers: &[&str]) -> Result<Shape, String> {
    let mut shares = [0.0; 8];
    for ((share, text), what) in shares.iter_mut().zip(numbers).zip(CORNERS) {
        *share = self::share(text, what, true)?;
    }
    let [ax, ay, bx, by, cx, cy, dx, dy] = shares;
    let shape = Shape::Oriented([[ax, ay], [bx, by], [cx, cy], [dx, dy]]);
    let sound = Outline::of(&shape).is_some();
    let seen = numbers.join(" ");
    sound
        .then_some(shape)
        .ok_or_else(|| format!("the corners are {seen}, want those of a convex box, in the order of its edge"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read() {
        let boxes = parse("1 0.5 0.5 0.5 0.25\n\n  0 0.1 0.1 0.3 0.1 0.3 0.2 0.1 0.2\r\n", 2).unwrap();
        let shapes: Vec<(usize, Shape)> =
            boxes.iter().map(|one| (one.label, one.outline(100, 200).unwrap().shape())).collect();
        assert_eq!(shapes[0], (1, Shape::Upright([25.0, 75.0, 75.0, 125.0])));
        let Shape::Oriented([[left, top], _, [right, bottom], _]) = shapes[1].1 else { panic!("{shapes:?}") };
        let near = |seen: f64, wanted: f64| (seen - wanted).abs() < 1e-9;
        assert!(near(left, 10.0) && near(top, 20.0) && near(right, 30.0) && near(bottom, 40.0), "{shapes:?}");
        assert_eq!(parse(" \n\n", 0), Ok(Vec::new()), "a picture without boxes");
    }

    #[test]
    fn bad_lines_are_told_with_what_was_seen_and_wanted() {
        let told = |line: &str| {
            let text = format!("0 0.5 0.5 0.1 0.1\n{line}\n");
            parse(&text, 3).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(told("3 0.5 0.5 0.1 0.1"), "line 2: the label is \"3\", want a whole number from 0 to 2");
        assert_eq!(told("crack 0.5 0.5 0.1 0.1"), "line 2: the label is \"crack\", want a whole number from 0 to 2");
        assert_eq!(
            told("0 320 0.5 0.1 0.1"),
            "line 2: the centre's x is \"320\", want a number from 0 to 1: a share of the picture"
        );
        assert_eq!(
            told("0 0.5 0.5 0 0.1"),
            "line 2: the width is \"0\", want a number above 0 and at most 1: a share of the picture"
        );
        assert_eq!(
            told("0 0.5 0.5 0.1 nan"),
            "line 2: the height is \"nan\", want a number above 0 and at most 1: a share of the picture"
        );
        assert_eq!(
            told("0 0.5 0.5 0.1"),
            "line 2: there are 3 numbers behind the label, want 4 (centre x, centre y, width, height) or 8 (x and y of four corners)"
        );
        assert_eq!(
            told("0 0 0 1 1 1 0 0 1"),
            "line 2: the corners are 0 0 1 1 1 0 0 1, want those of a convex box, in the order of its edge"
        );
        assert_eq!(told("0 0.5 0.5 0.10 0.1"), "line 2: the same box as in line 1, want each box once");
        assert_eq!(parse("x\n0 0 0\n", 1).unwrap_err().len(), 2, "all bad lines at once");
    }

    proptest! {
        #[test]
        fn what_is_read_is_sound_and_no_text_panics(text in "([0-2 .\n-]|0\\.[0-9]{1,3} |nan|1e400){0,60}", labels in 0_usize..4) {
            for one in parse(&text, labels).unwrap_or_default() {
                prop_assert!(one.label < labels);
                prop_assert!(one.outline(640, 480).is_some());
            }
        }

        #[test]
        fn an_upright_box_comes_back(label in 0_usize..3, x in 0.2..0.8f64, y in 0.2..0.8f64, w in 0.01..0.4f64, h in 0.01..0.4f64) {
            let boxes = parse(&format!("{label} {x} {y} {w} {h}"), 3).unwrap();
            let [left, top, right, bottom] = boxes[0].outline(1000, 500).unwrap().bounds();
            prop_assert_eq!(boxes[0].label, label);
            prop_assert!((left - 1000.0 * (x - w / 2.0)).abs() < 1e-6 && (right - 1000.0 * (x + w / 2.0)).abs() < 1e-6);
            prop_assert!((top - 500.0 * (y - h / 2.0)).abs() < 1e-6 && (bottom - 500.0 * (y + h / 2.0)).abs() < 1e-6);
        }
    }
}
