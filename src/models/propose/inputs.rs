//! What each input of a graph is fed with: pixels, text, readings, sizes of the frame.

use super::hints::Exporter;
use super::reading::Reading;
use super::sheet::{Line, line, texts, whole};
use super::{Draft, Question, Refusal, question};
use crate::models::graph::Port;
use crate::tensor::Element;

/// The axes of an input of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Image {
    layout: &'static str,
    channels: usize,
    height: Option<usize>,
    width: Option<usize>,
}

/// The axes of an input as those of pixels, where they can be: four, one of them 1 or 3 channels.
pub(super) fn image(port: &Port) -> Option<Image> {
    let &[_, second, third, fourth] = port.lengths().as_slice() else { return None };
    let colours = |axis: Option<usize>| axis.filter(|&channels| channels == 1 || channels == 3);
    match (colours(second), colours(fourth)) {
        (Some(channels), _) => Some(Image { layout: "nchw", channels, height: third, width: fourth }),
        (None, Some(channels)) => Some(Image { layout: "nhwc", channels, height: second, width: third }),
        (None, None) => None,
    }
}

/// The usual preparations: name, scale, mean and deviation of red, green, blue.
const NORMALISATIONS: [(&str, f64, [f64; 3], [f64; 3]); 4] = [
    ("unit", 1.0 / 255.0, [0.0; 3], [1.0; 3]),
    ("imagenet", 1.0 / 255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ("half", 1.0 / 255.0, [0.5; 3], [0.5; 3]),
    ("none", 1.0, [0.0; 3], [1.0; 3]),
];

/// Names of inputs that are told the size of the frame, with what they are told.
const SIZES: [(&str, [&str; 2]); 3] = [
    ("orig_target_sizes", ["frame-width", "frame-height"]),
    ("scale_factor", ["scale-y", "scale-x"]),
    ("im_shape", ["input-height", "input-width"]),
];

impl Draft<'_> {
    /// Height and width of the image input: as the graph has them, somebody said or the exporter wrote.
    pub(super) fn image_size(&self) -> Option<(usize, usize)> {
        let image = self.graph.inputs.iter().find_map(image)?;
        self.size_of(image)
    }

    fn size_of(&self, image: Image) -> Option<(usize, usize)> {
        let stated = self.given.size.or(self.hints.size);
        Some((image.height.or(stated.map(|size| size.0))?, image.width.or(stated.map(|size| size.1))?))
    }

    /// The tables of the inputs.
    pub(super) fn inputs(&self, reading: &Reading, asked: &mut Vec<Question>) -> Result<Vec<Vec<Line>>, Refusal> {
        let impossible = |why: String| Err(Refusal::Impossible(why));
        if self.graph.inputs.is_empty() {
            return impossible("the graph has no input".into());
        }
        let mut tables = Vec::new();
        for port in &self.graph.inputs {
            let Some(element) = port.element.filter(|_| port.axes.is_some()) else {
                let hint = "want a tensor of float16, float32, float64, uint8, int32 or int64 with a stated shape";
                return impossible(format!("input {port} cannot be fed: {hint}"));
            };
            let sizes = SIZES.iter().find(|(name, _)| *name == port.name);
            let whole_numbers = matches!(element, Element::Int64 | Element::Int32);
            tables.push(match (image(port), sizes) {
                (Some(image), _) => self.image(port, image, element, reading, asked)?,
                (None, Some((_, values))) => frame_size(port, element, values),
                (None, None) if whole_numbers && port.lengths().len() == 2 => self.text(port, element, asked),
                (None, None) if port.lengths().len() <= 2 => Self::readings(port, element),
                (None, None) => return impossible(format!("input {port} is neither pixels, text nor readings")),
            });
        }
        Ok(tables)
    }

    fn image(
        &self,
        port: &Port,
        image: Image,
        element: Element,
        reading: &Reading,
        asked: &mut Vec<Question>,
    ) -> Result<Vec<Line>, Refusal> {
        let batch = port.lengths().first().copied().flatten();
        if let Some(batch) = batch.filter(|&batch| batch != 1) {
            let why = format!("input {port} wants {batch} frames at once: export with a batch of 1 or an open one");
            return Err(Refusal::Impossible(why));
        }
        let size = self.size_of(image);
        if size.is_none() {
            asked.push(question("size", format!("height and width of input {port}, as HEIGHTxWIDTH"), "640x640"));
        }
        let (height, width) = size.unwrap_or_default();
        let axes = match image.layout {
            "nchw" => [1, image.channels, height, width],
            _ => [1, height, width, image.channels],
        };
        let stated = match (image.height.and(image.width), self.given.size, self.hints.size) {
            (Some(_), ..) => "",
            (None, Some(_), _) => "the graph leaves the size open; pinned to this",
            (None, None, _) => "the graph leaves the size open; pinned to the exporter's `imgsz`",
        };
        let (fit, fit_why) = self.fit(reading);
        let mut lines = vec![
            line("name", port.name.as_str(), ""),
            line("kind", "image", ""),
            line("shape", whole(&axes), stated),
            line("layout", image.layout, ""),
            line("element", element.as_str(), ""),
        ];
        lines.push(self.colour(image));
        lines.push(line("fit", fit, fit_why));
        lines.push(match (self.knows_pixels(), reading.task, self.hints.exporter) {
            (true, "detection", _) | (_, _, Exporter::Paddle) => line("filter", "linear", "what OpenCV's resize does"),
            _ => line("filter", "bilinear", ""),
        });
        match (fit, reading.task) {
            ("letterbox", "text-recognition") => {
                lines.push(line("fill", 127, "nothing, once it is normalised"));
                lines.push(line("anchor", "top-left", "lines begin at the left"));
            }
            ("letterbox", _) => lines.push(line("fill", 114, "the grey of YOLO's border")),
            _ => {}
        }
        lines.extend(self.normalisation(port, image, element, reading, asked)?);
        Ok(lines)
    }

    fn colour(&self, image: Image) -> Line {
        match (self.given.colour.as_deref(), image.channels) {
            (Some(colour), _) => line("colour", colour, ""),
            (None, 1) => line("colour", "grey", ""),
            (None, _) if self.hints.exporter == Exporter::Paddle => {
                line("colour", "bgr", "RapidAI's tools feed what OpenCV reads")
            }
            (None, _) => {
                line("colour", "rgb", if self.knows_pixels() { "" } else { "assumed; `bgr` where OpenCV fed it" })
            }
        }
    }

    /// Whether the exporter's own way with pixels is known.
    fn knows_pixels(&self) -> bool {
        matches!(self.hints.exporter, Exporter::Ultralytics | Exporter::Yolov5 | Exporter::Anomalib)
    }

    fn fit(&self, reading: &Reading) -> (&str, &'static str) {
        match (self.given.fit.as_deref(), self.hints.exporter, reading.task) {
            (Some(fit), ..) => (fit, ""),
            (None, Exporter::Ultralytics, "classification") => ("crop", "what Ultralytics trains classifiers with"),
            (None, Exporter::Ultralytics, _) if self.hints.rt_detr => ("stretch", "what Ultralytics feeds RT-DETR"),
            (None, Exporter::Ultralytics | Exporter::Yolov5, _) => ("letterbox", "what YOLO is trained with"),
            (None, Exporter::Anomalib, _) => ("stretch", "what Anomalib does unless told otherwise"),
            (None, Exporter::Paddle, "text-recognition") => ("letterbox", "lines keep their proportions"),
            _ => ("stretch", "assumed; `letterbox` or `crop` where training kept the proportions"),
        }
    }

    fn normalisation(
        &self,
        port: &Port,
        image: Image,
        element: Element,
        reading: &Reading,
        asked: &mut Vec<Question>,
    ) -> Result<Vec<Line>, Refusal> {
        let (name, why) = match (self.given.normalise.as_deref(), self.hints.exporter) {
            (Some(name), _) => (name, ""),
            (None, _) if element == Element::Uint8 => ("none", "the graph takes bytes"),
            (None, Exporter::Ultralytics | Exporter::Yolov5) => ("unit", "what YOLO is fed"),
            (None, Exporter::Anomalib) => ("unit", "Anomalib normalises within the graph"),
            (None, Exporter::Paddle) if reading.task == "text-recognition" => ("half", "what PP-OCR is fed"),
            (None, _) => {
                let text = format!(
                    "what were pixels in training for input {port}: `unit` (0 to 1), `imagenet` (its mean and deviation), `half` \
                     (-1 to 1) or `none` (0 to 255)?"
                );
                asked.push(question("normalise", text, "imagenet"));
                return Ok(Vec::new());
            }
        };
        let known = NORMALISATIONS.into_iter().find(|(known, ..)| *known == name);
        let Some((_, scale, mean, deviation)) = known else {
            let why = format!("there is no normalisation {name:?}, want unit, imagenet, half or none");
            return Err(Refusal::Impossible(why));
        };
        let flipped = self.given.colour.as_deref() == Some("bgr");
        let per_channel = |mut values: [f64; 3]| -> toml_edit::Value {
            if flipped {
                values.reverse();
            }
            values.into_iter().take(image.channels).collect::<toml_edit::Array>().into()
        };
        Ok(vec![
            line("scale", scale, why),
            line("mean", per_channel(mean), ""),
            line("standard_deviation", per_channel(deviation), ""),
        ])
    }

    /// A text as tokens; the names are those of Transformers' exports.
    fn text(&self, port: &Port, element: Element, asked: &mut Vec<Question>) -> Vec<Line> {
        let stated = port.lengths().last().copied().flatten();
        let length = stated.or(self.given.length).unwrap_or(128);
        let why = match (stated, self.given.length) {
            (Some(_), _) => "",
            (None, Some(_)) => "the graph leaves the length open; pinned to this",
            (None, None) => "the graph leaves the length open; pinned to 128 tokens, enough for a sensor's line",
        };
        let mut lines = vec![
            line("name", port.name.as_str(), ""),
            line("kind", "text", ""),
            line("shape", whole(&[1, length]), why),
            line("element", element.as_str(), ""),
            line("key", "text", "the key of a plain text line"),
        ];
        match &self.files.tokenizer {
            Some((path, sha256)) => {
                let (mut file, mut tokens) = (toml_edit::InlineTable::new(), toml_edit::InlineTable::new());
                file.insert("path", path.as_str().into());
                file.insert("sha256", sha256.as_str().into());
                tokens.insert("tokenizer", file.into());
                lines.push(line("tokens", tokens, ""));
            }
            None if asked.iter().any(|asked| asked.flag == "tokenizer") => {}
            None => asked.push(question("tokenizer", "the `tokenizer.json` that belongs to the model", "")),
        }
        match port.name.as_str() {
            "attention_mask" => lines.push(line("part", "mask", "Transformers' name for it")),
            "token_type_ids" => lines.push(line("part", "types", "Transformers' name for it")),
            _ => {}
        }
        lines.push(line("padding", 0, "assumed: the tokenizer's padding token"));
        lines
    }

    /// Numbers from readings: a column is a key of its own where it has a name, else `value-N`.
    fn readings(port: &Port, element: Element) -> Vec<Line> {
        let columns = port.lengths().get(1).copied().flatten().unwrap_or(1);
        let shape = if port.lengths().len() == 1 { vec![1] } else { vec![1, columns] };
        let keys: Vec<String> = match columns {
            1 => vec![port.name.clone()],
            many => (0..many.min(4096)).map(|place| format!("{}-{place}", port.name)).collect(),
        };
        let values = keys.into_iter().map(|key| {
            let mut table = toml_edit::InlineTable::new();
            table.insert("key", key.into());
            toml_edit::Value::from(table)
        });
        let why = if columns == 1 {
            "the name of the input"
        } else {
            "the graph names no columns: write the keys of your readings"
        };
        vec![
            line("name", port.name.as_str(), ""),
            line("kind", "readings", "numbers that are no picture"),
            line("shape", whole(&shape), ""),
            line("element", element.as_str(), ""),
            line("values", values.collect::<toml_edit::Array>(), why),
        ]
    }
}

fn frame_size(port: &Port, element: Element, values: &[&str; 2]) -> Vec<Line> {
    vec![
        line("name", port.name.as_str(), ""),
        line("kind", "frame-size", "the usual meaning of this name"),
        line("shape", whole(&[1, 2]), ""),
        line("element", element.as_str(), ""),
        line("values", texts(values), "the usual meaning of this name"),
    ]
}
