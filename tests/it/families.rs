//! Families: models of every form in use, run from their passport alone, give the answers of their family's reference.
//!
//! Each fixture below `tests/fixtures/families` is a passport, a tiny graph and the answers of the reference
//! implementation, which the script beside them names. From the image file on everything is Kenpin's: preparation, ONNX
//! Runtime, reading. One file a group of families; each prints the greatest difference of every quantity it decodes.

mod detection;
mod tasks;
pub(crate) mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kenpin::clock::Monotonic;
use kenpin::config::{Backend as Listed, Provider, Runtime};
use kenpin::flow::infer::backend::Backend;
use kenpin::flow::infer::feed::{Feed, Question};
use kenpin::flow::pool::Pool;
use kenpin::flow::{Frame, Image, PixelFormat};
use kenpin::models::passport::Model;
use kenpin::name::Name;
use kenpin::task::geometry::Region;
use kenpin::task::{Findings, decode};

use crate::conformance::{libraries, runtime};

/// A path below the repository's root.
pub(crate) fn root(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// A folder of the fixtures.
pub(crate) fn fixtures(name: &str) -> PathBuf {
    root("tests/fixtures/families").join(name)
}

/// The newest library, on the CPU.
pub(crate) fn newest() -> (Backend, Runtime) {
    let library = libraries().pop();
    let settings = Runtime { onnxruntime_library: library, ..runtime(Listed::OnnxRuntime, &[Provider::Cpu]) };
    (Backend::choose(&settings).unwrap(), settings)
}

/// A picture as a frame of a camera.
pub(crate) fn frame(path: &Path) -> Arc<Frame> {
    let decoded = image::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let (format, bytes) = match &decoded {
        image::DynamicImage::ImageLuma8(grey) => (PixelFormat::Grey8, grey.as_raw().clone()),
        other => (PixelFormat::Rgb8, other.to_rgb8().into_raw()),
    };
    let mut pixels = Pool::new(0).take(bytes.len());
    pixels.bytes_mut().copy_from_slice(&bytes);
    let image = Image::new(decoded.width(), decoded.height(), format, pixels).unwrap();
    let camera = Name::new("top").unwrap();
    Arc::new(Frame { camera, sequence: 0, captured: Monotonic::now(), part: None, image })
}

/// What a model finds in a frame.
pub(crate) fn ask(
    (backend, settings): &(Backend, Runtime),
    model: &Model,
    frame: Arc<Frame>,
) -> Result<Findings, String> {
    let mut session = backend.open(model, settings).map_err(|why| why.to_string())?;
    let mut feed = Feed::new(model)?;
    let question =
        Question { frame: Some(frame), region: Region::Whole, readings: Arc::new(Vec::new()), found: Vec::new() };
    let (tensors, geometry) = feed.fill(&question)?;
    let outputs = session.run(tensors).map_err(|why| why.to_string())?;
    decode(&model.passport, outputs, &geometry)
}
