//! Every kind of findings drawn, pixel by pixel, and whatever was found at all.

use std::sync::Arc;

use image::Rgb;
use proptest::prelude::*;

use super::*;

const GREY: Rgb<u8> = Rgb([100, 100, 100]);

fn frame(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, GREY)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn rgb(colour: Colour) -> Rgb<u8> {
    Rgb([colour.r(), colour.g(), colour.b()])
}

fn detected(corners: [f64; 4], mask: Option<Arc<Map>>) -> Findings {
    let found = Detected { label: name("burr"), confidence: 0.9, corners, oriented: None, covered: None, mask };
    Findings::Detection { detections: vec![found] }
}

#[test]
fn a_box_is_drawn_along_its_edges_in_the_colour_of_its_label() {
    let found = detected([100.0, 50.0, 300.0, 200.0], None);
    let drawn = draw(&frame(400, 300), &found, &[name("burr")]);
    assert_eq!(drawn.dimensions(), (400, 300));
    for (x, y) in [(200, 200), (300, 120), (100, 120), (250, 50)] {
        assert_eq!(*drawn.get_pixel(x, y), rgb(DEFECT), "{x} {y}");
    }
    for (x, y) in [(200, 150), (350, 250), (20, 20)] {
        assert_eq!(*drawn.get_pixel(x, y), GREY, "{x} {y}");
    }
    let drawn = draw(&frame(400, 300), &found, &[]);
    assert_eq!(*drawn.get_pixel(200, 200), rgb(GOOD));
}

#[test]
fn a_mask_tints_what_it_covers() {
    let mask = Map { width: 2, height: 1, covers: [100.0, 50.0, 300.0, 200.0], numbers: vec![0.0, 1.0] };
    let drawn = draw(&frame(400, 300), &detected([100.0, 50.0, 300.0, 200.0], Some(Arc::new(mask))), &[name("burr")]);
    assert_eq!(*drawn.get_pixel(150, 150), GREY);
    assert_eq!(*drawn.get_pixel(250, 150), Rgb([166, 67, 67]), "0.45 of grey and 0.55 of red");
}

#[test]
fn evidence_is_red_where_it_speaks_for_a_defect_and_blue_where_against() {
    let map = Map { width: 3, height: 1, covers: [100.0, 0.0, 400.0, 300.0], numbers: vec![2.0, 0.0, -1.0] };
    let drawn = evidence(&frame(400, 300), &map, "m");
    let at = |x, y| drawn.get_pixel(x, y).0;
    let [red, _, blue] = at(120, 100);
    assert!(red > 180 && blue < 80, "{:?}", at(120, 100));
    let [red, _, blue] = at(380, 100);
    assert!(blue > 140 && red < 80, "half as strong: {:?}", at(380, 100));
    assert_eq!(
        (at(50, 100), at(150, 150)),
        ([100; 3], [255; 3]),
        "nothing beside the map; a cross at the hottest cell"
    );
    let level = Map { numbers: vec![0.0; 3], ..map };
    assert_eq!(*evidence(&frame(400, 300), &level, "m").get_pixel(250, 150), GREY);
}

#[test]
fn a_small_frame_is_enlarged_by_a_whole_factor() {
    let drawn = draw(&frame(100, 10), &Findings::Embedding { vector: vec![0.0] }, &[]);
    assert_eq!(drawn.dimensions(), (400, 40));
}

#[test]
fn the_hot_part_of_an_anomaly_map_is_red_and_the_cold_part_untouched() {
    let map = Map { width: 2, height: 2, covers: [0.0, 0.0, 400.0, 300.0], numbers: vec![0.1, 0.1, 0.1, 1.0] };
    let found = Findings::Anomaly { score: 0.9, peak: Some([300.0, 225.0]), map: Some(Arc::new(map)) };
    let drawn = draw(&frame(400, 300), &found, &[]);
    assert_eq!(*drawn.get_pixel(100, 250), GREY);
    assert_eq!(*drawn.get_pixel(350, 290), Rgb([185, 78, 45]));
    assert_eq!(*drawn.get_pixel(300, 225), Rgb([255, 255, 255]), "the peak");
}

#[test]
fn the_bar_of_a_class_is_as_long_as_its_probability() {
    let classes = [("good", 0.25), ("burr", 0.75)];
    let classes = classes.map(|(label, probability)| ClassScore { label: name(label), probability }).to_vec();
    let drawn = draw(&frame(400, 300), &Findings::Classification { classes }, &[name("burr")]);
    let row = |y: u32, colour: Colour| {
        let full = |x: &u32| *drawn.get_pixel(*x, y) == rgb(colour);
        (0..400).filter(full).max()
    };
    assert_eq!(row(11, DEFECT), Some(179), "0.75 of six tenths of the width");
    assert_eq!(row(23, GOOD), Some(59), "0.25 of it, in the next row");
}

#[test]
fn a_defect_is_tinted_where_it_is_the_most_probable_label() {
    let map = |numbers: [f32; 2]| {
        Arc::new(Map { width: 2, height: 1, covers: [0.0, 0.0, 400.0, 300.0], numbers: numbers.to_vec() })
    };
    let area = |label: &str| Area { label: name(label), share: 0.5, peak: 1.0 };
    let found = Findings::Segmentation {
        score: 0.5,
        areas: vec![area("good"), area("burr")],
        maps: vec![map([0.9, 0.2]), map([0.1, 0.8])],
    };
    let drawn = draw(&frame(400, 300), &found, &[name("burr")]);
    assert_eq!((*drawn.get_pixel(100, 250), *drawn.get_pixel(300, 250)), (GREY, Rgb([166, 67, 67])));
}

proptest! {
    // Each case draws two pictures.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_was_found_can_be_drawn(
        corners in proptest::array::uniform4(proptest::num::f64::ANY),
        size in (1_u32..80, 1_u32..60),
        confidence in proptest::num::f64::ANY,
        text in ".{0,20}",
    ) {
        let frame = frame(size.0, size.1);
        let boxed = draw(&frame, &detected(corners, None), &[]);
        let [a, b, c, d] = corners;
        let line = TextLine { text, confidence, corners: Some([[a, b], [c, d], [d, a], [b, c]]) };
        let drawn = draw(&frame, &Findings::Text { lines: vec![line] }, &[]);
        prop_assert_eq!(drawn.dimensions(), boxed.dimensions());
        prop_assert!(drawn.width() >= frame.width() && drawn.width().is_multiple_of(frame.width()));
    }
}
