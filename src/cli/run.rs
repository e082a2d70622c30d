//! `kenpin run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::check::report;
use super::{runtime, start_logging};
use crate::app::{App, Reloader, Source};
use crate::config;
use crate::name::Name;
use crate::notify::Notify;

/// How long work that cannot be interrupted may hold up the end of the process.
const LEAVE_BEHIND: Duration = Duration::from_secs(1);

/// Run the inspection that a config describes.
///
/// The first SIGTERM or SIGINT drains: cameras stop, parts on the road get their verdicts, the outbox empties. A second
/// aborts; nothing journalled is lost either way. SIGHUP reads config, models and fits anew: parts captured from then on are
/// judged by them. What is broken, or cannot change while the daemon runs, is refused, and the line goes on as it was.
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
    let source = source(args);
    let settings = match source() {
        Ok(settings) => settings,
        Err(error) => return Ok(report(&error)),
    };
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        let hangups = listen(SignalKind::hangup())?;
        tokio::spawn(watch_signals(signals()?, stop.clone()));
        tokio::select! {
            app = App::open_and_tell(settings, Notify::from_environment()) => {
                let mut app = app?;
                tokio::spawn(reload_with(hangups, app.reload_from(source)));
                app.run(stop).await
            }
            () = stop.cancelled() => Ok(()),
        }
    });
    // A source that blocks, such as a pipe nobody writes to, must not hold the process.
    runtime.shutdown_timeout(LEAVE_BEHIND);
    done.map(|()| ExitCode::SUCCESS)
}

/// Where the settings are read from, again at each reload.
fn source(args: &Args) -> Source {
    let (path, run) = (args.config.clone(), args.run.clone());
    Arc::new(move || {
        let mut settings = config::load(&path)?;
        if let Some(run) = &run {
            settings.line.run = run.clone();
        }
        Ok(settings)
    })
}

/// SIGTERM and SIGINT.
fn signals() -> anyhow::Result<[Signal; 2]> {
    Ok([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?])
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be listened to")
}

/// Each SIGHUP has everything read anew; what came of it stands in the log.
async fn reload_with(mut hangups: Signal, reloader: Reloader) {
    while hangups.recv().await.is_some() {
        let _ = reloader.reload().await;
    }
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
