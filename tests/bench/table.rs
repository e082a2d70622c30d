//! The tables that the bench prints as it goes.

use serde_json::Value;

/// What the columns mean.
pub(crate) const LEGEND: &str = "ratio: CPU time a part over the sum of the floors (bare model, decode, resize), median of the rounds; from: its lower 95 %
bound; own: microseconds of CPU beyond the floors; alloc: allocations of Rust code a part; first: seconds from starting
`kenpin run` to its first verdict; plain: the Python script's ratio, peak and first verdict in the same rounds.";

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}

pub(crate) fn single_head() {
    println!(
        "{:<32} {:>6} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>8} {:>6}  plain",
        "case, CPU ms a part",
        "ratio",
        "from",
        "bare",
        "decode",
        "resize",
        "kenpin",
        "own us",
        "alloc",
        "peak MB",
        "first"
    );
}

pub(crate) fn single(case: &Value) {
    let of = |key| number(case, key);
    let plain = case.get("plain").map_or_else(String::new, |plain| {
        let of = |key| number(plain, key);
        format!("{:.2} {:.0} MB {:.2} s", of("ratio"), of("peak_mb"), of("first_verdict_s"))
    });
    println!(
        "{:<32} {:>6.3} {:>6.3} {:>8.3} {:>8.3} {:>8.3} {:>8.3} {:>8.0} {:>6.0} {:>8.1} {:>6.2}  {plain}",
        name(case),
        of("ratio"),
        of("ratio_low"),
        of("bare_ms"),
        of("decode_ms"),
        of("resize_ms"),
        of("kenpin_ms"),
        of("own_us"),
        of("allocations"),
        of("peak_mb"),
        of("first_verdict_s"),
    );
}

pub(crate) fn pair_head() {
    println!(
        "\n{:<42} {:>6} {:>6} {:>9} {:>9} {:>9} {:>8} {:>6}",
        "two models a part, parts a second", "ratio", "from", "kenpin", "bare", "plain", "peak MB", "first"
    );
}

pub(crate) fn pair(case: &Value) {
    let of = |key| number(case, key);
    println!(
        "{:<42} {:>6.2} {:>6.2} {:>9.2} {:>9.2} {:>9.2} {:>8.1} {:>6.2}",
        name(case),
        of("ratio"),
        case["ratio_bounds"][0].as_f64().unwrap_or(f64::NAN),
        of("kenpin_parts_per_s"),
        of("bare_parts_per_s"),
        of("plain_parts_per_s"),
        of("peak_mb"),
        of("first_verdict_s"),
    );
}
