//! `kenpin demo`: the whole road on real images. Every test cell of ELPV is inspected by the daemon as it stands: frames
//! from a replay camera, type text over a socket, models from this repository, verdicts through the embedded broker.

mod inspection;
mod report;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use super::{runtime, start_logging};
use crate::config::Backend;

/// Inspect the ELPV test cells end to end and print the table.
///
/// Leaves `report.json` (the figures), `verdicts.jsonl` (the messages exactly as an MQTT subscriber received them) and
/// `kenpin.toml` (the config, to run again or to change) in the output folder.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The unpacked ELPV data: `labels.csv` and `images/`.
    #[arg(long, default_value = "target/setup/elpv/elpv_dataset/data")]
    data: PathBuf,
    /// The models, and `elpv/test.txt` with the names of the test cells.
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Where reports go; what an earlier demo left there is removed.
    #[arg(long, default_value = "target/demo")]
    out: PathBuf,
    /// The loopback port of the embedded broker.
    #[arg(long, default_value_t = 18830)]
    mqtt_port: u16,
    /// Wait this many seconds between opening the broker and the first part, so that others can subscribe.
    #[arg(long, default_value_t = 0)]
    hold_s: u64,
    /// The libraries that may run the models, in order.
    #[arg(long, value_delimiter = ',', default_value = "onnxruntime", value_parser = backend)]
    backends: Vec<Backend>,
    /// The ONNX Runtime library; searched for when not given.
    #[arg(long)]
    onnxruntime_library: Option<PathBuf>,
}

/// A backend by its name in the config.
fn backend(text: &str) -> Result<Backend, String> {
    serde_json::from_value(text.into()).map_err(|_| "want onnxruntime or tract".into())
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let stage = stage::Stage::prepare(args)?;
    let seen = runtime()?.block_on(inspection::inspect(&stage, args))?;
    report::tell(&stage, &seen, args)
}
