//! What a line becomes: by example, by round trip, and for any text at all.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::SensorSource;

fn sensor(format: LineFormat) -> Sensor {
    Sensor {
        source: SensorSource::File(PathBuf::new()),
        format,
        max_line_bytes: 1024,
        part_key: Some("part".into()),
        time_key: Some("time".into()),
        delay: Duration::from_millis(20),
        expected: false,
        acknowledge: false,
    }
}

fn arrival(synchronised: bool) -> Arrival {
    Arrival { at: Monotonic::from_nanos(10_000_000_000), utc: "2026-01-31T12:00:10Z".parse().unwrap(), synchronised }
}

fn read(format: LineFormat, line: &str) -> Result<Reading, String> {
    let name = Name::new("line").unwrap();
    parse(line, &name, &sensor(format), arrival(true)).map_err(|error| error.to_string())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn pairs_are_typed_and_the_part_is_taken_as_written() {
    let reading =
        read(LineFormat::KeyValue, " part=0012;type=mono, ok=true\tweight=+1.5e2 note=\"a \\\"b\\\", c\" empty=")
            .unwrap();
    assert_eq!(reading.part, Some(PartId::new("0012").unwrap()));
    let want = [
        ("empty", text("")),
        ("note", text("a \"b\", c")),
        ("ok", Value::Flag(true)),
        ("part", Value::Number(12.0)),
        ("type", text("mono")),
        ("weight", Value::Number(150.0)),
    ];
    assert_eq!(reading.values, want.map(|(key, value)| (key.to_owned(), value)).into());
}

#[test]
fn what_is_no_finite_number_is_text() {
    let reading = read(LineFormat::KeyValue, r#"a=inf b=nan c="5" d=1e999 e=x=y f=TRUE"#).unwrap();
    let want = [("a", "inf"), ("b", "nan"), ("c", "5"), ("d", "1e999"), ("e", "x=y"), ("f", "TRUE")];
    assert_eq!(reading.values, want.map(|(key, value)| (key.to_owned(), text(value))).into());
}

#[test]
fn a_plain_text_line_may_itself_name_the_part() {
    let mut settings = sensor(LineFormat::Text);
    settings.part_key = Some("text".into());
    let reading = parse("  A-17 \r", &Name::new("scan").unwrap(), &settings, arrival(true)).unwrap();
    assert_eq!(reading.part, Some(PartId::new("A-17").unwrap()));
    assert_eq!(reading.values, [("text".to_owned(), text("A-17"))].into());
}

#[test]
fn an_own_time_counts_only_while_the_clock_is_synchronised() {
    let name = Name::new("line").unwrap();
    let settings = sensor(LineFormat::KeyValue);
    let captured =
        |line: &str, synchronised| parse(line, &name, &settings, arrival(synchronised)).unwrap().captured.as_nanos();
    let arrived_less_delay = 9_980_000_000;
    assert_eq!(captured("time=2026-01-31T12:00:08.5Z", true), 8_500_000_000);
    assert_eq!(captured("time=2026-01-31T13:00:11+01:00", true), 11_000_000_000, "its clock may be ahead");
    assert_eq!(captured("time=2026-01-31T12:00:08.5Z", false), arrived_less_delay);
    assert_eq!(captured("type=mono", true), arrived_less_delay);
}

#[test]
fn a_garbled_line_is_told_with_what_was_seen_and_wanted() {
    use LineFormat::{Json, KeyValue, Text};
    let table = [
        (KeyValue, "part=a mono", r#""mono" is no pair; want key=value"#),
        (KeyValue, "part = a", r#""part" is no pair; want key=value"#),
        (KeyValue, "=a", r#""=a" is no pair; want key=value"#),
        (KeyValue, " ;, ", r#"" ;, " is no pair; want key=value"#),
        (KeyValue, "a=1 a=2", r#"the key "a" comes twice; want each key once"#),
        (
            KeyValue,
            r#"a="1"#,
            r#"the quoted value of "a" does not end well; want "..." and then a blank, comma, semicolon or the end"#,
        ),
        (
            KeyValue,
            r#"a="1"2"#,
            r#"the quoted value of "a" does not end well; want "..." and then a blank, comma, semicolon or the end"#,
        ),
        (
            KeyValue,
            "part=\"\"",
            r#"the value of "part": part id "" is refused: want 1 to 128 bytes without control characters"#,
        ),
        (
            KeyValue,
            "time=noon",
            r#"the value of "time" is "noon"; want a time in RFC 3339 such as 2026-01-31T12:00:00Z"#,
        ),
        (Json, "[1]", "not one JSON object: invalid type: sequence, expected one JSON object at line 1 column 0"),
        (Json, r#"{"a":1} 2"#, "not one JSON object: trailing characters at line 1 column 9"),
        (Json, r#"{"a":{"b":1}}"#, r#"the value of "a" is an object; want text, a number, true, false or null"#),
        (Json, r#"{"a":[]}"#, r#"the value of "a" is an array; want text, a number, true, false or null"#),
        (Json, r#"{"a":1,"a":2}"#, r#"the key "a" comes twice; want each key once"#),
        (Json, r#"{"a":1e999}"#, "not one JSON object: number out of range at line 1 column 10"),
    ];
    for (format, line, want) in table {
        assert_eq!(read(format, line), Err(want.to_owned()), "{line}");
    }
    assert!(read(Text, "any { text").is_ok());
}

#[test]
fn a_null_is_as_good_as_absent() {
    let reading = read(LineFormat::Json, r#"{"part":null,"n":12,"t":"true"}"#).unwrap();
    assert_eq!(reading.part, None);
    assert_eq!(reading.values, [("n".to_owned(), Value::Number(12.0)), ("t".to_owned(), text("true"))].into());
}

/// Any value that a pair can carry.
fn any_value() -> impl Strategy<Value = Value> {
    let finite = any::<f64>().prop_filter("finite", |number| number.is_finite());
    prop_oneof![any::<bool>().prop_map(Value::Flag), finite.prop_map(Value::Number), "\\PC*".prop_map(Value::Text)]
}

fn any_values() -> impl Strategy<Value = BTreeMap<String, Value>> {
    proptest::collection::btree_map("[a-z_.][a-zA-Z0-9_.:/-]{0,8}", any_value(), 1..6)
}

fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        other => other.to_string(),
    }
}

fn without_keys(format: LineFormat) -> Sensor {
    Sensor { part_key: None, time_key: None, ..sensor(format) }
}

proptest! {
    #[test]
    fn pairs_come_back_as_they_were_written(values in any_values(), separator in "[ ,;\t]{1,3}") {
        let pairs: Vec<String> = values.iter().map(|(key, value)| format!("{key}={}", written(value))).collect();
        let name = Name::new("line").unwrap();
        let reading = parse(&pairs.join(&separator), &name, &without_keys(LineFormat::KeyValue), arrival(true));
        prop_assert_eq!(reading.unwrap().values, values);
    }

    #[test]
    fn every_flat_json_object_is_understood(values in any_values()) {
        let line = serde_json::to_string(&values).unwrap();
        let name = Name::new("line").unwrap();
        let reading = parse(&line, &name, &without_keys(LineFormat::Json), arrival(true)).unwrap();
        prop_assert_eq!(reading.values.keys().collect::<Vec<_>>(), values.keys().collect::<Vec<_>>());
        for (key, value) in &values {
            match (value, &reading.values[key]) {
                // The JSON parser reads the last digit of a number at most one step off.
                (Value::Number(wrote), Value::Number(read)) => {
                    prop_assert!((wrote - read).abs() <= wrote.abs() * 4.0 * f64::EPSILON + f64::MIN_POSITIVE);
                }
                (wrote, read) => prop_assert_eq!(wrote, read),
            }
        }
    }

    #[test]
    fn no_text_breaks_the_parser(line in "[\\PC\t\"\\\\=;, ]*", pick in 0_usize..3) {
        let format = [LineFormat::KeyValue, LineFormat::Json, LineFormat::Text][pick];
        if let Ok(reading) = read(format, &line) {
            let finite = |value: &Value| !matches!(value, Value::Number(number) if !number.is_finite());
            prop_assert!(reading.values.values().all(finite));
        }
    }
}
