//! Any text as the labelled boxes of one picture, with any count of labels: it must not panic, every box must be of a label that
//! is there and have an outline in a picture, and every line that is none must be told with a place in the text.

#![no_main]

use kenpin::learn::boxes::yolo;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|given: (u8, &str)| {
    let (labels, text) = given;
    match yolo::parse(text, labels.into()) {
        Ok(boxes) => {
            for one in boxes {
                assert!(one.label < labels.into(), "{one:?}");
                if let Some(outline) = one.outline(1920, 1080) {
                    assert!(outline.bounds().iter().all(|corner| corner.is_finite()), "{one:?}");
                }
            }
        }
        Err(bad) => {
            let lines = text.lines().count();
            assert!(!bad.is_empty() && bad.iter().all(|bad| (1..=lines).contains(&bad.line)), "{bad:?}");
        }
    }
});
