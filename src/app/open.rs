//! Opening: what must be had before the first part. Each function has one thing opened, or says why it cannot be.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::announce;
use super::drift::Drift;
use super::pace::LinePace;
use super::settle::Desk;
use crate::config::{self, Broker, ConfigError, EngineBuild, Provider, Settings};
use crate::flow::acquire::{Camera, open_camera};
use crate::flow::infer::Crew;
use crate::flow::plan::Plan;
#[cfg(feature = "broker")]
use crate::flow::publish::broker::Embedded;
use crate::flow::publish::message::{Health, Origin, Standing};
use crate::memory;
use crate::models::catalogue;
use crate::name::Name;
use crate::outputs::Outputs;
use crate::record::images::Images;
use crate::record::journal::Journal;
use crate::telemetry::Telemetry;

/// Opens the device of every camera.
pub(super) fn cameras(settings: &Settings) -> anyhow::Result<Vec<(Name, Box<dyn Camera>)>> {
    let open = |(name, camera): (&Name, &config::Camera)| {
        let device = open_camera(camera).with_context(|| format!("camera {name}"))?;
        Ok((name.clone(), device))
    };
    settings.cameras.iter().map(open).collect()
}

/// Opens journal and images, and gives their verdicts to the parts that the last run left open.
pub(super) async fn desk(
    settings: &Settings,
    crew: &Crew,
    telemetry: &Telemetry,
) -> anyhow::Result<(Desk, watch::Receiver<Health>)> {
    let run = &settings.line.run;
    let opened = Journal::open(&settings.journal, run, settings.mqtt.is_some())?;
    let origin = Origin { device: settings.device.clone(), epoch: opened.epoch, run: run.clone() };
    let images = settings.images.as_ref().map(|images| Images::open(images, opened.epoch, telemetry)).transpose()?;
    let (health, told) = watch::channel(Health {
        standing: Standing { stopped_models: announce::stopped(crew), ..Standing::default() },
        latency: None,
        governed: None,
        drifting: None,
        charted: None,
        golden: None,
    });
    let drift = settings.drift.map(|told| Drift::open(told, &health, telemetry)).transpose()?;
    let outputs = Outputs::open(&settings.outputs, telemetry).map_err(anyhow::Error::msg)?;
    let (journal, latencies) = (opened.journal, Mutex::default());
    let (give_up, pace) =
        (CancellationToken::new(), LinePace::new(&settings.cameras, settings.governor.deadline, telemetry));
    let (telemetry, road) = (telemetry.clone(), telemetry.pulse().listen("the road"));
    let review = settings.review;
    let desk =
        Desk { origin, journal, images, review, health, pace, drift, outputs, telemetry, latencies, road, give_up };
    for part in &opened.interrupted {
        desk.close_interrupted(part).await?;
    }
    Ok((desk, told))
}

/// Reads the passports and the fits, and builds the plan.
pub(super) async fn plan(settings: &Settings) -> anyhow::Result<Arc<Plan>> {
    let settings = settings.clone();
    let build = move || {
        let models = catalogue::load_all(&settings)?;
        let fits = catalogue::fits(&settings)?;
        let plan =
            Plan::fitted(&settings, &models, &fits).map_err(|found| ConfigError::of_sentences("the routes", found))?;
        // What reading config and passports took is not to stand beside what reading the models takes.
        memory::give_back();
        Ok(Arc::new(plan))
    };
    tokio::task::spawn_blocking(build).await.context("reading the models broke off")?
}

/// Checks the files, opens and warms up every model.
pub(super) async fn crew(plan: &Arc<Plan>, settings: &Settings, telemetry: &Telemetry) -> anyhow::Result<Arc<Crew>> {
    let (plan, runtime, telemetry) = (Arc::clone(plan), settings.runtime.clone(), telemetry.clone());
    let open = move || {
        let crew = Crew::open(&plan, &runtime, telemetry)?;
        memory::give_back();
        Ok(Arc::new(crew))
    };
    tokio::task::spawn_blocking(open).await.context("opening the models broke off")?
}

/// How long opening one model may take: the first use of a GPU compiles its kernels, and an engine may be built.
pub(super) fn longest_opening(settings: &Settings) -> Duration {
    const WITHOUT_ENGINE: Duration = Duration::from_mins(10);
    let tensorrt = &settings.runtime.tensorrt;
    let builds =
        settings.runtime.providers.contains(&Provider::TensorRt) && tensorrt.engine_build == EngineBuild::BeforeStart;
    if builds { WITHOUT_ENGINE + tensorrt.build_limit } else { WITHOUT_ENGINE }
}

/// The broker in this process, in builds that have one.
pub(super) struct EmbeddedBroker {
    #[cfg(feature = "broker")]
    embedded: Embedded,
    address: SocketAddr,
}

impl EmbeddedBroker {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn stop(self) {
        #[cfg(feature = "broker")]
        self.embedded.stop().await;
    }
}

/// Starts the embedded broker where the config asks for one, and writes the port it got into the settings.
pub(super) async fn broker(settings: &mut Settings) -> anyhow::Result<Option<EmbeddedBroker>> {
    let Some(Broker::Embedded { listen }) = settings.mqtt.as_mut().map(|mqtt| &mut mqtt.broker) else {
        return Ok(None);
    };
    #[cfg(feature = "broker")]
    {
        let embedded = Embedded::start(*listen).await.map_err(anyhow::Error::msg)?;
        let address = embedded.local_addr;
        *listen = address;
        Ok(Some(EmbeddedBroker { embedded, address }))
    }
    #[cfg(not(feature = "broker"))]
    anyhow::bail!("[mqtt] broker = \"embedded\" on {listen}: this build has no broker; build with the feature `broker`")
}
