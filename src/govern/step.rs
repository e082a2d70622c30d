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

use std::time::Duration;

use super::draw::Draw;
use super::evidence::{Evidence, Load};
use super::ladder::{Ladder, Rung};
use super::order::{Alarm, Cause, Change, Forecast, Orders};
use super::thermal::{Board, Thermal};

/// Seconds within which a switch down takes effect on a sensor that is read once a second.
pub const REACT: f64 = 5.0;

/// Seconds for which parts must have arrived before a heavier rung is taken: their rate is then known.
const KNOWN: f64 = 10.0;

/// The share of the deadline that waiting and running may take before a rung is left.
const LEAVE: f64 = 0.5;

/// The share of the deadline that waiting and running may take for a rung to be taken.
const TAKE: f64 = 0.25;

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
        let busy = busy(&evidence.load, rung, scale);
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

/// All that a decision is made of.
struct View<'v> {
    settings: &'v Settings,
    ladder: &'v Ladder,
    state: &'v State,
    evidence: &'v Evidence,
    now: Duration,
    /// How many times as long as at full clock a part takes.
    scale: f64,
    /// Watt on the rung that runs.
    watts: f64,
    /// The hottest temperature, and the trip it is told against.
    heat: Option<(f64, f64)>,
}

impl<'v> View<'v> {
    fn new(
        settings: &'v Settings,
        ladder: &'v Ladder,
        state: &'v State,
        evidence: &'v Evidence,
        now: Duration,
    ) -> Self {
        let scale = scale(state, evidence);
        let heat = evidence.celsius().zip(evidence.trip_celsius);
        let mut view = Self { settings, ladder, state, evidence, now, scale, watts: 0.0, heat };
        view.watts = view.watts_of(ladder.rung(state.rung));
        view
    }

    /// Another rung and why, by the rules in their order. The same rung where there is none better.
    fn decide(&self) -> Option<(usize, Cause)> {
        let rung = self.state.rung;
        let legal = self.ladder.legal(rung);
        if legal != rung {
            return Some((legal, Cause::Forbidden));
        }
        if let Some(cause) = self.hard().or_else(|| self.soft()) {
            return Some((self.lighter(), cause));
        }
        self.heavier()
    }

    /// Rule 2.
    fn hard(&self) -> Option<Cause> {
        let Evidence { alerts, caps, over_limit, hottest, .. } = self.evidence;
        if self.evidence.throttled() && (self.evidence.severity() > self.state.severity || self.settled()) {
            let alerts = alerts.iter().map(|zone| format!("{zone} zone"));
            let caps = caps.iter().map(|(device, steps)| format!("{device} by {steps} steps"));
            let rails = over_limit.iter().map(|rail| format!("rail {rail}"));
            return Some(Cause::Throttled { by: alerts.chain(caps).chain(rails).collect() });
        }
        let at_trip = hottest.as_ref().filter(|hottest| hottest.margin() <= 0.0)?;
        Some(Cause::Trip { zone: at_trip.zone.clone(), celsius: at_trip.celsius })
    }

    /// Rule 3.
    fn soft(&self) -> Option<Cause> {
        let rung = self.ladder.rung(self.state.rung);
        if !self.keeps_pace(rung, 1.0, LEAVE) {
            return Some(self.pace(rung));
        }
        let hottest = self.evidence.hottest.as_ref()?;
        // What a step down does takes some seconds to show.
        if self.stays_cool(rung, REACT, false) || !self.settled() {
            return None;
        }
        Some(Cause::Heat { zone: hottest.zone.clone(), celsius: hottest.celsius })
    }

    /// The best lighter rung that keeps pace and stays cool; the lightest where none does.
    fn lighter(&self) -> usize {
        let lighter = self.ladder.allowed().filter(|(place, _)| *place > self.state.rung);
        let good = lighter.filter(|(_, rung)| {
            self.keeps_pace(rung, 1.0, LEAVE) && self.stays_cool(rung, self.settings.hold_seconds, false)
        });
        best(good).unwrap_or(self.ladder.lightest())
    }

    /// Rule 4.
    fn heavier(&self) -> Option<(usize, Cause)> {
        let hottest = self.evidence.hottest.as_ref()?;
        let seen = self.evidence.missing.is_empty() && !self.evidence.throttled();
        let known = self.evidence.load.waits || self.state.arriving >= KNOWN;
        if !seen || !known || !self.waited(0) {
            return None;
        }
        let now = self.ladder.rung(self.state.rung).accuracy.value;
        let heavier = self.ladder.allowed().take_while(|(place, _)| *place < self.state.rung);
        let good = heavier.filter(|(place, rung)| {
            let failures = self.state.failures.get(*place).copied().unwrap_or_default();
            rung.accuracy.value > now
                && self.waited(failures)
                && self.keeps_pace(rung, self.settings.busy, TAKE)
                && self.stays_cool(rung, self.settings.hold_seconds, true)
        });
        Some((best(good)?, Cause::Room { zone: hottest.zone.clone(), celsius: hottest.celsius }))
    }

    /// Whether the dwell has passed since the last switch, doubled as often as told.
    fn waited(&self, doublings: u32) -> bool {
        let dwell = self.settings.dwell.saturating_mul(1 << doublings.min(DOUBLINGS));
        self.state.switched.is_none_or(|switched| self.now.saturating_sub(switched) >= dwell)
    }

    /// Whether the last step down has had its time to show.
    fn settled(&self) -> bool {
        let down = self.state.switched.filter(|_| self.state.risen.is_none());
        down.is_none_or(|switched| self.now.saturating_sub(switched) >= self.settings.settle)
    }

    /// Whether a rung works at most this share of the time, and parts that wait now take at most that share of the deadline.
    fn keeps_pace(&self, rung: &Rung, most_busy: f64, deadline: f64) -> bool {
        let load = &self.evidence.load;
        if load.waits {
            return true;
        }
        let mean = rung.service.mean_seconds * self.scale;
        let waiting = load.queued * mean + rung.service.p99_seconds * self.scale;
        load.arrivals_per_second * mean <= most_busy && waiting <= deadline * load.deadline_seconds
    }

    fn pace(&self, rung: &Rung) -> Cause {
        let load = &self.evidence.load;
        let work = load.arrivals_per_second * rung.service.mean_seconds * self.scale;
        Cause::Pace { arrivals_per_second: load.arrivals_per_second, queued: load.queued, work }
    }

    /// Whether a rung stays below trip less margin for these seconds, by the forecast or by the forecast and its doubt. True
    /// where no temperature is known: nothing speaks against it.
    fn stays_cool(&self, rung: &Rung, seconds: f64, doubted: bool) -> bool {
        let Some((celsius, trip)) = self.heat else { return true };
        let (board, then) = (self.state.thermal.board(), self.watts_of(rung));
        let highest = board.after(celsius, self.watts, then, 0.0).max(board.after(celsius, self.watts, then, seconds));
        let doubt = if doubted { self.state.thermal.doubt(seconds, then - self.watts) } else { 0.0 };
        highest + doubt <= trip - self.settings.margin_kelvin
    }

    fn watts_of(&self, rung: &Rung) -> f64 {
        self.state.draw.watts(rung, busy(&self.evidence.load, rung, self.scale))
    }

    fn forecast(&self, place: usize) -> Forecast {
        let rung = self.ladder.rung(place);
        let (board, watts) = (self.state.thermal.board(), self.watts_of(rung));
        let until = |(celsius, trip): (f64, f64)| board.seconds_until(trip, celsius, self.watts, watts);
        Forecast {
            rung: rung.name.clone(),
            accuracy: rung.accuracy.value,
            watts,
            basis: self.state.draw.basis(self.ladder),
            trip_celsius: self.heat.map(|(_, trip)| trip),
            steady_celsius: self.heat.map(|_| board.steady(watts)),
            seconds_to_trip: self.heat.and_then(until),
        }
    }

    fn alarms(&self, rung: usize) -> Vec<Alarm> {
        let Evidence { blind_seconds, missing, over_currents, load, hottest, .. } = self.evidence;
        let mut alarms = Vec::new();
        if *blind_seconds >= self.settings.blind_seconds {
            alarms.push(Alarm::Blind { seconds: *blind_seconds });
        } else if !missing.is_empty() {
            alarms.push(Alarm::Missing { zones: missing.clone() });
        }
        for (counter, per_second) in over_currents {
            let per_hour = per_second * 3600.0;
            if per_hour >= self.settings.over_currents_per_hour {
                alarms.push(Alarm::OverCurrent { counter: counter.clone(), per_hour });
            }
        }
        if rung == self.ladder.lightest() {
            if !self.keeps_pace(self.ladder.rung(rung), 1.0, LEAVE) {
                alarms.push(Alarm::Overload { arrivals_per_second: load.arrivals_per_second });
            }
            if self.evidence.throttled() || hottest.as_ref().is_some_and(|hottest| hottest.margin() <= 0.0) {
                alarms.push(Alarm::Hot { celsius: hottest.as_ref().map(|hottest| hottest.celsius) });
            }
        }
        alarms
    }
}

/// The share of time a rung works, 0 to 1: all of it where the line waits for it.
fn busy(load: &Load, rung: &Rung, scale: f64) -> f64 {
    if load.waits && rung.judges() { 1.0 } else { rung.busy(load.arrivals_per_second, scale) }
}

/// How many times as long as at full clock a part takes: what was seen, what the power mode allows at most, what a clock that is
/// slow under load comes to; the greatest of them.
fn scale(state: &State, evidence: &Evidence) -> f64 {
    let mode = evidence.most_hertz.filter(|hertz| *hertz > 0.0).map_or(1.0, |hertz| state.most_hertz / hertz);
    let slow = evidence.clock_share.filter(|share| *share > 0.0 && evidence.slow_seconds >= 3.0);
    evidence.load.service_scale.max(mode).max(slow.map_or(1.0, |share| mode / share)).min(1e3)
}

/// The place of the rung that is right most often; the lightest of equals.
fn best<'r>(rungs: impl Iterator<Item = (usize, &'r Rung)>) -> Option<usize> {
    rungs.max_by(|a, b| a.1.accuracy.value.total_cmp(&b.1.accuracy.value)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests;
