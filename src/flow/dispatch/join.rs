//! Which frames and readings belong to one part: a pure state machine, to which the time is handed in.
//!
//! # The rules
//!
//! * A frame or a trigger opens a part. A frame with a part id joins the open part of that id. A frame without one joins
//!   the open part that lacks a frame of its camera and was opened by a picture (or trigger) nearest in capture time and
//!   at most one window away; where there is none it opens a part under a new id.
//! * A reading with a part id joins that part, or waits for it for `keep_readings`. A reading without one waits for one
//!   window; while it waits it is promised to the part nearest in capture time, at most one window away, that lacks a
//!   reading of its sensor. Promises are made over again, nearest first, until the part closes and takes its readings.
//! * A part closes when everything expected (and every camera its trigger asks for) has come, or one window after it was
//!   opened, or, the oldest first, when one part too many would be open.
//! * The window of a triggered part runs from its trigger: it includes the trigger's wait in the camera's queue.
//! * Only [`Joiner::tick`] and [`Joiner::finish`] close a part that is due, and drop a reading whose time is over. A piece
//!   closes what it completes and no more, so that pieces that waited in a queue are all joined before a deadline is
//!   acted on.
//!
//! # What becomes of the rest
//!
//! | | outcome |
//! |---|---|
//! | expected, but not come | the part closes without it, with a note |
//! | a second of the same part and source | the first is kept; note, counted |
//! | a reading for a part already closed | dropped, counted as late |
//! | a frame for a part already closed | dropped; counted as a part that came twice where the part had a frame of this camera, else as a late frame |
//! | a reading no part came for, or one too many waiting | dropped, the oldest first; counted as unclaimed |

mod claims;
mod open;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::clock::Monotonic;
use crate::config;
use crate::flow::{Frame, Note, PartId, Reading};
use crate::name::Name;
use crate::telemetry::Event;
use claims::Claims;
pub(super) use open::Joined;
use open::Open;

/// How many closed parts are remembered, to tell what comes too late: a minute of a fast line.
const REMEMBERED: usize = 1024;

/// A reading that waits for its part.
#[derive(Debug)]
struct Waiting {
    reading: Reading,
    until: Monotonic,
}

/// A part that was closed, and the cameras it had frames of.
#[derive(Debug)]
struct Closed {
    id: PartId,
    cameras: BTreeSet<Name>,
}

/// The state of joining. Every input gives the parts that it closed, in the order in which they were opened.
#[derive(Debug)]
pub(super) struct Joiner {
    rules: config::Join,
    cameras: BTreeSet<Name>,
    sensors: BTreeSet<Name>,
    open: VecDeque<Open>,
    waiting: VecDeque<Waiting>,
    closed: VecDeque<Closed>,
    told: Vec<(Event, String)>,
}

impl Joiner {
    /// Nothing open yet; a part waits for a frame of each of `cameras` and a reading of each of `sensors`.
    pub(super) fn new(rules: config::Join, cameras: BTreeSet<Name>, sensors: BTreeSet<Name>) -> Self {
        let (open, waiting, closed) = Default::default();
        Self { rules, cameras, sensors, open, waiting, closed, told: Vec::new() }
    }

    /// Whether any part is open.
    pub(super) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The earliest capture time among the open parts.
    pub(super) fn earliest(&self) -> Option<Monotonic> {
        self.open.iter().map(Open::captured).min()
    }

    /// Whether one more part would be one too many.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= self.rules.open_parts
    }

    /// Whether the part `id` is open.
    pub(super) fn is_open(&self, id: &PartId) -> bool {
        self.find(id).is_some()
    }

    /// Whether `frame` would open a part.
    pub(super) fn would_open(&self, frame: &Frame) -> bool {
        match &frame.part {
            Some(id) => self.find(id).is_none() && self.find_closed(id).is_none(),
            None => self.nearest_lacking(frame).is_none(),
        }
    }

    /// The next moment at which [`Self::tick`] has something to do. A reading that is promised stays as long as its part.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let claims = self.claims();
        let closes = self.open.iter().map(|open| open.closes);
        let unpromised = self.waiting.iter().enumerate().filter(|(place, _)| !claims.is_promised(*place));
        closes.chain(unpromised.map(|(_, waiting)| waiting.until)).min()
    }

    /// What was lost since this was last asked, for the counters.
    pub(super) fn take_told(&mut self) -> Vec<(Event, String)> {
        std::mem::take(&mut self.told)
    }

    /// Takes a frame.
    pub(super) fn frame(&mut self, frame: Arc<Frame>, now: Monotonic) -> Vec<Joined> {
        let mut joined = Vec::new();
        if let Some(closed) = frame.part.as_ref().and_then(|id| self.find_closed(id)) {
            let again = closed.cameras.contains(&frame.camera);
            let event = if again { Event::PartDuplicate } else { Event::FrameLate };
            let detail =
                format!("camera {}: frame {} for part {}, already closed", frame.camera, frame.sequence, closed.id);
            self.told.push((event, detail));
            return joined;
        }
        let place = match &frame.part {
            Some(id) => self.find(id),
            None => self.nearest_lacking(&frame),
        };
        let place = place.unwrap_or_else(|| {
            let id = frame.part.clone().unwrap_or_else(PartId::generate);
            joined = self.open(id, frame.part.is_some(), frame.captured, now);
            self.open.len() - 1
        });
        self.add_frame(place, frame);
        joined.extend(self.close_complete(now));
        joined
    }

    /// Takes a trigger that the door let in: opens its part, which then also waits for the cameras `awaited`. `id_given`
    /// says whether the line named the part.
    pub(super) fn trigger(
        &mut self,
        id: PartId,
        id_given: bool,
        awaited: BTreeSet<Name>,
        at: Monotonic,
        now: Monotonic,
    ) -> Vec<Joined> {
        let mut joined = Vec::new();
        let place = self.find(&id).unwrap_or_else(|| {
            joined = self.open(id, id_given, at, now);
            self.open.len() - 1
        });
        self.open[place].triggered = true;
        self.open[place].awaited.extend(awaited);
        joined.extend(self.close_complete(now));
        joined
    }

    /// Takes a reading.
    pub(super) fn reading(&mut self, reading: Reading, now: Monotonic) -> Vec<Joined> {
        let place = match &reading.part {
            Some(id) if self.find_closed(id).is_some() => {
                self.told.push((Event::ReadingLate, format!("sensor {}: part {id} is closed", reading.sensor)));
                return Vec::new();
            }
            Some(id) => self.find(id),
            None => None,
        };
        match place {
            Some(place) => self.add_reading(place, reading),
            None => self.keep(reading, now),
        }
        self.close_complete(now)
    }

    /// Closes the parts and drops the readings whose time has come.
    pub(super) fn tick(&mut self, now: Monotonic) -> Vec<Joined> {
        self.settle(now)
    }

    /// Closes every part, as nothing more will come.
    pub(super) fn finish(&mut self, now: Monotonic) -> Vec<Joined> {
        for open in &mut self.open {
            open.closes = now;
        }
        for waiting in &mut self.waiting {
            waiting.until = now;
        }
        self.settle(now)
    }

    fn find(&self, id: &PartId) -> Option<usize> {
        self.open.iter().position(|open| open.id == *id)
    }

    fn find_closed(&self, id: &PartId) -> Option<&Closed> {
        self.closed.iter().rfind(|closed| closed.id == *id)
    }

    /// The open part nearest to `frame` in capture time, within the window, that has no frame of its camera.
    fn nearest_lacking(&self, frame: &Frame) -> Option<usize> {
        let distance = |open: &Open| open.anchor.distance(frame.captured);
        let lacking = |open: &Open| !open.frames.contains_key(&frame.camera) && distance(open) <= self.rules.window;
        let candidates = self.open.iter().enumerate().filter(|(_, open)| lacking(open));
        candidates.min_by_key(|(_, open)| distance(open)).map(|(place, _)| place)
    }

    /// Opens a part as the last of the open ones, closing the oldest where there is no room; the readings that waited
    /// for its id join it.
    fn open(&mut self, id: PartId, id_given: bool, anchor: Monotonic, now: Monotonic) -> Vec<Joined> {
        let mut joined = Vec::new();
        while self.has_open() && self.is_full() {
            joined.extend(self.close(0, now));
        }
        let (waited, others) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting: &Waiting| waiting.reading.part.as_ref() == Some(&id));
        self.waiting = others;
        let closes = now + self.rules.window;
        self.open.push_back(Open::new(id, id_given, anchor, closes, self.cameras.clone()));
        let waited: VecDeque<Waiting> = waited;
        for waiting in waited {
            self.add_reading(self.open.len() - 1, waiting.reading);
        }
        joined
    }

    fn add_frame(&mut self, place: usize, frame: Arc<Frame>) {
        let open = &mut self.open[place];
        if open.frames.contains_key(&frame.camera) {
            open.note(Note::DuplicateFrame { camera: frame.camera.clone() });
            let detail =
                format!("camera {}: frame {} for part {}, which has one", frame.camera, frame.sequence, open.id);
            self.told.push((Event::FrameDuplicate, detail));
            return;
        }
        open.frames.insert(frame.camera.clone(), frame);
    }

    fn add_reading(&mut self, place: usize, reading: Reading) {
        let open = &mut self.open[place];
        if open.readings.contains_key(&reading.sensor) {
            open.note(Note::DuplicateReading { sensor: reading.sensor.clone() });
            let detail = format!("sensor {}: part {} has a reading already", reading.sensor, open.id);
            self.told.push((Event::ReadingDuplicate, detail));
            return;
        }
        open.readings.insert(reading.sensor.clone(), reading);
    }

    /// Lets a reading wait; the oldest goes when there are too many.
    fn keep(&mut self, reading: Reading, now: Monotonic) {
        let span = if reading.part.is_some() { self.rules.keep_readings } else { self.rules.window };
        self.waiting.push_back(Waiting { reading, until: now + span });
        while self.waiting.len() > self.rules.waiting_readings {
            let Some(oldest) = self.waiting.pop_front() else { return };
            self.unclaimed(&oldest.reading, "too many readings wait");
        }
    }

    fn unclaimed(&mut self, reading: &Reading, why: &str) {
        let part = reading.part.as_ref().map_or("no part named", PartId::as_str);
        self.told.push((Event::ReadingUnclaimed, format!("sensor {} ({part}): {why}", reading.sensor)));
    }

    /// Closes what is complete, the oldest first.
    fn close_complete(&mut self, now: Monotonic) -> Vec<Joined> {
        self.close_while(now, Self::complete)
    }

    /// Closes what `next` finds until it finds nothing; it is asked anew after each, as promises may have changed.
    fn close_while(&mut self, now: Monotonic, next: impl Fn(&Self) -> Option<usize>) -> Vec<Joined> {
        let mut joined = Vec::new();
        while let Some(place) = next(self) {
            joined.extend(self.close(place, now));
        }
        joined
    }

    /// Closes what is complete or due, the oldest first, and drops the readings nobody came for.
    fn settle(&mut self, now: Monotonic) -> Vec<Joined> {
        let due = |joiner: &Self| joiner.open.iter().position(|open| open.closes <= now);
        let joined = self.close_while(now, |joiner| due(joiner).into_iter().chain(joiner.complete()).min());
        let claims = self.claims();
        let waiting = std::mem::take(&mut self.waiting);
        for (place, waiting) in waiting.into_iter().enumerate() {
            if waiting.until <= now && !claims.is_promised(place) {
                self.unclaimed(&waiting.reading, "no part came for it in time");
            } else {
                self.waiting.push_back(waiting);
            }
        }
        joined
    }

    fn claims(&self) -> Claims {
        Claims::settle(&self.open, &self.waiting, self.rules.window)
    }

    /// The oldest part that is complete.
    fn complete(&self) -> Option<usize> {
        let claims = self.claims();
        self.open.iter().enumerate().position(|(place, open)| {
            let read = |sensor: &Name| open.readings.contains_key(sensor) || claims.has(place, sensor);
            open.awaited.iter().all(|camera| open.frames.contains_key(camera)) && self.sensors.iter().all(read)
        })
    }

    /// Closes the part at `place`, with the readings that are promised to it.
    fn close(&mut self, place: usize, now: Monotonic) -> Option<Joined> {
        let promised = self.claims().of(place);
        let mut waiting = VecDeque::with_capacity(self.waiting.len());
        let mut open = self.open.remove(place)?;
        for (index, kept) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            if promised.contains(&index) {
                open.readings.insert(kept.reading.sensor.clone(), kept.reading);
            } else {
                waiting.push_back(kept);
            }
        }
        self.waiting = waiting;
        self.remember(&open);
        Some(open.join(&self.sensors, now))
    }

    fn remember(&mut self, open: &Open) {
        if self.closed.len() >= REMEMBERED {
            self.closed.pop_front();
        }
        self.closed.push_back(Closed { id: open.id.clone(), cameras: open.frames.keys().cloned().collect() });
    }
}

#[cfg(test)]
mod tests;
