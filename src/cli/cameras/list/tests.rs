//! The list of a machine with one good device and one that may not be opened.

use std::collections::BTreeMap;

use super::*;
use crate::flow::acquire::video::finding::Identity;
use crate::flow::acquire::video::offer::{Rates, Side, Size};

fn reports() -> Vec<Report> {
    let found = |number: u32, problem: Option<&str>| Found {
        path: format!("/dev/video{number}").into(),
        links: vec!["/dev/v4l/by-id/usb-Cam_1234-video-index0".into()],
        identity: Identity { card: "Cam".into(), bus: format!("usb-{number}"), index: 0 },
        driver: if problem.is_some() { String::new() } else { "uvcvideo".into() },
        problem: problem.map(str::to_owned),
    };
    let interval = |denominator| Interval { numerator: 1, denominator };
    let size = |width, rates| Size { width, height: Side::only(480), rates };
    let range = Rates::Range { shortest: interval(60), longest: interval(5) };
    let formats = vec![
        Offer {
            fourcc: *b"YUYV",
            description: "YUYV 4:2:2".into(),
            format: Some(FrameFormat::Yuyv),
            sizes: vec![
                size(Side::only(640), Rates::List(vec![interval(30), interval(15)])),
                size(Side { least: 16, most: 1920, step: 8 }, range),
                size(Side::only(320), Rates::List(Vec::new())),
            ],
        },
        Offer { fourcc: *b"H264", description: "H.264".into(), format: None, sizes: Vec::new() },
    ];
    let control = |name: &str, kind, value, inactive| Control {
        id: 1,
        name: name.into(),
        kind,
        least: 3,
        most: 2047,
        step: 4,
        default: 3,
        value,
        items: BTreeMap::new(),
        settable: kind != Kind::Other,
        inactive,
    };
    let mut mode = control("auto_exposure", Kind::Menu, Some(3), false);
    mode.items = [(1, "Manual Mode".to_owned()), (3, "Aperture Priority Mode".to_owned())].into();
    let controls = vec![
        mode,
        control("exposure_time_absolute", Kind::Integer, Some(203), true),
        control("hue_auto", Kind::Boolean, Some(0), false),
        control("region", Kind::Other, None, false),
    ];
    let now = Now {
        fourcc: "YUYV".into(),
        format: Some(FrameFormat::Yuyv),
        width: 640,
        height: 480,
        interval: Some(interval(30)),
    };
    let denied = found(2, Some("it cannot be opened: Permission denied (os error 13)"));
    vec![
        Report { found: found(0, None), now: Some(now), formats, controls },
        Report { found: denied, now: None, formats: Vec::new(), controls: Vec::new() },
    ]
}

#[test]
fn the_list_says_all_that_a_config_needs() {
    insta::assert_snapshot!(text(&reports()));
    assert!(text(&[]).starts_with("no video device is there"));
}

#[test]
fn the_json_says_the_same() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&reports()).unwrap());
}
