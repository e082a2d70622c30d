//! `kenpin run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{load_settings, runtime, start_logging};
use crate::app::App;
use crate::name::Name;
use crate::notify::Notify;

/// How long work that cannot be interrupted may hold up the end of the process.
const LEAVE_BEHIND: Duration = Duration::from_secs(1);

/// Run the inspection that a config describes.
///
/// The first SIGTERM or SIGINT drains: cameras stop, parts on the road get their verdicts, the outbox empties. A second
/// aborts; nothing journalled is lost either way.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config file.
    config: PathBuf,
    /// The production run, instead of `[line] run`: a part id is unique within it.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    run: Option<Name>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(false);
    let mut settings = match load_settings(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    if let Some(run) = &args.run {
        settings.line.run = run.clone();
    }
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(watch_signals(signals()?, stop.clone()));
        tokio::select! {
            app = App::open_and_tell(settings, Notify::from_environment()) => app?.run(stop).await,
            () = stop.cancelled() => Ok(()),
        }
    });
    // A source that blocks, such as a pipe nobody writes to, must not hold the process.
    runtime.shutdown_timeout(LEAVE_BEHIND);
    done.map(|()| ExitCode::SUCCESS)
}

/// SIGTERM and SIGINT.
fn signals() -> anyhow::Result<[Signal; 2]> {
    let listen = |kind| signal(kind).context("signals cannot be listened to");
    Ok([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?])
}

/// The first signal asks for a drain, the second ends the process with 130 as a shell would.
async fn watch_signals([mut terminate, mut interrupt]: [Signal; 2], stop: CancellationToken) {
    for asked_before in [false, true] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if asked_before {
            tracing::warn!("second signal: stopping at once");
            std::process::exit(130);
        }
        tracing::info!("signal: draining the road; a second one stops at once");
        stop.cancel();
    }
}
