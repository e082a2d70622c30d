//! `kenpin schema`: the JSON Schema of the configuration, of passports, prices, fits or taught heads, for editors; of what is published and of
//! what a board tells, for readers.

use std::process::ExitCode;

use anyhow::Context;

use crate::board::report::Report;
use crate::config::{file::File, schema};
use crate::doctor;
use crate::flow::publish::message;
use crate::models::fit::Fit;
use crate::models::passport::Passport;
use crate::models::price::Price;
use crate::models::taught::Taught;

/// Print the JSON Schema of the config, of passports, of prices, of fits, of taught heads, of boards, of the doctor or of the messages.
///
/// An editor that knows the schema completes keys, shows their meaning and underlines mistakes while you write. With the
/// TOML language server taplo, `kenpin schema > kenpin.schema.json` and `#:schema ./kenpin.schema.json` as the first line
/// of the config are enough.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Args {
    /// The schema of a model's passport.toml instead.
    #[arg(long, conflicts_with = "messages")]
    passport: bool,
    /// The schema of a price that `kenpin models price` writes instead.
    #[arg(long, conflicts_with_all = ["messages", "passport"])]
    price: bool,
    /// The schema of a fit that `kenpin fit` writes instead.
    #[arg(long, conflicts_with_all = ["messages", "passport", "price"])]
    fit: bool,
    /// The schema of the taught.toml that `kenpin teach` writes instead.
    #[arg(long, conflicts_with_all = ["messages", "passport", "price", "fit"])]
    taught: bool,
    /// The schemas of the published messages instead, one JSON object by topic.
    #[arg(long)]
    messages: bool,
    /// The schema of what `kenpin board --json` prints instead.
    #[arg(long, conflicts_with_all = ["messages", "passport", "price", "fit", "taught"])]
    board: bool,
    /// The schema of what `kenpin doctor --json` prints instead.
    #[arg(long, conflicts_with_all = ["messages", "passport", "price", "fit", "taught", "board"])]
    doctor: bool,
}

/// Prints the schema.
///
/// # Errors
/// When it cannot be written as JSON.
#[allow(clippy::needless_pass_by_value, reason = "every subcommand has this signature")]
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let schema = match args {
        Args { messages: true, .. } => message::schemas(),
        Args { passport: true, .. } => schema::of::<Passport>().to_value(),
        // With null, for it stands where a board does not tell a figure.
        Args { board: true, .. } => schemars::schema_for!(Report).to_value(),
        Args { doctor: true, .. } => schemars::schema_for!(doctor::report::Report).to_value(),
        Args { price: true, .. } => schema::of::<Price>().to_value(),
        Args { taught: true, .. } => schema::of::<Taught>().to_value(),
        Args { fit: true, .. } => schema::of::<Fit>().to_value(),
        _ => schema::of::<File>().to_value(),
    };
    super::say(serde_json::to_string_pretty(&schema).context("the schema cannot be written as JSON")?)?;
    Ok(ExitCode::SUCCESS)
}
