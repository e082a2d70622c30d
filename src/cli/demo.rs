//! `kenpin demo`: the whole road on real images. Every test cell of ELPV is inspected by the daemon as it stands: frames
//! from a replay camera, type text over a socket, models from this repository, verdicts through the embedded broker.

mod cells;
mod heat;
mod inspection;
mod report;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use super::{runtime, start_logging};
use crate::config::Backend;
use cells::Source;

/// Inspect the ELPV test cells end to end and print the table.
///
/// Leaves `report.json` (the figures), `verdicts.jsonl` (the messages exactly as an MQTT subscriber received them) and
/// `kenpin.toml` (the config, to run again or to change) in the output folder.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    instead: Option<Instead>,
    #[command(flatten)]
    source: Source,
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
}

/// Another demo.
#[derive(Debug, clap::Subcommand)]
enum Instead {
    Heat(heat::Args),
}

/// A backend by its name in the config.
fn backend(text: &str) -> Result<Backend, String> {
    serde_json::from_value(text.into()).map_err(|_| "want onnxruntime or tract".into())
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    match &args.instead {
        Some(Instead::Heat(args)) => heat::run(args),
        None => {
            let stage = stage::Stage::prepare(args)?;
            let seen = runtime()?.block_on(inspection::inspect(&stage, args))?;
            report::tell(&stage, &seen, args)
        }
    }
}
