//! Preparation held against Pillow (fixtures made by `tests/fixtures/prepare/make.py`), and properties of any frame.

use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::flow::PixelFormat;
use crate::flow::pool::Pool;
use crate::models::passport::{Anchor, Filter, Fit, ImageInput as Input};

#[derive(Deserialize)]
struct Case {
    frame: String,
    width: usize,
    height: usize,
    colour: Colour,
    fit: Fit,
    filter: Filter,
    layout: Layout,
    element: Element,
    fill: Option<u8>,
    anchor: Option<Anchor>,
    scale: f64,
    mean: Vec<f64>,
    standard_deviation: Vec<f64>,
    expected: Vec<f64>,
}

impl Case {
    fn input(&self) -> Input {
        let (channels, height, width) = (self.colour.channels(), self.height, self.width);
        Input {
            name: "image".into(),
            shape: match self.layout {
                Layout::Nchw => vec![1, channels, height, width],
                Layout::Nhwc => vec![1, height, width, channels],
            },
            layout: self.layout,
            element: self.element,
            colour: self.colour,
            fit: self.fit,
            filter: self.filter,
            fill: self.fill,
            anchor: self.anchor,
            scale: self.scale,
            mean: self.mean.clone(),
            standard_deviation: self.standard_deviation.clone(),
        }
    }
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/prepare")
}

fn cases() -> Vec<Case> {
    serde_json::from_slice(&std::fs::read(fixtures().join("cases.json")).unwrap()).unwrap()
}

fn frame_of(width: u32, height: u32, format: PixelFormat, bytes: &[u8]) -> Image {
    let mut buffer = Pool::new(1).take(bytes.len());
    buffer.bytes_mut().copy_from_slice(bytes);
    Image::new(width, height, format, buffer).unwrap()
}

fn load(name: &str) -> Image {
    let decoded = image::open(fixtures().join(format!("{name}.png"))).unwrap();
    let (width, height) = (decoded.width(), decoded.height());
    match decoded {
        image::DynamicImage::ImageLuma8(grey) => frame_of(width, height, PixelFormat::Grey8, grey.as_raw()),
        image::DynamicImage::ImageRgb8(colour) => frame_of(width, height, PixelFormat::Rgb8, colour.as_raw()),
        image::DynamicImage::ImageLuma16(grey) => {
            frame_of(width, height, PixelFormat::Grey16, bytemuck::cast_slice(grey.as_raw()))
        }
        other => panic!("{name}: {:?}", other.color()),
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.data().numbers().collect()
}

/// Levels are Pillow's, which for some sizes that grow to one side shortens before it narrows: where both sides change they
/// may be one off, in fewer than one of a thousand. A word may differ by the rounding of a step after each of the two passes, and `linear` by
/// one level from OpenCV, which rounds once.
#[test]
fn tensors_are_pillows_and_opencvs() {
    let cases = cases();
    assert_eq!(cases.len(), 29);
    let (mut off, mut all) = (0, 0);
    for (place, case) in cases.iter().enumerate() {
        let image = load(&case.frame);
        let mut preparation = Preparation::new(&[case.input()]).unwrap();
        let level = case.scale / case.standard_deviation.iter().fold(f64::INFINITY, |least, &next| least.min(next));
        let wide = image.format() == PixelFormat::Grey16;
        let tolerance = match case.filter {
            Filter::Linear => level + 2e-5,
            _ if wide && case.element == Element::Uint8 => level + 2e-5,
            _ if wide => level * 2.0 / 257.0 + 2e-5,
            _ => 2e-5,
        };
        let (width, height) = (image.width() as usize, image.height() as usize);
        let both = !wide && case.filter != Filter::Nearest && case.width != width && case.height != height;
        for round in ["first", "second"] {
            let seen = numbers(&preparation.prepare(&image).unwrap()[0]);
            assert_eq!(seen.len(), case.expected.len());
            for (at, (seen, wanted)) in seen.iter().zip(&case.expected).enumerate() {
                let told = format!("case {place}, {round} time, place {at}: {seen}, {wanted} is wanted");
                let distance = (seen - wanted).abs();
                assert!(distance <= tolerance + if both { level } else { 0.0 }, "{told}");
                off += usize::from(distance > tolerance);
                all += 1;
            }
        }
    }
    assert!(off * 1000 < all, "{off} of {all} levels are one off");
    println!("{off} of {all} levels are one off");
}

/// A part of a frame gives what a frame of that part alone gives, and the way back leads into it.
#[test]
fn a_part_is_prepared_as_a_frame_of_its_own() {
    let image = load("rgb-64x48");
    let (left, top, width, height) = (10, 7, 31, 23);
    let rows = image.bytes().chunks_exact(64 * 3).skip(top).take(height);
    let bytes: Vec<u8> = rows.flat_map(|row| row[left * 3..(left + width) * 3].to_vec()).collect();
    let cut = frame_of(31, 23, PixelFormat::Rgb8, &bytes);
    for fit in [Fit::Stretch, Fit::Letterbox, Fit::Crop] {
        let fill = (fit == Fit::Letterbox).then_some(9);
        let input = Input { fit, fill, ..plain(12, 12, Colour::Bgr) };
        let mut tensor = Tensor::zeros(&input.shape, input.element);
        let mut preparation = Preparation::new(std::slice::from_ref(&input)).unwrap();
        let wanted = numbers(&Preparation::new(&[input]).unwrap().prepare(&cut).unwrap()[0]);
        let corners = [10.0, 7.0, 41.0, 30.0];
        let region = Region::Rectangle(Rectangle::between(corners));
        let geometry = preparation.fill(0, &image, region, &mut tensor).unwrap();
        assert_eq!(numbers(&tensor), wanted, "{fit:?}");
        let (x, y) = geometry.to_frame(6.0, 6.0);
        // Of the odd border of the letterbox the larger half is below.
        let middle = if fit == Fit::Letterbox { 18.5 + 0.5 * 23.0 / 9.0 } else { 18.5 };
        assert!((x - 25.5).abs() < 1e-9 && (y - middle).abs() < 1e-9, "{fit:?}: the middle lies at {x}, {y}");
        let [left, top, right, bottom] = corners;
        let upright = Region::Quadrilateral([[left, top], [right, top], [right, bottom], [left, bottom]]);
        preparation.fill(0, &image, upright, &mut tensor).unwrap();
        assert_eq!(numbers(&tensor), wanted, "{fit:?}, as a quadrilateral");
    }
}

#[test]
fn a_quadrilateral_is_turned_upright() {
    // Two by two pixels, seen turned by a quarter: what was at the lower left is at the upper left.
    let image = frame_of(2, 2, PixelFormat::Grey8, &[1, 2, 3, 4]);
    let input = plain(2, 2, Colour::Grey);
    let mut tensor = Tensor::zeros(&input.shape, input.element);
    let mut preparation = Preparation::new(&[input]).unwrap();
    let turned = [[0.0, 2.0], [0.0, 0.0], [2.0, 0.0], [2.0, 2.0]];
    preparation.fill(0, &image, Region::Quadrilateral(turned), &mut tensor).unwrap();
    assert_eq!(numbers(&tensor), [3.0, 1.0, 4.0, 2.0]);
    for bad in [[[0.0, 0.0]; 4], [[0.0, 0.0], [9.0, 9.0], [9.0, 0.0], [0.0, 9.0]], [[f64::NAN; 2]; 4]] {
        let refusal = preparation.fill(0, &image, Region::Quadrilateral(bad), &mut tensor).unwrap_err();
        assert!(refusal.starts_with("input \"image\": the corners"), "{refusal}");
    }
}

#[test]
fn a_border_is_written_again_when_the_window_moves() {
    let input = Input { fit: Fit::Letterbox, fill: Some(7), ..plain(4, 4, Colour::Grey) };
    let mut preparation = Preparation::new(&[input]).unwrap();
    let wide = frame_of(4, 2, PixelFormat::Grey8, &[100; 8]);
    let high = frame_of(2, 4, PixelFormat::Grey8, &[50; 8]);
    for _ in 0..2 {
        let seen = numbers(&preparation.prepare(&wide).unwrap()[0]);
        assert_eq!(seen, [[7.0; 4], [100.0; 4], [100.0; 4], [7.0; 4]].concat());
        let seen = numbers(&preparation.prepare(&high).unwrap()[0]);
        assert_eq!(seen, [[7.0, 50.0, 50.0, 7.0]; 4].concat());
    }
}

#[test]
fn every_input_of_a_model_sees_the_same_frame() {
    let cases = cases();
    let of_one_frame: Vec<&Case> = cases.iter().filter(|case| case.frame == "rgb-64x48").take(3).collect();
    let inputs: Vec<Input> = of_one_frame.iter().map(|case| case.input()).collect();
    let mut preparation = Preparation::new(&inputs).unwrap();
    let tensors = preparation.prepare(&load("rgb-64x48")).unwrap();
    for (tensor, case) in tensors.iter().zip(of_one_frame) {
        assert!(numbers(tensor).iter().zip(&case.expected).all(|(seen, wanted)| (seen - wanted).abs() < 1e-4));
    }
}

#[test]
fn a_16_bit_frame_keeps_what_8_bits_would_lose() {
    let words: [u16; 4] = [0, 1, 256, 65535];
    let image = frame_of(4, 1, PixelFormat::Grey16, bytemuck::cast_slice(&words));
    let mut preparation = Preparation::new(&[plain(4, 1, Colour::Grey)]).unwrap();
    let seen = numbers(&preparation.prepare(&image).unwrap()[0]);
    let wanted = [0.0, 1.0 / 257.0, 256.0 / 257.0, 255.0];
    assert!(seen.iter().zip(wanted).all(|(seen, wanted)| (seen - wanted).abs() < 1e-6), "{seen:?}");
}

#[test]
fn luminance_has_pillows_rounding_at_8_and_16_bits() {
    let bytes = [255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30];
    let image = frame_of(5, 1, PixelFormat::Rgb8, &bytes);
    let mut preparation = Preparation::new(&[plain(5, 1, Colour::Grey)]).unwrap();
    assert_eq!(numbers(&preparation.prepare(&image).unwrap()[0]), [255.0, 76.0, 150.0, 29.0, 18.0]);
    let words = [65535_u16, 65535, 65535];
    let image = frame_of(1, 1, PixelFormat::Rgb16, bytemuck::cast_slice(&words));
    let mut preparation = Preparation::new(&[plain(1, 1, Colour::Grey)]).unwrap();
    assert_eq!(numbers(&preparation.prepare(&image).unwrap()[0]), [255.0]);
}

#[test]
fn what_cannot_be_fed_with_pixels_is_refused() {
    let refused = |change: fn(&mut Input)| {
        let mut input = plain(4, 4, Colour::Rgb);
        change(&mut input);
        Preparation::new(&[input]).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        refused(|input| input.element = Element::Int64),
        "input \"image\": the element type is int64, an image wants float32, float16 or uint8"
    );
    assert_eq!(refused(|input| input.colour = Colour::Grey), "input \"image\": the shape has 3 channels, Grey wants 1");
    assert!(refused(|input| input.shape = vec![2, 3, 4, 4]).contains("a batch of one image"));
    assert!(refused(|input| input.shape = vec![]).contains("a batch of one image"));
    assert!(refused(|input| input.standard_deviation[1] = 0.0).ends_with("the standard deviation of channel 1 is 0"));
    assert!(refused(|input| input.mean = vec![0.0]).contains("1 means and 3 deviations for 3 channels"));
}

fn plain(width: usize, height: usize, colour: Colour) -> Input {
    let channels = colour.channels();
    Input {
        name: "image".into(),
        shape: vec![1, channels, height, width],
        layout: Layout::Nchw,
        element: Element::Float32,
        colour,
        fit: Fit::Stretch,
        filter: Filter::Bilinear,
        fill: None,
        anchor: None,
        scale: 1.0,
        mean: vec![0.0; channels],
        standard_deviation: vec![1.0; channels],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A frame of one colour stays of that colour, whatever its size, the fit and the filter; the border is the fill.
    #[test]
    fn one_colour_stays_one_colour(
        (width, height) in (1_u32..70, 1_u32..70),
        (wide, high) in (1_usize..40, 1_usize..40),
        level in 0_u8..=255,
        fit in prop::sample::select(vec![Fit::Stretch, Fit::Letterbox, Fit::Crop]),
        filter in prop::sample::select(vec![Filter::Bilinear, Filter::Bicubic, Filter::Linear, Filter::Nearest, Filter::Area]),
        format in prop::sample::select(vec![PixelFormat::Grey8, PixelFormat::Rgb8, PixelFormat::Grey16, PixelFormat::Rgb16]),
        colour in prop::sample::select(vec![Colour::Grey, Colour::Rgb, Colour::Bgr]),
    ) {
        let bytes = vec![level; width as usize * height as usize * format.channels() * format.bytes_per_channel()];
        let image = frame_of(width, height, format, &bytes);
        let fill = (fit == Fit::Letterbox).then_some(7);
        let input = Input { fit, filter, fill, ..plain(wide, high, colour) };
        let mut preparation = Preparation::new(&[input]).unwrap();
        let seen = numbers(&preparation.prepare(&image).unwrap()[0]);
        let is = |number: &f64, wanted: u8| (number - f64::from(wanted)).abs() < 0.02;
        prop_assert!(seen.iter().all(|number| is(number, level) || fill.is_some_and(|fill| is(number, fill))));
        prop_assert!(seen.iter().any(|number| is(number, level)));
    }
}
