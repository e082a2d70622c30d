//! Dispatch, the second stage: frames and readings become parts, and each part gets its route.
//!
//! This file is the thin rim: it waits for frames, readings and deadlines, asks the door and sends parts on. What belongs
//! together is decided in `join`, where a part goes in [`choice`](crate::flow::plan::choice); both are pure.
//!
//! Promises: a part is sent on at most once, after the door let it in; a triggered part is let in before its picture is
//! taken, and then always sent on, with whatever came. What came within a window is joined, even when the road was full
//! meanwhile. The window of a triggered part runs from its trigger, so it includes the trigger's wait in the camera's
//! queue. Does not judge.

mod cameras;
mod join;
mod recipe;

pub use recipe::recipe;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::{Monotonic, Timers};
use crate::config;
use crate::flow::frames::FrameSource;
use crate::flow::plan::choice::{looks_at_pixels, route};
use crate::flow::plan::terms::{InForce, Terms};
use crate::flow::{Admission, Admitted, Frame, Note, Part, PartId, Reading, Receipt, Trigger, bound};
use crate::name::Name;
use crate::pulse::Beat;
use crate::telemetry::{Event, Telemetry};
use cameras::Cameras;
use join::{Joined, Joiner};

/// How often the stage turns when nothing comes: so often it beats at the least.
const TURN: Duration = Duration::from_secs(1);

/// How long a frame may be on its way here after its capture, so that the plan of its time is kept for it: exposure, transfer,
/// decoding, and a place in the camera's queue.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

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
    /// `[line] recipe_key`: the key of a reading that names the part's recipe.
    pub recipe_key: Option<String>,
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
            recipe_key: settings.line.recipe_key.clone(),
            cameras: cameras.map(|(name, _)| name.clone()).collect(),
            sensors: sensors.map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// Runs the stage until every camera has ended and every open part is closed, or until `stop`: then open parts are
/// closed at once, with what has come, and sent on. Each part is judged by the plan and made by the recipe that were in force
/// when it was captured, on the rung that is in force when it is routed.
pub async fn run(
    inlets: Inlets,
    settings: DispatchSettings,
    terms: Arc<Terms>,
    door: Arc<dyn Admission>,
    telemetry: Telemetry,
    out: mpsc::Sender<Part>,
    stop: CancellationToken,
) {
    let Inlets { frames, mut readings, triggers } = inlets;
    let joiner = Joiner::new(settings.join, settings.cameras, settings.sensors);
    let (clock, recipe_key, beat) = (Timers::start(), settings.recipe_key, telemetry.pulse().listen("dispatch"));
    let promised = BTreeMap::new();
    let mut desk = Desk { joiner, clock, recipe_key, terms, door, telemetry, out, triggers, promised, beat };
    let mut cameras = Cameras::new(frames);
    let mut listening = true;
    while desk.take_held(&mut cameras).await && (cameras.any_left() || desk.joiner.has_open()) {
        if stop.is_cancelled() || (!listening && !cameras.any_left()) {
            break;
        }
        desk.beat.moved();
        desk.let_go(&cameras);
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
            (camera, frame) = desk.next_frame(&mut cameras) => {
                cameras.put(camera, frame);
                true
            }
            () = desk.clock.sleep_until(deadline) => {
                let due = desk.clock.now();
                desk.catch_up(&mut readings, &mut cameras).await && desk.tick(due).await
            }
            () = tokio::time::sleep(TURN) => true,
        };
        if !more {
            return;
        }
    }
    desk.finish(readings, cameras).await;
}

/// What joins, asks and sends.
struct Desk {
    joiner: Joiner,
    clock: Timers,
    recipe_key: Option<String>,
    terms: Arc<Terms>,
    door: Arc<dyn Admission>,
    telemetry: Telemetry,
    out: mpsc::Sender<Part>,
    triggers: BTreeMap<Name, Vec<(Name, mpsc::Sender<Trigger>)>>,
    /// For each open part that was triggered, its receipt and the cameras that had room for its trigger.
    promised: BTreeMap<PartId, (Receipt, BTreeSet<Name>)>,
    beat: Beat,
}

impl Desk {
    /// Lets go of plans that no part will be judged by any more.
    fn let_go(&self, cameras: &Cameras) {
        let held = cameras.sources.iter().filter_map(|source| Some(source.held.as_ref()?.captured));
        let on_its_way = self.clock.now() - ON_ITS_WAY;
        let earliest = held.chain(self.joiner.earliest()).fold(on_its_way, Monotonic::min);
        self.terms.let_go(earliest);
    }

    /// The next frame of any camera. Where it can only open a part, once there is room for that part: until then it is better
    /// off with its camera, where the newest may win and none need be taken early. Nothing is lost when it is cancelled.
    async fn next_frame(&self, cameras: &mut Cameras) -> (usize, Option<Arc<Frame>>) {
        if !self.joiner.has_open() {
            // When nobody takes parts any more, sending the next one ends the stage.
            drop(self.out.reserve().await);
        }
        cameras.next().await
    }

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

    /// Joins all that had come before a deadline is acted on: while the road was full it could only wait in its queue.
    async fn catch_up(&mut self, readings: &mut mpsc::Receiver<Reading>, cameras: &mut Cameras) -> bool {
        for _ in 0..bound::READINGS {
            let Ok(reading) = readings.try_recv() else { break };
            if !self.reading(reading).await {
                return false;
            }
        }
        for _ in 0..=bound::FRAMES {
            cameras.fill();
            if !self.take_held(cameras).await {
                return false;
            }
        }
        true
    }

    /// Closes what was due at `due`. What has become due since is caught up with first.
    async fn tick(&mut self, due: Monotonic) -> bool {
        let joined = self.joiner.tick(due);
        self.send(joined).await
    }

    /// Takes a place in the cameras' queues first, then asks the door, then lets the cameras know: so nothing is
    /// journalled as open that no camera has room for, and no trigger closes a part that was let in before.
    async fn trigger(&mut self, mut reading: Reading) -> bool {
        let asker = reading.asker.take();
        let answer = |word: std::fmt::Arguments<'_>| asker.iter().for_each(|asker| asker.tell(word));
        let id_given = reading.part.is_some();
        let part = reading.part.get_or_insert_with(PartId::generate).clone();
        if self.joiner.is_full() && !self.joiner.is_open(&part) {
            self.telemetry.tell(Event::TriggerOverrun, format_args!("part {part}: {TOO_MANY}"));
            self.door.goes_by(&part, reading.captured);
            answer(format_args!("overrun {part}: {TOO_MANY}"));
            return true;
        }
        let (mut places, mut awaited, mut without) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut promised = BTreeSet::new();
        for (camera, queue) in self.triggers.get(&reading.sensor).into_iter().flatten() {
            awaited.insert(camera.clone());
            match queue.clone().try_reserve_owned() {
                Ok(place) => {
                    places.push(place);
                    promised.insert(camera.clone());
                }
                Err(error) => {
                    let why = overrun(&error);
                    self.telemetry.tell(Event::TriggerOverrun, format_args!("camera {camera}, part {part}: {why}"));
                    without.push(format!("camera {camera}: {why}"));
                }
            }
        }
        let at = reading.captured;
        let without = without.join(", ");
        if places.is_empty() {
            self.door.goes_by(&part, at);
            answer(format_args!("overrun {part}: {without}"));
            return true;
        }
        let receipt = Receipt::new(part.clone(), asker.clone(), self.telemetry.clone());
        if let Err(turned_away) = self.admit(&part, at, Some(receipt.clone())).await {
            answer(format_args!("{turned_away}"));
            return true;
        }
        let lacks = if without.is_empty() { "" } else { ", without " };
        receipt.accept(format_args!("{lacks}{without}"));
        // Its connection waits for the pictures, not for the road.
        drop(asker);
        self.promised.insert(part.clone(), (receipt, promised));
        for place in places {
            place.send(Trigger { part: Some(part.clone()), at });
        }
        let mut joined = self.joiner.trigger(part, id_given, awaited, at, self.clock.now());
        joined.extend(self.joiner.reading(reading, self.clock.now()));
        self.send(joined).await
    }

    /// Asks the door; what it turns away is counted, and given as whoever sent a trigger is told it.
    async fn admit(&self, part: &PartId, captured: Monotonic, receipt: Option<Receipt>) -> Result<(), String> {
        let asked = self.beat.excused();
        let admitted = self.door.admit(part.clone(), captured, receipt).await;
        drop(asked);
        match admitted {
            Admitted::Accepted => Ok(()),
            Admitted::Duplicate => {
                self.telemetry.tell(Event::PartDuplicate, format_args!("part {part} has come before in this run"));
                Err(format!("duplicate {part}"))
            }
            Admitted::Refused { why } => {
                self.telemetry.tell(Event::PartRefused, format_args!("part {part}: {why}"));
                Err(format!("refused {part}: {why}"))
            }
        }
    }

    /// Tells whoever sent the trigger of a part that was closed where a camera that had room for it gave no frame.
    fn tell_missed(&mut self, joined: &Joined) {
        let Some((receipt, promised)) = self.promised.remove(&joined.id) else { return };
        let came = |camera: &Name| joined.frames.iter().any(|frame| frame.camera == *camera);
        let missing: Vec<&str> = promised.iter().filter(|camera| !came(camera)).map(Name::as_str).collect();
        if !missing.is_empty() {
            receipt.miss(format_args!("no frame of camera {} came", missing.join(", ")));
        }
    }

    /// Sends closed parts on, however long the road takes to have room for them.
    async fn send(&mut self, joined: Vec<Joined>) -> bool {
        for (event, detail) in self.joiner.take_told() {
            self.telemetry.tell(event, format_args!("{detail}"));
        }
        for joined in &joined {
            self.tell_missed(joined);
        }
        for joined in joined {
            if !joined.triggered && self.admit(&joined.id, joined.captured, None).await.is_err() {
                continue;
            }
            self.telemetry.tell(Event::PartJoined, format_args!("part {}: {} frames", joined.id, joined.frames.len()));
            let part = self.routed(joined).await;
            let excuse = self.beat.excused();
            let sent = self.out.send(part).await;
            drop(excuse);
            if sent.is_err() {
                return false;
            }
        }
        true
    }

    /// The part with its recipe and route. Rules that look at pixels are tried off the event loop.
    async fn routed(&self, joined: Joined) -> Part {
        let Joined { id, id_given, captured, closed: joined, frames, readings, mut notes, .. } = joined;
        // The plan and the line's recipe of its capture and the order in force now hold for the whole way of this part.
        let InForce { plan, rung, recipe: lines } = self.terms.at(captured);
        let (recipe, unusable) = recipe(self.recipe_key.as_deref(), &lines, &readings);
        if let Some(Note::UnusableRecipe { seen }) = &unusable {
            tracing::warn!("part {id}: {seen:?} is no recipe name; the line's recipe {recipe} is used");
        }
        notes.extend(unusable);
        let readings = Arc::new(readings);
        let mut part =
            Part { id, id_given, recipe, captured, joined, frames, readings, notes, plan, route: None, rung };
        part.route = if looks_at_pixels(&part.plan) {
            let seen = part.clone();
            let chosen = tokio::task::spawn_blocking(move || route(&seen, &seen.plan)).await;
            chosen.inspect_err(|error| tracing::error!("part {}: routing failed: {error}", part.id)).unwrap_or(None)
        } else {
            route(&part, &part.plan)
        };
        part
    }

    /// Joins what has come for the parts already open, then closes and sends all parts. No part is opened any more.
    async fn finish(mut self, mut readings: mpsc::Receiver<Reading>, mut cameras: Cameras) {
        readings.close();
        while let Ok(mut reading) = readings.try_recv() {
            if self.triggers.contains_key(&reading.sensor) {
                let part = reading.part.get_or_insert_with(PartId::generate);
                self.telemetry.tell(Event::TriggerOverrun, format_args!("part {part}: stopping"));
                self.door.goes_by(part, reading.captured);
                reading.asker.iter().for_each(|asker| asker.tell(format_args!("overrun {part}: stopping")));
                continue;
            }
            let joined = self.joiner.reading(reading, self.clock.now());
            if !self.send(joined).await {
                return;
            }
        }
        for _ in 0..=bound::FRAMES {
            cameras.fill();
            for frame in cameras.empty() {
                if self.joiner.would_open(&frame) {
                    let detail = format_args!("camera {}: frame {}: stopping", frame.camera, frame.sequence);
                    self.telemetry.tell(Event::FrameSuperseded, detail);
                    continue;
                }
                let joined = self.joiner.frame(frame, self.clock.now());
                if !self.send(joined).await {
                    return;
                }
            }
        }
        let joined = self.joiner.finish(self.clock.now());
        self.send(joined).await;
    }
}

/// Why no part may be opened.
const TOO_MANY: &str = "too many parts are open";

/// Why a camera has no room for a trigger.
fn overrun(error: &mpsc::error::TrySendError<mpsc::Sender<Trigger>>) -> &'static str {
    match error {
        mpsc::error::TrySendError::Full(_) => "its queue of triggers is full",
        mpsc::error::TrySendError::Closed(_) => "it has ended",
    }
}

#[cfg(test)]
mod tests;
