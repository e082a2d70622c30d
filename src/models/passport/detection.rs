//! How a detector's outputs are read: the form of the head, and which boxes are kept.
//!
//! The heads are a closed set of forms, not of model names: what a family of models writes is told where the form is. Every
//! box that comes out of a head goes through the same threshold, suppression and bound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a detector's outputs are read, and which boxes are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// The form of the outputs.
    pub head: Head,
    /// The lowest confidence of a box that is kept, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence_from: f64,
    /// Non-maximum suppression after the graph: boxes of a label that overlap a better one by more than this
    /// intersection over union are dropped. Without it nothing is dropped, for graphs that do it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub overlap_up_to: Option<f64>,
    /// Whether a box also suppresses boxes of other labels (class-agnostic suppression).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub across_labels: bool,
    /// How the overlap of oriented boxes is measured.
    #[serde(default, skip_serializing_if = "OrientedOverlap::is_exact")]
    pub oriented_overlap: OrientedOverlap,
    /// Whether a box counts once for each label whose confidence is high enough, rather than for its best label only; for
    /// heads that give a score for each label.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub every_label: bool,
    /// The most boxes that are kept, the best first.
    #[serde(default = "most")]
    #[schemars(range(min = 1, max = 10_000))]
    pub most: usize,
    /// Where the masks of the boxes are: instance segmentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masks: Option<Masks>,
}

const fn most() -> usize {
    300
}

/// How the overlap of oriented boxes is measured, and what suppresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrientedOverlap {
    /// The intersection over union of the boxes; a box that is suppressed suppresses no other.
    #[default]
    Exact,
    /// One less the Hellinger distance of the normal distributions that the boxes stand for (Llerena et al., "Gaussian
    /// Bounding Boxes and Probabilistic Intersection-over-Union", 2021); every better box suppresses, suppressed or not. As
    /// Ultralytics does for its oriented boxes: of neighbours it suppresses more than the exact overlap.
    Probiou,
}

impl OrientedOverlap {
    /// Whether it is what holds when nothing is said.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact)
    }
}

/// The form of a detector's outputs. A form without keys reads the first output of the passport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// One output `[1, boxes, 5 + classes]`: centre x, centre y, width, height in input pixels, the probability of an
    /// object, then a probability a class; the confidence is the product of the two (YOLOv5, v7, YOLOX).
    Yolov5,
    /// One output `[1, 4 + classes, boxes]`: centre x, centre y, width, height in input pixels, then a probability a
    /// class (Ultralytics `YOLOv8`, v9, 11).
    Yolov8,
    /// One output `[1, 4 + classes + 1, boxes]`: as `yolov8`, then the angle of the box in radians, clockwise (Ultralytics
    /// oriented boxes).
    Yolov8Obb,
    /// One output `[1, boxes, 6]`: left, top, right, bottom in input pixels, score, label (`YOLOv10`, YOLO26, exports with
    /// suppression in the graph).
    EndToEnd,
    /// Boxes and a score for each label (SSD, YOLO-NAS, DETR, RT-DETR), in two outputs or in the rows of one (Ultralytics
    /// RT-DETR).
    BoxesScores(BoxesScores),
    /// Three outputs, boxes, the label of each and the score of each (torchvision, RT-DETR with its postprocessor).
    BoxesLabelsScores(BoxesLabelsScores),
    /// One output with a row of named columns for each box (`PaddleDetection`, Caffe SSD, graphs with suppression).
    Rows(Rows),
    /// Scores and distributions of distances over several strides (`PicoDet`, `NanoDet`, generalised focal loss).
    Distribution(Distribution),
}

impl Head {
    /// The head's name in passports and messages.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Yolov5 => "yolov5",
            Self::Yolov8 => "yolov8",
            Self::Yolov8Obb => "yolov8-obb",
            Self::EndToEnd => "end-to-end",
            Self::BoxesScores(_) => "boxes-scores",
            Self::BoxesLabelsScores(_) => "boxes-labels-scores",
            Self::Rows(_) => "rows",
            Self::Distribution(_) => "distribution",
        }
    }

    /// Whether the head gives a score for each label, rather than one label for each box.
    #[must_use]
    pub const fn scores_labels(&self) -> bool {
        matches!(self, Self::Yolov5 | Self::Yolov8 | Self::Yolov8Obb | Self::BoxesScores(_) | Self::Distribution(_))
    }
}

/// Boxes, and a score for each of their labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxesScores {
    /// The output `[1, boxes, 4]`.
    pub boxes: String,
    /// The output `[1, boxes, classes]`; its `activation` says what the numbers are. Where it is the output of the boxes too,
    /// it is `[1, boxes, 4 + classes]`.
    pub scores: String,
    /// What the four numbers of a box are.
    pub format: BoxFormat,
    /// What a box is measured in.
    pub unit: BoxUnit,
    /// Where among the classes the one stands that means "nothing here"; without it there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
}

/// Boxes, the label of each and the score of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxesLabelsScores {
    /// The output `[boxes, 4]`, with or without a batch axis of 1.
    pub boxes: String,
    /// The output `[boxes]` of whole numbers, of any element type.
    pub labels: String,
    /// The output `[boxes]`.
    pub scores: String,
    /// What the four numbers of a box are.
    #[serde(default)]
    pub format: BoxFormat,
    /// What a box is measured in.
    pub unit: BoxUnit,
    /// The number that stands for the first label (torchvision counts from 1); smaller ones mean "nothing here".
    #[serde(default, skip_serializing_if = "is_zero")]
    pub first_label: u32,
    /// The output that tells how many boxes are filled in; without it all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
}

/// A row of numbers for each box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The output `[boxes, columns]`, with or without leading axes of 1.
    pub output: String,
    /// What each number of a row is, in order.
    #[schemars(length(min = 1))]
    pub columns: Vec<Column>,
    /// What a box is measured in.
    pub unit: BoxUnit,
    /// The number that stands for the first label; smaller ones mean "nothing here".
    #[serde(default, skip_serializing_if = "is_zero")]
    pub first_label: u32,
    /// The output that tells how many rows are filled in; without it all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
}

/// Scores and box distances over several strides, one cell of a grid a box.
///
/// The distances from a cell to the left, top, right and bottom edge are each given as a distribution over 0, 1, 2 ...
/// strides; the distance is its expectation (Li et al., "Generalized Focal Loss", 2020).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// The grids, in the graph's order. Those that name one output share its rows, one grid after the other.
    #[schemars(length(min = 1))]
    pub levels: Vec<Level>,
    /// Where in its cell a box is anchored: 0.5 is the centre, 0 the upper left corner (`NanoDet`-Plus).
    #[serde(default = "centre")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub anchor: f64,
}

const fn centre() -> f64 {
    0.5
}

/// One grid of a [`Distribution`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Input pixels from one cell to the next. The grid has as many cells as cover the input.
    #[schemars(range(min = 1, max = 1024))]
    pub stride: u32,
    /// The output `[1, cells, classes]`; its `activation` says what the numbers are.
    pub scores: String,
    /// The output `[1, cells, 4 * bins]`, before the softmax over the bins. Where it is the output of the scores too,
    /// its columns are the scores, then the distributions.
    pub boxes: String,
}

/// What the four numbers of a box are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoxFormat {
    /// Left, top, right, bottom.
    #[default]
    Corners,
    /// Top, left, bottom, right (TensorFlow).
    CornersYFirst,
    /// Centre x, centre y, width, height.
    CentreSize,
    /// Left, top, width, height (COCO).
    CornerSize,
}

/// What a box is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoxUnit {
    /// Pixels of the image input.
    InputPixels,
    /// Shares of the width and the height of the image input, 0 to 1.
    Normalised,
    /// Pixels of the frame, by a graph that is told the frame's size or scale.
    FramePixels,
}

/// Where the class that means "nothing here" stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Background {
    /// Before the labels (SSD).
    First,
    /// Behind the labels (DETR).
    Last,
}

/// What a number of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// The left edge.
    Left,
    /// The upper edge.
    Top,
    /// The right edge.
    Right,
    /// The lower edge.
    Bottom,
    /// The centre, from the left.
    CentreX,
    /// The centre, from the top.
    CentreY,
    /// The width.
    Width,
    /// The height.
    Height,
    /// The angle in radians, clockwise; the box is then oriented.
    Angle,
    /// The score.
    Score,
    /// The label, a whole number.
    Label,
    /// Not read.
    Unread,
}

/// Where the masks of the boxes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Masks {
    /// The output `[1, prototypes, height, width]`. Each box has a coefficient for each prototype behind its other
    /// numbers; its mask is the logistic function of their sum of products, within the box (YOLACT, Ultralytics `-seg`).
    Prototypes(String),
    /// The output `[boxes, 1, height, width]`: the probability at each point of the box's own grid (Mask R-CNN).
    InBox(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}
