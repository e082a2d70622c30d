//! The wiring: builds every part of the daemon from [`Settings`], owns every queue, starts and drains.
//!
//! Read from top to bottom it is the picture of the running process. [`App::open`] takes what must be had before the
//! first part (cameras, models, journal, broker, sensor text); [`App::run`] starts the cameras and returns when the road
//! is empty and the outbox drained. Shutdown follows the road: cameras and sensors stop, each stage ends when the one
//! before it has, within a deadline that stays below systemd's `TimeoutStopSec`; what is not sent by then waits in the
//! journal.

mod announce;
mod chart;
mod door;
mod drift;
mod golden;
mod govern;
mod ladder;
mod open;
mod pace;
mod register;
mod settle;
mod shift;
mod shown;
mod text;
mod watchdog;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Pace, Settings};
use crate::flow::acquire::{Camera, DeviceError, spawn_camera};
use crate::flow::dispatch::{self, DispatchSettings, Inlets};
use crate::flow::infer::{self, Crew, Crews};
use crate::flow::pool::Pool;
use crate::flow::{Admission, Trigger, bound, publish};
use crate::name::Name;
use crate::notify::Notify;
use crate::telemetry::Telemetry;
use chart::Charts;
use door::Door;
use golden::Examiner;
use open::EmbeddedBroker;
use settle::Desk;
use shift::{Shift, Start};
use text::Text;
use watchdog::Watchdog;

pub use golden::{Golden, GoldenPicture};
pub use shift::{Changer, Source};
pub use shown::Shown;

/// How long a stage may go on after the one before it has ended; three of them stay below systemd's 90 seconds.
const STAGE: Duration = Duration::from_secs(20);

/// How often the latency summary is brought up to date for the publisher.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// A daemon that is ready for its first part.
pub struct App {
    settings: Settings,
    telemetry: Telemetry,
    /// Plan, models and governor: what may change while the daemon runs.
    shift: Shift,
    /// What is judged beside the line, where something is.
    golden: Option<Box<Golden>>,
    /// What counts verdicts for control charts, where something does.
    charts: Option<Charts>,
    desk: Arc<Desk>,
    cameras: Vec<(Name, Box<dyn Camera>)>,
    text: Text,
    broker: Option<EmbeddedBroker>,
    publisher: Option<JoinHandle<()>>,
    road_empty: CancellationToken,
    notify: Notify,
}

impl App {
    /// Takes everything that must be had before the first part, in this order: cameras, models, journal, broker, sensor
    /// text. Nothing is announced before all of it is there.
    ///
    /// # Errors
    /// What could not be had, with its cause: a camera, a model's passport, the inference library, the journal, a port.
    pub async fn open(settings: Settings) -> anyhow::Result<Self> {
        Self::open_and_tell(settings, Notify::default()).await
    }

    /// As [`Self::open`], for a daemon whose service manager is told how it goes.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_and_tell(settings: Settings, notify: Notify) -> anyhow::Result<Self> {
        let telemetry = Telemetry::default();
        notify.status("opening the cameras and the models");
        let loading = watchdog::loading(notify.clone(), telemetry.pulse().clone(), open::longest_opening(&settings));
        let loading = AbortOnDropHandle::new(tokio::spawn(loading));
        // On the heap: what is only wanted while opening is not carried along by whoever waits.
        let opened = Box::pin(Self::open_all(settings, telemetry, notify)).await;
        drop(loading);
        opened
    }

    async fn open_all(mut settings: Settings, telemetry: Telemetry, notify: Notify) -> anyhow::Result<Self> {
        let as_read = settings.clone();
        let cameras = open::cameras(&settings)?;
        let plan = open::plan(&settings).await?;
        let crew = open::crew(&plan, &settings, &telemetry).await?;
        let ladder = ladder::ladder(&settings, &plan, &crew)?;
        let (desk, told) = open::desk(&settings, &crew, &telemetry).await?;
        let charts = Charts::open(&settings, &desk)?;
        let recipe = shift::changeover::begin(&settings, &plan, &desk);
        let broker = open::broker(&mut settings).await?;
        let text = Text::open(&settings, &telemetry).await?;

        let road_empty = CancellationToken::new();
        let (birth, born) = watch::channel(announce::birth(recipe.clone(), &plan, &crew, &desk));
        let publisher = announce::publisher(&settings, &desk, born, told);
        let publisher = publisher.map(|publisher| tokio::spawn(publish::run(publisher, road_empty.clone())));
        if publisher.is_none() {
            tracing::warn!("no [mqtt] in the config: verdicts stay in the journal and nobody is told");
        }
        let desk = Arc::new(desk);
        let start = Start { settings: as_read, plan, crew, ladder, recipe, desk, birth, notify };
        let (desk, notify) = (Arc::clone(&start.desk), start.notify.clone());
        let shift = Shift::new(start);
        Ok(Self {
            settings,
            telemetry,
            shift,
            golden: None,
            charts,
            desk,
            cameras,
            text,
            broker,
            publisher,
            road_empty,
            notify,
        })
    }

    /// Lets the daemon be asked, while it runs, to read everything anew from `source`.
    pub fn reload_from(&mut self, source: Source) -> Changer {
        self.shift.reload_from(source);
        self.shift.changer()
    }

    /// Has these pictures judged beside the line, after the start, after each reload and daily.
    pub fn examine(&mut self, golden: Golden) {
        self.golden = Some(Box::new(golden));
    }

    /// Where the embedded broker listens, if there is one.
    #[must_use]
    pub fn broker(&self) -> Option<SocketAddr> {
        self.broker.as_ref().map(EmbeddedBroker::address)
    }

    /// The counters of this daemon.
    #[must_use]
    pub fn telemetry(&self) -> Telemetry {
        self.telemetry.clone()
    }

    /// Where a listening sensor listens.
    #[must_use]
    pub fn sensor(&self, name: &str) -> Option<SocketAddr> {
        self.text.listening.get(name).copied()
    }

    /// Runs the road until its cameras have ended or `stop`, then drains it and the outbox.
    ///
    /// # Errors
    /// The first of: a camera that failed, a stage that broke off or did not drain in time, CUDA that broke. Parts on the road get their
    /// verdicts all the same.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let broken = CancellationToken::new();
        tokio::spawn(end_with(broken.clone(), stop.clone()));
        let (terms, crews) = (self.shift.terms(), self.shift.crews());
        let models = terms.newest().plan.models().len();
        let (parts_in, parts) = mpsc::channel(bound::PARTS);
        let (walked_in, walked) = mpsc::channel(bound::PARTS);
        let in_flight = self.settings.runtime.parts_in_flight;
        let infer = tokio::spawn(infer::run(parts, Arc::clone(&crews), in_flight, walked_in));
        let desk = Arc::clone(&self.desk);
        let settle = tokio::spawn(async move { desk.run(walked).await });
        let refresh = tokio::spawn(refresh_health(Arc::clone(&self.desk)));
        let watchdog =
            Watchdog { notify: self.notify.clone(), desk: Arc::clone(&self.desk), crews: Arc::clone(&crews) };
        let drained_up = CancellationToken::new();
        let watchdog = tokio::spawn(watchdog.run(drained_up.clone()));
        let changer = self.shift.changer();
        let examining = self.golden.map(|golden| {
            let (terms, crews, desk) = (Arc::clone(&terms), Arc::clone(&crews), Arc::clone(&self.desk));
            tokio::spawn(Examiner { golden, terms, crews, desk, birth: self.shift.born() }.run(stop.clone()))
        });
        let (orders, counted) = (self.charts.as_ref().map(Charts::orders), CancellationToken::new());
        let charts = self.charts.map(|charts| tokio::spawn(charts.run(counted.clone())));
        let shift = tokio::spawn(self.shift.serve(stop.clone(), broken.clone()));

        let register = register::of(&self.settings, &terms, &crews, &self.desk, &changer);
        let register = register.map(|register| tokio::spawn(register.follow(stop.clone())));
        let commands = announce::commands(&self.settings, changer, orders, &self.desk, &stop).map(tokio::spawn);
        let (inlets, threads, started) = start_cameras(&self.settings, self.cameras, self.text, &self.telemetry, &stop);
        let door: Arc<dyn Admission> = Arc::new(Door { desk: Arc::clone(&self.desk) });
        let settings = DispatchSettings::from(&self.settings);
        tracing::info!("ready: {} cameras, {models} models", self.settings.cameras.len());
        self.notify.ready();
        dispatch::run(inlets, settings, terms, door, self.telemetry, parts_in, stop.clone()).await;

        stop.cancel();
        self.notify.stopping();
        let mut done = started.and(drained("infer", infer).await);
        let settled = drained("the desk", settle).await;
        self.desk.give_up.cancel();
        counted.cancel();
        done = done.and(ended(charts, "counting for the control charts").await);
        refresh.abort();
        let _ = refresh.await;
        drained_up.cancel();
        ended(Some(watchdog), "the watchdog").await?;
        done = done.and(ended(Some(shift), "reloading").await);
        done = done.and(ended(examining, "judging the golden set").await);
        done = done.and(ended(commands, "hearing commands").await);
        done = done.and(ended(register, "following the register of recipes").await);
        self.desk.refresh_health();
        self.road_empty.cancel();
        done = done.and(ended(self.publisher, "the publisher").await);
        done.and(settled)?;
        let filmed = tokio::task::spawn_blocking(|| threads.into_iter().try_for_each(join)).await;
        close(crews, self.desk).await?;
        if let Some(broker) = self.broker {
            broker.stop().await;
        }
        tracing::info!("the road is empty, the journal closed");
        filmed.context("joining the cameras broke off")??;
        anyhow::ensure!(!broken.is_cancelled(), "CUDA is broken for this process: it ends, to be started anew");
        Ok(())
    }
}

/// Waits for the end of a task, where there is one.
async fn ended(task: Option<JoinHandle<()>>, what: &str) -> anyhow::Result<()> {
    match task {
        Some(task) => task.await.with_context(|| format!("{what} broke off")),
        None => Ok(()),
    }
}

/// The runtime for everything that is not on a thread of its own.
///
/// # Errors
/// What the system said when its threads could not be started.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("kenpin")
        .enable_all()
        .build()
        .context("the async runtime could not be started")
}

/// Drains the road when CUDA is broken for this process: what is on it gets verdicts, undecided where they need the GPU.
async fn end_with(poisoned: CancellationToken, stop: CancellationToken) {
    if stop.run_until_cancelled(poisoned.cancelled()).await.is_some() {
        tracing::error!("CUDA is broken for this process, and every further answer with it: draining the road");
        stop.cancel();
    }
}

/// Waits for a stage to end, up to its deadline.
async fn drained(stage: &str, task: JoinHandle<()>) -> anyhow::Result<()> {
    let ended = tokio::time::timeout(STAGE, task).await;
    let ended =
        ended.with_context(|| format!("{stage} was not empty within {STAGE:?}; its parts have no verdict yet"))?;
    ended.with_context(|| format!("{stage} broke off"))
}

/// A camera's thread, with its name.
type Filming = (Name, std::thread::JoinHandle<Result<(), DeviceError>>);

/// Starts every camera. When one cannot be started, all are stopped and the error says why.
fn start_cameras(
    settings: &Settings,
    cameras: Vec<(Name, Box<dyn Camera>)>,
    text: Text,
    telemetry: &Telemetry,
    stop: &CancellationToken,
) -> (Inlets, Vec<Filming>, anyhow::Result<()>) {
    let pool = Pool::new(settings.join.open_parts + bound::PARTS);
    let (mut frames, mut threads, mut started) = (Vec::new(), Vec::new(), Ok(()));
    let mut triggers: BTreeMap<Name, Vec<(Name, mpsc::Sender<Trigger>)>> = BTreeMap::new();
    for ((name, device), camera) in cameras.into_iter().zip(settings.cameras.values()) {
        let (pool, telemetry) = (pool.clone(), telemetry.clone());
        match spawn_camera(name.clone(), device, camera, pool, telemetry, stop.clone()) {
            Ok(task) => {
                if let (Pace::Triggered { sensor, .. }, Some(queue)) = (&camera.pace, task.triggers) {
                    triggers.entry(sensor.clone()).or_default().push((name.clone(), queue));
                }
                frames.push((name.clone(), task.frames));
                threads.push((name, task.thread));
            }
            Err(error) => {
                stop.cancel();
                started = Err(error).with_context(|| format!("camera {name}"));
            }
        }
    }
    text.stop_with(stop.clone());
    (Inlets { frames, readings: text.readings, triggers }, threads, started)
}

/// Joins a camera's thread.
fn join((name, thread): Filming) -> anyhow::Result<()> {
    let ended = thread.join().map_err(|_| anyhow!("camera {name}: its thread panicked"))?;
    ended.with_context(|| format!("camera {name}"))
}

/// Keeps the latency summary fresh; never ends by itself.
async fn refresh_health(desk: Arc<Desk>) {
    let mut ticks = tokio::time::interval(HEALTH_EVERY);
    loop {
        ticks.tick().await;
        desk.refresh_health();
    }
}

/// Ends the model threads, writes the images that wait, closes the journal.
async fn close(crews: Arc<Crews>, desk: Arc<Desk>) -> anyhow::Result<()> {
    let (Some(crews), Some(desk)) = (Arc::into_inner(crews).and_then(Crews::into_all), Arc::into_inner(desk)) else {
        bail!("a stage that should have ended still holds the models or the journal");
    };
    let journal = tokio::task::spawn_blocking(move || {
        crews.into_iter().for_each(Crew::close);
        desk.close()
    });
    journal.await.context("closing broke off")?.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_broken_cuda_drains_the_road_and_a_plain_stop_ends_the_watch() {
        let (poisoned, stop) = (CancellationToken::new(), CancellationToken::new());
        poisoned.cancel();
        end_with(poisoned, stop.clone()).await;
        assert!(stop.is_cancelled());
        end_with(CancellationToken::new(), stop).await;
    }
}
