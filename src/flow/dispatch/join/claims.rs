//! Which waiting reading without a part id is promised to which open part: over all pairs, the nearest first.
//!
//! Made anew whenever something has changed, so that a part that opens later but lies nearer still gets its reading.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Open, Waiting};
use crate::name::Name;

/// The promises: a reading to at most one part, and to a part at most one reading of each sensor.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// The place of a waiting reading to the place of the part it is promised to.
    parts: BTreeMap<usize, usize>,
    /// The place of a part and a sensor, for each reading that is promised.
    readings: BTreeMap<(usize, Name), usize>,
}

impl Claims {
    /// Promises the `waiting` readings without part id to the `open` parts that lack them, at most `window` apart in
    /// capture time; of pairs equally near the older part, then the older reading, comes first.
    pub(super) fn settle(open: &VecDeque<Open>, waiting: &VecDeque<Waiting>, window: Duration) -> Self {
        let mut pairs = Vec::new();
        for (index, Waiting { reading, .. }) in waiting.iter().enumerate().filter(|(_, w)| w.reading.part.is_none()) {
            for (place, part) in open.iter().enumerate() {
                let distance = part.anchor.distance(reading.captured);
                if distance <= window && !part.readings.contains_key(&reading.sensor) {
                    pairs.push((distance, place, index));
                }
            }
        }
        pairs.sort_unstable();
        let mut claims = Self::default();
        for (_, place, index) in pairs {
            let sensor = &waiting[index].reading.sensor;
            if !claims.is_promised(index) && !claims.has(place, sensor) {
                claims.parts.insert(index, place);
                claims.readings.insert((place, sensor.clone()), index);
            }
        }
        claims
    }

    /// Whether the waiting reading at `index` is promised.
    pub(super) fn is_promised(&self, index: usize) -> bool {
        self.parts.contains_key(&index)
    }

    /// Whether a reading of `sensor` is promised to the part at `place`.
    pub(super) fn has(&self, place: usize, sensor: &Name) -> bool {
        self.readings.contains_key(&(place, sensor.clone()))
    }

    /// The places of the waiting readings that are promised to the part at `place`.
    pub(super) fn of(&self, place: usize) -> Vec<usize> {
        self.parts.iter().filter(|&(_, &part)| part == place).map(|(&index, _)| index).collect()
    }
}
