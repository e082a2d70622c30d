//! Raw frames: known colours, what lies behind a line, and that no length or size of a buffer brings the conversion down.
//! Whole frames are held against independent conversions in `tests/it/frames.rs`.

use proptest::prelude::*;

use super::*;
use crate::config::YuvEncoding;

const TWO: Raw = Raw::dense(FrameFormat::Yuyv, 2, 1);

#[test]
fn the_colours_of_bt_601() {
    // Luminance twice, blue and red difference between: black, white, and the red of ITU-R BT.601 (81, 90, 240).
    for (yuyv, wanted) in
        [([16, 128, 16, 128], [0, 0, 0]), ([235, 128, 235, 128], [255, 255, 255]), ([81, 90, 81, 240], [255, 0, 0])]
    {
        let image = convert(&yuyv, TWO, &Pool::new(1)).unwrap();
        for (seen, wanted) in image.bytes().iter().zip(wanted.iter().cycle()) {
            assert!(seen.abs_diff(*wanted) <= 2, "{yuyv:?}: {:?}", image.bytes());
        }
    }
}

#[test]
fn an_encoding_decides_what_black_and_white_are() {
    let full = Raw { yuv: Some(YuvEncoding::Bt601Full), ..TWO };
    let image = convert(&[16, 128, 255, 128], full, &Pool::new(1)).unwrap();
    assert_eq!(image.bytes(), [16, 16, 16, 255, 255, 255]);
    let image = convert(&[16, 128, 255, 128], TWO, &Pool::new(1)).unwrap();
    assert_eq!(image.bytes(), [0, 0, 0, 255, 255, 255], "above white is white");
}

#[test]
fn a_frame_of_another_size_is_told_with_both() {
    let told = convert(&[0; 5], TWO, &Pool::new(1)).unwrap_err();
    assert_eq!(told, "a 2x1 frame of yuyv has 4 bytes, there are 5");
    let wide = Raw { stride: Some(16), height: 2, ..TWO };
    let told = convert(&[0; 19], wide, &Pool::new(1)).unwrap_err();
    assert_eq!(told, "a 2x2 frame of yuyv has 20 to 32 bytes, there are 19");
    let told = convert(&[0; 4], Raw { stride: Some(3), ..TWO }, &Pool::new(1)).unwrap_err();
    assert_eq!(told, "lines of 3 bytes do not hold 2 pixels of yuyv, which want 4");
    let told = convert(&[], Raw { width: u32::MAX, ..TWO }, &Pool::new(1)).unwrap_err();
    assert!(told.starts_with("a 4294967295x1 frame of yuyv is not taken"), "{told}");
    let told = convert(&[0; 4], Raw::dense(FrameFormat::BayerRggb8, 1, 4), &Pool::new(1)).unwrap_err();
    assert_eq!(told, "a 1x4 frame of bayer-rggb8 has no colours: want at least 2x2 pixels");
    assert!(convert(&[0xff, 0xd8], Raw::dense(FrameFormat::Mjpeg, 1, 1), &Pool::new(1)).is_err());
}

#[test]
fn samples_are_shifted_to_the_top_or_as_told_and_what_has_no_room_is_white() {
    let flat = |format, bytes: [u8; 2], sample_shift| {
        let raw = Raw { sample_shift, ..Raw::dense(format, 2, 2) };
        let image = convert(&bytes.repeat(4), raw, &Pool::new(1)).unwrap();
        let words: &[u16] = bytemuck::cast_slice(image.bytes());
        assert!(words.iter().all(|word| *word == words[0]), "{words:?}");
        words[0]
    };
    assert_eq!(flat(FrameFormat::BayerRggb10, [0xff, 0x03], None), 1023 << 6);
    assert_eq!(flat(FrameFormat::BayerRggb12, [0xff, 0x0f], None), 4095 << 4);
    assert_eq!(flat(FrameFormat::BayerRggb12, [0x34, 0x12], Some(0)), 0x1234, "a driver that fills from the top");
    assert_eq!(flat(FrameFormat::BayerRggb10, [0x00, 0x04], None), u16::MAX, "more than 10 bits");
    assert_eq!(flat(FrameFormat::Y16, [0x34, 0x02], Some(4)), 0x2340);
    assert_eq!(flat(FrameFormat::Y16, [0x34, 0x12], None), 0x1234);
}

fn raw() -> impl Strategy<Value = Raw> {
    let format = proptest::sample::select(FrameFormat::ALL.map(|(format, ..)| format).to_vec());
    let stride = proptest::option::of(0_u32..60);
    (format, 0_u32..12, 0_u32..12, stride, 0_u8..9).prop_map(|(format, width, height, stride, shift)| Raw {
        stride,
        sample_shift: Some(shift),
        ..Raw::dense(format, width, height)
    })
}

proptest! {
    #[test]
    fn every_buffer_gives_a_whole_picture_or_a_sentence(
        raw in raw(), bytes in proptest::collection::vec(any::<u8>(), 0..700), nearly in proptest::option::of(-2_i64..3),
    ) {
        let layout = Layout::of(raw);
        // Half of the time about as long as it should be: else hardly any buffer would be taken.
        let length = match (&layout, nearly) {
            (Ok(layout), Some(off)) => layout.bytes().saturating_add_signed(isize::try_from(off).unwrap()),
            _ => bytes.len(),
        };
        let bytes: Vec<u8> = bytes.iter().copied().chain(std::iter::repeat(7)).take(length).collect();
        match (convert(&bytes, raw, &Pool::new(1)), layout) {
            (Ok(image), Ok(layout)) => {
                prop_assert!((layout.least()..=layout.bytes()).contains(&bytes.len()));
                prop_assert_eq!((image.width(), image.height()), (raw.width, raw.height));
            }
            (Err(told), Ok(layout)) => {
                prop_assert!(!(layout.least()..=layout.bytes()).contains(&bytes.len()));
                prop_assert!(told.contains(&bytes.len().to_string()), "{}", told);
            }
            (made, Err(_)) => prop_assert!(made.is_err()),
        }
    }

    #[test]
    fn what_lies_behind_a_line_is_never_read(
        place in 0..FrameFormat::Mjpeg as usize, width in 2_u32..12, height in 2_u32..9, gap in 1_usize..9,
        junk in any::<u8>(), seed in any::<u8>(),
    ) {
        let format = FrameFormat::ALL[place].0;
        let raw = Raw::dense(format, width, height);
        let line = usize::try_from(format.line_bytes(width)).unwrap();
        let lines = usize::try_from(format.lines(height)).unwrap();
        let pixels: Vec<u8> = (0..line * lines).map(|at| u8::try_from(at * 37 % 251).unwrap() ^ seed).collect();
        let mut wide: Vec<u8> =
            pixels.chunks(line).flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(junk, gap))).collect();
        let stride = Some(u32::try_from(line + gap).unwrap());
        let dense = convert(&pixels, raw, &Pool::new(1)).unwrap();
        for cut in [0, gap] {
            wide.truncate(wide.len() - cut);
            let image = convert(&wide, Raw { stride, ..raw }, &Pool::new(1)).unwrap();
            prop_assert_eq!(image.bytes(), dense.bytes(), "{} bytes cut off the end", cut);
        }
    }

    #[test]
    fn a_flat_filtered_frame_is_flat(place in 7..FrameFormat::Mjpeg as usize, width in 2_u32..9, height in 2_u32..9, level: u8) {
        let format = FrameFormat::ALL[place].0;
        let bytes = vec![level; usize::try_from(format.line_bytes(width) * u64::from(height)).unwrap()];
        let image = convert(&bytes, Raw { sample_shift: format.is_deep().then_some(0), ..Raw::dense(format, width, height) }, &Pool::new(1));
        prop_assert!(image.unwrap().bytes().iter().all(|byte| *byte == level));
    }
}
