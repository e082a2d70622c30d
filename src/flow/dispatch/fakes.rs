//! Frames and readings for the tests of this stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Monotonic;
use crate::flow::pool::Pool;
use crate::flow::{Frame, Image, PartId, PixelFormat, Reading};
use crate::name::Name;
use crate::value::Value;

/// A name.
pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A part id.
pub(super) fn id(text: &str) -> PartId {
    PartId::new(text).unwrap()
}

/// A point in time, `milliseconds` after an hour.
pub(super) fn at(milliseconds: u64) -> Monotonic {
    Monotonic::from_nanos(0) + Duration::from_secs(3600) + Duration::from_millis(milliseconds)
}

/// A frame of 1x1 pixel with luminance `grey`.
pub(super) fn grey_frame(camera: &str, part: Option<&str>, captured: Monotonic, grey: u8) -> Arc<Frame> {
    let mut pixels = Pool::new(0).take(1);
    pixels.bytes_mut()[0] = grey;
    let image = Image::new(1, 1, PixelFormat::Grey8, pixels).unwrap();
    Arc::new(Frame { camera: name(camera), sequence: 0, captured, part: part.map(id), image })
}

/// A black frame.
pub(super) fn frame(camera: &str, part: Option<&str>, captured: Monotonic) -> Arc<Frame> {
    grey_frame(camera, part, captured, 0)
}

/// A reading without values.
pub(super) fn reading(sensor: &str, part: Option<&str>, captured: Monotonic) -> Reading {
    Reading { sensor: name(sensor), captured, part: part.map(id), values: BTreeMap::new() }
}

/// A reading with one value.
pub(super) fn valued(sensor: &str, part: Option<&str>, captured: Monotonic, key: &str, value: Value) -> Reading {
    Reading { values: [(key.to_owned(), value)].into(), ..reading(sensor, part, captured) }
}
