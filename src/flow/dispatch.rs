//! Dispatch, the second stage: frames and readings become parts, and each part gets its route.
//!
//! This file is the thin rim: it waits for frames, readings and deadlines, asks the door and sends parts on. What belongs
//! together is decided in `join`, where a part goes in `route`; both are pure.
//!
//! Promises: a part is sent on at most once, after the door let it in; a triggered part is let in before its picture is
//! taken, and then always sent on, with whatever came. What came within a window is joined, even when the road was full
//! meanwhile. Does not judge.

mod join;
mod route;
mod statistics;

pub use route::route;
pub use statistics::{brightness, sharpness};

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Monotonic;
use crate::config;
use crate::flow::frames::FrameSource;
use crate::flow::plan::Plan;
use crate::flow::{Admission, Admitted, Frame, Part, PartId, Reading, Trigger, bound};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};
use join::{Joined, Joiner};

/// What comes in.
#[derive(Debug)]
pub struct Inlets {
    /// The frames of each camera.
    pub frames: Vec<(Name, FrameSource)>,
    /// The readings of all sensors.
    pub readings: mpsc::Receiver<Reading>,
    /// For each sensor that triggers, the cameras it triggers.
    pub triggers: BTreeMap<Name, Vec<(Name, mpsc::Sender<Trigger>)>>,
}

/// What dispatch was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchSettings {
    /// `[join]`.
    pub join: config::Join,
    /// `[line]`.
    pub line: config::Line,
    /// The cameras whose frame a part waits for.
    pub cameras: BTreeSet<Name>,
    /// The sensors whose reading a part waits for.
    pub sensors: BTreeSet<Name>,
}

impl From<&config::Settings> for DispatchSettings {
    fn from(settings: &config::Settings) -> Self {
        let cameras = settings.cameras.iter().filter(|(_, camera)| camera.expected);
        let sensors = settings.sensors.iter().filter(|(_, sensor)| sensor.expected);
        Self {
            join: settings.join.clone(),
            line: settings.line.clone(),
            cameras: cameras.map(|(name, _)| name.clone()).collect(),
            sensors: sensors.map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// Runs the stage until every camera has ended and every open part is closed, or until `stop`: then open parts are
/// closed at once, with what has come, and sent on.
pub async fn run(
    inlets: Inlets,
    settings: DispatchSettings,
    plan: Arc<Plan>,
    door: Arc<dyn Admission>,
    telemetry: Telemetry,
    out: mpsc::Sender<Part>,
    stop: CancellationToken,
) {
    let Inlets { frames, mut readings, triggers } = inlets;
    let joiner = Joiner::new(settings.join, settings.cameras, settings.sensors);
    let (clock, line) = (Clock::start(), settings.line);
    let mut desk = Desk { joiner, clock, line, plan, door, telemetry, out, triggers };
    let mut cameras = Cameras::new(frames);
    let mut listening = true;
    while desk.take_held(&mut cameras).await && (cameras.any_left() || desk.joiner.has_open()) {
        if !listening && !cameras.any_left() {
            break;
        }
        let deadline = desk.joiner.next_deadline();
        let more = tokio::select! {
            () = stop.cancelled() => break,
            reading = readings.recv(), if listening => if let Some(reading) = reading {
                desk.reading(reading).await
            } else {
                listening = false;
                desk.triggers.clear();
                true
            },
            (camera, frame) = cameras.next() => {
                cameras.put(camera, frame);
                true
            }
            () = desk.clock.sleep_until(deadline) => {
                desk.catch_up(&mut readings, &mut cameras).await && desk.tick().await
            }
        };
        if !more {
            return;
        }
    }
    desk.finish(cameras).await;
}

/// The monotonic clock as tokio's timers see it, so that a test may hold it.
#[derive(Debug, Clone, Copy)]
struct Clock {
    instant: Instant,
    monotonic: Monotonic,
}

impl Clock {
    fn start() -> Self {
        Self { instant: Instant::now(), monotonic: Monotonic::now() }
    }

    fn now(self) -> Monotonic {
        self.monotonic + self.instant.elapsed()
    }

    /// Sleeps until `deadline`; for ever when there is none.
    async fn sleep_until(self, deadline: Option<Monotonic>) {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.instant + deadline.since(self.monotonic)).await,
            None => std::future::pending().await,
        }
    }
}

/// The cameras' passages, each with at most one frame in hand that waits for room.
struct Cameras {
    sources: Vec<Source>,
    /// Where the next round of asking begins, so that no camera is favoured.
    first: usize,
}

struct Source {
    frames: FrameSource,
    held: Option<Arc<Frame>>,
    ended: bool,
}

impl Cameras {
    fn new(frames: Vec<(Name, FrameSource)>) -> Self {
        let sources = frames.into_iter().map(|(_, frames)| Source { frames, held: None, ended: false }).collect();
        Self { sources, first: 0 }
    }

    fn any_left(&self) -> bool {
        self.sources.iter().any(|source| !source.ended || source.held.is_some())
    }

    /// The next frame of any camera whose hand is free, with the camera's place. Nothing is lost when it is cancelled.
    async fn next(&mut self) -> (usize, Option<Arc<Frame>>) {
        poll_fn(|context| {
            let count = self.sources.len();
            for place in (0..count).map(|step| (self.first + step) % count) {
                let source = &mut self.sources[place];
                if source.ended || source.held.is_some() {
                    continue;
                }
                if let Poll::Ready(frame) = source.frames.poll_recv(context) {
                    self.first = place + 1;
                    return Poll::Ready((place, frame));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Puts what [`Self::next`] gave into the camera's hand.
    fn put(&mut self, place: usize, frame: Option<Arc<Frame>>) {
        if let Some(source) = self.sources.get_mut(place) {
            source.ended = frame.is_none();
            source.held = frame;
        }
    }
}

/// What joins, asks and sends.
struct Desk {
    joiner: Joiner,
    clock: Clock,
    line: config::Line,
    plan: Arc<Plan>,
    door: Arc<dyn Admission>,
    telemetry: Telemetry,
    out: mpsc::Sender<Part>,
    triggers: BTreeMap<Name, Vec<(Name, mpsc::Sender<Trigger>)>>,
}

impl Desk {
    /// Joins the held frames there is room for. A camera that may wait keeps a frame that would open one part too many;
    /// for one that may not, the oldest part is closed. Like all below it says whether anybody still takes parts.
    async fn take_held(&mut self, cameras: &mut Cameras) -> bool {
        for source in &mut cameras.sources {
            let patient = source.frames.is_patient();
            let takes = |frame: &mut Arc<Frame>| !(patient && self.joiner.is_full() && self.joiner.would_open(frame));
            if let Some(frame) = source.held.take_if(takes) {
                let joined = self.joiner.frame(frame, self.clock.now());
                if !self.send(joined).await {
                    return false;
                }
            }
        }
        true
    }

    async fn reading(&mut self, reading: Reading) -> bool {
        if self.triggers.contains_key(&reading.sensor) {
            return self.trigger(reading).await;
        }
        let joined = self.joiner.reading(reading, self.clock.now());
        self.send(joined).await
    }

    /// Joins what had come before a deadline is acted on: while the road was full it could only wait in its queue.
    async fn catch_up(&mut self, readings: &mut mpsc::Receiver<Reading>, cameras: &mut Cameras) -> bool {
        for _ in 0..bound::READINGS {
            let Ok(reading) = readings.try_recv() else { break };
            if !self.reading(reading).await {
                return false;
            }
        }
        while let Some((camera, frame)) = cameras.next().now_or_never() {
            cameras.put(camera, frame);
        }
        self.take_held(cameras).await
    }

    async fn tick(&mut self) -> bool {
        let joined = self.joiner.tick(self.clock.now());
        self.send(joined).await
    }

    /// Takes a place in the cameras' queues first, then asks the door, then lets the cameras know: so nothing is
    /// journalled as open that no camera has room for.
    async fn trigger(&mut self, mut reading: Reading) -> bool {
        let part = reading.part.get_or_insert_with(PartId::generate).clone();
        let mut places = Vec::new();
        for (camera, queue) in self.triggers.get(&reading.sensor).into_iter().flatten() {
            match queue.clone().try_reserve_owned() {
                Ok(place) => places.push((camera.clone(), place)),
                Err(error) => {
                    let why = overrun(&error);
                    self.telemetry.tell(Event::TriggerOverrun, format_args!("camera {camera}, part {part}: {why}"));
                }
            }
        }
        if places.is_empty() || !self.admit(&part, true).await {
            return true;
        }
        let (at, mut awaited) = (reading.captured, BTreeSet::new());
        for (camera, place) in places {
            place.send(Trigger { part: Some(part.clone()), at });
            awaited.insert(camera);
        }
        let mut joined = self.joiner.trigger(part, awaited, at, self.clock.now());
        joined.extend(self.joiner.reading(reading, self.clock.now()));
        self.send(joined).await
    }

    /// Asks the door; what it turns away is counted.
    async fn admit(&self, part: &PartId, triggered: bool) -> bool {
        match self.door.admit(part.clone(), triggered).await {
            Admitted::Accepted => return true,
            Admitted::Duplicate => {
                self.telemetry.tell(Event::PartDuplicate, format_args!("part {part} has come before in this run"));
            }
            Admitted::Refused { why } => {
                self.telemetry.tell(Event::PartRefused, format_args!("part {part}: {why}"));
            }
        }
        false
    }

    /// Sends closed parts on, however long the road takes to have room for them.
    async fn send(&mut self, joined: Vec<Joined>) -> bool {
        for (event, detail) in self.joiner.take_told() {
            self.telemetry.tell(event, format_args!("{detail}"));
        }
        for joined in joined {
            if !joined.triggered && !self.admit(&joined.id, false).await {
                continue;
            }
            self.telemetry.tell(Event::PartJoined, format_args!("part {}: {} frames", joined.id, joined.frames.len()));
            let part = self.routed(joined).await;
            if self.out.send(part).await.is_err() {
                return false;
            }
        }
        true
    }

    /// The part with its recipe and route. Rules that look at pixels are tried off the event loop.
    async fn routed(&self, joined: Joined) -> Part {
        let recipe = self.recipe(&joined);
        let Joined { id, captured, closed: joined, frames, readings, notes, .. } = joined;
        let plan = Arc::clone(&self.plan);
        let mut part = Part { id, recipe, captured, joined, frames, readings, notes, plan, route: None };
        part.route = if route::looks_at_pixels(&self.plan) {
            let seen = part.clone();
            let chosen = tokio::task::spawn_blocking(move || route(&seen, &seen.plan)).await;
            chosen.inspect_err(|error| tracing::error!("part {}: routing failed: {error}", part.id)).unwrap_or(None)
        } else {
            route(&part, &self.plan)
        };
        part
    }

    /// The recipe a reading names under the line's recipe key, the first in the order of the sensors; else the line's.
    fn recipe(&self, joined: &Joined) -> Name {
        let key = self.line.recipe_key.as_ref();
        let named = key.and_then(|key| joined.readings.iter().find_map(|reading| reading.values.get(key)));
        let Some(named) = named.map(ToString::to_string) else { return self.line.recipe.clone() };
        Name::new(&named).unwrap_or_else(|error| {
            tracing::warn!("part {}: recipe {error}; the line's recipe {} is used", joined.id, self.line.recipe);
            self.line.recipe.clone()
        })
    }

    /// Takes the frames that have come for parts already open, then closes and sends all parts.
    async fn finish(&mut self, mut cameras: Cameras) {
        let mut ready: Vec<Arc<Frame>> = cameras.sources.iter_mut().filter_map(|source| source.held.take()).collect();
        while let Some((place, frame)) = cameras.next().now_or_never() {
            cameras.sources[place].ended = frame.is_none();
            ready.extend(frame);
        }
        for frame in ready {
            if !self.joiner.would_open(&frame) {
                let joined = self.joiner.frame(frame, self.clock.now());
                self.send(joined).await;
            }
        }
        let joined = self.joiner.finish(self.clock.now());
        self.send(joined).await;
    }
}

/// Why a camera has no room for a trigger.
fn overrun(error: &mpsc::error::TrySendError<mpsc::Sender<Trigger>>) -> &'static str {
    match error {
        mpsc::error::TrySendError::Full(_) => "its queue of triggers is full",
        mpsc::error::TrySendError::Closed(_) => "it has ended",
    }
}

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;
