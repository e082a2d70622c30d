//! The wiring: builds every part of the daemon from [`Settings`], owns every queue, starts and drains.
//!
//! Read from top to bottom it is the picture of the running process. [`App::open`] takes what must be had before the
//! first part (models, journal, broker, listeners); [`App::run`] starts the cameras and returns when the road is empty
//! and the outbox drained. Shutdown follows the road: cameras and sensors stop, each stage ends when the one before it
//! has, and what is not sent by the deadline waits in the journal.

mod announce;
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

use crate::config::{Broker, Pace, Settings};
use crate::flow::acquire::{open_camera, spawn_camera};
use crate::flow::dispatch::{self, DispatchSettings, Inlets};
use crate::flow::infer::{self, Crew};
use crate::flow::plan::Plan;
use crate::flow::pool::Pool;
use crate::flow::publish::message::{Health, Origin};
use crate::flow::{Admission, Trigger, bound, publish};
use crate::models::catalogue;
use crate::name::Name;
use crate::record::images::Images;
use crate::record::journal::Journal;
use crate::telemetry::Telemetry;
use announce::Announced;
use settle::Desk;
use text::Text;

/// How often the latency summary is brought up to date for the publisher.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// A daemon that is ready for its first part.
pub struct App {
    settings: Settings,
    plan: Arc<Plan>,
    telemetry: Telemetry,
    crew: Arc<Crew>,
    desk: Arc<Desk>,
    text: Text,
    broker: Option<EmbeddedBroker>,
    publisher: Option<JoinHandle<()>>,
    road_empty: CancellationToken,
}

impl App {
    /// Takes everything that must be had before the first part, in this order: models, journal, broker, sensor text.
    ///
    /// # Errors
    /// What could not be had, with its cause: a model's passport, the inference library, the journal, a port.
    pub async fn open(mut settings: Settings) -> anyhow::Result<Self> {
        let telemetry = Telemetry::default();
        let (plan, crew) = open_models(&settings, &telemetry).await?;
        let run = &settings.line.run;
        let opened = Journal::open(&settings.journal, run, settings.mqtt.is_some())?;
        let origin = Origin { device: settings.device.clone(), epoch: opened.epoch, run: run.clone() };
        let images =
            settings.images.as_ref().map(|images| Images::open(images, opened.epoch, &telemetry)).transpose()?;
        let (health, told) = watch::channel(Health { stopped_models: announce::stopped(&crew), latency: None });
        let (journal, latencies) = (opened.journal, Mutex::default());
        let desk = Desk {
            origin,
            journal,
            images,
            health,
            telemetry: telemetry.clone(),
            latencies,
            give_up: CancellationToken::new(),
        };
        for part in &opened.interrupted {
            desk.close_interrupted(part).await?;
        }

        let broker = open_broker(&mut settings).await?;
        let road_empty = CancellationToken::new();
        let announced = Announced { settings: &settings, plan: &plan, crew: &crew, desk: &desk };
        let publisher =
            announced.publisher(told).map(|publisher| tokio::spawn(publish::run(publisher, road_empty.clone())));
        if publisher.is_none() {
            tracing::warn!("no [mqtt] in the config: verdicts stay in the journal and nobody is told");
        }
        let text = Text::open(&settings, &telemetry).await?;
        Ok(Self { settings, plan, telemetry, crew, desk: Arc::new(desk), text, broker, publisher, road_empty })
    }

    /// Where the embedded broker listens, if there is one.
    #[must_use]
    pub fn broker(&self) -> Option<SocketAddr> {
        self.broker.as_ref().map(EmbeddedBroker::address)
    }

    /// Where a listening sensor listens.
    #[must_use]
    pub fn sensor(&self, name: &str) -> Option<SocketAddr> {
        self.text.listening.get(name).copied()
    }

    /// The counters of this daemon.
    #[must_use]
    pub fn telemetry(&self) -> Telemetry {
        self.telemetry.clone()
    }

    /// Runs the road until its cameras have ended or `stop`, then drains it and the outbox.
    ///
    /// # Errors
    /// A camera that could not be opened; parts already on the road still get their verdicts.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let (parts_in, parts) = mpsc::channel(bound::PARTS);
        let (walked_in, walked) = mpsc::channel(bound::PARTS);
        let in_flight = self.settings.runtime.parts_in_flight;
        let infer = tokio::spawn(infer::run(parts, Arc::clone(&self.crew), in_flight, walked_in));
        let settle = tokio::spawn({
            let desk = Arc::clone(&self.desk);
            async move { desk.run(walked).await }
        });
        let refresh = tokio::spawn(refresh_health(Arc::clone(&self.desk)));

        let (inlets, threads) = open_cameras(&self.settings, self.text, &self.telemetry, &stop)?;
        let door: Arc<dyn Admission> = Arc::new(self.desk.journal.clone());
        let settings = DispatchSettings::from(&self.settings);
        tracing::info!("ready: {} cameras, {} models", self.settings.cameras.len(), self.plan.models().len());
        dispatch::run(inlets, settings, self.plan, door, self.telemetry, parts_in, stop.clone()).await;

        stop.cancel();
        infer.await.context("the infer stage broke off")?;
        settle.await.context("the desk broke off")?;
        refresh.abort();
        let _ = refresh.await;
        self.desk.refresh_health();
        tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join()))).await?;
        self.road_empty.cancel();
        if let Some(publisher) = self.publisher {
            publisher.await.context("the publisher broke off")?;
        }
        close(self.crew, self.desk).await?;
        if let Some(broker) = self.broker {
            broker.stop().await;
        }
        tracing::info!("the road is empty, the journal closed");
        Ok(())
    }
}

/// Reads the passports, checks the files, builds the plan, opens and warms up every model.
async fn open_models(settings: &Settings, telemetry: &Telemetry) -> anyhow::Result<(Arc<Plan>, Arc<Crew>)> {
    let (settings, telemetry) = (settings.clone(), telemetry.clone());
    let open = move || {
        let models = catalogue::load_all(&settings)?;
        let plan = Plan::build(&settings, &models).map_err(|findings| anyhow!(findings.join("\n")))?;
        let plan = Arc::new(plan);
        let crew = Crew::open(&plan, &settings.runtime, telemetry)?;
        for (model, why) in crew.stopped() {
            tracing::error!("model {model} does not judge: {why}");
        }
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

/// Threads to be joined at the end.
type Threads = Vec<std::thread::JoinHandle<()>>;

/// Opens every camera, then starts them all, so that none runs when another is missing.
fn open_cameras(
    settings: &Settings,
    text: Text,
    telemetry: &Telemetry,
    stop: &CancellationToken,
) -> anyhow::Result<(Inlets, Threads)> {
    let opened = settings.cameras.iter().map(|(name, camera)| Ok((name, camera, open_camera(camera)?)));
    let opened: Vec<_> = opened.collect::<Result<_, crate::flow::acquire::DeviceError>>()?;
    let pool = Pool::new(settings.join.open_parts + bound::PARTS);
    let (mut frames, mut threads) = (Vec::new(), Vec::new());
    let mut triggers: BTreeMap<Name, Vec<(Name, mpsc::Sender<Trigger>)>> = BTreeMap::new();
    for (name, camera, device) in opened {
        let (pool, telemetry) = (pool.clone(), telemetry.clone());
        let task = spawn_camera(name.clone(), device, &camera.pace, camera.delay, pool, telemetry, stop.clone())?;
        if let (Pace::Triggered { sensor, .. }, Some(queue)) = (&camera.pace, task.triggers) {
            triggers.entry(sensor.clone()).or_default().push((name.clone(), queue));
        }
        frames.push((name.clone(), task.frames));
        threads.push(task.thread);
    }
    text.stop_with(stop.clone());
    Ok((Inlets { frames, readings: text.readings, triggers }, threads))
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
