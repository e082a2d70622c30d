//! Prepare: the pixels of a frame become a model's input tensors, as its passport states.
//!
//! Steps: luminance where a grey model meets a colour frame, resampling where the size differs, and one fused pass that
//! normalises and lays out. Buffers are kept between frames; a frame that already fits is read in place.
//! Promises the values Pillow gives (`convert("L")`, `resize`, `ImageOps.fit`), at most one 8-bit level off and that
//! seldom; fixtures hold it. Never writes to a frame.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "levels and weighted sums are held to their range before they are narrowed"
)]

mod fit;
mod luminance;

use fast_image_resize::images::{Image as Canvas, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::session::{Tensor, TensorDataMut};
use crate::flow::Image;
use crate::models::passport::{Colour, Element, Filter, ImageInput as Input, Layout};
use crate::task::geometry::{Geometry, Rectangle, Region as Shown};
use fit::{Region, Window, geometry, in_place};
use luminance::{luminance, luminance_format};

/// What turns frames into the input tensors of one model: settings worked out once, buffers used again.
#[derive(Debug)]
pub struct Preparation {
    inputs: Vec<PreparedInput>,
    tensors: Vec<Tensor>,
    resizer: Resizer,
}

impl Preparation {
    /// Works out the preparation for the inputs of a passport.
    ///
    /// # Errors
    /// One sentence when an input cannot be fed with pixels: an element type other than float32 and uint8, channels that
    /// differ from the colour's, a side or a deviation of zero, a count of means or deviations that is not the channels'.
    pub fn new(inputs: &[Input]) -> Result<Self, String> {
        Ok(Self {
            inputs: inputs.iter().map(PreparedInput::new).collect::<Result<_, _>>()?,
            tensors: inputs.iter().map(|input| Tensor::zeros(&input.shape, input.element)).collect(),
            resizer: Resizer::new(),
        })
    }

    /// Fills `tensor`, that of the image input at `index`, from `image` or a part of it; gives the way back from the input to the frame.
    ///
    /// # Errors
    /// One sentence when the image cannot be resampled, or there is no such input.
    pub fn fill(
        &mut self,
        index: usize,
        image: &Image,
        region: Shown,
        tensor: &mut Tensor,
    ) -> Result<Geometry, String> {
        let input = self.inputs.get_mut(index).ok_or_else(|| format!("there is no image input {index}"))?;
        if region != Shown::Whole {
            return Err(format!("input \"{}\": a part of a frame cannot be prepared yet", input.input.name));
        }
        input.fill(image, &mut self.resizer, tensor)?;
        let frame = (image.width() as usize, image.height() as usize);
        let (Region { left, top, width, height }, window) =
            geometry(input.input.fit, frame, (input.width, input.height));
        let real = |length: usize| f64::from(side(length));
        let window = Rectangle {
            left: real(window.left),
            top: real(window.top),
            width: real(window.width),
            height: real(window.height),
        };
        let region = Rectangle { left, top, width, height };
        let input = (side(input.width), side(input.height));
        Ok(Geometry::new((image.width(), image.height()), region, input, window))
    }

    /// Fills the input tensors from `image`; every input sees the same image. They hold until the next call.
    ///
    /// # Errors
    /// One sentence when the image cannot be resampled.
    pub fn prepare(&mut self, image: &Image) -> Result<&[Tensor], String> {
        for (input, tensor) in self.inputs.iter_mut().zip(&mut self.tensors) {
            input.fill(image, &mut self.resizer, tensor)?;
        }
        Ok(&self.tensors)
    }
}

/// One input with its constants and buffers.
#[derive(Debug)]
struct PreparedInput {
    input: Input,
    height: usize,
    width: usize,
    affine: Vec<Affine>,
    /// For each channel, the value of each of the 256 levels.
    table: Vec<[f32; 256]>,
    luminance: Vec<u16>,
    widened: Vec<u16>,
    resized: Vec<u16>,
}

/// The normalisation of one channel: `level * factor + offset`, level in 0 to 255.
#[derive(Debug, Clone, Copy)]
struct Affine {
    factor: f64,
    offset: f64,
}

impl Affine {
    /// A level of 8 bits, or a part of one.
    fn level(self, level: f64) -> f64 {
        level * self.factor + self.offset
    }

    /// A 16-bit word, brought to 0 to 255 without losing precision: 65535 is 255.
    fn word(self, word: u16) -> f64 {
        self.level(f64::from(word) / 257.0)
    }
}

/// Samples somewhere in memory, rows of `stride` pixels without padding; reading begins at `left`, `top`.
#[derive(Debug, Clone, Copy)]
struct Pixels<'a> {
    samples: Samples<'a>,
    channels: usize,
    stride: usize,
    left: usize,
    top: usize,
}

/// What a sample is.
#[derive(Debug, Clone, Copy)]
enum Samples<'a> {
    /// A level, 0 to 255.
    Bytes(&'a [u8]),
    /// A level, 0 to 255, in a word: an 8-bit frame after resampling.
    Levels(&'a [u16]),
    /// 0 to 65535.
    Words(&'a [u16]),
}

impl PreparedInput {
    fn new(input: &Input) -> Result<Self, String> {
        let (height, width, channels) = input.height_width_channels();
        let refuse = |what: String| Err(format!("input \"{}\": {what}", input.name));
        if height == 0 || width == 0 || input.shape.first() != Some(&1) {
            return refuse(format!("the shape is {:?}, a batch of one image is wanted", input.shape));
        }
        if channels != input.colour.channels() {
            return refuse(format!(
                "the shape has {channels} channels, {:?} wants {}",
                input.colour,
                input.colour.channels()
            ));
        }
        if !matches!(input.element, Element::Float32 | Element::Uint8) {
            return refuse(format!("the element type is {}, an image wants float32 or uint8", input.element));
        }
        if input.mean.len() != channels || input.standard_deviation.len() != channels {
            let (means, deviations) = (input.mean.len(), input.standard_deviation.len());
            return refuse(format!("there are {means} means and {deviations} deviations for {channels} channels"));
        }
        if let Some(zero) = input.standard_deviation.iter().position(|deviation| *deviation == 0.0) {
            return refuse(format!("the standard deviation of channel {zero} is 0"));
        }
        let constants = input.mean.iter().zip(&input.standard_deviation);
        let affine: Vec<Affine> = constants
            .map(|(mean, deviation)| Affine { factor: input.scale / deviation, offset: -mean / deviation })
            .collect();
        let table = affine.iter().map(|affine| level_table(*affine)).collect();
        Ok(Self {
            input: input.clone(),
            height,
            width,
            affine,
            table,
            luminance: Vec::new(),
            widened: Vec::new(),
            resized: Vec::new(),
        })
    }

    fn fill(&mut self, image: &Image, resizer: &mut Resizer, tensor: &mut Tensor) -> Result<(), String> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let format = if self.input.colour == Colour::Grey { luminance_format(image.format()) } else { image.format() };
        let bytes = if format == image.format() {
            image.bytes()
        } else {
            luminance(image, &mut self.luminance);
            &bytemuck::cast_slice(&self.luminance)[..width * height * format.bytes_per_channel()]
        };
        let (region, window) = geometry(self.input.fit, (width, height), (self.width, self.height));
        let wide = format.bytes_per_channel() == 2;
        let channels = format.channels();
        let pixels = if let Some((left, top)) = in_place(region, window) {
            let samples = if wide { Samples::Words(bytemuck::cast_slice(bytes)) } else { Samples::Bytes(bytes) };
            Pixels { samples, channels, stride: width, left, top }
        } else {
            let words = if wide { bytemuck::cast_slice(bytes) } else { widened(bytes, &mut self.widened) };
            let frame = Plane { samples: words, channels, width, height };
            resample(resizer, self.input.filter, &frame, region, window, &mut self.resized)?;
            let samples = if wide { Samples::Words(&self.resized) } else { Samples::Levels(&self.resized) };
            Pixels { samples, channels, stride: window.width, left: 0, top: 0 }
        };
        self.lay(pixels, window, tensor);
        Ok(())
    }

    /// The fused last pass: border where there is one, then normalised pixels in the tensor's layout.
    fn lay(&self, pixels: Pixels<'_>, window: Window, tensor: &mut Tensor) {
        match tensor.data_mut() {
            TensorDataMut::F32(numbers) => self.lay_as(pixels, window, numbers, |number| number),
            TensorDataMut::U8(numbers) => self.lay_as(pixels, window, numbers, byte_of),
            _ => {}
        }
    }

    fn lay_as<T: Copy>(&self, pixels: Pixels<'_>, window: Window, numbers: &mut [T], into: impl Fn(f32) -> T + Copy) {
        let border = (window.width, window.height) != (self.width, self.height);
        let fill = usize::from(self.input.fill.unwrap_or_default());
        let bottom = |channel: usize| border.then(|| into(self.table[channel][fill]));
        let grid = Grid { layout: self.input.layout, width: self.width, colour: self.input.colour, window };
        match pixels.samples {
            Samples::Bytes(bytes) => grid.lay(pixels, bytes, numbers, bottom, |channel| {
                let table = self.table[channel].map(into);
                move |byte| table[usize::from(byte)]
            }),
            Samples::Levels(words) => grid.lay(pixels, words, numbers, bottom, |channel| {
                let table = self.table[channel].map(into);
                move |level| table[usize::from(level.to_le_bytes()[0])]
            }),
            Samples::Words(words) => grid.lay(pixels, words, numbers, bottom, |channel| {
                let affine = self.affine[channel];
                move |word| into(narrow(affine.word(word)))
            }),
        }
    }
}

/// Where pixels go in a tensor.
struct Grid {
    layout: Layout,
    width: usize,
    colour: Colour,
    window: Window,
}

impl Grid {
    /// Writes every channel: `bottom` under everything where it is given, then the converted samples of the window.
    fn lay<S: Copy, T: Copy, C: Fn(S) -> T>(
        &self,
        pixels: Pixels<'_>,
        samples: &[S],
        numbers: &mut [T],
        bottom: impl Fn(usize) -> Option<T>,
        converter: impl Fn(usize) -> C,
    ) {
        let channels = self.colour.channels();
        let plane = numbers.len() / channels;
        let step = match self.layout {
            Layout::Nchw => 1,
            Layout::Nhwc => channels,
        };
        for channel in 0..channels {
            let numbers = match self.layout {
                Layout::Nchw => &mut numbers[channel * plane..][..plane],
                Layout::Nhwc => &mut numbers[channel..],
            };
            if let Some(bottom) = bottom(channel) {
                numbers.iter_mut().step_by(step).for_each(|number| *number = bottom);
            }
            self.lay_channel(pixels, samples, numbers, (channel, step), converter(channel));
        }
    }

    /// Writes the window of one channel, whose numbers lie `step` apart.
    fn lay_channel<S: Copy, T: Copy>(
        &self,
        pixels: Pixels<'_>,
        samples: &[S],
        numbers: &mut [T],
        (channel, step): (usize, usize),
        convert: impl Fn(S) -> T,
    ) {
        let Window { left, top, width, height } = self.window;
        let depth = pixels.channels;
        let sample = match (depth, self.colour) {
            (1, _) | (_, Colour::Grey) => 0,
            (_, Colour::Rgb) => channel,
            (_, Colour::Bgr) => 2 - channel,
        };
        for row in 0..height {
            let from = ((pixels.top + row) * pixels.stride + pixels.left) * depth;
            let source = &samples[from..][..width * depth];
            let target = &mut numbers[((top + row) * self.width + left) * step..];
            if depth == 1 && step == 1 {
                target.iter_mut().zip(source).for_each(|(number, &sample)| *number = convert(sample));
            } else {
                let source = source.iter().skip(sample).step_by(depth);
                target.iter_mut().step_by(step).zip(source).for_each(|(number, &sample)| *number = convert(sample));
            }
        }
    }
}

/// The same levels in words.
fn widened<'a>(bytes: &[u8], buffer: &'a mut Vec<u16>) -> &'a [u16] {
    buffer.resize(bytes.len(), 0);
    buffer.iter_mut().zip(bytes).for_each(|(word, &byte)| *word = u16::from(byte));
    buffer
}

/// Samples in words, rows without padding, to be resampled.
#[derive(Debug, Clone, Copy)]
struct Plane<'a> {
    samples: &'a [u16],
    channels: usize,
    width: usize,
    height: usize,
}

/// Resamples a region of a frame to the size of a window, into a buffer that grows as needed.
///
/// 8-bit frames come here in words too: as Pillow, the library's 16-bit way narrows first, then shortens, and rounds to
/// whole levels after each; its 8-bit way does it the other way round with weights of 15 bits, and a sensitive model
/// tells the difference (a probability moved by 0.007). What is left are exact ties, which Pillow's weights of 22 bits may
/// push to the other side.
fn resample(
    resizer: &mut Resizer,
    filter: Filter,
    &Plane { samples, channels, width, height }: &Plane<'_>,
    region: Region,
    window: Window,
    buffer: &mut Vec<u16>,
) -> Result<(), String> {
    buffer.resize(window.width * window.height * channels, 0);
    let kind = if channels == 1 { PixelType::U16 } else { PixelType::U16x3 };
    let algorithm = match filter {
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Area => ResizeAlg::Convolution(FilterType::Box),
        Filter::Nearest => ResizeAlg::Nearest,
    };
    let told = |cause: String| format!("a {width}x{height} frame cannot be resampled: {cause}");
    let source = ImageRef::new(side(width), side(height), bytemuck::cast_slice(samples), kind)
        .map_err(|error| told(error.to_string()))?;
    let target = bytemuck::cast_slice_mut(buffer);
    let mut target = Canvas::from_slice_u8(side(window.width), side(window.height), target, kind)
        .map_err(|error| told(error.to_string()))?;
    let options = ResizeOptions::new()
        .resize_alg(algorithm)
        .crop(region.left, region.top, region.width, region.height)
        .use_alpha(false);
    resizer.resize(&source, &mut target, &options).map_err(|error| told(error.to_string()))
}

/// A side that came from a `u32` or is held by a tensor's shape.
fn side(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The normalised value of each 8-bit level.
fn level_table(affine: Affine) -> [f32; 256] {
    let mut table = [0.0; 256];
    for (value, level) in table.iter_mut().zip(0_u8..=255) {
        *value = narrow(affine.level(f64::from(level)));
    }
    table
}

/// The nearest binary32.
fn narrow(number: f64) -> f32 {
    number as f32
}

/// The nearest whole number from 0 to 255.
fn byte_of(number: f32) -> u8 {
    number.round() as u8
}

#[cfg(test)]
mod tests;
