//! The wiring: builds every part of the daemon from [`Settings`], owns every queue, starts and drains.
//!
//! Read from top to bottom it is the picture of the running process. [`App::open`] takes what must be had before the
//! first part (journal, broker, models, listeners), [`App::run`] opens the cameras and returns when the road is empty.

mod door;
mod settle;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::{Broker, CameraSource, Pace, SensorSource, Settings};
use crate::flow::acquire::{self, replay, sensor};
use crate::flow::dispatch::{self, Inlets};
use crate::flow::infer::{self, Crew};
use crate::flow::plan::Plan;
use crate::flow::pool::Pool;
use crate::flow::{Reading, bound};
use crate::models::catalogue;
use crate::name::Name;
use crate::record::images::Images;
use crate::record::journal::Journal;
use crate::telemetry::Telemetry;
use door::Door;
use settle::Desk;

/// How long the outbox may go on draining after the road is empty; below systemd's `TimeoutStopSec`.
const DRAIN: Duration = Duration::from_secs(10);

/// A daemon that is ready for its first part.
pub struct App {
    settings: Arc<Settings>,
    plan: Arc<Plan>,
    telemetry: Telemetry,
    crew: Arc<Crew>,
    journal: Journal,
    images: Option<Images>,
    desk: Arc<Desk>,
    broker: Option<SocketAddr>,
    sensors: BTreeMap<Name, SocketAddr>,
    readings: mpsc::Receiver<Reading>,
    publisher: Option<tokio::task::JoinHandle<()>>,
    stop_sensors: CancellationToken,
    stop_publisher: CancellationToken,
}
