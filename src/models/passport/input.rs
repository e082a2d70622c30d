//! The inputs of a graph and what each is fed with: pixels, sizes of the frame, readings, text, other models' findings,
//! constants.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::tensor::Element;

/// One input of the graph, by what it is fed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Input {
    /// The pixels of a frame.
    Image(ImageInput),
    /// Numbers that tell the size of the frame, as some detectors want them.
    FrameSize(FrameSizeInput),
    /// Numbers from sensor readings.
    Readings(ReadingsInput),
    /// A text from a sensor reading, as tokens.
    Text(TextInput),
    /// Numbers that other models of the same part found.
    Findings(FindingsInput),
    /// The same numbers every time.
    Constant(ConstantInput),
}

impl Input {
    /// The graph's name of the input.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Image(input) => &input.name,
            Self::FrameSize(input) => &input.name,
            Self::Readings(input) => &input.name,
            Self::Text(input) => &input.name,
            Self::Findings(input) => &input.name,
            Self::Constant(input) => &input.name,
        }
    }

    /// The shape that is fed, a batch of one.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Image(input) => &input.shape,
            Self::FrameSize(input) => &input.shape,
            Self::Readings(input) => &input.shape,
            Self::Text(input) => &input.shape,
            Self::Findings(input) => &input.shape,
            Self::Constant(input) => &input.shape,
        }
    }

    /// The element type of the tensor.
    #[must_use]
    pub const fn element(&self) -> Element {
        match self {
            Self::Image(input) => input.element,
            Self::FrameSize(input) => input.element,
            Self::Readings(input) => input.element,
            Self::Text(input) => input.element,
            Self::Findings(input) => input.element,
            Self::Constant(input) => input.element,
        }
    }

    /// The input as one that is fed with pixels.
    #[must_use]
    pub const fn image(&self) -> Option<&ImageInput> {
        match self {
            Self::Image(input) => Some(input),
            _ => None,
        }
    }
}

/// An input that is fed with the pixels of a frame, and how pixels become its tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// The graph's name of the input.
    pub name: String,
    /// The shape that is fed, in `layout`; axes that the graph leaves open are pinned to it.
    #[schemars(length(equal = 4))]
    pub shape: Vec<usize>,
    /// The order of the axes.
    pub layout: Layout,
    /// The element type of the tensor.
    pub element: Element,
    /// The colour channels the model expects, in order.
    pub colour: Colour,
    /// How the frame is brought to the input's size.
    pub fit: Fit,
    /// The resampling filter.
    pub filter: Filter,
    /// Fill value of the letterbox border, 0 to 255; needed with `fit = "letterbox"`, refused otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// Where the frame lies in a letterbox; refused otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// Multiplies the pixel (0 to 255; 16-bit pixels are brought to that range first).
    pub scale: f64,
    /// Subtracted after scaling: one value a channel.
    pub mean: Vec<f64>,
    /// Divides after subtracting: one value a channel, none zero.
    pub standard_deviation: Vec<f64>,
}

impl ImageInput {
    /// Height and width in pixels, and the number of channels, read from the shape in its layout.
    ///
    /// # Panics
    /// Never on a checked passport: its shape has four axes.
    #[must_use]
    pub fn height_width_channels(&self) -> (usize, usize, usize) {
        match (self.layout, self.shape.as_slice()) {
            (Layout::Nchw, &[_, channels, height, width]) | (Layout::Nhwc, &[_, height, width, channels]) => {
                (height, width, channels)
            }
            _ => (0, 0, 0),
        }
    }
}

/// An input that tells the size of the frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameSizeInput {
    /// The graph's name of the input.
    pub name: String,
    /// The shape that is fed; it holds as many numbers as there are `values`.
    pub shape: Vec<usize>,
    /// The element type of the tensor.
    pub element: Element,
    /// The numbers, in order.
    #[schemars(length(min = 1))]
    pub values: Vec<FrameSize>,
}

/// One number about the size of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrameSize {
    /// Height of the frame in pixels.
    FrameHeight,
    /// Width of the frame in pixels.
    FrameWidth,
    /// Height of the image input in pixels.
    InputHeight,
    /// Width of the image input in pixels.
    InputWidth,
    /// Input pixels for one frame pixel, downwards.
    ScaleY,
    /// Input pixels for one frame pixel, to the right.
    ScaleX,
}

/// An input that is fed with numbers from sensor readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadingsInput {
    /// The graph's name of the input.
    pub name: String,
    /// The shape that is fed; it holds as many numbers as there are `values`.
    pub shape: Vec<usize>,
    /// The element type of the tensor.
    pub element: Element,
    /// Where each number comes from, in order.
    #[schemars(length(min = 1))]
    pub values: Vec<ReadingValue>,
}

/// Where a number or a text comes from among a part's readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadingValue {
    /// The key of the reading.
    #[schemars(length(min = 1))]
    pub key: String,
    /// The sensor; without it any of the part's readings, the first that has the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<Name>,
    /// Texts that stand for their place in this list, from 0; without it the value must be a number, true or false.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// What is fed when no reading has the key; without it the model gives no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
}

/// An input that is fed with a text as tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextInput {
    /// The graph's name of the input.
    pub name: String,
    /// The shape that is fed, `[1, length]`: longer texts are cut, shorter ones padded.
    pub shape: Vec<usize>,
    /// The element type of the tensor.
    pub element: Element,
    /// The key of the reading that holds the text.
    #[schemars(length(min = 1))]
    pub key: String,
    /// The sensor; without it any of the part's readings, the first that has the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<Name>,
    /// What a text is cut into.
    pub tokens: Tokens,
    /// Which of the numbers of a token are fed.
    #[serde(default)]
    pub part: TokenPart,
    /// The number that fills the end of a shorter text.
    pub padding: i64,
    /// The text that stands for none when no reading has the key; without it the model gives no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// What a text is cut into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tokens {
    /// The bytes of its UTF-8; written `{ bytes = {} }` where each is its own number.
    Bytes(Bytes),
    /// As a `tokenizer.json` of the Hugging Face format says (`WordPiece`, BPE, Unigram).
    Tokenizer(TokenizerFile),
}

/// Which number stands for a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// Added to each byte, as where the first tokens mean the start and the end.
    #[serde(default)]
    pub offset: i32,
    /// How many values of a byte the model knows, from 0 on; all 256 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<u16>,
    /// The token of every other byte; with `known` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<i64>,
}

/// A tokenizer's file and its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenizerFile {
    /// The file, relative to the passport.
    pub path: PathBuf,
    /// SHA-256 of the file, 64 lower-case hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// Which of the numbers of a token an input is fed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenPart {
    /// The token itself.
    #[default]
    Ids,
    /// 1 for a token, `padding` behind the end.
    Mask,
    /// The segment the token belongs to: 0 for a single text.
    Types,
}

/// An input that is fed with what other models found of the same part: stacking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingsInput {
    /// The graph's name of the input.
    pub name: String,
    /// The shape that is fed; the `values`, laid end to end, fill it exactly.
    pub shape: Vec<usize>,
    /// The element type of the tensor.
    pub element: Element,
    /// What is fed, in order.
    #[schemars(length(min = 1))]
    pub values: Vec<FindingsValue>,
}

/// Numbers that another model found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingsValue {
    /// The other model, by the name in its passport; it must have a seat on the same panel.
    pub model: Name,
    /// Which of its findings.
    pub finding: Finding,
}

/// Which of a model's findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// One number: its probability of a defect.
    Score,
    /// One number: the probability of this label.
    Label(Name),
    /// All numbers of its embedding, or all its values.
    Vector,
}

/// An input that is fed with the same numbers every time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstantInput {
    /// The graph's name of the input.
    pub name: String,
    /// The shape that is fed; it holds as many numbers as there are `values`.
    pub shape: Vec<usize>,
    /// The element type of the tensor.
    pub element: Element,
    /// The numbers, in row-major order.
    #[schemars(length(min = 1))]
    pub values: Vec<f64>,
}

/// The order of a tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Batch, channel, height, width (planar).
    Nchw,
    /// Batch, height, width, channel (interleaved).
    Nhwc,
}

/// Colour channels in the order the model expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// One channel of luminance (ITU-R BT.601 weights for colour frames).
    Grey,
    /// Red, green, blue; a grey frame is repeated three times.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl Colour {
    /// The number of channels.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::Bgr => 3,
        }
    }
}

/// How a frame is brought to the size of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Both sides are scaled on their own; the aspect ratio is not kept.
    Stretch,
    /// Scaled to fit inside, the rest filled evenly on both sides with `fill`.
    Letterbox,
    /// The largest centred region of the input's aspect ratio is cut out, then scaled.
    Crop,
}

/// Where the frame lies in a letterbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// In the middle; of an odd border the larger half is below and to the right.
    #[default]
    Centre,
    /// At the top left: the border is below or to the right alone.
    TopLeft,
}

/// The resampling filter of a resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The triangle filter whose support grows with the reduction (antialiased; as Pillow's `BILINEAR`).
    Bilinear,
    /// The nearest pixel.
    Nearest,
    /// The mean over the covered area (as Pillow's `BOX`).
    Area,
    /// Keys' cubic whose support grows with the reduction (antialiased; as Pillow's `BICUBIC`).
    Bicubic,
    /// Between the two by two nearest pixels, not antialiased (as OpenCV's `INTER_LINEAR`).
    Linear,
}
