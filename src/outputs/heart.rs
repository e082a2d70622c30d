//! The heartbeat: a level that toggles for as long as the line is judged. Pure: time is handed in.
//!
//! A level that merely stands proves nothing, for a line that is let go may keep its last one: whoever listens takes a missing
//! toggle for a stop. It toggles while somebody speaks (the road tells once a second that it lives) and no part has waited for
//! its verdict for longer than `stall`; an idle line owes none and is alive. What is remembered is bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Monotonic;
use crate::flow::PartId;

/// The most parts that may wait for their verdicts; of more the oldest is enough to know.
const MOST: usize = 4096;

/// The state of a heartbeat.
#[derive(Debug)]
pub struct Heart {
    half: Duration,
    stall: Duration,
    waiting: BTreeMap<PartId, Monotonic>,
    spoken: Monotonic,
    next: Monotonic,
    level: bool,
    stopped: Option<String>,
}

impl Heart {
    /// A heart that toggles each `half` period from `now` on.
    #[must_use]
    pub fn new(half: Duration, stall: Duration, now: Monotonic) -> Self {
        Self { half, stall, waiting: BTreeMap::new(), spoken: now, next: now + half, level: false, stopped: None }
    }

    /// The road lives.
    pub fn spoke(&mut self, now: Monotonic) {
        self.spoken = now;
    }

    /// A part waits for its verdict.
    pub fn expect(&mut self, part: PartId, now: Monotonic) {
        self.spoken = now;
        if self.waiting.len() < MOST {
            self.waiting.entry(part).or_insert(now);
        }
    }

    /// A part has its verdict.
    pub fn verdict(&mut self, part: &PartId, now: Monotonic) {
        self.spoken = now;
        self.waiting.remove(part);
    }

    /// The level now. Beats that were missed are not made up for.
    pub fn tick(&mut self, now: Monotonic) -> bool {
        if now >= self.next {
            self.stopped = self.ill(now);
            self.level ^= self.stopped.is_none();
            let next = self.next + self.half;
            self.next = if next > now { next } else { now + self.half };
        }
        self.level
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn next(&self) -> Monotonic {
        self.next
    }

    /// Why it has stopped, in one sentence; `None` while it beats.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    fn ill(&self, now: Monotonic) -> Option<String> {
        let stall = self.stall;
        if now.since(self.spoken) > stall {
            return Some(format!("the road has been silent for more than {stall:?}"));
        }
        let (part, _) = self.waiting.iter().find(|(_, since)| now.since(**since) > stall)?;
        Some(format!("part {part} has waited for its verdict for more than {stall:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::fakes::{at, id};

    const HALF: Duration = Duration::from_millis(250);

    /// The levels at the next beats, while the road speaks or is silent.
    fn levels(heart: &mut Heart, beats: usize, speaks: bool) -> Vec<bool> {
        let beat = |_| {
            let now = heart.next();
            if speaks {
                heart.spoke(now);
            }
            heart.tick(now)
        };
        (0..beats).map(beat).collect()
    }

    #[test]
    fn it_beats_while_the_line_is_idle_and_stops_when_a_part_is_stuck() {
        let mut heart = Heart::new(HALF, Duration::from_secs(1), at(0));
        assert_eq!(levels(&mut heart, 6, true), [true, false, true, false, true, false]);
        heart.expect(id("a"), at(1500));
        assert_eq!(levels(&mut heart, 6, true), [true, false, true, false, false, false], "a second, then no more");
        assert_eq!(heart.stopped(), Some("part a has waited for its verdict for more than 1s"));
        heart.verdict(&id("a"), at(3000));
        assert_eq!(levels(&mut heart, 3, true), [true, false, true]);
        assert_eq!(heart.stopped(), None);
    }

    #[test]
    fn it_stops_when_nobody_speaks() {
        let mut heart = Heart::new(HALF, Duration::from_millis(600), at(0));
        assert_eq!(levels(&mut heart, 5, false), [true, false, false, false, false]);
        assert!(heart.stopped().unwrap().contains("silent"));
        assert_eq!(levels(&mut heart, 2, true), [true, false]);
    }

    #[test]
    fn beats_that_were_missed_are_not_made_up_for() {
        let mut heart = Heart::new(HALF, Duration::from_mins(1), at(0));
        assert!(heart.tick(at(10_000)), "one toggle, however late");
        assert!(heart.tick(at(10_000)));
        assert_eq!(heart.next(), at(10_250));
    }
}
