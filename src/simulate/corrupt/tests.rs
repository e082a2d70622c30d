//! What a corruption does to a picture, by hand and by property.

use proptest::prelude::*;

use super::*;
use crate::flow::statistics::quality;

const FORMATS: [PixelFormat; 4] = [PixelFormat::Grey8, PixelFormat::Grey16, PixelFormat::Rgb8, PixelFormat::Rgb16];

fn picture(width: u32, height: u32, format: PixelFormat, bytes: impl Iterator<Item = u8>) -> Image {
    let count = width as usize * height as usize * format.channels() * format.bytes_per_channel();
    let mut pixels = Pool::new(1).take(count);
    pixels.bytes_mut().iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    Image::new(width, height, format, pixels).unwrap()
}

fn made(image: &Image, corruption: &str, seed: u64) -> Image {
    corrupt(image, corruption.parse().unwrap(), seed, &Pool::new(1)).unwrap()
}

#[test]
fn corruptions_are_read_as_they_are_written() {
    for text in ["blur=2", "exposure=-40", "noise=15.5"] {
        assert_eq!(text.parse::<Corruption>().unwrap().to_string(), text);
    }
    for text in ["blur", "blur=0", "blur=NaN", "blur=99", "exposure=-101", "noise=-1", "fog=2", "noise=15levels"] {
        let told = text.parse::<Corruption>().unwrap_err();
        assert!(told.starts_with("want blur=PIXELS") && told.ends_with(&format!("it is {text:?}")), "{told}");
    }
}

#[test]
fn exposure_scales_and_clips() {
    let row = picture(3, 1, PixelFormat::Grey8, [0, 100, 200].into_iter());
    assert_eq!(made(&row, "exposure=-40", 1).bytes(), [0, 60, 120]);
    assert_eq!(made(&row, "exposure=50", 1).bytes(), [0, 150, 255]);
    let words = picture(1, 1, PixelFormat::Grey16, 20_000_u16.to_ne_bytes().into_iter());
    assert_eq!(made(&words, "exposure=-50", 1).bytes(), 10_000_u16.to_ne_bytes());
}

#[test]
fn each_moves_its_own_figure_the_way_it_should() {
    let bytes = || (0..64_u32 * 64).map(|place| if (place / 8 + place / 512) % 2 == 0 { 90 } else { 150 });
    let board = picture(64, 64, PixelFormat::Grey8, bytes());
    let clean = quality(&board);
    assert!(quality(&made(&board, "blur=2", 1)).sharpness < clean.sharpness / 10.0);
    assert!((quality(&made(&board, "exposure=-40", 1)).brightness - 0.6 * clean.brightness).abs() < 1e-3);
    let grey = picture(64, 64, PixelFormat::Grey8, std::iter::repeat(128));
    let noise = quality(&made(&grey, "noise=15", 1)).noise;
    assert!((noise - 15.0).abs() < 1.0, "{noise}");
}

proptest! {
    #[test]
    fn one_seed_gives_one_picture_of_the_same_shape(
        (width, height) in (1_u32..9, 1_u32..9),
        pick in 0_usize..4,
        which in 0_usize..5,
        seed in any::<u64>(),
        bytes in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let image = picture(width, height, FORMATS[pick], bytes.iter().copied().cycle());
        let text = ["blur=2", "blur=50", "exposure=-100", "exposure=1000", "noise=255"][which];
        let (one, other) = (made(&image, text, seed), made(&image, text, seed));
        prop_assert_eq!(one.bytes(), other.bytes());
        prop_assert_eq!((one.width(), one.height(), one.format()), (width, height, FORMATS[pick]));
        let found = quality(&one);
        prop_assert!([found.sharpness, found.brightness, found.clipped, found.noise].iter().all(|figure| figure.is_finite()));
    }
}

#[test]
fn another_seed_draws_other_noise() {
    let grey = picture(16, 16, PixelFormat::Grey8, std::iter::repeat(128));
    assert_ne!(made(&grey, "noise=15", 1).bytes(), made(&grey, "noise=15", 2).bytes());
}
