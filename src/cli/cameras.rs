//! `kenpin cameras`: the video devices of this machine and what each can do; and single pictures.

mod list;
mod shot;

use std::process::ExitCode;

/// List the cameras of this machine with their formats, sizes, rates and controls; or take a picture.
///
/// Names are those of the config: a format as in `mode`, a control as in `controls`. A device that is there and cannot be used is
/// listed with the reason. Opens every device for a moment and changes nothing.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
A picture:  kenpin cameras shot kenpin.toml --out part.png
            kenpin cameras shot /dev/video0 --mode yuyv:1280x720@30 --out part.png"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What else `kenpin cameras` can do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    // Without remarks of its own: the first line of its `Args` is shown.
    Shot(shot::Args),
}

/// Lists the devices, or takes a picture.
///
/// # Errors
/// When this build reads no video devices, a picture cannot be taken, or standard output cannot be written to.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Some(Action::Shot(args)) => shot::run(args),
        None => list::run(args.json),
    }
}
