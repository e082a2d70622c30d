//! The trial of a proposed passport: the model is asked about a picture through Kenpin's own path, its answer is read, and
//! both are kept as the reference.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use image::RgbImage;

use crate::clock::Monotonic;
use crate::config::{Backend as Listed, EngineBuild, JpegScale, Provider, Runtime, TensorRt};
use crate::flow::acquire::decode::read_image;
use crate::flow::infer::backend::Backend;
use crate::flow::infer::feed::{Feed, Question};
use crate::flow::pool::Pool;
use crate::flow::{Findings, Frame, Image, PixelFormat, Reading};
use crate::models::catalogue::sha256_of;
use crate::models::passport::input::ReadingsInput;
use crate::models::passport::{FILE_NAME, Input, Model};
use crate::models::reference::{self, Case, Picture};
use crate::name::Name;
use crate::task;
use crate::task::geometry::Region;
use crate::value::Value;
use crate::view;

/// The most bytes of a picture that is kept beside its tensor: 16 MiB, 5 megapixels of colour.
const MAX_PICTURE_BYTES: usize = 16 << 20;

/// Width and height of the made pattern.
const PATTERN: (u32, u32) = (320, 240);

/// What a model answered, and to what.
pub(in crate::cli) struct Trial {
    /// What was found.
    pub(in crate::cli) findings: Findings,
    /// What should be known of the trial.
    pub(in crate::cli) notes: Vec<String>,
    frame: Option<Arc<Frame>>,
    pictured: bool,
    case: Case,
    backend: Backend,
    runtime: Runtime,
    tolerance: f64,
}

impl Trial {
    /// Asks the model about the picture at `path`, or about a made pattern and made readings.
    pub(in crate::cli) fn run(
        model: &Model,
        path: Option<&Path>,
        library: Option<&Path>,
        tolerance: f64,
    ) -> anyhow::Result<Self> {
        let runtime = runtime(library);
        let backend = Backend::choose(&runtime)?;
        let mut session = backend.open(model, &runtime)?;
        let mut feed = Feed::new(model).map_err(|why| anyhow!("the model cannot be fed as proposed: {why}"))?;
        let frame = if model.looks() { Some(frame(path)?) } else { None };
        let question = Question {
            frame: frame.clone(),
            region: Region::Whole,
            readings: Arc::new(vec![reading(model)?]),
            found: Vec::new(),
        };
        let (inputs, geometry) =
            feed.fill(&question).map_err(|why| anyhow!("the model cannot be fed as proposed: {why}"))?;
        let (inputs, outputs) = (inputs.to_vec(), session.run(inputs)?.to_vec());
        let findings = task::decode(&model.passport, &outputs, &geometry)
            .map_err(|why| anyhow!("the answer cannot be read as proposed: {why}"))?;
        let mut notes = Vec::new();
        if path.is_none() {
            notes.push(
                "the model was tried on made input, not on a picture of yours: see what it finds with --image".into(),
            );
        }
        let kept = frame.as_ref().and_then(|frame| picture(&frame.image));
        if model.looks() && kept.is_none() {
            notes.push(
                "the picture is not kept in the reference (over 16 MiB, or 16 bits): preparation is not held".into(),
            );
        }
        let case = Case { name: "import".into(), inputs, outputs, frame: kept };
        Ok(Self { findings, notes, frame, pictured: path.is_some(), case, backend, runtime, tolerance })
    }

    /// The answer over the picture, where somebody gave one.
    pub(in crate::cli) fn drawn(&self, model: &Model) -> Option<RgbImage> {
        let frame = self.frame.as_ref().filter(|_| self.pictured)?;
        Some(view::draw(&view::rgb(&frame.image)?, &self.findings, &model.passport.labels.defects))
    }

    /// Writes the reference beside the model, names it in the passport, and opens the model once more: it must hold.
    pub(in crate::cli) fn hold(&self, model: &Model) -> anyhow::Result<Model> {
        let file = reference::file(std::slice::from_ref(&self.case), &model.passport).map_err(|why| anyhow!(why))?;
        let path = model.folder.join(reference::FILE_NAME);
        std::fs::write(&path, &file).with_context(|| format!("{} cannot be written", path.display()))?;
        let path = model.folder.join(FILE_NAME);
        let mut text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let (name, sha256, tolerance) = (reference::FILE_NAME, sha256_of(&file), self.tolerance);
        let lines = format!("\n[reference]\npath = \"{name}\"\nsha256 = \"{sha256}\"\ntolerance = {tolerance}\n");
        text.push_str(&lines);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        let model = Model::load(&model.folder)?;
        drop(self.backend.open(&model, &self.runtime)?);
        Ok(model)
    }
}

/// The runtime of an import: ONNX Runtime on the processor, the same everywhere.
pub(in crate::cli) fn runtime(library: Option<&Path>) -> Runtime {
    Runtime {
        backends: vec![Listed::OnnxRuntime],
        onnxruntime_library: library.map(Path::to_path_buf),
        providers: vec![Provider::Cpu],
        full_placement: false,
        threads_per_session: 1,
        models_at_once: None,
        parts_in_flight: 1,
        memory_bytes: None,
        // Who measures wants the engine, however long it takes.
        tensorrt: TensorRt { engine_build: EngineBuild::BeforeStart, ..TensorRt::default() },
    }
}

fn frame(path: Option<&Path>) -> anyhow::Result<Arc<Frame>> {
    let pool = Pool::new(0);
    let image = match path {
        Some(path) => read_image(path, JpegScale::Whole, &pool).map_err(|why| anyhow!("{}: {why}", path.display()))?,
        None => pattern(&pool).map_err(|why| anyhow!(why))?,
    };
    Ok(Arc::new(Frame { camera: Name::new("import")?, sequence: 0, captured: Monotonic::now(), part: None, image }))
}

/// A made picture with edges, slopes and colours: enough for every weight of a network to matter.
fn pattern(pool: &Pool) -> Result<Image, String> {
    let (width, height) = PATTERN;
    let mut pixels = pool.take(width as usize * height as usize * 3);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    for (pixel, (x, y)) in pixels.bytes_mut().as_chunks_mut::<3>().0.iter_mut().zip(places) {
        let check = if (x / 16 + y / 16) % 2 == 0 { 40 } else { 0 };
        let level = |number: u32| u8::try_from(number % 216).unwrap_or_default() + check;
        *pixel = [level(x), level(y * 2), level((x * 3) ^ (y * 5))];
    }
    Image::new(width, height, PixelFormat::Rgb8, pixels)
}

/// A reading with a made value under every key that the model asks for.
fn reading(model: &Model) -> anyhow::Result<Reading> {
    let mut values = BTreeMap::new();
    for input in &model.passport.inputs {
        match input {
            Input::Readings(ReadingsInput { values: wanted, .. }) => {
                for (place, value) in wanted.iter().enumerate() {
                    let number = Value::Number(0.25 + 0.5 * f64::from(u32::try_from(place % 16).unwrap_or_default()));
                    let made = value.one_of.first().map_or(number, |text| Value::Text(text.clone()));
                    values.insert(value.key.clone(), made);
                }
            }
            Input::Text(text) => {
                values.insert(text.key.clone(), Value::Text("pressure 4.21 bar, valve 3 open, lot KP-0815".into()));
            }
            _ => {}
        }
    }
    Ok(Reading { sensor: Name::new("import")?, captured: Monotonic::now(), part: None, values, asker: None })
}

/// A picture to be kept; `None` for one of 16 bits or of too many bytes.
fn picture(image: &Image) -> Option<Picture> {
    let channels = match image.format() {
        PixelFormat::Grey8 => 1,
        PixelFormat::Rgb8 => 3,
        PixelFormat::Grey16 | PixelFormat::Rgb16 => return None,
    };
    let levels = image.bytes();
    let small = levels.len() <= MAX_PICTURE_BYTES;
    small.then(|| Picture { width: image.width(), height: image.height(), channels, levels: levels.to_vec() })
}
