//! `kenpin check FILE`: everything that is wrong with a configuration, its models and its routes, at once.
//!
//! Reads and hashes, but opens no camera, no socket and no session.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::FINDINGS;
use crate::config::{self, ConfigError, Settings, Survey};
use crate::flow::plan::Plan;
use crate::models::catalogue;
use crate::models::passport::Model;
use crate::name::Name;

/// The width of a report, in columns.
const REPORT_WIDTH: usize = 100;

/// Tell everything that is wrong with a config and its models, all at once.
///
/// Reads the config and the fragments beside it, looks for the pictures that cameras replay, reads the passport of every
/// model and compares each model file with the hash in its passport. Each finding names what stands there and what is
/// wanted, with its line where it has one. Exit code 0 without findings, else 1.
///
/// Opens no camera, no socket and no model: whether the graph inside a model file has the inputs and outputs that its
/// passport states is checked when `kenpin run` or `kenpin eval` starts.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config file; `conf.d/*.toml` beside it is laid over it.
    file: PathBuf,
}

/// Checks the file; exit code 0 without findings, else 1.
///
/// # Errors
/// When standard output cannot be written to; what is wrong with the file is a finding.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match examine(&args.file) {
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

/// The plan of settings, models and the fits they name, or a finding for each of its sentences.
pub(super) fn plan(label: &str, settings: &Settings, models: &BTreeMap<Name, Arc<Model>>) -> Result<Plan, ConfigError> {
    let fits = catalogue::fits(settings)?;
    Plan::fitted(settings, models, &fits).map_err(|sentences| ConfigError::of_sentences(label, sentences))
}

/// One sentence on a file without findings.
pub(super) fn examine(file: &Path) -> Result<String, ConfigError> {
    let label = file.display().to_string();
    let Survey { settings, models: folders, mut findings } = config::survey(file);
    let (models, of_models) = catalogue::examine(&folders);
    findings.extend(of_models);
    // Routes are followed to their models only when no passport is missing: that is told already.
    let Some(settings) = settings.filter(|_| models.len() == folders.len()) else {
        return Err(ConfigError::new(&label, findings));
    };
    let hash = match plan(&label, &settings, &models) {
        Ok(plan) => plan.hash,
        Err(error) => {
            findings.extend(error.into_findings());
            String::new()
        }
    };
    if !findings.is_empty() {
        return Err(ConfigError::new(&label, findings));
    }
    let (cameras, sensors, routes) = (settings.cameras.len(), settings.sensors.len(), settings.routes.len());
    let models = models.len();
    Ok(format!(
        "{label}: no findings; {cameras} cameras, {sensors} sensors, {models} models, {routes} routes, plan {hash}"
    ))
}
