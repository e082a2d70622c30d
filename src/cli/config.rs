//! `kenpin config default`: a file to begin with, every key in it, each with its meaning and default.

use std::process::ExitCode;

use crate::config;

/// Print the commented default config.
///
/// `kenpin config default > kenpin.toml` makes a file to begin with: every key stands in it with its meaning, its default
/// or an example. Then name your own cameras, models and routes in it, and let `kenpin check` look at it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to do.
    #[command(subcommand)]
    action: Action,
}

/// What `kenpin config` can do.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub(super) enum Action {
    /// Print the default file with its remarks.
    Default,
}

/// Prints the default file.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Default => super::say(config::DEFAULT.trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}
