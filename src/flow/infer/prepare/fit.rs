//! Fit: which part of a picture is meant, and where it goes in the input. Pure geometry, no pixel is touched.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides are whole numbers far below 2^53, so f64 holds them exactly"
)]

use crate::models::passport::{Anchor, Fit};
use crate::task::geometry::Rectangle;

/// A rectangle within the input's tensor, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Window {
    /// The same as numbers.
    pub(super) fn rectangle(self) -> Rectangle {
        Rectangle { left: self.left as f64, top: self.top as f64, width: self.width as f64, height: self.height as f64 }
    }
}

/// What part of a picture is meant, and where it goes in the input; both sizes as width and height.
///
/// The sides of a letterbox are rounded as Python's `round`, its border is halved as Ultralytics halves it.
pub(super) fn fit(fit: Fit, anchor: Anchor, picture: (usize, usize), input: (usize, usize)) -> (Rectangle, Window) {
    let (picture_width, picture_height) = (picture.0 as f64, picture.1 as f64);
    let (width, height) = (input.0 as f64, input.1 as f64);
    let whole = Rectangle { left: 0.0, top: 0.0, width: picture_width, height: picture_height };
    let all = Window { left: 0, top: 0, width: input.0, height: input.1 };
    match fit {
        Fit::Stretch => (whole, all),
        Fit::Letterbox => {
            let ratio = (width / picture_width).min(height / picture_height);
            let side = |length: f64, most: usize| ((length * ratio).round_ties_even() as usize).clamp(1, most);
            let (width, height) = (side(picture_width, input.0), side(picture_height, input.1));
            let before = |side: usize, inner: usize| match anchor {
                Anchor::Centre => (side - inner) / 2,
                Anchor::TopLeft => 0,
            };
            (whole, Window { left: before(input.0, width), top: before(input.1, height), width, height })
        }
        Fit::Crop => {
            let region = if picture_width * height >= width * picture_height {
                let wide = width / height * picture_height;
                Rectangle { left: (picture_width - wide) * 0.5, width: wide, ..whole }
            } else {
                let high = picture_width / (width / height);
                Rectangle { top: (picture_height - high) * 0.5, height: high, ..whole }
            };
            (region, all)
        }
    }
}
