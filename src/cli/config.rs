//! `kenpin config default`: a file to begin with, every key in it, each with its meaning and default.

use std::process::ExitCode;

use crate::config;

/// Arguments of `kenpin config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What `kenpin config` can do.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum Action {
    /// Print the default file with its remarks.
    Default,
}

/// Prints the default file.
///
/// # Errors
/// None.
#[allow(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "every subcommand has this signature")]
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { action } = args;
    match action {
        Action::Default => print!("{}", config::DEFAULT),
    }
    Ok(ExitCode::SUCCESS)
}
