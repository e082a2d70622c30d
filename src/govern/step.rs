//! The decision: one pure step from what was known and is now seen to what is to run.
//!
//! # The rules, in their order
//!
//! 1. A rung that the site forbids is left at once.
//! 2. Hard evidence (an alert, a clock held down, a rail over its limit, a zone at its trip) steps down in this very step
//!    when it first shows or grows, and again each [`Settings::settle`] while it lasts.
//! 3. A rung that does not keep the deadline, or will be within [`Settings::margin_kelvin`] of the trip in [`REACT`] seconds,
//!    is left for the best lighter one that does both for [`Settings::hold_seconds`]; the lightest where none does.
//! 4. A heavier rung that is right more often is taken once [`Settings::dwell`] has passed since the last switch of either
//!    kind, and only if the forecast, with its doubt, keeps it below trip less margin for [`Settings::hold_seconds`].
//!
//! Between a sustainable rung and one that is not, the heavier one is thereby taken in turns, each of `hold_seconds` at least
//! by forecast; with infinite `hold_seconds` never. A rung that had to be left sooner than forecast waits twice as long before
//! it is taken again, and so on up to 32 times.
//!
//! All of them decide by the state as it was before these readings; only then are these learned from. So a hotter
//! reading can take rungs away and never add one.

mod view;

use std::time::Duration;

use super::draw::Draw;
use super::evidence::Evidence;
use super::ladder::{Ladder, Rung};
use super::order::{Change, Orders};
use super::thermal::{Board, Thermal};
use view::View;

/// Seconds within which a switch down takes effect on a sensor that is read once a second.
pub const REACT: f64 = 5.0;

/// The share of its forecast time before which a rung is left early.
const EARLY: f64 = 0.5;

/// Doublings of the wait for a rung that had to be left early.
const DOUBLINGS: u32 = 5;

/// How the governor is set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The least time from any switch to one up.
    pub dwell: Duration,
    /// Seconds for which a rung must be able to run by the forecast in order to be taken; infinite for ever.
    pub hold_seconds: f64,
    /// Kelvin that are kept from the trip.
    pub margin_kelvin: f64,
    /// How long a step down is given to show on the sensors.
    pub settle: Duration,
    /// Seconds without any temperature that raise the alarm.
    pub blind_seconds: f64,
    /// The greatest share of time that a rung may work in order to be taken, 0 to 1; up to 1 it is kept.
    pub busy: f64,
    /// What is assumed of the board's heat.
    pub board: Board,
    /// What is assumed of the board's power while it idles, in watt.
    pub idle_watts: f64,
    /// Over-current events in an hour that raise the alarm.
    pub over_currents_per_hour: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dwell: Duration::from_mins(2),
            hold_seconds: 150.0,
            margin_kelvin: 1.0,
            settle: Duration::from_secs(15),
            blind_seconds: 10.0,
            busy: 0.92,
            board: Board::PRIOR,
            idle_watts: 5.0,
            over_currents_per_hour: 600.0,
        }
    }
}

/// What is known after a step.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    rung: usize,
    thermal: Thermal,
    draw: Draw,
    /// The last switch.
    switched: Option<Duration>,
    /// The last switch up, while its rung runs.
    risen: Option<Duration>,
    /// How often in a row each rung had to be left sooner than forecast.
    failures: Vec<u32>,
    /// How hard the evidence was.
    severity: u64,
    /// Seconds for which parts have arrived.
    arriving: f64,
    /// The most hertz the GPU was allowed in any power mode so far: service times are told at that clock.
    most_hertz: f64,
}

impl State {
    /// Begins on the lightest rung that judges: it keeps every deadline that can be kept, and costs little until more is known.
    #[must_use]
    pub fn new(settings: &Settings, ladder: &Ladder) -> Self {
        Self {
            rung: ladder.lightest_judging(),
            thermal: Thermal::new(settings.board),
            draw: Draw::new(settings.idle_watts),
            switched: None,
            risen: None,
            failures: vec![0; ladder.rungs().len()],
            severity: 0,
            arriving: 0.0,
            most_hertz: 0.0,
        }
    }

    /// The place of the rung that runs.
    #[must_use]
    pub fn rung(&self) -> usize {
        self.rung
    }

    /// The board as it is known so far.
    #[must_use]
    pub fn board(&self) -> &Board {
        self.thermal.board()
    }

    /// Notes a switch at `now`.
    fn switch(&mut self, to: usize, hold_seconds: f64, now: Duration) {
        let up = to < self.rung;
        // Left before its time was over: what took it was wrong, or the world has changed.
        let early = self.risen.map(|risen| now.saturating_sub(risen).as_secs_f64() < EARLY * hold_seconds);
        if let (Some(early), Some(failures)) = (early.filter(|_| !up), self.failures.get_mut(self.rung)) {
            *failures = if early { (*failures + 1).min(DOUBLINGS) } else { 0 };
        }
        (self.rung, self.switched) = (to, Some(now));
        self.risen = up.then_some(now);
    }

    /// Learns from what was seen while its rung ran.
    fn learn(&mut self, rung: &Rung, scale: f64, evidence: &Evidence) {
        let busy = evidence.load.busy(rung, scale);
        let watts = evidence.watts.unwrap_or_else(|| self.draw.watts(rung, busy));
        self.thermal.learn(evidence.celsius(), watts, evidence.seconds);
        self.draw.learn(evidence.watts, rung.power.watts * busy, evidence.seconds);
        self.severity = evidence.severity();
        let arriving = evidence.load.arrivals_per_second > 0.0;
        self.arriving = if arriving { self.arriving + evidence.seconds } else { 0.0 };
    }
}

/// Decides what runs from the next frame on. `now` is any clock that does not run backwards; the state is that of the step before,
/// made for this ladder.
#[must_use]
pub fn step(settings: &Settings, ladder: &Ladder, state: State, evidence: &Evidence, now: Duration) -> (State, Orders) {
    let mut state = state;
    state.most_hertz = evidence.most_hertz.unwrap_or_default().max(state.most_hertz);
    let view = View::new(settings, ladder, &state, evidence, now);
    let decided = view.decide().filter(|(to, _)| *to != state.rung);
    let rung = decided.as_ref().map_or(state.rung, |(to, _)| *to);
    let forecast = view.forecast(rung);
    let changed = decided.map(|(_, cause)| Change { from: view.forecast(state.rung), to: forecast.clone(), cause });
    let orders = Orders { rung, alarms: view.alarms(rung), changed, forecast };
    let scale = view.scale;
    state.learn(ladder.rung(state.rung), scale, evidence);
    if rung != state.rung {
        state.switch(rung, settings.hold_seconds, now);
    }
    (state, orders)
}

#[cfg(test)]
mod tests;
