//! `kenpin run`: the daemon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::check::report;
use super::{runtime, start_logging};
use crate::app::{App, Changer, Source};
use crate::clock::Monotonic;
use crate::config::{ConfigError, Settings, Texts};
use crate::name::Name;
use crate::notify::Notify;
use crate::record::starts::{Decision, Starts};

/// How long work that cannot be interrupted may hold up the end of the process.
const LEAVE_BEHIND: Duration = Duration::from_secs(1);

/// How much longer than a pause the service manager is asked to wait, for what comes after it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Run the inspection that a config describes.
///
/// The first SIGTERM or SIGINT drains: cameras stop, parts on the road get their verdicts, the outbox empties. A second
/// aborts; nothing journalled is lost either way. SIGHUP reads config, models and fits anew: parts captured from then on are
/// judged by them. What is broken, or cannot change while the daemon runs, is refused, and the line goes on as it was.
///
/// Under a service manager (systemd), after three starts that failed in a row, the daemon runs the configuration that last ran
/// well, in safe mode: the status, the log and every verdict say so. A reload that is taken ends it.
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
    let notify = Notify::from_environment();
    let Begun { source, settings, pause } = match begin(args, &notify) {
        Ok(begun) => begun,
        Err(error) => return Ok(report(&error)),
    };
    let starts = source.starts.clone();
    let golden = super::golden::read(&settings).context("the golden set")?;
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        let hangups = listen(SignalKind::hangup())?;
        tokio::spawn(watch_signals(signals()?, stop.clone()));
        tokio::select! {
            app = open_after(pause, settings, notify) => {
                let mut app = app?;
                if let Some(golden) = golden {
                    app.examine(golden);
                }
                tokio::spawn(reload_with(hangups, app.reload_from(source)));
                app.run(stop).await.map(|()| true)
            }
            () = stop.cancelled() => Ok(false),
        }
    });
    // A source that blocks, such as a pipe nobody writes to, must not hold the process.
    runtime.shutdown_timeout(LEAVE_BEHIND);
    match (starts, &done) {
        (Some(starts), Ok(true)) => starts.ended_well(),
        (Some(starts), Ok(false)) => starts.called_off(),
        _ => {}
    }
    done.map(|_| ExitCode::SUCCESS)
}

/// What a start begins with.
struct Begun {
    source: Source,
    settings: Settings,
    pause: Duration,
}

/// Reads the config. Under a service manager the start is put on record, and after too many that failed the config that last
/// ran well is taken in its place.
fn begin(args: &Args, notify: &Notify) -> Result<Begun, ConfigError> {
    let wanted = Texts::read(&args.config);
    let mut source = Source { config: args.config.clone(), run: args.run.clone(), starts: None, safe_mode: None };
    if !notify.is_heard() {
        let settings = source.settings(&wanted?)?;
        return Ok(Begun { source, settings, pause: Duration::ZERO });
    }
    let folder = state_folder(&args.config);
    let (Decision { failures, pause, .. }, instead) = Starts::begin(&folder, wanted.as_ref().ok());
    if failures > 0 {
        tracing::warn!("the last {failures} starts failed, this one waits for {pause:?}");
    }
    let safe = instead.is_some();
    if safe {
        let why =
            wanted.as_ref().map_or_else(|error| Some(error.line()), |texts| Some(source.settings(texts).err()?.line()));
        let why = why.unwrap_or_else(|| "the daemon ended each time".into());
        let what = args.config.display();
        source.safe_mode = Some(format!(
            "safe mode: the last {failures} starts with {what} failed ({why}), so the configuration that last ran well is run"
        ));
    }
    let texts = instead.map_or(wanted, Ok)?;
    let settings = source.settings(&texts)?;
    source.starts = Some(Arc::new(Starts::running(&folder, texts, safe, Monotonic::now())));
    Ok(Begun { source, settings, pause })
}

/// Where starts are put on record: the unit's state folder, else `state` beside the config.
fn state_folder(config: &Path) -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty());
    given.map_or_else(|| config.parent().unwrap_or(Path::new("")).join("state"), PathBuf::from)
}

/// Opens the daemon after a pause, of which the service manager is told.
async fn open_after(pause: Duration, settings: Settings, notify: Notify) -> anyhow::Result<App> {
    if !pause.is_zero() {
        notify.status("waiting, because the last starts failed");
        notify.extend(pause + PATIENCE);
        tokio::time::sleep(pause).await;
    }
    App::open_and_tell(settings, notify).await
}

/// SIGTERM and SIGINT.
fn signals() -> anyhow::Result<[Signal; 2]> {
    Ok([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?])
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be listened to")
}

/// Each SIGHUP has everything read anew; what came of it stands in the log.
async fn reload_with(mut hangups: Signal, changer: Changer) {
    while hangups.recv().await.is_some() {
        let _ = changer.reload().await;
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
