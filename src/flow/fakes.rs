//! Frames and readings for the tests of the road.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Monotonic;
use crate::flow::pool::Pool;
use crate::flow::{Frame, Image, PartId, PixelFormat, Reading};
use crate::name::Name;
use crate::value::Value;

/// A name.
pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A part id.
pub(crate) fn id(text: &str) -> PartId {
    PartId::new(text).unwrap()
}

/// A point in time, `milliseconds` after an hour.
pub(crate) fn at(milliseconds: u64) -> Monotonic {
    Monotonic::from_nanos(3_600_000_000_000) + Duration::from_millis(milliseconds)
}

/// A frame of 1x1 pixel with luminance `grey`.
pub(in crate::flow) fn grey_frame(camera: &str, part: Option<&str>, captured: Monotonic, grey: u8) -> Arc<Frame> {
    let mut pixels = Pool::new(0).take(1);
    pixels.bytes_mut()[0] = grey;
    let image = Image::new(1, 1, PixelFormat::Grey8, pixels).unwrap();
    Arc::new(Frame { camera: name(camera), sequence: 0, captured, part: part.map(id), image })
}

/// A black frame.
pub(in crate::flow) fn frame(camera: &str, part: Option<&str>, captured: Monotonic) -> Arc<Frame> {
    grey_frame(camera, part, captured, 0)
}

/// A reading without values.
pub(in crate::flow) fn reading(sensor: &str, part: Option<&str>, captured: Monotonic) -> Reading {
    Reading { sensor: name(sensor), captured, part: part.map(id), values: BTreeMap::new(), asker: None }
}

/// A reading with one value.
pub(in crate::flow) fn valued(
    sensor: &str,
    part: Option<&str>,
    captured: Monotonic,
    key: &str,
    value: Value,
) -> Reading {
    Reading { values: [(key.to_owned(), value)].into(), ..reading(sensor, part, captured) }
}
