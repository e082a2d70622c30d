//! `kenpin schema`: the JSON Schema of the configuration, for editors; with `--messages` of what is published.

use std::process::ExitCode;

use anyhow::Context;

use crate::config::{file::File, schema};

/// Arguments of `kenpin schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The schemas of the published messages instead, one JSON object by topic.
    #[arg(long)]
    pub messages: bool,
}

/// Prints the schema.
///
/// # Errors
/// When it cannot be written as JSON.
#[allow(clippy::needless_pass_by_value, reason = "every subcommand has this signature")]
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { messages } = args;
    let schema = if messages {
        anyhow::bail!("the schemas of the messages are not wired yet")
    } else {
        schema::of::<File>().to_value()
    };
    println!("{}", serde_json::to_string_pretty(&schema).context("the schema cannot be written as JSON")?);
    Ok(ExitCode::SUCCESS)
}
