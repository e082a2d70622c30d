//! References: inputs and answers that travel with a model, and how near an answer must come to them.
//!
//! The file holds tensors in the safetensors form, named by case: `<case>.input.<name>`, what the graph is fed;
//! `<case>.output.<name>`, what comes out; and where pixels are fed, `<case>.frame`, the picture they were made of, 8 bits
//! `[height, width]` or `[height, width, 3]` (red, green, blue). Promises that every case fits its passport, and that no
//! more than [`MAX_BYTES`] are read. Runs no model.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::ModelError;
use super::catalogue::sha256_of;
use super::passport::{ImageInput, Input, Model, Passport};
use crate::tensor::{Element, Tensor, TensorData};

/// The name of the file that Kenpin writes.
pub const FILE_NAME: &str = "reference.safetensors";

/// The largest file of references, in bytes: 64 MiB.
pub const MAX_BYTES: u64 = 64 << 20;

/// The most cases of one model; each is run at every start.
pub const MAX_CASES: usize = 8;

/// How far a number made from a picture may lie from the reference, in levels of 0 to 255: resampling in whole numbers
/// rounds to one level on some processors and to the next on others.
const LEVELS: f64 = 1.5;

/// One reference: what is fed, and what must come out.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, without a dot.
    pub name: String,
    /// What the graph is fed, in the order of the passport's inputs.
    pub inputs: Vec<Tensor>,
    /// What must come out, in the order of the passport's outputs.
    pub outputs: Vec<Tensor>,
    /// The picture that the image inputs are made of.
    pub frame: Option<Picture>,
}

/// An 8-bit picture, rows of grey or of red, green, blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// 1 or 3.
    pub channels: usize,
    /// `width * height * channels` levels.
    pub levels: Vec<u8>,
}

/// The number that lies farthest beyond what is allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Farthest {
    /// Its place, an index for each axis.
    pub place: Vec<usize>,
    /// The number as it is.
    pub seen: f64,
    /// The number of the reference.
    pub wanted: f64,
}

/// Reads the references of a model; none where its passport names none.
///
/// # Errors
/// [`ModelError::Unreadable`]: not there, larger than [`MAX_BYTES`], no safetensors, or a case that does not fit the
/// passport; [`ModelError::WrongHash`].
pub fn read(model: &Model) -> Result<Vec<Case>, ModelError> {
    let Some(reference) = &model.passport.reference else { return Ok(Vec::new()) };
    let path = model.folder.join(&reference.path);
    let bytes = bounded(&path).map_err(|cause| ModelError::Unreadable { path: path.clone(), cause })?;
    let (seen, wanted) = (sha256_of(&bytes), reference.sha256.clone());
    if seen != wanted {
        return Err(ModelError::WrongHash { path, seen, wanted });
    }
    parse(&bytes, &model.passport).map_err(|cause| ModelError::Unreadable { path, cause })
}

/// The bytes of a file of at most [`MAX_BYTES`].
fn bounded(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        return Ok(bytes);
    }
    Err(format!("it has more than {MAX_BYTES} bytes, the most that references may have"))
}

/// The cases in a safetensors file, in the order of their names.
fn parse(bytes: &[u8], passport: &Passport) -> Result<Vec<Case>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("it is no safetensors file: {error}"))?;
    let mut cases: BTreeMap<&str, BTreeMap<&str, TensorView<'_>>> = BTreeMap::new();
    for (name, tensor) in file.iter() {
        let (case, rest) = name.split_once('.').ok_or_else(|| {
            format!("tensor {name:?}: want <case>.input.<name>, <case>.output.<name> or <case>.frame")
        })?;
        cases.entry(case).or_default().insert(rest, tensor);
    }
    match cases.len() {
        0 => return Err("it holds no case".into()),
        seen if seen > MAX_CASES => return Err(format!("it holds {seen} cases, at most {MAX_CASES} are wanted")),
        _ => {}
    }
    cases.into_iter().map(|(name, tensors)| case(name, &tensors, passport)).collect()
}

/// One case, held against the passport.
fn case(name: &str, tensors: &BTreeMap<&str, TensorView<'_>>, passport: &Passport) -> Result<Case, String> {
    let told = |why: String| format!("case {name:?}: {why}");
    let find = |key: String| {
        let view = tensors.get(key.as_str()).ok_or_else(|| told(format!("there is no tensor \"{name}.{key}\"")))?;
        tensor(view).map_err(|why| told(format!("tensor \"{name}.{key}\" {why}")))
    };
    let input = |input: &Input| {
        let key = format!("input.{}", input.name());
        fits(find(key.clone())?, input.shape(), input.element()).map_err(|why| told(format!("{key} {why}")))
    };
    let output = |output: &super::passport::Output| {
        let key = format!("output.{}", output.name);
        fits(find(key.clone())?, &output.shape, output.element).map_err(|why| told(format!("{key} {why}")))
    };
    let frame = tensors.get("frame").map(picture).transpose().map_err(told)?;
    Ok(Case {
        name: name.to_owned(),
        inputs: passport.inputs.iter().map(input).collect::<Result<_, _>>()?,
        outputs: passport.outputs.iter().map(output).collect::<Result<_, _>>()?,
        frame,
    })
}

/// A tensor whose shape and type are those of the passport, where 0 stands for any length.
fn fits(tensor: Tensor, shape: &[usize], element: Element) -> Result<Tensor, String> {
    let same = tensor.shape().len() == shape.len()
        && tensor.shape().iter().zip(shape).all(|(seen, wanted)| *wanted == 0 || seen == wanted);
    if same && tensor.element() == element {
        return Ok(tensor);
    }
    let (seen, kind) = (tensor.shape(), tensor.element());
    Err(format!("is {kind} {seen:?}, the passport wants {element} {shape:?}"))
}

fn picture(view: &TensorView<'_>) -> Result<Picture, String> {
    let refused =
        || format!("the frame is {:?} {:?}, want U8 [height, width] or [height, width, 3]", view.dtype(), view.shape());
    let (height, width, channels) = match (view.dtype(), view.shape()) {
        (Dtype::U8, &[height, width]) => (height, width, 1),
        (Dtype::U8, &[height, width, 3]) => (height, width, 3),
        _ => return Err(refused()),
    };
    let side = |length: usize| u32::try_from(length).ok().filter(|&length| length > 0).ok_or_else(refused);
    Ok(Picture { width: side(width)?, height: side(height)?, channels, levels: view.data().to_vec() })
}

/// A stored tensor, little-endian as the form has it, as one of Kenpin's.
fn tensor(view: &TensorView<'_>) -> Result<Tensor, String> {
    let bytes = view.data();
    let data = match view.dtype() {
        Dtype::F16 => TensorData::F16(numbers(bytes, f16::from_le_bytes)),
        Dtype::F32 => TensorData::F32(numbers(bytes, f32::from_le_bytes)),
        Dtype::F64 => TensorData::F64(numbers(bytes, f64::from_le_bytes)),
        Dtype::U8 => TensorData::U8(bytes.to_vec()),
        Dtype::I32 => TensorData::I32(numbers(bytes, i32::from_le_bytes)),
        Dtype::I64 => TensorData::I64(numbers(bytes, i64::from_le_bytes)),
        other => return Err(format!("is of type {other:?}, which no input or output of Kenpin has")),
    };
    Tensor::new(view.shape().to_vec(), data)
}

fn numbers<T, const BYTES: usize>(bytes: &[u8], number: impl Fn([u8; BYTES]) -> T) -> Vec<T> {
    bytes.as_chunks::<BYTES>().0.iter().map(|chunk| number(*chunk)).collect()
}

/// A file of references, to be written beside the model; its cases fit `passport`.
///
/// # Errors
/// One sentence when it would be larger than [`MAX_BYTES`], or cannot be written in its form.
pub fn file(cases: &[Case], passport: &Passport) -> Result<Vec<u8>, String> {
    let mut stored: Vec<Stored> = Vec::new();
    for case in cases {
        let names = passport.inputs.iter().map(|input| format!("input.{}", input.name()));
        let names = names.chain(passport.outputs.iter().map(|output| format!("output.{}", output.name)));
        for (name, tensor) in names.zip(case.inputs.iter().chain(&case.outputs)) {
            stored.push((
                format!("{}.{name}", case.name),
                dtype(tensor.element()),
                tensor.shape().to_vec(),
                bytes(tensor),
            ));
        }
        if let Some(Picture { width, height, channels, levels }) = &case.frame {
            let mut shape = vec![*height as usize, *width as usize];
            shape.extend((*channels > 1).then_some(*channels));
            stored.push((format!("{}.frame", case.name), Dtype::U8, shape, levels.clone()));
        }
    }
    let views = stored.iter().map(view).collect::<Result<Vec<_>, String>>()?;
    let file = safetensors::serialize(views, None).map_err(|error| error.to_string())?;
    match u64::try_from(file.len()) {
        Ok(length) if length <= MAX_BYTES => Ok(file),
        _ => Err(format!("the references would have {} bytes, at most {MAX_BYTES} are wanted", file.len())),
    }
}

/// A tensor as it is stored: name, type, shape, bytes.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

fn view((name, dtype, shape, bytes): &Stored) -> Result<(&str, TensorView<'_>), String> {
    let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| format!("tensor {name:?}: {error}"))?;
    Ok((name, view))
}

const fn dtype(element: Element) -> Dtype {
    match element {
        Element::Float16 => Dtype::F16,
        Element::Float32 => Dtype::F32,
        Element::Float64 => Dtype::F64,
        Element::Uint8 => Dtype::U8,
        Element::Int32 => Dtype::I32,
        Element::Int64 => Dtype::I64,
    }
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    match tensor.data() {
        TensorData::F16(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        TensorData::F32(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        TensorData::F64(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        TensorData::U8(numbers) => numbers.clone(),
        TensorData::I32(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        TensorData::I64(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
    }
}

/// How far a number of an answer may lie from the reference: `tolerance` times the greatest finite magnitude in the
/// reference, or times 1 where that is greater.
#[must_use]
pub fn answer_bound(wanted: &Tensor, tolerance: f64) -> f64 {
    let magnitudes = wanted.data().numbers().map(f64::abs).filter(|magnitude| magnitude.is_finite());
    tolerance * magnitudes.fold(1.0, f64::max)
}

/// How far a number of an image input may lie from the reference, in the units of the tensor: one and a half levels of
/// 0 to 255, as the passport scales them.
#[must_use]
pub fn preparation_bound(input: &ImageInput) -> f64 {
    let least = input.standard_deviation.iter().copied().fold(f64::INFINITY, f64::min);
    let level = input.scale.abs() / if least.is_finite() && least > 0.0 { least } else { 1.0 };
    let rounding = if input.element == Element::Float16 { f64::from(f16::EPSILON) } else { 0.0 };
    LEVELS * level + rounding
}

/// The number of `seen` that lies farthest beyond `bound` from `wanted`; `None` where all are near. Two numbers that are
/// the same infinity, or both none, are equal. The shapes must be the same.
#[must_use]
pub fn farthest(seen: &Tensor, wanted: &Tensor, bound: f64) -> Option<Farthest> {
    let distance = |seen: f64, wanted: f64| match (seen.is_nan(), wanted.is_nan()) {
        _ if seen.to_bits() == wanted.to_bits() || seen.is_nan() && wanted.is_nan() => 0.0,
        (false, false) => (seen - wanted).abs(),
        _ => f64::INFINITY,
    };
    let pairs = seen.data().numbers().zip(wanted.data().numbers()).enumerate();
    let far = pairs.map(|(at, (seen, wanted))| (at, seen, wanted, distance(seen, wanted)));
    let (at, number, reference, _) = far
        .filter(|(.., distance)| *distance > bound)
        .reduce(|most, next| if next.3 > most.3 { next } else { most })?;
    Some(Farthest { place: place(at, wanted.shape()), seen: number, wanted: reference })
}

/// The index on each axis of the number at `at`, in row-major order.
fn place(at: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = at;
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&length| {
            let index = rest.checked_rem(length).unwrap_or_default();
            rest = rest.checked_div(length).unwrap_or_default();
            index
        })
        .collect();
    place.reverse();
    place
}

#[cfg(test)]
mod tests;
