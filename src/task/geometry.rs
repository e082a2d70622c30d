//! Geometry: where a pixel of a model's input lies in the frame it was made of, and which part of a frame is meant.
//!
//! Coordinates run along the edges of pixels: 0 is the left (upper) edge of the first pixel, the width (height) is the
//! right (lower) edge of the last one. Pure numbers; reads no pixel. Promises that what is clamped lies within the frame,
//! whatever a model gave, and that a part of a frame has at least one pixel.

/// An upright rectangle, in pixels and parts of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rectangle {
    /// The left edge.
    pub left: f64,
    /// The upper edge.
    pub top: f64,
    /// From the left edge to the right one.
    pub width: f64,
    /// From the upper edge to the lower one.
    pub height: f64,
}

impl Rectangle {
    /// A whole picture of `size` (width and height).
    #[must_use]
    pub fn whole(size: (u32, u32)) -> Self {
        Self { left: 0.0, top: 0.0, width: size.0.into(), height: size.1.into() }
    }

    /// The rectangle between two corners: left, top, right, bottom.
    #[must_use]
    pub fn between([left, top, right, bottom]: [f64; 4]) -> Self {
        Self { left, top, width: right - left, height: bottom - top }
    }

    /// Left, top, right, bottom.
    #[must_use]
    pub fn corners(&self) -> [f64; 4] {
        [self.left, self.top, self.left + self.width, self.top + self.height]
    }

    /// The whole pixels of a picture of `size` that are meant: every edge goes to the nearest edge of a pixel, and what
    /// lies outside is cut off. At least one pixel is left, the nearest one; a number that is none stands for 0.
    #[must_use]
    pub fn pixels_of(&self, size: (u32, u32)) -> Self {
        let held = |from: f64, length: f64, side: u32| {
            let most = f64::from(side.max(1));
            let edge = |at: f64| if at.is_nan() { 0.0 } else { at.round().clamp(0.0, most) };
            let first = edge(from).min(most - 1.0);
            (first, (edge(from + length) - first).max(1.0))
        };
        let (left, width) = held(self.left, self.width, size.0);
        let (top, height) = held(self.top, self.height, size.1);
        Self { left, top, width, height }
    }
}

/// The part of a frame that a model is shown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Region {
    /// All of it.
    #[default]
    Whole,
    /// The whole pixels of a rectangle; see [`Rectangle::pixels_of`].
    Rectangle(Rectangle),
    /// Four corners as x and y, in the order top left, top right, bottom right, bottom left of what they surround, which
    /// is rectified by perspective, as for a line of print seen askew.
    Quadrilateral([[f64; 2]; 4]),
}

/// How the pixels of a frame lie in the input of a model, for each axis `input = frame * scale + offset`.
///
/// Of a [`Region::Quadrilateral`], "the frame" is the upright picture it was rectified to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Width and height of the input.
    pub input: (u32, u32),
    /// Width and height of the frame.
    pub frame: (u32, u32),
    /// Input pixels for one frame pixel, to the right and downwards; above 0.
    pub scale: (f64, f64),
    /// Where the frame's upper left corner lies in the input; negative where a part of the frame is shown.
    pub offset: (f64, f64),
}

impl Geometry {
    /// An input that is the frame, pixel by pixel.
    #[must_use]
    pub const fn identity(width: u32, height: u32) -> Self {
        Self { input: (width, height), frame: (width, height), scale: (1.0, 1.0), offset: (0.0, 0.0) }
    }

    /// A frame of which `region` fills `window` of an input; both sizes as width and height, no side of them 0.
    #[must_use]
    pub fn new(frame: (u32, u32), region: Rectangle, input: (u32, u32), window: Rectangle) -> Self {
        let scale = (window.width / region.width, window.height / region.height);
        let offset = (window.left - region.left * scale.0, window.top - region.top * scale.1);
        Self { input, frame, scale, offset }
    }

    /// A point of the input, in pixels of the frame: `(input - offset) / scale`. It may lie outside.
    #[must_use]
    pub fn to_frame(&self, x: f64, y: f64) -> (f64, f64) {
        ((x - self.offset.0) / self.scale.0, (y - self.offset.1) / self.scale.1)
    }

    /// A point of the frame, in pixels of the input: `frame * scale + offset`. It may lie outside.
    #[must_use]
    pub fn to_input(&self, x: f64, y: f64) -> (f64, f64) {
        (x * self.scale.0 + self.offset.0, y * self.scale.1 + self.offset.1)
    }

    /// As [`Self::to_frame`], cut off at the frame's edges. What is not a number lies at 0.
    #[must_use]
    pub fn to_frame_clamped(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = self.to_frame(x, y);
        (within(x, self.frame.0), within(y, self.frame.1))
    }

    /// A box of the input (left, top, right, bottom) in pixels of the frame, cut off at the frame's edges.
    #[must_use]
    pub fn box_to_frame(&self, [left, top, right, bottom]: [f64; 4]) -> [f64; 4] {
        let (left, top) = self.to_frame_clamped(left, top);
        let (right, bottom) = self.to_frame_clamped(right, bottom);
        [left, top, right, bottom]
    }

    /// A width and a height of the input, in pixels of the frame.
    #[must_use]
    pub fn size_to_frame(&self, width: f64, height: f64) -> (f64, f64) {
        (width / self.scale.0, height / self.scale.1)
    }

    /// The rectangle of the input that shows pixels of the frame; around it lies the border of a letterbox.
    #[must_use]
    pub fn shown(&self) -> Rectangle {
        let (left, top) = self.to_input(0.0, 0.0);
        let (right, bottom) = self.to_input(self.frame.0.into(), self.frame.1.into());
        let (width, height) = self.input;
        Rectangle::between([within(left, width), within(top, height), within(right, width), within(bottom, height)])
    }
}

/// From 0 to `side`, and 0 for what is not a number.
fn within(at: f64, side: u32) -> f64 {
    if at.is_nan() { 0.0 } else { at.clamp(0.0, side.into()) }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(seen: (f64, f64), wanted: (f64, f64)) -> bool {
        (seen.0 - wanted.0).abs() < 1e-6 && (seen.1 - wanted.1).abs() < 1e-6
    }

    #[test]
    fn a_letterbox_is_undone() {
        let window = Rectangle { left: 0.0, top: 140.0, width: 640.0, height: 360.0 };
        let geometry = Geometry::new((1280, 720), Rectangle::whole((1280, 720)), (640, 640), window);
        assert_eq!((geometry.scale, geometry.offset), ((0.5, 0.5), (0.0, 140.0)));
        assert_eq!(geometry.to_frame(320.0, 320.0), (640.0, 360.0));
        assert_eq!(geometry.box_to_frame([-4.0, 0.0, 700.0, 330.0]), [0.0, 0.0, 1280.0, 380.0]);
        assert_eq!(geometry.size_to_frame(10.0, 20.0), (20.0, 40.0));
        assert_eq!(geometry.shown(), window);
    }

    #[test]
    fn a_part_of_the_frame_is_found_again() {
        let region = Rectangle { left: 100.0, top: 50.0, width: 200.0, height: 100.0 };
        let geometry = Geometry::new((400, 300), region, (20, 20), Rectangle::whole((20, 20)));
        assert!(near(geometry.to_frame(0.0, 0.0), (100.0, 50.0)));
        assert!(near(geometry.to_frame(20.0, 10.0), (300.0, 100.0)));
        assert_eq!(geometry.shown(), Rectangle::whole((20, 20)));
    }

    #[test]
    fn no_number_lies_at_the_corner_and_infinity_at_the_edge() {
        let geometry = Geometry::identity(10, 20);
        assert_eq!(geometry.to_frame_clamped(f64::NAN, f64::INFINITY), (0.0, 20.0));
        assert_eq!(geometry.to_frame_clamped(f64::NEG_INFINITY, 3.0), (0.0, 3.0));
        let nowhere = Rectangle::between([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
        assert_eq!(nowhere.pixels_of((4, 3)).corners(), [0.0, 2.0, 1.0, 3.0]);
    }

    #[test]
    fn the_edges_of_a_rectangle_go_to_the_nearest_pixels() {
        let rounded = |corners| Rectangle::between(corners).pixels_of((10, 10)).corners();
        assert_eq!(rounded([1.4, 1.6, 3.4, 3.6]), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(rounded([-5.0, -5.0, 50.0, 2.0]), [0.0, 0.0, 10.0, 2.0]);
        assert_eq!(rounded([20.0, 3.0, 30.0, 3.0]), [9.0, 3.0, 10.0, 4.0]);
        assert_eq!(rounded([5.0, 5.0, 2.0, 2.0]), [5.0, 5.0, 6.0, 6.0]);
    }

    proptest! {
        #[test]
        fn there_and_back(
            frame in (1_u32..5000, 1_u32..5000),
            input in (1_u32..1300, 1_u32..1300),
            (left, top) in (0.0..1.0, 0.0..1.0),
            (wide, high) in (0.01..1.0, 0.01..1.0),
            (x, y) in (-100.0..1400.0, -100.0..1400.0),
        ) {
            let (frame_width, frame_height) = (f64::from(frame.0), f64::from(frame.1));
            let region =
                Rectangle { left: left * frame_width, top: top * frame_height, width: wide * frame_width, height: high * frame_height };
            let geometry = Geometry::new(frame, region, input, Rectangle::whole(input));
            let (there_x, there_y) = geometry.to_frame(x, y);
            prop_assert!(near(geometry.to_input(there_x, there_y), (x, y)));
            let (back_x, back_y) = geometry.to_frame(0.0, 0.0);
            prop_assert!(near((back_x, back_y), (region.left, region.top)));
            let (held_x, held_y) = geometry.to_frame_clamped(x, y);
            prop_assert!((0.0..=frame_width).contains(&held_x) && (0.0..=frame_height).contains(&held_y));
        }

        #[test]
        fn a_rectangle_keeps_a_pixel_of_the_picture(
            corners in proptest::array::uniform4(proptest::num::f64::ANY),
            size in (1_u32..2000, 1_u32..2000),
        ) {
            let held = Rectangle::between(corners).pixels_of(size);
            let [left, top, right, bottom] = held.corners();
            prop_assert!(left >= 0.0 && top >= 0.0 && right <= f64::from(size.0) && bottom <= f64::from(size.1));
            prop_assert!(held.width >= 1.0 && held.height >= 1.0);
            prop_assert!(corners_are_whole(&held));
        }
    }

    fn corners_are_whole(rectangle: &Rectangle) -> bool {
        rectangle.corners().iter().all(|corner| corner.fract() == 0.0)
    }
}
