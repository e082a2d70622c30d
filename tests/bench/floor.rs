//! The floors: what the same work costs with nothing around it. ONNX Runtime is called here through `ort` alone, not through
//! Kenpin, so that what Kenpin's own wrapper costs is counted as Kenpin's. `ort` allows one environment in a process, so the
//! floors live in a process of their own, which does one block for each line it is given.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use fast_image_resize as fir;
use kenpin::flow::acquire::decode::raw::yuyv_to_rgb;
use mozjpeg::Decompress;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::value::TensorRef;
use serde::{Deserialize, Serialize};

use crate::case::{Case, Source};
use crate::marks::{Spent, spend};

/// The frames of the bench, in pixels.
const FRAME: (u32, u32) = (1280, 720);

/// The bare pieces of one case.
struct Floor {
    sessions: Vec<Session>,
    tensors: Vec<Vec<f32>>,
    source: Source,
    side: u32,
    window: (u32, u32),
    next: usize,
}

/// What the floors of one round cost, per part.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Floors {
    pub(crate) bare: Spent,
    pub(crate) decode: Spent,
    pub(crate) resize: Spent,
}

impl Floors {
    /// CPU milliseconds of all of them.
    pub(crate) fn cpu(&self) -> f64 {
        self.bare.cpu + self.decode.cpu + self.resize.cpu
    }
}

/// How ONNX Runtime is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// So many threads, which do not spin while they wait.
    Threads(usize),
    /// As it is when nothing is asked for.
    Defaults,
}

/// The floors of a case as a process: says `ready`, then answers each number of parts with [`Floors`]. As it comes
/// (`Defaults`), only the bare models are measured.
pub(crate) fn serve(case: &Case, manner: Manner) -> anyhow::Result<()> {
    let frames = case.frames()?;
    let mut floor = Floor::open(case, manner, &frames)?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let parts = line?.parse()?;
        let floors = if manner == Manner::Defaults {
            Floors { bare: floor.bare(parts)?, ..Floors::default() }
        } else {
            floor.round(parts, &frames)?
        };
        println!("{}", serde_json::to_string(&floors)?);
    }
    Ok(())
}

/// The environment of this process, on the library that `ORT_DYLIB_PATH` names, as talkative as it is elsewhere.
fn environment() -> anyhow::Result<Environment> {
    let path = std::env::var("ORT_DYLIB_PATH").context("ORT_DYLIB_PATH is not set")?;
    let loaded = ort::init_from(&path).map_err(|error| anyhow!("{path}: {error}"))?;
    let environment = loaded.with_name("floor").build()?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

/// A bare session.
fn session(environment: &Environment, model: &Path, manner: Manner) -> anyhow::Result<Session> {
    let builder = Session::builder(environment)?;
    let told = |error: &dyn std::fmt::Display| anyhow!("{error}");
    let mut builder = match manner {
        Manner::Threads(count) => {
            let builder = builder.with_intra_threads(count).map_err(|error| told(&error))?;
            builder.with_intra_op_spinning(false).map_err(|error| told(&error))?
        }
        Manner::Defaults => builder,
    };
    Ok(builder.commit_from_file(model)?)
}

/// Runs a bare session on a prepared tensor.
fn run(session: &mut Session, side: u32, tensor: &[f32]) -> anyhow::Result<()> {
    let shape = [1, 3, side as usize, side as usize];
    let input = TensorRef::from_array_view((shape, tensor))?;
    std::hint::black_box(session.run(ort::inputs![input])?);
    Ok(())
}

impl Floor {
    /// Opens the models and prepares tensors of the first frames beforehand.
    fn open(case: &Case, manner: Manner, frames: &[PathBuf]) -> anyhow::Result<Self> {
        let side = case.side()?;
        let window = if case.letterboxed() { (side, side * FRAME.1 / FRAME.0) } else { (side, side) };
        let environment = environment()?;
        let sessions = case.files().map(|file| session(&environment, &file, manner)).collect::<anyhow::Result<_>>()?;
        let mut floor = Self { sessions, tensors: Vec::new(), source: case.source, side, window, next: 0 };
        let (mut resizer, mut pixels) = (fir::Resizer::new(), Vec::new());
        for frame in frames.iter().take(8) {
            decode(case.source, &std::fs::read(frame)?, &mut pixels)?;
            let small = resize(&mut resizer, &pixels, window)?;
            floor.tensors.push(planes(small.buffer(), window, side));
        }
        for place in 0..floor.tensors.len() {
            floor.run(place)?;
        }
        Ok(floor)
    }

    fn run(&mut self, place: usize) -> anyhow::Result<()> {
        let tensor = self.tensors.get(place % self.tensors.len()).context("no tensor")?;
        self.sessions.iter_mut().try_for_each(|session| run(session, self.side, tensor))
    }

    /// The bare models, one after the other, over `parts` prepared tensors.
    fn bare(&mut self, parts: usize) -> anyhow::Result<Spent> {
        let begin = self.next;
        Ok(spend(|| (begin..begin + parts).try_for_each(|place| self.run(place)))?.0.per(parts))
    }

    /// One round over `parts` frames, which go on where the last round ended.
    fn round(&mut self, parts: usize, frames: &[PathBuf]) -> anyhow::Result<Floors> {
        let bare = self.bare(parts)?;
        let taken: Vec<&PathBuf> = frames.iter().cycle().skip(self.next % frames.len()).take(parts).collect();
        self.next += parts;
        let mut pixels = Vec::new();
        let (decode, ()) = spend(|| {
            for frame in &taken {
                decode(self.source, &std::fs::read(frame)?, &mut pixels)?;
            }
            Ok(())
        })?;
        let mut resizer = fir::Resizer::new();
        let (resize, ()) = spend(|| {
            taken.iter().try_for_each(|_| {
                std::hint::black_box(resize(&mut resizer, &pixels, self.window)?);
                Ok(())
            })
        })?;
        Ok(Floors { bare, decode: decode.per(parts), resize: resize.per(parts) })
    }
}

/// A stored frame as RGB, into a buffer that is used again, by the fastest of the libraries that were tried:
/// libjpeg-turbo's descendant `mozjpeg`, and Kenpin's own loop (the crate `yuv` takes minutes to build for this one).
fn decode(source: Source, stored: &[u8], pixels: &mut Vec<u8>) -> anyhow::Result<()> {
    match source {
        Source::Jpeg => {
            let mut started = Decompress::new_mem(stored)?.rgb()?;
            pixels.resize(started.width() * started.height() * 3, 0);
            started.read_scanlines_into(pixels.as_mut_slice())?;
        }
        Source::Yuyv => {
            let (width, height) = FRAME;
            pixels.resize(width as usize * height as usize * 3, 0);
            yuyv_to_rgb(stored, pixels);
        }
    }
    Ok(())
}

impl Spent {
    /// Of one part.
    pub(crate) fn per(self, parts: usize) -> Self {
        let parts = parts as f64;
        let Self { cpu, kernel, wall, allocations } = self;
        Self { cpu: cpu / parts, kernel: kernel / parts, wall: wall / parts, allocations: allocations / parts }
    }
}

fn resize(
    resizer: &mut fir::Resizer,
    pixels: &[u8],
    (width, height): (u32, u32),
) -> anyhow::Result<fir::images::Image<'static>> {
    let source = fir::images::ImageRef::new(FRAME.0, FRAME.1, pixels, fir::PixelType::U8x3)?;
    let mut small = fir::images::Image::new(width, height, fir::PixelType::U8x3);
    // The passports say `linear`, as OpenCV resizes and the plain script with it.
    let algorithm = fir::ResizeAlg::Interpolation(fir::FilterType::Bilinear);
    let options = fir::ResizeOptions::new().resize_alg(algorithm);
    resizer.resize(&source, &mut small, &options).context("resize")?;
    Ok(small)
}

/// Interleaved pixels as planes of 0 to 1, in the middle of a grey square.
fn planes(pixels: &[u8], (width, height): (u32, u32), side: u32) -> Vec<f32> {
    let (width, height, side) = (width as usize, height as usize, side as usize);
    let mut tensor = vec![114.0 / 255.0; 3 * side * side];
    let top = (side - height) / 2;
    for (place, pixel) in pixels.chunks_exact(3).enumerate() {
        let (row, column) = (top + place / width, place % width);
        for (plane, value) in tensor.chunks_exact_mut(side * side).zip(pixel) {
            if let Some(number) = plane.get_mut(row * side + column) {
                *number = f32::from(*value) / 255.0;
            }
        }
    }
    tensor
}
