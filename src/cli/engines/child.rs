//! `kenpin engines child`: the process that probes a provider or builds an engine, and may die of it. Hidden: the daemon and
//! `kenpin engines` start it and read its JSON lines.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::say;
use crate::config::Provider;
use crate::engines::build::Job;
use crate::engines::child::Told;
use crate::flow::infer::engine;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a tiny session.
    Probe {
        /// tensorrt, cuda or cpu.
        #[arg(value_parser = provider)]
        provider: Provider,
        /// The ONNX Runtime library.
        library: PathBuf,
    },
    /// Build the engine of the job on standard input.
    Build {
        /// Where it goes; the job says the same, which is held against this.
        folder: PathBuf,
    },
}

fn provider(text: &str) -> Result<Provider, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// Does it; what goes wrong is the last line.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // Nobody reads what an orphan builds.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("the end of the parent cannot be listened to")?;
    crate::cli::start_logging(true);
    let done = match &args.action {
        Action::Probe { provider, library } => {
            engine::probe(*provider, library).map(|versions| tell(&Told::Probed(versions)))
        }
        Action::Build { folder } => build(folder).map(Ok),
    };
    match done {
        Ok(told) => {
            told?;
            tell(&Told::Done)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => {
            tell(&Told::Failed(why))?;
            Ok(ExitCode::from(crate::cli::FINDINGS))
        }
    }
}

fn build(folder: &std::path::Path) -> Result<(), String> {
    let job: Job = serde_json::from_reader(std::io::stdin().lock()).map_err(|error| format!("the job: {error}"))?;
    if job.place.folder != folder {
        let (told, wanted) = (job.place.folder.display(), folder.display());
        return Err(format!("the job goes to {told}, the command line to {wanted}"));
    }
    // A parent that no longer reads ends this process by signal.
    engine::build(&job, |stage| _ = tell(&Told::Stage(stage.to_owned())))
}

fn tell(told: &Told) -> anyhow::Result<()> {
    say(serde_json::to_string(told)?)
}
