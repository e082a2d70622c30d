//! Text: encoders fed with sensor lines, and the PP-OCR models of the package `rapidocr-onnxruntime`, against Python.
//!
//! `tests/fixtures/families/text/make_encoders.py` and `make_ocr.py` name the references. The encoders and their lines
//! are simulated. The PP-OCR models are not in this repository: `cross/setup test` fetches them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kenpin::clock::Monotonic;
use kenpin::flow::Reading;
use kenpin::flow::infer::feed::{Feed, Question};
use kenpin::flow::infer::session::{Session, Tensor};
use kenpin::models::passport::{FILE_NAME, Model, Task};
use kenpin::name::Name;
use kenpin::task::geometry::{Geometry, Region};
use kenpin::task::{Findings, TextLine, decode, text};
use kenpin::value::Value;
use serde::Deserialize;

use super::{frame, newest, root};

/// How far a probability of an encoder may lie from the reference.
const PROBABILITY: f64 = 1e-5;

/// How far a corner may lie from RapidOCR's, in pixels: it cuts off to whole pixels before it grows a line, rounds the
/// grown outline, and rounds the corners once more.
const CORNER: f64 = 1.5;

/// How far the confidence of a found line may lie from RapidOCR's: places on the edge of a tilted line.
const LINE: f64 = 0.002;

/// How far the confidence of a line or a character read from the same pixels may lie from RapidOCR's.
const CHARACTER: f64 = 1e-5;

/// How far the confidence of a line may lie from RapidOCR's, from the whole picture on: it cuts lines out with a cubic
/// filter and gives each as much width as the widest has.
const WHOLE: f64 = 0.05;

fn fixtures() -> PathBuf {
    super::fixtures("text")
}

/// A model with its session on the newest library, on the CPU.
struct Asked {
    model: Model,
    session: Box<dyn Session>,
    feed: Feed,
}

impl Asked {
    fn open(folder: &Path) -> Self {
        let (backend, settings) = newest();
        let model = Model::load(folder).unwrap_or_else(|why| panic!("{why}"));
        let session = backend.open(&model, &settings).unwrap();
        let feed = Feed::new(&model).unwrap();
        Self { model, session, feed }
    }

    /// What is fed, the outputs, and where the input lies in the frame.
    fn run(&mut self, question: &Question) -> (Vec<Tensor>, Vec<Tensor>, Geometry) {
        let (fed, geometry) = self.feed.fill(question).unwrap();
        let fed = fed.to_vec();
        (fed.clone(), self.session.run(&fed).unwrap().to_vec(), geometry)
    }
}

fn said(text: &str) -> Question {
    let values = BTreeMap::from([("text".to_owned(), Value::Text(text.into()))]);
    let sensor = Name::new("screwdriver").unwrap();
    let reading = Reading { sensor, captured: Monotonic::from_nanos(0), part: None, values, asker: None };
    Question { frame: None, region: Region::Whole, readings: Arc::new(vec![reading]), found: Vec::new() }
}

fn seen(path: &Path, region: Region) -> Question {
    Question { frame: Some(frame(path)), region, readings: Arc::new(Vec::new()), found: Vec::new() }
}

/// One text and what the reference makes of it.
#[derive(Deserialize)]
struct TextCase {
    text: String,
    fed: Vec<Vec<i64>>,
    probabilities: Vec<f64>,
}

#[test]
fn text_encoders_are_fed_and_answer_as_in_python() {
    for name in ["wordpiece", "bpe", "bytes"] {
        let folder = fixtures().join(name);
        let cases: Vec<TextCase> =
            serde_json::from_slice(&std::fs::read(folder.join("reference.json")).unwrap()).unwrap();
        let mut asked = Asked::open(&folder);
        let mut farthest = 0.0_f64;
        for case in &cases {
            let (fed, outputs, geometry) = asked.run(&said(&case.text));
            #[expect(clippy::cast_possible_truncation, reason = "tokens are whole numbers")]
            let fed: Vec<Vec<i64>> =
                fed.iter().map(|tensor| tensor.data().numbers().map(|number| number as i64).collect()).collect();
            assert_eq!(fed, case.fed, "{name}: {:?}", case.text);
            let Ok(Findings::Classification { classes }) = decode(&asked.model.passport, &outputs, &geometry) else {
                panic!("{name}: {outputs:?}");
            };
            for (seen, wanted) in classes.iter().zip(&case.probabilities) {
                farthest = farthest.max((seen.probability - wanted).abs());
            }
        }
        println!("{name}: {} texts, every token equal; greatest difference of a probability {farthest:e}", cases.len());
        assert!(cases.len() >= 18 && farthest <= PROBABILITY, "{name}: {farthest}");
    }
}

/// A fixture's folder in a folder of its own, with changes.
fn copied(name: &str, change: impl Fn(&Path)) -> Result<Feed, String> {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join(name);
    std::fs::create_dir(&to).unwrap();
    for file in [FILE_NAME, "model.onnx", "tokenizer.json"] {
        std::fs::copy(fixtures().join(name).join(file), to.join(file)).unwrap();
    }
    change(&to);
    Feed::new(&Model::load(&to).map_err(|why| why.to_string())?)
}

#[test]
fn a_tokenizer_that_is_another_or_none_is_refused() {
    let rewrite = |file: PathBuf, from: &str, to: &str| {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    };
    let why = copied("wordpiece", |to| rewrite(to.join("tokenizer.json"), "[UNK]", "[UNC]")).unwrap_err();
    assert!(why.starts_with("input \"input_ids\": ") && why.contains("tokenizer.json: sha256 is "), "{why}");
    assert!(why.contains(", the passport wants "), "{why}");
    let why = copied("wordpiece", |to| std::fs::remove_file(to.join("tokenizer.json")).unwrap()).unwrap_err();
    assert!(why.contains("tokenizer.json cannot be read: "), "{why}");
    let why = copied("wordpiece", |to| rewrite(to.join(FILE_NAME), "[1, 24]", "[1, 1]")).unwrap_err();
    assert!(why.ends_with("it adds 2 tokens to every text, the input has room for 1"), "{why}");
    let emptied = |to: &Path| {
        let text = std::fs::read_to_string(to.join(FILE_NAME)).unwrap();
        let wanted = text.split_once("tokenizer.json\", sha256 = \"").unwrap().1[..64].to_owned();
        let hash = kenpin::models::catalogue::sha256_of(b"{}");
        std::fs::write(to.join("tokenizer.json"), "{}").unwrap();
        std::fs::write(to.join(FILE_NAME), text.replace(&wanted, &hash)).unwrap();
    };
    let why = copied("wordpiece", emptied).unwrap_err();
    assert!(why.contains("tokenizer.json: no tokenizer: "), "{why}");
}

/// What RapidOCR finds and reads on the label.
#[derive(Deserialize)]
struct Label {
    lines: Vec<LabelLine>,
    /// From the whole picture to texts, with RapidOCR's own sizes.
    whole: Vec<LabelText>,
}

#[derive(Deserialize)]
struct LabelText {
    text: String,
    confidence: f64,
}

#[derive(Deserialize)]
struct LabelLine {
    corners: [[f64; 2]; 4],
    score: f64,
    crop: String,
    text: String,
    confidence: f64,
    characters: Vec<f64>,
}

fn label() -> Label {
    serde_json::from_slice(&std::fs::read(fixtures().join("ocr/reference.json")).unwrap()).unwrap()
}

/// The PP-OCR model of a fixture, beside its passport in a folder of their own.
pub(crate) fn pp_ocr(name: &str) -> (tempfile::TempDir, PathBuf) {
    let file = if name == "text-detection" { "ch_PP-OCRv4_det_infer.onnx" } else { "ch_PP-OCRv4_rec_infer.onnx" };
    let models = root("target/setup/rapidocr/rapidocr_onnxruntime/models");
    let model = models.join(file);
    assert!(model.is_file(), "there is no PP-OCR model at {}: run `make test`", model.display());
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join(name);
    std::fs::create_dir(&to).unwrap();
    std::fs::copy(fixtures().join("ocr").join(name).join(FILE_NAME), to.join(FILE_NAME)).unwrap();
    std::os::unix::fs::symlink(&model, to.join(file)).unwrap();
    if name == "text-recognition" {
        let characters = metadata(&std::fs::read(&model).unwrap(), "character");
        std::fs::write(to.join("characters.txt"), format!("{}\n \n", characters.trim_end_matches('\n'))).unwrap();
    }
    (folder, to)
}

/// A text of an ONNX file's metadata: field 14 of the model, a key (1) and a value (2), in protocol buffers.
fn metadata(file: &[u8], key: &str) -> String {
    let entries = fields(file).into_iter().filter(|(field, _)| *field == 14);
    let value = entries.map(|(_, entry)| fields(entry)).find(|entry| entry.contains(&(1, key.as_bytes())));
    let value = value.and_then(|entry| entry.into_iter().find(|(field, _)| *field == 2)).unwrap().1;
    String::from_utf8(value.to_vec()).unwrap()
}

/// The fields of a message that hold bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn number(from: &mut &[u8]) -> u64 {
        let end = from.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let (bytes, rest) = from.split_at(end);
        *from = rest;
        bytes.iter().rev().fold(0, |number, byte| (number << 7) | u64::from(byte & 0x7f))
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = number(&mut message);
        let length = match tag & 7 {
            0 => {
                number(&mut message);
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut message)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (bytes, rest) = message.split_at(length);
        message = rest;
        found.push((tag >> 3, bytes));
    }
    found
}

/// The line of the reference that a found line is, by its middle.
fn nearest<'l>(line: &TextLine, lines: &'l [LabelLine]) -> &'l LabelLine {
    let middle =
        |corners: &[[f64; 2]; 4]| [0, 1].map(|axis| corners.iter().map(|corner| corner[axis]).sum::<f64>() / 4.0);
    let [x, y] = middle(&line.corners.unwrap());
    let away = |other: &LabelLine| {
        let [to_x, to_y] = middle(&other.corners);
        (to_x - x).hypot(to_y - y)
    };
    lines.iter().min_by(|one, other| away(one).total_cmp(&away(other))).unwrap()
}

#[test]
fn pp_ocr_finds_the_lines_that_rapidocr_finds() {
    let (_kept, folder) = pp_ocr("text-detection");
    let mut asked = Asked::open(&folder);
    let (_, outputs, geometry) = asked.run(&seen(&fixtures().join("ocr/label.png"), Region::Whole));
    let Ok(Findings::Text { lines }) = decode(&asked.model.passport, &outputs, &geometry) else { panic!() };
    let wanted = label().lines;
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    let (mut corner, mut confidence, mut order) = (0.0_f64, 0.0_f64, String::new());
    for line in &lines {
        let reference = nearest(line, &wanted);
        for (seen, wanted) in line.corners.unwrap().as_flattened().iter().zip(reference.corners.as_flattened()) {
            corner = corner.max((seen - wanted).abs());
        }
        confidence = confidence.max((line.confidence - reference.score).abs());
        write!(order, "{} / ", reference.text).unwrap();
    }
    println!(
        "text detection: {} lines; greatest difference of a corner {corner:.3} pixels, of a confidence {confidence:.5}",
        lines.len()
    );
    assert!(corner <= CORNER, "{corner}: {lines:#?}");
    assert!(confidence <= LINE, "{confidence}: {lines:#?}");
    assert_eq!(order, "LOT A17-2026 / EXP 11/2028 / SN 0048-7731 / QC PASSED / MADE FOR LINE 4 / ");
}

#[test]
fn pp_ocr_reads_what_rapidocr_reads() {
    let (_kept, folder) = pp_ocr("text-recognition");
    let mut asked = Asked::open(&folder);
    let Task::TextRecognition(task) = asked.model.passport.task.clone() else { panic!() };
    let (mut line, mut character) = (0.0_f64, 0.0_f64);
    let mut all = Vec::new();
    for reference in label().lines {
        let (_, outputs, geometry) = asked.run(&seen(&fixtures().join("ocr").join(&reference.crop), Region::Whole));
        let Ok(Findings::Text { lines }) = decode(&asked.model.passport, &outputs, &geometry) else { panic!() };
        let [read] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(read.text, reference.text);
        line = line.max((read.confidence - reference.confidence).abs());
        let steps = text::steps(&asked.model.passport, &task, &outputs).unwrap();
        assert_eq!(steps.len(), reference.characters.len(), "{}", reference.text);
        for (step, wanted) in steps.iter().zip(&reference.characters) {
            character = character.max((step.probability - wanted).abs());
        }
        let found = TextLine { text: String::new(), confidence: reference.score, corners: Some(reference.corners) };
        all.push(text::joined(&found, read.clone()));
    }
    println!(
        "text recognition: {} lines, every text equal; greatest difference of a line's confidence {line:e}, of a \
         character's {character:e}",
        all.len()
    );
    assert!(line <= CHARACTER && character <= CHARACTER, "{line} {character}");
    let whole = text::reading(&all, 0.9).unwrap();
    assert_eq!(whole, "LOT A17-2026 EXP 11/2028 SN 0048-7731 QC PASSED MADE FOR LINE 4");
    assert_eq!(text::reading(&all, 0.999), None);
}

#[test]
fn pp_ocr_reads_a_label_from_its_frame() {
    let path = fixtures().join("ocr/label.png");
    let (_kept, folder) = pp_ocr("text-detection");
    let mut finder = Asked::open(&folder);
    let (_, outputs, geometry) = finder.run(&seen(&path, Region::Whole));
    let Ok(Findings::Text { lines }) = decode(&finder.model.passport, &outputs, &geometry) else { panic!() };
    let (_kept, folder) = pp_ocr("text-recognition");
    let passport = std::fs::read_to_string(folder.join(FILE_NAME)).unwrap();
    let wide = passport.replace("[1, 3, 48, 320]", "[1, 3, 48, 480]").replace("[1, 40, 6625]", "[1, 60, 6625]");
    std::fs::write(folder.join(FILE_NAME), wide).unwrap();
    let mut reader = Asked::open(&folder);
    let mut farthest = 0.0_f64;
    let mut all = Vec::new();
    for (found, wanted) in lines.iter().zip(label().whole) {
        let (_, outputs, geometry) = reader.run(&seen(&path, Region::Quadrilateral(found.corners.unwrap())));
        let Ok(Findings::Text { lines }) = decode(&reader.model.passport, &outputs, &geometry) else { panic!() };
        println!("{:?}, RapidOCR reads {:?} ({:.4})", lines[0], wanted.text, wanted.confidence);
        farthest = farthest.max((lines[0].confidence - wanted.confidence).abs());
        let words = |text: &str| text.replace(' ', "");
        assert_eq!(words(&lines[0].text), words(&wanted.text));
        all.push(text::joined(found, lines[0].clone()));
    }
    println!("from the frame to {} texts; greatest difference of a confidence {farthest:.4}", all.len());
    assert!(all.len() == 5 && farthest <= WHOLE, "{farthest}");
}

#[test]
fn characters_that_are_others_are_refused() {
    let (_kept, folder) = pp_ocr("text-recognition");
    std::fs::write(folder.join("characters.txt"), "A\nB\n").unwrap();
    let refusal = Model::load(&folder).unwrap_err();
    let message = &refusal.findings()[0].message;
    assert!(message.contains("characters.txt: sha256 is "), "{message}");
    std::fs::remove_file(folder.join("characters.txt")).unwrap();
    let refusal = Model::load(&folder).unwrap_err();
    let message = &refusal.findings()[0].message;
    assert!(message.contains("characters.txt cannot be read"), "{message}");
}
