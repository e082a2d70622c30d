//! Prepare: the pixels of a frame become a model's input tensors, as its passport states.
//!
//! Steps: luminance where a grey model meets a colour frame, resampling where the size differs, and one fused pass that
//! normalises and lays out. Buffers are kept between frames; a frame that already fits is read in place.
//! Promises the values Pillow gives (`convert("L")`, `resize`, `ImageOps.fit`), held by fixtures. Never writes to a frame.

use fast_image_resize::images::{Image as Canvas, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::session::{Tensor, TensorDataMut};
use crate::flow::{Image, PixelFormat};
use crate::models::passport::{Colour, Element, Filter, Fit, Input, Layout};

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

/// Pixels somewhere in memory: `stride` pixels a row, of which a window is meant.
#[derive(Debug, Clone, Copy)]
struct Pixels<'a> {
    bytes: &'a [u8],
    format: PixelFormat,
    stride: usize,
    left: usize,
    top: usize,
}

/// A rectangle within the input's tensor, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// A rectangle within a frame, in pixels and parts of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Region {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
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
        if input.element == Element::Int64 {
            return refuse("the element type is int64, an image wants float32 or uint8".into());
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
        let table =
            affine.iter().map(|affine| std::array::from_fn(|level| narrow(affine.level(level as f64)))).collect();
        Ok(Self { input: input.clone(), height, width, affine, table, luminance: Vec::new(), resized: Vec::new() })
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
        let pixels = match in_place(region, window) {
            Some((left, top)) => Pixels { bytes, format, stride: width, left, top },
            None => {
                resample(
                    resizer,
                    self.input.filter,
                    (bytes, format, width, height),
                    region,
                    window,
                    &mut self.resized,
                )?;
                Pixels { bytes: bytemuck::cast_slice(&self.resized), format, stride: window.width, left: 0, top: 0 }
            }
        };
        self.lay(pixels, window, tensor);
        Ok(())
    }

    /// The fused last pass: border where there is one, then normalised pixels in the tensor's layout.
    fn lay(&self, pixels: Pixels<'_>, window: Window, tensor: &mut Tensor) {
        let border = (window.width, window.height) != (self.width, self.height);
        let fill = usize::from(self.input.fill.unwrap_or_default());
        let bottom = |channel: usize| border.then(|| self.table[channel][fill]);
        let grid = Grid { layout: self.input.layout, width: self.width, colour: self.input.colour, window };
        let wide = pixels.format.bytes_per_channel() == 2;
        let words = if wide { bytemuck::cast_slice::<u8, u16>(pixels.bytes) } else { &[] };
        match tensor.data_mut() {
            TensorDataMut::F32(numbers) if wide => {
                grid.lay(pixels, words, numbers, bottom, |channel| {
                    let affine = self.affine[channel];
                    move |word| narrow(affine.word(word))
                });
            }
            TensorDataMut::F32(numbers) => {
                grid.lay(pixels, pixels.bytes, numbers, bottom, |channel| {
                    let table = &self.table[channel];
                    move |byte| table[usize::from(byte)]
                });
            }
            TensorDataMut::U8(numbers) if wide => {
                grid.lay(
                    pixels,
                    words,
                    numbers,
                    |channel| bottom(channel).map(byte_of),
                    |channel| {
                        let affine = self.affine[channel];
                        move |word| byte_of(narrow(affine.word(word)))
                    },
                );
            }
            TensorDataMut::U8(numbers) => {
                grid.lay(
                    pixels,
                    pixels.bytes,
                    numbers,
                    |channel| bottom(channel).map(byte_of),
                    |channel| {
                        let table = self.table[channel].map(byte_of);
                        move |byte| table[usize::from(byte)]
                    },
                );
            }
            TensorDataMut::I64(_) => {}
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
        let depth = pixels.format.channels();
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

/// What part of a frame is meant, and where it goes in the input; both sizes as width and height.
fn geometry(fit: Fit, frame: (usize, usize), input: (usize, usize)) -> (Region, Window) {
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
fn in_place(region: Region, window: Window) -> Option<(usize, usize)> {
    let same = region.width == window.width as f64 && region.height == window.height as f64;
    let whole = region.left.fract() == 0.0 && region.top.fract() == 0.0;
    (same && whole).then_some((region.left as usize, region.top as usize))
}

/// Resamples a region of a frame to the size of a window, into a buffer that grows as needed.
fn resample(
    resizer: &mut Resizer,
    filter: Filter,
    (bytes, format, width, height): (&[u8], PixelFormat, usize, usize),
    region: Region,
    window: Window,
    buffer: &mut Vec<u16>,
) -> Result<(), String> {
    let size = window.width * window.height * format.channels() * format.bytes_per_channel();
    buffer.resize(size.div_ceil(2), 0);
    let kind = match format {
        PixelFormat::Grey8 => PixelType::U8,
        PixelFormat::Grey16 => PixelType::U16,
        PixelFormat::Rgb8 => PixelType::U8x3,
        PixelFormat::Rgb16 => PixelType::U16x3,
    };
    let algorithm = match filter {
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Area => ResizeAlg::Convolution(FilterType::Box),
        Filter::Nearest => ResizeAlg::Nearest,
    };
    let told = |cause: String| format!("a {width}x{height} {format:?} frame cannot be resampled: {cause}");
    let source = ImageRef::new(side(width), side(height), bytes, kind).map_err(|error| told(error.to_string()))?;
    let target = &mut bytemuck::cast_slice_mut(buffer)[..size];
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

/// The format of an image's luminance.
const fn luminance_format(format: PixelFormat) -> PixelFormat {
    match format {
        PixelFormat::Grey8 | PixelFormat::Rgb8 => PixelFormat::Grey8,
        PixelFormat::Grey16 | PixelFormat::Rgb16 => PixelFormat::Grey16,
    }
}

/// Luminance of a colour image with the weights of ITU-R BT.601 in 16-bit fixed point, rounded as Pillow's `L`.
fn luminance(image: &Image, buffer: &mut Vec<u16>) {
    let weigh = |red: u32, green: u32, blue: u32| (19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16;
    let count = image.width() as usize * image.height() as usize;
    if image.format() == PixelFormat::Rgb16 {
        buffer.resize(count, 0);
        let words: &[u16] = bytemuck::cast_slice(image.bytes());
        for (grey, rgb) in buffer.iter_mut().zip(words.chunks_exact(3)) {
            *grey = weigh(rgb[0].into(), rgb[1].into(), rgb[2].into()) as u16;
        }
    } else {
        buffer.resize(count.div_ceil(2), 0);
        let greys: &mut [u8] = bytemuck::cast_slice_mut(buffer);
        for (grey, rgb) in greys.iter_mut().zip(image.bytes().chunks_exact(3)) {
            *grey = weigh(rgb[0].into(), rgb[1].into(), rgb[2].into()) as u8;
        }
    }
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
