//! `kenpin schema`: the JSON Schema of the configuration, for editors; with `--messages` of what is published.

use std::process::ExitCode;

use anyhow::Context;

use crate::config::{file::File, schema};
use crate::flow::publish::message;

/// Arguments of `kenpin schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The schemas of the published messages instead, one JSON object by topic.
    #[arg(long)]
    messages: bool,
}

/// Prints the schema.
///
/// # Errors
/// When it cannot be written as JSON.
#[allow(clippy::needless_pass_by_value, reason = "every subcommand has this signature")]
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let schema = if args.messages { message::schemas() } else { schema::of::<File>().to_value() };
    super::say(serde_json::to_string_pretty(&schema).context("the schema cannot be written as JSON")?)?;
    Ok(ExitCode::SUCCESS)
}
