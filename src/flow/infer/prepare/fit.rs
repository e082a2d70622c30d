//! Fit: which part of a frame is meant, and where it goes in the input. Pure geometry, no pixel is touched.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "sides are whole numbers far below 2^53, so f64 holds them and their equality exactly"
)]

use crate::models::passport::Fit;

/// A rectangle within the input's tensor, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A rectangle within a frame, in pixels and parts of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Region {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What part of a frame is meant, and where it goes in the input; both sizes as width and height.
pub(super) fn geometry(fit: Fit, frame: (usize, usize), input: (usize, usize)) -> (Region, Window) {
    let (frame_width, frame_height) = (frame.0 as f64, frame.1 as f64);
    let (width, height) = (input.0 as f64, input.1 as f64);
    let whole = Region { left: 0.0, top: 0.0, width: frame_width, height: frame_height };
    let all = Window { left: 0, top: 0, width: input.0, height: input.1 };
    match fit {
        Fit::Stretch => (whole, all),
        Fit::Letterbox => {
            let ratio = (width / frame_width).min(height / frame_height);
            let side = |length: f64, most: usize| ((length * ratio).round() as usize).clamp(1, most);
            let (width, height) = (side(frame_width, input.0), side(frame_height, input.1));
            (whole, Window { left: (input.0 - width) / 2, top: (input.1 - height) / 2, width, height })
        }
        Fit::Crop => {
            let region = if frame_width * height >= width * frame_height {
                let wide = width / height * frame_height;
                Region { left: (frame_width - wide) * 0.5, width: wide, ..whole }
            } else {
                let high = frame_width / (width / height);
                Region { top: (frame_height - high) * 0.5, height: high, ..whole }
            };
            (region, all)
        }
    }
}

/// The top left corner of a region that can be read without resampling: whole pixels, and as many as are wanted.
pub(super) fn in_place(region: Region, window: Window) -> Option<(usize, usize)> {
    let same = region.width == window.width as f64 && region.height == window.height as f64;
    let whole = region.left.fract() == 0.0 && region.top.fract() == 0.0;
    (same && whole).then_some((region.left as usize, region.top as usize))
}
