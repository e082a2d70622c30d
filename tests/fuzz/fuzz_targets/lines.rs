//! Any text as a line of sensor text, in each format: it must not panic, and no value may be other than finite.

#![no_main]

use std::path::PathBuf;
use std::time::Duration;

use kenpin::clock::Monotonic;
use kenpin::config::{LineFormat, Sensor, SensorSource};
use kenpin::flow::acquire::lines::{self, Arrival};
use kenpin::name::Name;
use kenpin::value::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    let name = Name::new("line").expect("a plain word is a name");
    let at = Monotonic::from_nanos(1 << 60);
    let arrival = Arrival { at, utc: jiff::Timestamp::UNIX_EPOCH, synchronised: true };
    for format in [LineFormat::KeyValue, LineFormat::Json, LineFormat::Text] {
        let settings = Sensor {
            source: SensorSource::File(PathBuf::new()),
            format,
            max_line_bytes: 65_536,
            part_key: Some("part".into()),
            time_key: Some("time".into()),
            delay: Duration::ZERO,
            expected: false,
            acknowledge: false,
        };
        let Ok(reading) = lines::parse(line, &name, &settings, arrival) else { continue };
        for value in reading.values.values() {
            assert!(!matches!(value, Value::Number(number) if !number.is_finite()), "{value:?}");
        }
    }
});
