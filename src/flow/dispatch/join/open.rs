//! One part while it waits for its pieces, and what it becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Monotonic;
use crate::flow::{Frame, Note, PartId, Reading};
use crate::name::Name;

/// A part whose joining has ended.
#[derive(Debug)]
pub(in crate::flow::dispatch) struct Joined {
    /// Its identity.
    pub id: PartId,
    /// Whether the line named it.
    pub id_given: bool,
    /// Whether the door let it in before its picture was taken.
    pub triggered: bool,
    /// The earliest capture time of its frames; that of its trigger when no frame came.
    pub captured: Monotonic,
    /// When it was closed.
    pub closed: Monotonic,
    /// At most one a camera, in the order of the names.
    pub frames: Vec<Arc<Frame>>,
    /// At most one a sensor, in the order of the names.
    pub readings: Vec<Reading>,
    /// What is missing, then what came twice.
    pub notes: Vec<Note>,
}

/// A part that waits for its pieces.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: PartId,
    /// Whether the line named it, or the daemon made the id.
    pub(super) id_given: bool,
    pub(super) triggered: bool,
    /// The capture time of the frame or trigger that opened it.
    pub(super) anchor: Monotonic,
    pub(super) closes: Monotonic,
    pub(super) awaited: BTreeSet<Name>,
    pub(super) frames: BTreeMap<Name, Arc<Frame>>,
    pub(super) readings: BTreeMap<Name, Reading>,
    pub(super) duplicates: Vec<Note>,
}

impl Open {
    /// A part without pieces.
    pub(super) fn new(
        id: PartId,
        id_given: bool,
        anchor: Monotonic,
        closes: Monotonic,
        awaited: BTreeSet<Name>,
    ) -> Self {
        let (frames, readings, duplicates) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { id, id_given, triggered: false, anchor, closes, awaited, frames, readings, duplicates }
    }

    /// The earliest capture time of its frames; that of what opened it while there is none.
    pub(super) fn captured(&self) -> Monotonic {
        self.frames.values().map(|frame| frame.captured).min().unwrap_or(self.anchor)
    }

    /// Takes a note, each only once.
    pub(super) fn note(&mut self, note: Note) {
        if !self.duplicates.contains(&note) {
            self.duplicates.push(note);
        }
    }

    /// Ends the joining; what is missing is noted.
    pub(super) fn join(self, sensors: &BTreeSet<Name>, now: Monotonic) -> Joined {
        let captured = self.captured();
        let no_frame = self.awaited.iter().filter(|camera| !self.frames.contains_key(*camera)).cloned();
        let no_reading = sensors.iter().filter(|sensor| !self.readings.contains_key(*sensor)).cloned();
        let mut notes: Vec<Note> = no_frame.map(|camera| Note::MissingFrame { camera }).collect();
        notes.extend(no_reading.map(|sensor| Note::MissingReading { sensor }));
        notes.extend(self.duplicates);
        Joined {
            id: self.id,
            id_given: self.id_given,
            triggered: self.triggered,
            captured,
            closed: now,
            frames: self.frames.into_values().collect(),
            readings: self.readings.into_values().collect(),
            notes,
        }
    }
}
