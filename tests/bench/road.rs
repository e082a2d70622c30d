//! What the road costs: Kenpin end to end against the floors of the same run, interleaved round by round, with a plain
//! Python script beside it.
//!
//! Floors of a part: the bare model (ONNX Runtime called directly on a prepared tensor), reading and decoding the frame, the
//! resize by the library. Kenpin: the whole daemon (camera, joining, routing, model thread, judgement, durable journal,
//! publication to a broker in another process) between two verdicts in mid-run. Each case runs in a process of its own, its floors in another. CPU
//! time is that of the process (`CLOCK_PROCESS_CPUTIME_ID`), the kernel's part included. Peak memory and the first verdict
//! are those of `kenpin run`, looked at from outside. Timings are reported, never asserted.
//!
//! `road` alone does everything and writes `target/bench/report.json`; `road only TEXT` the cases whose name has the text,
//! and writes nothing; `road parts N NAME` runs the daemon over N parts of a case, for a profiler.

#![expect(clippy::cast_precision_loss, reason = "counts of parts and of seconds stay far below 2^53")]

mod case;
mod counting;
mod daemon;
mod floor;
mod marks;
mod measure;
mod outer;
mod table;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use case::{Case, PAIRS, SINGLE};
use floor::Manner;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => write(&measure_all("")?),
        ["only", text] => measure_all(text).map(drop),
        ["parts", parts, name] => {
            let broker = outer::Broker::start()?;
            daemon::between_marks(&find(name)?, parts.parse()?, &broker.address).map(drop)
        }
        ["floor", name] => find(name).and_then(|case| floor::serve(&case, Manner::Threads(case.threads))),
        ["floor-defaults", name] => floor::serve(&find(name)?, Manner::Defaults),
        ["single", name] => print(&measure::single(&find(name)?)?),
        ["pair", name] => print(&measure::pair(&find(name)?)?),
        other => bail!("want no argument, or `only TEXT`; got {other:?}"),
    }
}

fn find(name: &str) -> anyhow::Result<Case> {
    Case::find(name).copied().with_context(|| format!("there is no case {name}"))
}

fn print(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// Measures every case with `text` in its name, and prints the tables.
fn measure_all(text: &str) -> anyhow::Result<Value> {
    let all = |cases: &[Case], what: &str, line: fn(&Value)| {
        let wanted = cases.iter().filter(|case| case.name.contains(text));
        let measured = wanted.map(|case| child(what, case).inspect(line));
        measured.collect::<anyhow::Result<Vec<Value>>>()
    };
    table::single_head();
    let mut cases = all(SINGLE, "single", table::single)?;
    table::pair_head();
    let throughput = all(PAIRS, "pair", table::pair)?;
    let rivals: Vec<Value> = cases
        .iter_mut()
        .filter_map(|case| {
            let name = case["name"].clone();
            let mut rival = case.as_object_mut()?.remove("plain")?;
            rival["name"] = json!("plain Python (OpenCV, onnxruntime, paho-mqtt)");
            rival["case"] = name;
            Some(rival)
        })
        .collect();
    Ok(json!({
        "schema": "kenpin.bench/1", "machine": machine(), "cases": cases, "rivals": rivals, "throughput": throughput,
    }))
}

/// Writes the report.
fn write(report: &Value) -> anyhow::Result<()> {
    let out = case::folder().join("report.json");
    std::fs::write(&out, serde_json::to_string_pretty(report)?)?;
    println!("\n{}\nWrote target/bench/report.json.", table::LEGEND);
    Ok(())
}

/// What the figures were taken on.
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let about = |key: &str| {
        let text = read("/proc/cpuinfo");
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_start_matches(['\t', ' ', ':']).to_owned()
    };
    json!({
        "processor": about("model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load_average_at_the_end": read("/proc/loadavg").split(' ').next(),
        "when": jiff::Timestamp::now().to_string(),
        "frames": "1280x720, mosaics of ELPV cells (grey), JPEG as colour of quality 90",
        "models": "random weights in the shapes of YOLOv8n, MobileNetV2 and a small student",
    })
}

/// Runs one measurement in a process of its own.
fn child(what: &str, case: &Case) -> anyhow::Result<Value> {
    let output = Command::new(std::env::current_exe()?).args([what, case.name]).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("case {}: {}", case.name, output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("case {} printed no result", case.name))
}

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
