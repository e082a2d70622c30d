//! Every format the replay camera takes, by pixel values; what it refuses, by sentence; lists, rounds and part ids.

use std::path::PathBuf;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Rgb32FImage, RgbImage, RgbaImage};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::{JpegScale, Replay, ReplayPartId};
use crate::flow::acquire::replay::ReplayCamera;
use crate::flow::acquire::{Camera, DeviceError};

const PALETTE_PNG: &[u8] = b"\
    \x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x02\x00\x00\x00\x01\
    \x08\x03\x00\x00\x00\xc3\xfc\x8f\xb8\x00\x00\x00\x06\x50\x4c\x54\x45\x0a\x14\x1e\xc8\x64\x32\x77\
    \xa0\xb3\x9c\x00\x00\x00\x0b\x49\x44\x41\x54\x78\x9c\x63\x60\x64\x00\x00\x00\x05\x00\x02\xd1\x66\
    \x33\x78\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
const BOMB_PNG: &[u8] = b"\
    \x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x75\x30\x00\x00\x75\x30\
    \x08\x02\x00\x00\x00\xe9\x45\x6f\xed\x00\x00\x00\x09\x49\x44\x41\x54\x78\x9c\x63\x00\x00\x00\x01\
    \x00\x01\x5e\xff\x7d\xf9\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
const WIDE_PNG: &[u8] = b"\
    \x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\xea\x60\x00\x00\x00\x01\
    \x08\x00\x00\x00\x00\xc1\xc1\x0f\x38\x00\x00\x00\x09\x49\x44\x41\x54\x78\x9c\x63\x00\x00\x00\x01\
    \x00\x01\x5e\xff\x7d\xf9\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

/// A BMP of 2x1 pixels with a palette of two colours (blue, green, red, unused) and the indices 1 and 0.
fn palette_bmp() -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for word in [66_u32, 0, 62, 40, 2, 1] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([1, 0, 8, 0]);
    for word in [0_u32, 4, 0, 0, 2, 2] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([30, 20, 10, 0, 50, 100, 200, 0, 1, 0, 0, 0]);
    bytes
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn replay(path: PathBuf, repeat: bool) -> ReplayCamera {
    ReplayCamera::open(&Replay {
        path,
        repeat,
        part_id: ReplayPartId::FileStem,
        raw: None,
        jpeg_scale: JpegScale::Whole,
    })
    .unwrap()
}

/// Writes `image` in `format` and reads it back.
fn through(image: &DynamicImage, format: ImageFormat) -> Image {
    let folder = folder();
    let path = folder.path().join("picture");
    image.save_with_format(&path, format).unwrap();
    read_image(&path, JpegScale::Whole, &Pool::new(1)).unwrap()
}

fn words(image: &Image) -> &[u16] {
    bytemuck::cast_slice(image.bytes())
}

#[test]
fn eight_bit_pictures_of_lossless_formats_keep_every_pixel() {
    let grey = DynamicImage::from(GrayImage::from_raw(3, 2, vec![0, 1, 2, 253, 254, 255]).unwrap());
    let colour = DynamicImage::from(RgbImage::from_raw(2, 1, vec![1, 2, 3, 253, 254, 255]).unwrap());
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let read = through(&grey, format);
        assert_eq!((read.width(), read.height(), read.format()), (3, 2, PixelFormat::Grey8), "{format:?}");
        assert_eq!(read.bytes(), [0, 1, 2, 253, 254, 255], "{format:?}");
    }
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Bmp] {
        let read = through(&colour, format);
        assert_eq!((read.width(), read.height(), read.format()), (2, 1, PixelFormat::Rgb8), "{format:?}");
        assert_eq!(read.bytes(), [1, 2, 3, 253, 254, 255], "{format:?}");
    }
}

#[test]
fn sixteen_bit_pictures_keep_every_word_in_the_machines_order() {
    let grey = [0_u16, 1, 256, 65_535];
    let colour = [1_u16, 300, 65_535, 0, 40_000, 2];
    let grey_image = DynamicImage::ImageLuma16(ImageBuffer::from_raw(2, 2, grey.to_vec()).unwrap());
    let colour_image = DynamicImage::ImageRgb16(ImageBuffer::from_raw(2, 1, colour.to_vec()).unwrap());
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let read = through(&grey_image, format);
        assert_eq!((read.format(), words(&read)), (PixelFormat::Grey16, &grey[..]), "{format:?}");
        let read = through(&colour_image, format);
        assert_eq!((read.format(), words(&read)), (PixelFormat::Rgb16, &colour[..]), "{format:?}");
    }
}

#[test]
fn a_flat_jpeg_keeps_its_grey_and_its_colour() {
    let grey = through(&DynamicImage::from(GrayImage::from_pixel(16, 8, [77].into())), ImageFormat::Jpeg);
    assert_eq!((grey.format(), grey.bytes().len()), (PixelFormat::Grey8, 128));
    assert!(grey.bytes().iter().all(|&value| value.abs_diff(77) <= 1));
    let colour = through(&DynamicImage::from(RgbImage::from_pixel(16, 8, [200, 90, 40].into())), ImageFormat::Jpeg);
    assert_eq!((colour.format(), colour.bytes().len()), (PixelFormat::Rgb8, 384));
    for pixel in colour.bytes().chunks(3) {
        assert!(pixel.iter().zip([200_u8, 90, 40]).all(|(&seen, want)| seen.abs_diff(want) <= 4), "{pixel:?}");
    }
}

#[test]
fn a_jpeg_that_ends_early_or_is_broken_is_refused_in_one_sentence() {
    let folder = folder();
    let path = folder.path().join("picture");
    let level = |number: u32| number.to_le_bytes()[0];
    let noise = |x: u32, y: u32| [level(x * 37 + y * 91), level(x * 11), level(y * 5)].into();
    DynamicImage::from(RgbImage::from_fn(64, 48, noise)).save_with_format(&path, ImageFormat::Jpeg).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_image(&path, JpegScale::Whole, &Pool::new(1)).unwrap_err()
    };
    for kept in [3, 20, whole.len() / 2, whole.len() * 9 / 10] {
        assert_eq!(refused(&whole[..kept]), "it ends in the middle of the picture", "{kept} of {}", whole.len());
    }
    let mut huge = whole.clone();
    let frame = whole.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    huge[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert!(refused(&huge).starts_with("60000x60000 pixels want 10800000000 bytes"), "{}", refused(&huge));
    let mut odd = whole.clone();
    odd[frame + 4] = 12;
    assert_eq!(refused(&odd), "Unsupported JPEG data precision 12");
    let scan = [0xff, 0xda].repeat(65);
    assert!(refused(&[&whole[..], &scan].concat()).contains("scans, more than the 64 allowed"));
    std::fs::write(&path, &whole).unwrap();
    assert!(read_image(&path, JpegScale::Whole, &Pool::new(1)).is_ok(), "the whole file is read after all of them");
}

#[test]
fn an_alpha_channel_is_left_out() {
    let colour = DynamicImage::from(RgbaImage::from_raw(2, 1, vec![1, 2, 3, 0, 253, 254, 255, 128]).unwrap());
    let grey = DynamicImage::from(GrayAlphaImage::from_raw(2, 1, vec![7, 0, 9, 255]).unwrap());
    let deep = DynamicImage::ImageRgba16(ImageBuffer::from_raw(1, 1, vec![300, 40_000, 5, 9]).unwrap());
    let read = through(&colour, ImageFormat::Png);
    assert_eq!((read.format(), read.bytes()), (PixelFormat::Rgb8, &[1, 2, 3, 253, 254, 255][..]));
    let read = through(&grey, ImageFormat::Png);
    assert_eq!((read.format(), read.bytes()), (PixelFormat::Grey8, &[7, 9][..]));
    let read = through(&deep, ImageFormat::Png);
    assert_eq!((read.format(), words(&read)), (PixelFormat::Rgb16, &[300, 40_000, 5][..]));
}

#[test]
fn a_palette_becomes_its_colours() {
    let folder = folder();
    for (name, bytes) in [("a.png", PALETTE_PNG.to_vec()), ("a.bmp", palette_bmp())] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let read = read_image(&path, JpegScale::Whole, &Pool::new(1)).unwrap();
        assert_eq!((read.format(), read.bytes()), (PixelFormat::Rgb8, &[200, 100, 50, 10, 20, 30][..]), "{name}");
    }
}

#[test]
fn what_is_no_picture_is_refused_in_one_sentence() {
    let folder = folder();
    let path = folder.path().join("picture");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_image(&path, JpegScale::Whole, &Pool::new(1)).unwrap_err()
    };
    assert_eq!(refused(BOMB_PNG), "30000x30000 pixels of Rgb8 are 2700000000 bytes, more than the 268435456 allowed");
    assert!(refused(WIDE_PNG).contains("limit"), "{}", refused(WIDE_PNG));
    assert!(refused(b"").contains("format"), "{}", refused(b""));
    assert!(!refused(&PALETTE_PNG[..60]).is_empty(), "cut off");
    let float = DynamicImage::ImageRgb32F(Rgb32FImage::from_raw(1, 1, vec![0.0, 0.5, 1.0]).unwrap());
    float.save_with_format(&path, ImageFormat::Tiff).unwrap();
    let sentence = read_image(&path, JpegScale::Whole, &Pool::new(1)).unwrap_err();
    assert_eq!(sentence, "its pixels are Rgb32F, want grey or colour of 8 or 16 bits");
}

#[test]
fn a_folder_is_played_in_counting_order_past_broken_files_and_again() {
    let folder = folder();
    for (name, value) in [("cell10.png", 10), ("cell2.PNG", 2), ("cell1.bmp", 1)] {
        let format = ImageFormat::from_path(name).unwrap();
        let picture = DynamicImage::from(RgbImage::from_pixel(1, 1, [value; 3].into()));
        picture.save_with_format(folder.path().join(name), format).unwrap();
    }
    std::fs::write(folder.path().join("cell3.jpg"), b"broken").unwrap();
    std::fs::write(folder.path().join("labels.csv"), b"not shown").unwrap();
    let (mut camera, pool) = (replay(folder.path().into(), true), Pool::new(1));
    let mut seen = Vec::new();
    for _ in 0..6 {
        match camera.capture(&pool, &CancellationToken::new()) {
            Ok(shot) => {
                let shot = shot.unwrap();
                seen.push((shot.part.unwrap().to_string(), shot.image.bytes()[0]));
            }
            Err(error @ DeviceError::Unreadable { .. }) => assert!(error.to_string().contains("cell3.jpg"), "{error}"),
            Err(error) => panic!("{error}"),
        }
    }
    let want = [("cell1", 1), ("cell2", 2), ("cell10", 10), ("cell1#2", 1), ("cell2#2", 2)];
    assert_eq!(seen, want.map(|(part, value)| (part.to_owned(), value)));
    assert_eq!(pool.idle(), 1, "one buffer served them all");
}

#[test]
fn a_jpeg_is_decoded_smaller_to_the_means_of_its_squares() {
    // Soft waves, which a smaller size can hold; 26 by 21 is no multiple of 8.
    let level = |x: u32, y: u32| 128.0 + 60.0 * (f64::from(x) / 9.0).sin() + 40.0 * (f64::from(y) / 7.0).cos();
    let byte = |level: f64| {
        (0..=255_u8).min_by(|a, b| (f64::from(*a) - level).abs().total_cmp(&(f64::from(*b) - level).abs()))
    };
    let picture = GrayImage::from_fn(26, 21, |x, y| [byte(level(x, y)).unwrap()].into());
    let (folder, pool) = (folder(), Pool::new(1));
    let path = folder.path().join("wave.jpg");
    let file = std::fs::File::create(&path).unwrap();
    image::codecs::jpeg::JpegEncoder::new_with_quality(file, 100).encode_image(&picture).unwrap();
    for (scale, step) in
        [(JpegScale::Whole, 1_u32), (JpegScale::Half, 2), (JpegScale::Quarter, 4), (JpegScale::Eighth, 8)]
    {
        let read = read_image(&path, scale, &pool).unwrap();
        assert_eq!((read.width(), read.height()), (26_u32.div_ceil(step), 21_u32.div_ceil(step)), "{scale:?}");
        for (x, y) in (0..21 / step).flat_map(|y| (0..26 / step).map(move |x| (x, y))) {
            let square = (0..step * step).map(|at| level(x * step + at % step, y * step + at / step));
            let mean = square.sum::<f64>() / f64::from(step * step);
            let seen = f64::from(read.bytes()[(y * read.width() + x) as usize]);
            assert!((seen - mean).abs() < 3.0, "{scale:?} at {x}, {y}: {seen}, the mean is {mean:.1}");
        }
    }
}

#[test]
fn what_is_no_jpeg_is_not_decoded_smaller() {
    let folder = folder();
    let path = folder.path().join("a.png");
    GrayImage::from_pixel(8, 8, [5].into()).save(&path).unwrap();
    let told = read_image(&path, JpegScale::Half, &Pool::new(1)).unwrap_err();
    assert_eq!(
        told,
        "it is no JPEG of one or three channels, and only these are decoded smaller: leave `jpeg_scale` out"
    );
}

#[test]
fn a_list_is_played_in_its_own_order_to_its_end() {
    let folder = folder();
    for name in ["b.png", "a.png"] {
        DynamicImage::from(GrayImage::from_pixel(1, 1, [5].into())).save(folder.path().join(name)).unwrap();
    }
    let list = folder.path().join("list.txt");
    std::fs::write(&list, "b.png\n\n a.png \n").unwrap();
    let (mut camera, pool) = (replay(list.clone(), false), Pool::new(1));
    let mut next =
        || camera.capture(&pool, &CancellationToken::new()).unwrap().map(|shot| shot.part.unwrap().to_string());
    assert_eq!([next(), next(), next(), next()], [Some("b".to_owned()), Some("a".to_owned()), None, None]);
    std::fs::write(&list, "\n").unwrap();
    let settings =
        Replay { path: list, repeat: false, part_id: ReplayPartId::None, raw: None, jpeg_scale: JpegScale::Whole };
    let error = ReplayCamera::open(&settings).unwrap_err().to_string();
    assert!(error.ends_with("list.txt: there are no pictures to replay; want one path a line"), "{error}");
}
