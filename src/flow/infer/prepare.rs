//! Prepare: the pixels of a frame, or of a part of it, become a model's input tensor, as its passport states.
//!
//! Steps: luminance where a grey model meets a colour frame, then row by row resampling where the size differs and one
//! fused pass that normalises and lays out. Buffers are kept between frames, so that nothing is allocated while their
//! sizes stay the same; a frame that already fits is read in place.
//! Promises the values Pillow gives (`convert("L")`, `resize`, `ImageOps.fit`), and for `linear` those of `OpenCV`'s
//! `resize`, at most one 8-bit level off; fixtures hold it. Never writes to a frame.

mod fit;
mod laid;
mod lay;
mod luminance;
mod rectify;
mod resample;
mod weights;

use half::f16;

use super::session::{Tensor, TensorDataMut};
use crate::flow::Image;
use crate::models::passport::{Colour, Element, ImageInput, Layout};
use crate::task::geometry::{Geometry, Rectangle, Region};
use fit::{Window, fit};
use laid::Laid;
use lay::{Affine, Converter, Line};
use luminance::{luminance, luminance_format};
use rectify::Rectifier;
use resample::{Resampler, View};
use weights::Span;

/// What turns frames into the input tensors of one model: settings worked out once, buffers used again.
#[derive(Debug)]
pub struct Preparation {
    inputs: Vec<PreparedInput>,
    tensors: Vec<Tensor>,
}

impl Preparation {
    /// Works out the preparation for the image inputs of a passport.
    ///
    /// # Errors
    /// One sentence when an input cannot be fed with pixels: an element type other than float32, float16 and uint8,
    /// channels that differ from the colour's, a side or a deviation of zero, a count of means or deviations that is not
    /// the channels'.
    pub fn new(inputs: &[ImageInput]) -> Result<Self, String> {
        Ok(Self { inputs: inputs.iter().map(PreparedInput::new).collect::<Result<_, _>>()?, tensors: Vec::new() })
    }

    /// Fills `tensor`, that of the image input at `index`, from `image` or a part of it; gives the way back from the
    /// input to the frame. It must be the same tensor each time: the border of a letterbox is written when it changes.
    ///
    /// # Errors
    /// One sentence when there is no such input, the tensor is not of its shape and element type, or the part of the
    /// frame is nothing that can be shown.
    pub fn fill(
        &mut self,
        index: usize,
        image: &Image,
        region: Region,
        tensor: &mut Tensor,
    ) -> Result<Geometry, String> {
        let input = self.inputs.get_mut(index).ok_or_else(|| format!("there is no image input {index}"))?;
        input.fill(image, region, tensor).map_err(|why| format!("input \"{}\": {why}", input.input.name))
    }

    /// Fills tensors of its own from all of `image`; every input sees the same image. They hold until the next call.
    ///
    /// # Errors
    /// One sentence when an input cannot be filled.
    pub fn prepare(&mut self, image: &Image) -> Result<&[Tensor], String> {
        let mut tensors = std::mem::take(&mut self.tensors);
        if tensors.is_empty() {
            let zeros = |input: &PreparedInput| Tensor::zeros(&input.input.shape, input.input.element);
            tensors = self.inputs.iter().map(zeros).collect();
            self.inputs.iter_mut().for_each(|input| input.bordered = None);
        }
        for (index, tensor) in tensors.iter_mut().enumerate() {
            self.fill(index, image, Region::Whole, tensor)?;
        }
        self.tensors = tensors;
        Ok(&self.tensors)
    }
}

/// One input with its constants and buffers.
#[derive(Debug)]
struct PreparedInput {
    input: ImageInput,
    height: usize,
    width: usize,
    affine: [Affine; 3],
    /// For each channel, the number of each of the 256 levels, where the tensor's numbers are looked up.
    bytes: Vec<[u8; 256]>,
    halves: Vec<[f16; 256]>,
    luminance: Vec<u16>,
    levels: Resampler<u8>,
    words: Resampler<u16>,
    rectifier: Rectifier,
    /// The window around which the border is filled.
    bordered: Option<Window>,
}

/// What pixels of one kind of sample are made of.
struct Frame<'a, S> {
    samples: &'a [S],
    channels: usize,
    size: (u32, u32),
}

impl PreparedInput {
    fn new(input: &ImageInput) -> Result<Self, String> {
        let (height, width, channels) = input.height_width_channels();
        let refuse = |what: String| Err(format!("input \"{}\": {what}", input.name));
        if height == 0 || width == 0 || input.shape.first() != Some(&1) {
            return refuse(format!("the shape is {:?}, a batch of one image is wanted", input.shape));
        }
        if channels != input.colour.channels() {
            let wanted = input.colour.channels();
            return refuse(format!("the shape has {channels} channels, {:?} wants {wanted}", input.colour));
        }
        if !matches!(input.element, Element::Float32 | Element::Float16 | Element::Uint8) {
            return refuse(format!("the element type is {}, an image wants float32, float16 or uint8", input.element));
        }
        if input.mean.len() != channels || input.standard_deviation.len() != channels {
            let (means, deviations) = (input.mean.len(), input.standard_deviation.len());
            return refuse(format!("there are {means} means and {deviations} deviations for {channels} channels"));
        }
        if let Some(zero) = input.standard_deviation.iter().position(|deviation| *deviation == 0.0) {
            return refuse(format!("the standard deviation of channel {zero} is 0"));
        }
        // The one channel of a grey input stands three times.
        let constants = input.mean.iter().zip(&input.standard_deviation).cycle();
        let mut affine = [Affine { factor: 1.0, offset: 0.0 }; 3];
        for (affine, (mean, deviation)) in affine.iter_mut().zip(constants) {
            *affine = Affine { factor: input.scale / deviation, offset: -mean / deviation };
        }
        let looked_up = |element| affine.iter().filter(move |_| input.element == element);
        Ok(Self {
            input: input.clone(),
            height,
            width,
            affine,
            bytes: looked_up(Element::Uint8).map(|affine| lay::table(*affine, lay::byte_of)).collect(),
            halves: looked_up(Element::Float16).map(|affine| lay::table(*affine, f16::from_f32)).collect(),
            luminance: Vec::new(),
            levels: Resampler::new(),
            words: Resampler::new(),
            rectifier: Rectifier::default(),
            bordered: None,
        })
    }

    fn fill(&mut self, image: &Image, region: Region, tensor: &mut Tensor) -> Result<Geometry, String> {
        if tensor.shape() != self.input.shape {
            return Err(format!("the tensor is of shape {:?}, {:?} is wanted", tensor.shape(), self.input.shape));
        }
        let (rectangle, size) = match region {
            Region::Whole => (Rectangle::whole((image.width(), image.height())), None),
            Region::Rectangle(rectangle) => (rectangle.pixels_of((image.width(), image.height())), None),
            Region::Quadrilateral(corners) => {
                let size = self.rectifier.aim(corners, (image.width(), image.height()))?;
                (Rectangle::whole(size), Some(size))
            }
        };
        let grey = self.input.colour == Colour::Grey;
        let format = if grey { luminance_format(image.format()) } else { image.format() };
        let mut luminances = std::mem::take(&mut self.luminance);
        let count = image.width() as usize * image.height() as usize * format.bytes_per_channel();
        let bytes = if format == image.format() {
            image.bytes()
        } else {
            luminance(image, &mut luminances);
            bytemuck::cast_slice(&luminances).get(..count).unwrap_or_default()
        };
        let (channels, whole) = (format.channels(), (image.width(), image.height()));
        let mut rectifier = std::mem::take(&mut self.rectifier);
        let seen = if format.bytes_per_channel() == 2 {
            let frame = Frame { samples: bytemuck::cast_slice::<u8, u16>(bytes), channels, size: whole };
            let frame = if size.is_some() { rectifier.words(&frame) } else { frame };
            self.fill_from(&frame, rectangle, tensor)
        } else {
            let frame = Frame { samples: bytes, channels, size: whole };
            let frame = if size.is_some() { rectifier.levels(&frame) } else { frame };
            self.fill_from(&frame, rectangle, tensor)
        };
        (self.luminance, self.rectifier) = (luminances, rectifier);
        seen
    }

    /// Fills the tensor from whole pixels of a frame.
    fn fill_from<S: Laid>(
        &mut self,
        frame: &Frame<'_, S>,
        part: Rectangle,
        tensor: &mut Tensor,
    ) -> Result<Geometry, String> {
        let [left, top, width, height] = [part.left, part.top, part.width, part.height].map(whole);
        let stride = whole(frame.size.0.into());
        let samples = &frame.samples[(top * stride + left) * frame.channels..];
        let view = View { samples, channels: frame.channels, stride, width, height };
        let anchor = self.input.anchor.unwrap_or_default();
        let (shown, window) = fit(self.input.fit, anchor, (width, height), (self.width, self.height));
        let span = |source, from, length, target| Span { source, from, to: from + length, target };
        let across = span(width, shown.left, shown.width, window.width);
        let down = span(height, shown.top, shown.height, window.height);
        let filter = self.input.filter;
        S::resampler(self).begin(&view, filter, across, down);
        let fresh = self.bordered.replace(window) != Some(window);
        let lines = self.affine.map(|affine| Line::new(affine, S::MOST));
        match tensor.data_mut() {
            TensorDataMut::F32(numbers) => self.lay(&view, window, fresh, lines, numbers),
            TensorDataMut::U8(numbers) => S::lay_bytes(self, &view, window, fresh, lines, numbers),
            TensorDataMut::F16(numbers) => S::lay_halves(self, &view, window, fresh, lines, numbers),
            _ => return Err("an image's numbers are float32, float16 or uint8".into()),
        }
        let seen = Rectangle { left: part.left + shown.left, top: part.top + shown.top, ..shown };
        let input = (side(self.width), side(self.height));
        Ok(Geometry::new(frame.size, seen, input, window.rectangle()))
    }

    /// The fused last pass: border where there is a new one, then normalised pixels in the tensor's layout.
    fn lay<S: Laid, T: Copy, C: Converter<S, T>>(
        &mut self,
        view: &View<'_, S>,
        window: Window,
        fresh: bool,
        converters: [C; 3],
        numbers: &mut [T],
    ) {
        let Grid { layout, colour, width, height } = Grid::of(self);
        let (plane, channels) = (width * height, colour.channels());
        if fresh && (window.width, window.height) != (width, height) {
            let fill = S::of_level(self.input.fill.unwrap_or_default());
            for (channel, converter) in converters.iter().enumerate().take(channels) {
                let border = converter.convert(fill);
                match layout {
                    Layout::Nchw => numbers[channel * plane..][..plane].fill(border),
                    Layout::Nhwc => numbers.iter_mut().skip(channel).step_by(channels).for_each(|n| *n = border),
                }
            }
        }
        let order = if colour == Colour::Bgr { [2, 1, 0] } else { [0, 1, 2] };
        let [one, two, three] = converters;
        let resampler = S::resampler(self);
        for row in 0..window.height {
            let pixels = resampler.row(view, row);
            let at = (window.top + row) * width + window.left;
            match (colour, layout, view.channels) {
                (Colour::Grey, _, _) => lay::grey_to_plane(pixels, one, &mut numbers[at..][..window.width]),
                (_, Layout::Nhwc, 1) => {
                    let into = &mut numbers[at * 3..][..window.width * 3];
                    lay::grey_to_pixels(pixels, converters, into.as_chunks_mut().0);
                }
                (_, Layout::Nhwc, _) => {
                    let into = &mut numbers[at * 3..][..window.width * 3];
                    lay::colour_to_pixels(pixels.as_chunks().0, order, converters, into.as_chunks_mut().0);
                }
                (_, Layout::Nchw, depth) => {
                    let (first, rest) = numbers.split_at_mut(plane);
                    let (second, third) = rest.split_at_mut(plane);
                    let [first, second, third] = [first, second, third].map(|plane| &mut plane[at..][..window.width]);
                    if depth == 1 {
                        lay::grey_to_plane(pixels, one, first);
                        lay::grey_to_plane(pixels, two, second);
                        lay::grey_to_plane(pixels, three, third);
                    } else {
                        let planes = [first, second, third];
                        lay::colour_to_planes(pixels.as_chunks().0, order, converters, planes);
                    }
                }
            }
        }
    }
}

/// Where pixels go in a tensor.
struct Grid {
    layout: Layout,
    colour: Colour,
    width: usize,
    height: usize,
}

impl Grid {
    const fn of(input: &PreparedInput) -> Self {
        let PreparedInput { width, height, .. } = *input;
        Self { layout: input.input.layout, colour: input.input.colour, width, height }
    }
}

/// A side that is held by a tensor's shape.
fn side(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A whole number that was held to a picture.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it came from sides of a picture")]
const fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests;
