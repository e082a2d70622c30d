//! The wiring: builds every part of the daemon from [`Settings`], owns every queue, starts and drains.
//!
//! Read from top to bottom it is the picture of the running process. [`App::open`] takes what must be had before the
//! first part (cameras, models, journal, broker, sensor text); [`App::run`] starts the cameras and returns when the road
//! is empty and the outbox drained. Shutdown follows the road: cameras and sensors stop, each stage ends when the one
//! before it has, within a deadline that stays below systemd's `TimeoutStopSec`; what is not sent by then waits in the
//! journal.

mod announce;
mod govern;
mod ladder;
mod pace;
mod settle;
mod text;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Broker, ConfigError, Pace, Settings};
use crate::flow::acquire::{Camera, DeviceError, open_camera, spawn_camera};
use crate::flow::dispatch::{self, DispatchSettings, Inlets};
use crate::flow::infer::{self, Crew};
use crate::flow::plan::Plan;
use crate::flow::pool::Pool;
use crate::flow::publish::message::{Health, Origin};
use crate::flow::{Admission, Trigger, bound, publish};
use crate::memory;
use crate::models::catalogue;
use crate::name::Name;
use crate::record::images::Images;
use crate::record::journal::Journal;
use crate::telemetry::Telemetry;
use announce::Announced;
use govern::Governor;
use pace::LinePace;
use settle::Desk;
use text::Text;

/// How long a stage may go on after the one before it has ended; three of them stay below systemd's 90 seconds.
const STAGE: Duration = Duration::from_secs(20);

/// How often the latency summary is brought up to date for the publisher.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// A daemon that is ready for its first part.
pub struct App {
    settings: Settings,
    plan: Arc<Plan>,
    telemetry: Telemetry,
    crew: Arc<Crew>,
    desk: Arc<Desk>,
    cameras: Vec<(Name, Box<dyn Camera>)>,
    text: Text,
    /// Who chooses the rung, where there is a ladder.
    governor: Option<Governor>,
    broker: Option<EmbeddedBroker>,
    publisher: Option<JoinHandle<()>>,
    road_empty: CancellationToken,
}

impl App {
    /// Takes everything that must be had before the first part, in this order: cameras, models, journal, broker, sensor
    /// text. Nothing is announced before all of it is there.
    ///
    /// # Errors
    /// What could not be had, with its cause: a camera, a model's passport, the inference library, the journal, a port.
    pub async fn open(mut settings: Settings) -> anyhow::Result<Self> {
        let telemetry = Telemetry::default();
        let cameras = open_cameras(&settings)?;
        let (plan, crew) = open_models(&settings, &telemetry).await?;
        let ladder = ladder::ladder(&settings, &plan, &crew)?;
        let (desk, told) = open_desk(&settings, &crew, &telemetry).await?;
        let broker = open_broker(&mut settings).await?;
        let text = Text::open(&settings, &telemetry).await?;

        let road_empty = CancellationToken::new();
        let announced = Announced { settings: &settings, plan: &plan, crew: &crew, desk: &desk };
        let publisher = announced.publisher(told);
        let publisher = publisher.map(|publisher| tokio::spawn(publish::run(publisher, road_empty.clone())));
        if publisher.is_none() {
            tracing::warn!("no [mqtt] in the config: verdicts stay in the journal and nobody is told");
        }
        let desk = Arc::new(desk);
        let governor = ladder.map(|ladder| Governor::new(&settings, ladder, &desk));
        Ok(Self { settings, plan, telemetry, crew, desk, cameras, text, governor, broker, publisher, road_empty })
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
        let poisoned = self.crew.poisoned().clone();
        tokio::spawn(end_with(poisoned.clone(), stop.clone()));
        let (parts_in, parts) = mpsc::channel(bound::PARTS);
        let (walked_in, walked) = mpsc::channel(bound::PARTS);
        let in_flight = self.settings.runtime.parts_in_flight;
        let infer = tokio::spawn(infer::run(parts, Arc::clone(&self.crew), in_flight, walked_in));
        let desk = Arc::clone(&self.desk);
        let settle = tokio::spawn(async move { desk.run(walked).await });
        let refresh = tokio::spawn(refresh_health(Arc::clone(&self.desk)));
        let rung = self.governor.as_ref().map_or_else(|| watch::channel(0).1, Governor::rung);
        let governed = self.governor.map(|governor| tokio::spawn(governor.run(stop.clone())));

        let (inlets, threads, started) =
            start_cameras(&self.settings, self.cameras, self.text, rung, &self.telemetry, &stop);
        let door: Arc<dyn Admission> = Arc::new(self.desk.journal.clone());
        let settings = DispatchSettings::from(&self.settings);
        tracing::info!("ready: {} cameras, {} models", self.settings.cameras.len(), self.plan.models().len());
        dispatch::run(inlets, settings, self.plan, door, self.telemetry, parts_in, stop.clone()).await;

        stop.cancel();
        let mut done = started.and(drained("infer", infer).await);
        let settled = drained("the desk", settle).await;
        self.desk.give_up.cancel();
        refresh.abort();
        let _ = refresh.await;
        if let Some(governed) = governed {
            done = done.and(governed.await.context("the governor broke off"));
        }
        self.desk.refresh_health();
        self.road_empty.cancel();
        if let Some(publisher) = self.publisher {
            done = done.and(publisher.await.context("the publisher broke off"));
        }
        done.and(settled)?;
        let filmed = tokio::task::spawn_blocking(|| threads.into_iter().try_for_each(join)).await;
        close(self.crew, self.desk).await?;
        if let Some(broker) = self.broker {
            broker.stop().await;
        }
        tracing::info!("the road is empty, the journal closed");
        filmed.context("joining the cameras broke off")??;
        anyhow::ensure!(!poisoned.is_cancelled(), "CUDA is broken for this process: it ends, to be started anew");
        Ok(())
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

/// Opens the device of every camera.
fn open_cameras(settings: &Settings) -> anyhow::Result<Vec<(Name, Box<dyn Camera>)>> {
    let open = |(name, camera): (&Name, &config::Camera)| {
        let device = open_camera(camera).with_context(|| format!("camera {name}"))?;
        Ok((name.clone(), device))
    };
    settings.cameras.iter().map(open).collect()
}

/// Opens journal and images, and gives their verdicts to the parts that the last run left open.
async fn open_desk(
    settings: &Settings,
    crew: &Crew,
    telemetry: &Telemetry,
) -> anyhow::Result<(Desk, watch::Receiver<Health>)> {
    let run = &settings.line.run;
    let opened = Journal::open(&settings.journal, run, settings.mqtt.is_some())?;
    let origin = Origin { device: settings.device.clone(), epoch: opened.epoch, run: run.clone() };
    let images = settings.images.as_ref().map(|images| Images::open(images, opened.epoch, telemetry)).transpose()?;
    let (health, told) =
        watch::channel(Health { stopped_models: announce::stopped(crew), latency: None, governed: None });
    let (journal, latencies) = (opened.journal, Mutex::default());
    let (give_up, pace) =
        (CancellationToken::new(), LinePace::new(&settings.cameras, settings.governor.deadline, telemetry));
    let desk = Desk { origin, journal, images, health, pace, telemetry: telemetry.clone(), latencies, give_up };
    for part in &opened.interrupted {
        desk.close_interrupted(part).await?;
    }
    Ok((desk, told))
}

/// Reads the passports, checks the files, builds the plan, opens and warms up every model.
async fn open_models(settings: &Settings, telemetry: &Telemetry) -> anyhow::Result<(Arc<Plan>, Arc<Crew>)> {
    let (settings, telemetry) = (settings.clone(), telemetry.clone());
    let open = move || {
        let models = catalogue::load_all(&settings)?;
        let fits = catalogue::fits(&settings)?;
        let plan =
            Plan::fitted(&settings, &models, &fits).map_err(|found| ConfigError::of_sentences("the routes", found))?;
        let plan = Arc::new(plan);
        // What reading config and passports took is not to stand beside what reading the models takes.
        memory::give_back();
        let crew = Crew::open(&plan, &settings.runtime, telemetry)?;
        memory::give_back();
        Ok((plan, Arc::new(crew)))
    };
    tokio::task::spawn_blocking(open).await.context("opening the models broke off")?
}

#[cfg(feature = "broker")]
use crate::flow::publish::broker::Embedded;

/// The broker in this process, in builds that have one.
struct EmbeddedBroker {
    #[cfg(feature = "broker")]
    embedded: Embedded,
    address: SocketAddr,
}

impl EmbeddedBroker {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn stop(self) {
        #[cfg(feature = "broker")]
        self.embedded.stop().await;
    }
}

/// Starts the embedded broker where the config asks for one, and writes the port it got into the settings.
async fn open_broker(settings: &mut Settings) -> anyhow::Result<Option<EmbeddedBroker>> {
    let Some(Broker::Embedded { listen }) = settings.mqtt.as_mut().map(|mqtt| &mut mqtt.broker) else {
        return Ok(None);
    };
    #[cfg(feature = "broker")]
    {
        let embedded = Embedded::start(*listen).await.map_err(|why| anyhow!(why))?;
        let address = embedded.local_addr;
        *listen = address;
        Ok(Some(EmbeddedBroker { embedded, address }))
    }
    #[cfg(not(feature = "broker"))]
    bail!("[mqtt] broker = \"embedded\" on {listen}: this build has no broker; build with the feature `broker`")
}

/// A camera's thread, with its name.
type Filming = (Name, std::thread::JoinHandle<Result<(), DeviceError>>);

/// Starts every camera. When one cannot be started, all are stopped and the error says why.
fn start_cameras(
    settings: &Settings,
    cameras: Vec<(Name, Box<dyn Camera>)>,
    text: Text,
    rung: watch::Receiver<usize>,
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
    (Inlets { frames, readings: text.readings, triggers, rung }, threads, started)
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
async fn close(crew: Arc<Crew>, desk: Arc<Desk>) -> anyhow::Result<()> {
    let (Some(crew), Some(desk)) = (Arc::into_inner(crew), Arc::into_inner(desk)) else {
        bail!("a stage that should have ended still holds the models or the journal");
    };
    let journal = tokio::task::spawn_blocking(move || {
        crew.close();
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
