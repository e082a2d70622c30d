//! `kenpin check FILE`: everything that is wrong with a configuration, its models and its routes, at once.
//!
//! Reads and hashes, but opens no camera, no socket and no session.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use super::FINDINGS;
use crate::config::findings::Finding;
use crate::config::{self, ConfigError};
use crate::flow::plan::Plan;
use crate::models::catalogue;

/// The width of a report, in columns.
const REPORT_WIDTH: usize = 100;

/// Arguments of `kenpin check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file; `conf.d/*.toml` beside it is read too.
    file: PathBuf,
}

/// Checks the file; exit code 0 without findings, else 1.
///
/// # Errors
/// When standard output cannot be written to; what is wrong with the file is a finding.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match summary(&args.file) {
        Ok(text) => {
            super::say(text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Ok(report(&error)),
    }
}

/// Prints every finding to standard error, in colour on a terminal; gives the exit code for findings.
pub(super) fn report(error: &ConfigError) -> ExitCode {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprintln!("{}", error.render(REPORT_WIDTH, colour));
    ExitCode::from(FINDINGS)
}

/// One sentence on a file without findings.
fn summary(file: &std::path::Path) -> Result<String, ConfigError> {
    let label = file.display().to_string();
    let settings = config::load(file)?;
    let models = catalogue::load_all(&settings)?;
    let plan = Plan::build(&settings, &models)
        .map_err(|sentences| ConfigError::new(&label, sentences.into_iter().map(Finding::of_text).collect()))?;
    Ok(format!(
        "{label}: no findings; {} cameras, {} sensors, {} models, {} routes, plan {}",
        settings.cameras.len(),
        settings.sensors.len(),
        models.len(),
        settings.routes.len(),
        plan.hash
    ))
}
