//! A picture to draw on: lines, words, tints. Coordinates are those of the frame; a small frame is enlarged so that words
//! can be read beside it.

use embedded_graphics::Pixel;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Dimensions, DrawTarget, Drawable, PointsIter, Primitive};
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage, imageops};

use crate::task::Map;

/// A colour.
pub(super) type Colour = Rgb888;

/// A picture narrower than this is enlarged by a whole factor, to this width or more.
const LEGIBLE_WIDTH: u32 = 320;

/// No picture is enlarged beyond this height.
const MAX_HEIGHT: u32 = 4096;

/// From this width on, words are written large.
const LARGE_WIDTH: u32 = 640;

/// A picture to draw on.
pub(super) struct Canvas {
    picture: RgbImage,
    factor: u32,
}

impl Canvas {
    /// The picture, enlarged where it is small.
    pub(super) fn new(picture: &RgbImage) -> Self {
        let room = (MAX_HEIGHT / picture.height().max(1)).max(1);
        let factor = LEGIBLE_WIDTH.div_ceil(picture.width().max(1)).clamp(1, room);
        let (width, height) = (picture.width() * factor, picture.height() * factor);
        Self { picture: imageops::resize(picture, width, height, imageops::FilterType::Nearest), factor }
    }

    /// What was drawn.
    pub(super) fn done(self) -> RgbImage {
        self.picture
    }

    /// A point of the frame on the canvas.
    #[expect(clippy::cast_possible_truncation, reason = "held to the canvas before it is narrowed; `as` saturates")]
    fn point(&self, [x, y]: [f64; 2]) -> Point {
        let place = |at: f64, side: u32| (at * f64::from(self.factor)).round().clamp(-1.0, f64::from(side)) as i32;
        Point::new(place(x, self.picture.width()), place(y, self.picture.height()))
    }

    /// A closed line through points of the frame.
    pub(super) fn outline(&mut self, corners: &[[f64; 2]], colour: Colour) {
        let style = PrimitiveStyle::with_stroke(colour, if self.picture.width() < LARGE_WIDTH { 1 } else { 2 });
        let next = corners.iter().cycle().skip(1);
        for (from, to) in corners.iter().zip(next) {
            let (from, to) = (self.point(*from), self.point(*to));
            // Drawing on memory cannot fail.
            let Ok(()) = Line::new(from, to).into_styled(style).draw(self);
        }
    }

    /// A cross at a point of the frame.
    pub(super) fn cross(&mut self, at: [f64; 2], colour: Colour) {
        let arm = 4.0 / f64::from(self.factor);
        for [x, y] in [[arm, 0.0], [0.0, arm]] {
            self.outline(&[[at[0] - x, at[1] - y], [at[0] + x, at[1] + y]], colour);
        }
    }

    /// Words on a dark ground, their upper left corner at a point of the frame, moved inside where they would leave it.
    pub(super) fn words(&mut self, text: &str, at: [f64; 2], colour: Colour) {
        let corner = self.point(at);
        self.label(text, corner, colour);
    }

    /// Words with a bar behind them, in the `row`-th line from the top; `share` is the length of the bar, 0 to 1.
    pub(super) fn bar(&mut self, row: usize, text: &str, share: f64, colour: Colour) {
        let height = self.font().character_size.height + 2;
        let top = i32::try_from(u64::from(height) * row as u64).unwrap_or(i32::MAX);
        if top >= i32::try_from(self.picture.height()).unwrap_or(i32::MAX) {
            return;
        }
        let width = f64::from(self.picture.width()) * 0.6;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a picture's width")]
        let long = (width * share.clamp(0.0, 1.0)).round() as u32;
        let ground = Rectangle::new(Point::new(0, top), Size::new(long, height));
        let Ok(()) = ground.into_styled(PrimitiveStyle::with_fill(colour)).draw(self);
        self.label(text, Point::new(0, top), Colour::WHITE);
    }

    /// Lays a colour over every pixel of the canvas: `strength` gives the colour and how much of it, 0 to 1, at a point of
    /// the frame.
    pub(super) fn tint(&mut self, strength: impl Fn([f64; 2]) -> Option<(Colour, f64)>) {
        let factor = f64::from(self.factor);
        for (x, y, pixel) in self.picture.enumerate_pixels_mut() {
            let at = [(f64::from(x) + 0.5) / factor, (f64::from(y) + 0.5) / factor];
            let Some((colour, much)) = strength(at) else { continue };
            for (level, over) in pixel.0.iter_mut().zip([colour.r(), colour.g(), colour.b()]) {
                let mixed = f64::from(*level) * (1.0 - much) + f64::from(over) * much;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to 0 to 255")]
                {
                    *level = mixed.round().clamp(0.0, 255.0) as u8;
                }
            }
        }
    }

    fn font(&self) -> &'static MonoFont<'static> {
        if self.picture.width() < LARGE_WIDTH { &FONT_6X10 } else { &FONT_10X20 }
    }

    fn label(&mut self, text: &str, corner: Point, colour: Colour) {
        let style = MonoTextStyle::new(self.font(), colour);
        let text: String = text.chars().take(120).map(|c| if u32::from(c) < 256 { c } else { '?' }).collect();
        let size = Text::with_baseline(&text, Point::zero(), style, Baseline::Top).bounding_box().size;
        let room = |side: u32, taken: u32| i32::try_from(side.saturating_sub(taken)).unwrap_or(i32::MAX);
        let held = Point::new(
            corner.x.clamp(0, room(self.picture.width(), size.width)),
            corner.y.clamp(0, room(self.picture.height(), size.height)),
        );
        self.darken(Rectangle::new(held, size));
        let Ok(_) = Text::with_baseline(&text, held, style, Baseline::Top).draw(self);
    }

    /// Halves the brightness within a rectangle of the canvas, so that words stand out.
    fn darken(&mut self, area: Rectangle) {
        for point in area.points() {
            if let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y))
                && let Some(pixel) = self.picture.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb(pixel.0.map(|level| level / 2));
            }
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.picture.width(), self.picture.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Colour;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Colour>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(point, colour) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y))
                && let Some(pixel) = self.picture.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

/// The number of a map at a point of the frame; `None` outside of what it covers.
pub(super) fn at(map: &Map, [x, y]: [f64; 2]) -> Option<f64> {
    let [left, top, right, bottom] = map.covers;
    let place = |at: f64, from: f64, to: f64, count: usize| {
        let share = (at - from) / (to - from);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1 times a count of cells")]
        #[expect(clippy::cast_precision_loss, reason = "a map has far fewer than 2^53 cells a side")]
        (0.0..1.0).contains(&share).then_some((share * count as f64) as usize)
    };
    let (column, row) = (place(x, left, right, map.width)?, place(y, top, bottom, map.height)?);
    map.numbers.get(row * map.width + column).map(|&number| f64::from(number))
}
