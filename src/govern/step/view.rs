//! All that one decision is made of, and the rules of [`super`] in their order.

use std::time::Duration;

use super::super::evidence::Evidence;
use super::super::ladder::{Ladder, Rung};
use super::super::order::{Alarm, Cause, Forecast};
use super::{DOUBLINGS, REACT, Settings, State};

/// Seconds for which parts must have arrived before a heavier rung is taken: their rate is then known.
const KNOWN: f64 = 10.0;

/// The share of the deadline that waiting and running may take before a rung is left.
const LEAVE: f64 = 0.5;

/// The share of the deadline that waiting and running may take for a rung to be taken.
const TAKE: f64 = 0.25;

/// All that a decision is made of.
pub(super) struct View<'v> {
    settings: &'v Settings,
    ladder: &'v Ladder,
    state: &'v State,
    evidence: &'v Evidence,
    now: Duration,
    /// How many times as long as at full clock a part takes.
    pub(super) scale: f64,
    /// Watt on the rung that runs.
    watts: f64,
    /// The hottest temperature, and the trip it is told against.
    heat: Option<(f64, f64)>,
}

impl<'v> View<'v> {
    pub(super) fn new(
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
    pub(super) fn decide(&self) -> Option<(usize, Cause)> {
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
        let known = self.evidence.load.waits || self.state.arriving >= KNOWN;
        let seen = self.evidence.missing.is_empty() && !self.evidence.throttled() && known;
        if !seen || !self.waited(0) {
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
        self.state.draw.watts(rung, self.evidence.load.busy(rung, self.scale))
    }

    pub(super) fn forecast(&self, place: usize) -> Forecast {
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

    pub(super) fn alarms(&self, rung: usize) -> Vec<Alarm> {
        let Evidence { blind_seconds, missing, over_currents, load, hottest, .. } = self.evidence;
        let mut alarms = Vec::new();
        if *blind_seconds >= self.settings.blind_seconds {
            alarms.push(Alarm::Blind { seconds: *blind_seconds });
        } else if !missing.is_empty() {
            alarms.push(Alarm::Missing { zones: missing.clone() });
        }
        if self.evidence.fan_stands {
            alarms.push(Alarm::Fan);
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
