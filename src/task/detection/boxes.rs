//! Boxes: four numbers of a head, in its form and unit, become an outline in pixels of the image input.

use crate::fusion::boxes::{FARTHEST, Outline, Shape};
use crate::models::passport::detection::{BoxFormat, BoxUnit};
use crate::models::passport::input::{FrameSize, Input};
use crate::task::geometry::Geometry;

use super::outputs::Block;

/// How the boxes of one output are measured.
pub(super) struct Boxes<'a> {
    output: &'a Block<'a>,
    format: BoxFormat,
    /// Input pixels for one unit, to the right and downwards.
    unit: (f64, f64),
}

impl<'a> Boxes<'a> {
    pub(super) fn new(output: &'a Block<'a>, format: BoxFormat, unit: (f64, f64)) -> Self {
        Self { output, format, unit }
    }

    /// The outline of the four numbers at `place`; `None` where it has no area (inverted or empty): nothing is there.
    ///
    /// # Errors
    /// A sentence naming the output and the place of numbers that are not finite, or beyond [`FARTHEST`] pixels.
    pub(super) fn outline(&self, place: usize, numbers: [f32; 4], angle: Option<f32>) -> Result<Option<Shape>, String> {
        let (x, y) = self.unit;
        let [a, b, c, d] = numbers.map(f64::from);
        let measured = match self.format {
            BoxFormat::CornersYFirst => [b * x, a * y, d * x, c * y],
            _ => [a * x, b * y, c * x, d * y],
        };
        if !measured.iter().all(|number| number.abs() <= FARTHEST) || !angle.is_none_or(f32::is_finite) {
            let angle = angle.map_or_else(String::new, |angle| format!(" with the angle {angle}"));
            let what = format!("the box at place {place} is {numbers:?}{angle}, finite numbers are wanted");
            return Err(self.output.told(format!("{what}, of {FARTHEST:e} pixels at most")));
        }
        let [a, b, c, d] = measured;
        let shape = match (angle, self.format) {
            (Some(angle), _) => oriented(measured, f64::from(angle)),
            (None, BoxFormat::Corners | BoxFormat::CornersYFirst) => Shape::Upright(measured),
            (None, BoxFormat::CornerSize) => Shape::Upright([a, b, a + c, b + d]),
            (None, BoxFormat::CentreSize) => Shape::Upright([a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0]),
        };
        Ok(Outline::of(&shape).map(|_| shape))
    }
}

/// The four corners of a box by its centre, size and angle (radians, clockwise as pictures are seen), clockwise from its
/// own upper left one.
fn oriented([x, y, width, height]: [f64; 4], angle: f64) -> Shape {
    let (sin, cos) = angle.sin_cos();
    let corner = |along: f64, across: f64| {
        let (right, down) = (along * width / 2.0, across * height / 2.0);
        [x + right * cos - down * sin, y + right * sin + down * cos]
    };
    Shape::Oriented([corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)])
}

/// Input pixels for one unit of a box, to the right and downwards.
///
/// A graph that gives pixels of the frame reckons them from the input by what it is told: the scale, where one of
/// `inputs` is fed with it, or else the size. Either way the numbers lead back to the input, and from there to the frame
/// through its true geometry, so that they hold for a letterbox and for a part of the frame too.
pub(super) fn unit(unit: BoxUnit, inputs: &[Input], geometry: &Geometry) -> (f64, f64) {
    let size = |(width, height): (u32, u32)| (f64::from(width), f64::from(height));
    let input = size(geometry.input);
    match unit {
        BoxUnit::InputPixels => (1.0, 1.0),
        BoxUnit::Normalised => input,
        BoxUnit::FramePixels if is_told_the_scale(inputs) => geometry.scale,
        BoxUnit::FramePixels => {
            let (width, height) = size((geometry.frame.0.max(1), geometry.frame.1.max(1)));
            (input.0 / width, input.1 / height)
        }
    }
}

fn is_told_the_scale(inputs: &[Input]) -> bool {
    inputs.iter().any(|input| match input {
        Input::FrameSize(sizes) => {
            sizes.values.iter().any(|size| matches!(size, FrameSize::ScaleX | FrameSize::ScaleY))
        }
        _ => false,
    })
}
