//! The command line: one file a subcommand. Exit codes: 0 ok, 1 findings, 2 usage, 3 environment.

mod bench;
mod board;
mod cameras;
mod chart;
mod check;
mod config;
mod demo;
mod doctor;
mod drift;
mod engines;
mod eval;
mod explain;
mod fit;
mod gauge;
mod golden;
mod label;
mod labelled;
mod leak;
mod line;
mod log;
mod models;
mod run;
mod schema;
mod simulate;
mod table;
mod teach;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::app::runtime;
use log::start_logging;

/// Factory quality inspection on NVIDIA Jetson: frames and sensor text in, one verdict per part out.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 ok, 1 findings (a broken config, a model that is not what its passport says), 2 usage,
3 environment (a missing library, a port that is taken, a disk that is full).

Begin with:  kenpin config default > kenpin.toml     (then name your pictures and models in it)
             kenpin check kenpin.toml
             kenpin run kenpin.toml"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    // Without remarks of their own: the command list shows the first line of each `Args`, `--help` all of it.
    Run(run::Args),
    Check(check::Args),
    Eval(eval::Args),
    Explain(explain::Args),
    Fit(fit::Args),
    Gauge(gauge::Args),
    Label(label::Args),
    Teach(Box<teach::Args>),
    Drift(drift::Args),
    Golden(golden::Args),
    Chart(chart::Args),
    Bench(bench::Args),
    Models(models::Args),
    Board(board::Args),
    Cameras(cameras::Args),
    Doctor(doctor::Args),
    Engines(engines::Args),
    Config(config::Args),
    Schema(schema::Args),
    Simulate(simulate::Args),
    Demo(demo::Args),
}

/// Reads the arguments, does what they ask and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Gauge(args) => gauge::run(&args),
        Command::Label(args) => label::run(&args),
        Command::Teach(args) => teach::run(&args),
        Command::Drift(args) => drift::run(&args),
        Command::Golden(args) => golden::run(&args),
        Command::Chart(args) => chart::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Board(args) => board::run(&args),
        Command::Cameras(args) => cameras::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Engines(args) => engines::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Demo(args) => demo::run(&args),
    };
    done.unwrap_or_else(|error| refuse(&error))
}

/// Tells an error: findings in what the user wrote as a report, anything else in one line.
fn refuse(error: &anyhow::Error) -> ExitCode {
    if let Some(findings) = error.downcast_ref::<crate::config::ConfigError>() {
        return check::report(findings);
    }
    eprintln!("kenpin: {error:#}");
    ExitCode::from(ENVIRONMENT)
}

/// The exit code for findings in what the user wrote.
const FINDINGS: u8 = 1;

/// The exit code for an environment that does not give what is needed.
const ENVIRONMENT: u8 = 3;

/// Prints one line or table. A reader that has seen enough (`| head`) is no error.
fn say(text: impl std::fmt::Display) -> anyhow::Result<()> {
    use std::io::{ErrorKind, Write as _};
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written to")
        }
        _ => Ok(()),
    }
}

/// Reads a config for figures: they are about one placement, from the first part to the last, so engines are built before.
fn load_settings_for_figures(path: &std::path::Path) -> Result<crate::config::Settings, ExitCode> {
    let mut settings = load_settings(path)?;
    settings.runtime.tensorrt.engine_build = crate::config::EngineBuild::BeforeStart;
    Ok(settings)
}

/// Reads a config; findings are printed in full.
fn load_settings(path: &std::path::Path) -> Result<crate::config::Settings, ExitCode> {
    crate::config::load(path).map_err(|error| check::report(&error))
}
