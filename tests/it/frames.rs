//! Frames as cameras hand them out, of every format, against conversions that were made elsewhere: `numpy` with the formulas of
//! the standards, and `OpenCV`. Prints the greatest difference of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use kenpin::config::{FrameFormat, JpegScale, Raw, YuvEncoding};
use kenpin::flow::acquire::decode::{decode_jpeg, raw};
use kenpin::flow::pool::Pool;
use kenpin::flow::{Image, PixelFormat};
use serde::Deserialize;

use crate::support::daemon::Line;

/// One frame with the image it is.
#[derive(Deserialize)]
struct Case {
    format: FrameFormat,
    width: u32,
    height: u32,
    stride: Option<u32>,
    yuv: Option<YuvEncoding>,
    sample_shift: Option<u8>,
    note: String,
    reference: String,
    /// Outermost pixels that the reference makes in another way.
    margin: u32,
    frame: String,
    expected: String,
}

impl Case {
    fn convert(&self) -> Image {
        let Self { format, width, height, stride, yuv, sample_shift, .. } = *self;
        let (frame, pool) = (bytes(&self.frame), Pool::new(1));
        if format == FrameFormat::Mjpeg {
            return decode_jpeg(&frame, JpegScale::Whole, &pool).unwrap();
        }
        raw::convert(&frame, Raw { format, width, height, stride, yuv, sample_shift }, &pool).unwrap()
    }

    /// The greatest difference in levels, and how many of how many differ.
    fn compare(&self) -> Difference {
        let image = self.convert();
        assert_eq!((image.width(), image.height()), (self.width, self.height), "{}", self.format);
        let deep = image.format().bytes_per_channel() == 2;
        let (seen, wanted) = (levels(image.bytes(), deep), levels(&bytes(&self.expected), deep));
        assert_eq!(seen.len(), wanted.len(), "{} {}", self.format, self.note);
        let channels = image.format().channels();
        let inside = |at: usize| {
            let pixel = u32::try_from(at / channels).unwrap();
            let (x, y) = (pixel % self.width, pixel / self.width);
            let within = |place: u32, length: u32| (self.margin..length - self.margin).contains(&place);
            within(x, self.width) && within(y, self.height)
        };
        let compared = seen.iter().zip(&wanted).enumerate().filter(|(at, _)| inside(*at));
        let differences: Vec<u16> = compared.map(|(_, (seen, wanted))| seen.abs_diff(*wanted)).collect();
        Difference {
            most: differences.iter().copied().max().unwrap(),
            off: differences.iter().filter(|difference| **difference > 0).count(),
            values: differences.len(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Difference {
    most: u16,
    off: usize,
    values: usize,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap();
    hex.as_bytes().as_chunks::<2>().0.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)).collect()
}

fn levels(bytes: &[u8], deep: bool) -> Vec<u16> {
    if deep {
        bytes.as_chunks::<2>().0.iter().map(|word| u16::from_le_bytes(*word)).collect()
    } else {
        bytes.iter().map(|byte| u16::from(*byte)).collect()
    }
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/frames/cases.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_format_is_what_others_make_of_it() {
    let mut table: BTreeMap<(String, String, String), Difference> = BTreeMap::new();
    for case in cases() {
        let odd = if case.note.contains("odd") { "odd size and stride" } else { "even" };
        let seen = case.compare();
        let key = (case.format.to_string(), odd.to_owned(), case.reference.clone());
        let row = table.entry(key).or_default();
        row.most = row.most.max(seen.most);
        (row.off, row.values) = (row.off + seen.off, row.values + seen.values);
        // Weighted sums that lie between two levels may be rounded to either; nothing else leaves a choice.
        let allowed = u16::from(case.format.is_yuv());
        assert!(seen.most <= allowed, "{} {} against {}: {seen:?}", case.format, case.note, case.reference);
    }
    for ((format, odd, reference), Difference { most, off, values }) in &table {
        println!("{format:14} {odd:20} {reference:7} greatest difference {most}, {off} of {values} values differ");
    }
    let formats: BTreeSet<&String> = table.keys().map(|(format, ..)| format).collect();
    assert_eq!(formats.len(), FrameFormat::ALL.len(), "every format has a case: {formats:?}");
}

#[test]
fn short_torn_and_long_frames_of_every_format_are_told() {
    for case in cases() {
        let frame = bytes(&case.frame);
        let Case { format, width, height, stride, yuv, sample_shift, .. } = case;
        let raw = Raw { format, width, height, stride, yuv, sample_shift };
        let convert = |frame: &[u8]| match format {
            FrameFormat::Mjpeg => decode_jpeg(frame, JpegScale::Whole, &Pool::new(1)),
            _ => raw::convert(frame, raw, &Pool::new(1)),
        };
        for kept in [0, 1, frame.len() / 2, frame.len() - frame.len() / 8 - 4] {
            let told = convert(&frame[..kept]).map(drop).expect_err(&format!("{format}: {kept} of {}", frame.len()));
            let named = told.contains(&kept.to_string()) || told == "it ends in the middle of the picture";
            assert!(named, "{format}: {told}");
        }
        let long = [&frame[..], &[0]].concat();
        match (format, convert(&long)) {
            // What follows the end of a JPEG picture is padding.
            (FrameFormat::Mjpeg, made) => assert_eq!(made.unwrap().format(), PixelFormat::Rgb8),
            (_, made) => assert!(made.unwrap_err().contains(&long.len().to_string())),
        }
    }
}

#[test]
fn a_shot_of_a_configs_camera_is_what_models_are_shown() {
    let line = Line::with_parts(1);
    // The red of ITU-R BT.601, from a command that writes one frame of two pixels.
    let side = "[cameras.side]\nkind = \"pipe\"\ncommand = [\"printf\", '\\121\\132\\121\\360']\n\
                raw = { format = \"yuyv\", width = 2, height = 1 }\n";
    let config = line.configure("", side);
    let out = line.path().join("shot.png");
    let shot = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
        command.args(["cameras", "shot"]).arg(&config).arg("--out").arg(&out).args(arguments).output().unwrap()
    };
    let refused = shot(&[]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("has several cameras"), "{refused:?}");
    let taken = shot(&["--camera", "side"]);
    assert!(taken.status.success(), "{taken:?}");
    assert!(String::from_utf8_lossy(&taken.stdout).contains("shot.png: 2x1 Rgb8"), "{taken:?}");
    let picture = image::open(&out).unwrap().into_rgb8();
    for pixel in picture.pixels() {
        let off = pixel.0.iter().zip([255_u8, 0, 0]).map(|(seen, wanted)| seen.abs_diff(wanted)).max();
        assert!(off <= Some(1), "{pixel:?}");
    }
}
