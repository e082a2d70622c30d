//! What the road costs: Kenpin end to end over the bare model in the same run, interleaved round by round.
//!
//! Floors of a part: the bare model (one call of the runtime on a prepared tensor, through the thin wrapper every backend
//! has), the decoding of the file, the resize by the library. Kenpin:
//! the whole daemon (camera, joining, routing, model thread, judgement, durable journal), without a broker. Each case runs
//! in a process of its own, peak memory in another, so that nothing is counted twice. CPU time is that of the process
//! (`CLOCK_PROCESS_CPUTIME_ID`). Timings are reported, never asserted.

#![expect(clippy::cast_precision_loss, reason = "counts of parts and of seconds stay far below 2^53")]

mod case;
mod floor;
mod road_case;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use case::{CASES, Case, Measured};
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => report(),
        ["ratio", name] => print(&road_case::ratios(find(name)?)?),
        ["memory", name] => print(&road_case::peak_mb(find(name)?)?),
        other => bail!("want no argument; got {other:?}"),
    }
}

fn find(name: &str) -> anyhow::Result<&'static Case> {
    CASES.iter().find(|case| case.name == name).with_context(|| format!("there is no case {name}"))
}

fn print(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// Measures every case and writes the report.
fn report() -> anyhow::Result<()> {
    let mut cases = Vec::new();
    println!("{:<44} {:>7} {:>15} {:>11} {:>9}", "case", "ratio", "spread", "over bare", "peak MB");
    for case in CASES {
        let measured: Measured = serde_json::from_value(child("ratio", case)?)?;
        let peak_mb = child("memory", case)?.as_f64().context("peak memory is no number")?;
        let spread = format!("{:.2} to {:.2}", measured.spread[0], measured.spread[1]);
        println!("{:<44} {:>7.2} {spread:>15} {:>11.2} {peak_mb:>9.0}", case.name, measured.ratio, measured.ratio_bare);
        let mut entry = serde_json::to_value(&measured)?;
        entry["name"] = json!(case.name);
        entry["peak_mb"] = json!(peak_mb);
        cases.push(entry);
    }
    let out = root().join("target/bench/report.json");
    std::fs::create_dir_all(out.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&out, serde_json::to_string_pretty(&json!({ "schema": "kenpin.bench/1", "cases": cases }))?)?;
    println!("\nratio: CPU time a part over the sum of the floors (bare model, decode, resize), median of the rounds;");
    println!(
        "spread: the middle 80 % of the rounds; over bare: over the bare model alone. Wrote target/bench/report.json."
    );
    Ok(())
}

/// Runs one measurement in a process of its own.
fn child(what: &str, case: &Case) -> anyhow::Result<Value> {
    let output = Command::new(std::env::current_exe()?).args([what, case.name]).output()?;
    if !output.status.success() {
        bail!("case {}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("case {} printed no result", case.name))
}

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
