//! The statistics against their definitions, written down once more without any cleverness.

use proptest::prelude::*;

use super::*;
use crate::flow::pool::Pool;

const FORMATS: [PixelFormat; 4] = [PixelFormat::Grey8, PixelFormat::Grey16, PixelFormat::Rgb8, PixelFormat::Rgb16];

fn image(width: u32, height: u32, format: PixelFormat, seed: &[u8]) -> Image {
    let bytes = width as usize * height as usize * format.channels() * format.bytes_per_channel();
    let mut pixels = Pool::new(1).take(bytes);
    for (byte, value) in pixels.bytes_mut().iter_mut().zip(seed.iter().cycle()) {
        *byte = *value;
    }
    Image::new(width, height, format, pixels).unwrap()
}

/// The luminance of one pixel, by the book.
fn naive_luminance(image: &Image, x: u32, y: u32) -> f64 {
    let format = image.format();
    let channel = |index: usize| {
        let place = (y as usize * image.width() as usize + x as usize) * format.channels() + index;
        match format.bytes_per_channel() {
            1 => f64::from(image.bytes()[place]),
            _ => {
                f64::from(u16::from_ne_bytes([image.bytes()[2 * place], image.bytes()[2 * place + 1]])) * 255.0
                    / 65535.0
            }
        }
    };
    if format.channels() == 1 { channel(0) } else { 0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.iter().map(|_| 1.0).sum::<f64>().max(1.0)
}

fn naive_brightness(image: &Image) -> f64 {
    let all: Vec<f64> =
        (0..image.height()).flat_map(|y| (0..image.width()).map(move |x| naive_luminance(image, x, y))).collect();
    mean(&all) / 255.0
}

fn naive_sharpness(image: &Image) -> f64 {
    let at = |x, y| naive_luminance(image, x, y);
    let mut all = Vec::new();
    for y in 1..image.height().saturating_sub(1) {
        for x in 1..image.width().saturating_sub(1) {
            all.push(at(x, y - 1) + at(x, y + 1) + at(x - 1, y) + at(x + 1, y) - 4.0 * at(x, y));
        }
    }
    let centre = mean(&all);
    mean(&all.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>())
}

#[test]
fn white_is_one_black_is_nought_and_neither_is_sharp() {
    for format in FORMATS {
        for (byte, want) in [(0, 0.0), (255, 1.0)] {
            let flat = image(5, 4, format, &[byte]);
            assert!((brightness(&flat) - want).abs() < 1e-12, "{format:?}");
            assert!(sharpness(&flat) < 1e-12, "{format:?}");
        }
    }
}

#[test]
fn a_single_bright_pixel_has_the_sharpness_of_its_kernel() {
    let mut seed = [0; 25];
    seed[12] = 10;
    let dot = image(5, 5, PixelFormat::Grey8, &seed);
    // The Laplacian is -40 once, 10 four times and 0 four times: mean 0, mean square 2000 / 9.
    assert!((sharpness(&dot) - 2000.0 / 9.0).abs() < 1e-9);
    // The kernel of the noise answers 40 once, 20 four times and 10 four times: 160 over 9 pixels.
    let want = (std::f64::consts::PI / 2.0).sqrt() * 160.0 / 54.0;
    assert!((quality(&dot).noise - want).abs() < 1e-9);
    // All of it but the dot is black.
    assert!((quality(&dot).clipped - 0.96).abs() < 1e-12);
}

#[test]
fn the_noise_that_was_drawn_is_found_again_and_a_slope_is_none() {
    let mut random = fastrand::Rng::with_seed(4);
    let noisy: Vec<u8> = (0..200 * 200)
        .map(|_| {
            let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 38 to 218")]
            let level = (128.0 + 15.0 * normal).round() as u8;
            level
        })
        .collect();
    let found = quality(&image(200, 200, PixelFormat::Grey8, &noisy)).noise;
    assert!((found - 15.0).abs() < 0.3, "{found}");
    let slope: Vec<u8> = (0..100).flat_map(|_| 0..100).collect();
    assert!(quality(&image(100, 100, PixelFormat::Grey8, &slope)).noise < 1e-9);
}

proptest! {
    #[test]
    fn all_are_as_defined_and_within_bounds(
        width in 1_u32..12,
        height in 1_u32..12,
        pick in 0_usize..4,
        seed in proptest::collection::vec(any::<u8>(), 1..200),
    ) {
        let image = image(width, height, FORMATS[pick], &seed);
        let (bright, sharp) = (brightness(&image), sharpness(&image));
        prop_assert!((0.0..=1.0).contains(&bright));
        prop_assert!((0.0..=1020.0_f64.powi(2)).contains(&sharp));
        prop_assert!((bright - naive_brightness(&image)).abs() < 1e-9);
        prop_assert!((sharp - naive_sharpness(&image)).abs() < 1e-6 * (1.0 + sharp));
        let Quality { clipped, noise, .. } = quality(&image);
        prop_assert!((0.0..=1.0).contains(&clipped) && noise.is_finite() && noise >= 0.0);
    }
}
