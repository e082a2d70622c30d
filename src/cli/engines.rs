//! `kenpin engines`: lists TensorRT's engines of a config, builds them ahead, verifies them, prunes those nobody wants; and the
//! hidden child that probes and builds.

mod child;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Provider;

/// List, build, verify and prune the TensorRT engines of a config.
///
/// An engine is what TensorRT makes of a model for one board: it takes minutes to build and is good for one model file, one set
/// of options and shapes, one board and one set of library versions. All of that is hashed into its key, which names its
/// folder; a retrained model or a new JetPack wants another key. `build` does ahead what the daemon would do when idle: a child
/// process builds, holds the engine against the model's references, and only then it is put in place.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to do.
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The engine that each model wants, whether it is ready, and engines that no model wants any more.
    List(Target),
    /// Build every engine that is missing or refused. Exit code 1 when one could not be built.
    Build(Target),
    /// Look at owner, mode, size and hash of every file of every engine. Exit code 1 when one is refused.
    Verify(Target),
    /// Remove the engines that no model of the config wants: those of older models, options, boards and versions.
    Prune(Prune),
    /// The process that may crash.
    #[command(hide = true)]
    Child(child::Args),
}

/// Whose engines, and how they are shown.
#[derive(Debug, clap::Args)]
struct Target {
    /// The config file.
    config: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Prune {
    #[command(flatten)]
    target: Target,
    /// Only tell what would be removed.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = match &args.action {
        Action::Child(args) => return child::run(args),
        Action::List(target) | Action::Build(target) | Action::Verify(target) => target,
        Action::Prune(prune) => &prune.target,
    };
    super::start_logging(true);
    let settings = match super::load_settings(&target.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    anyhow::ensure!(
        settings.runtime.providers.contains(&Provider::TensorRt),
        "{}: `runtime.providers` does not list \"tensorrt\": this config has no engines",
        target.config.display()
    );
    match &args.action {
        Action::Build(target) => work::build(&settings, target.json),
        Action::Verify(target) => work::verify(&settings, target.json),
        Action::Prune(prune) => work::prune(&settings, prune.target.json, prune.dry_run),
        _ => work::list(&settings, target.json),
    }
}
