//! The governor in the running daemon: at fixed times it reads the board and the line's pace, lets
//! [`step`](crate::govern::step::step) decide, hands the rung to dispatch and says what was ordered and why.
//!
//! Promises: parts already routed keep their rung; a board that cannot be read any more is searched for anew and never makes
//! the line heavier. Decides nothing itself.

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::settle::Desk;
use crate::board::sensors::Sensors;
use crate::config::{self, Settings};
use crate::flow::publish::message::Governed;
use crate::govern::evidence::{Before, Evidence};
use crate::govern::ladder::Ladder;
use crate::govern::order::{Alarm, Orders};
use crate::govern::step::{self, State, step};
use crate::telemetry::Event;

/// Looks without a temperature after which the board is searched for anew.
const SEARCH_EVERY: u32 = 10;

/// Looks after which the board is searched for anew in any case: a driver may have come late.
const SEARCH_ANYWAY: u32 = 60;

/// What governs a line.
pub(super) struct Governor {
    root: PathBuf,
    every: Duration,
    sensors: Sensors,
    ladder: Ladder,
    settings: step::Settings,
    state: State,
    before: Before,
    began: Instant,
    /// When it looked last, since it began.
    looked: Option<Duration>,
    blind_looks: u32,
    /// Looks since the board was last searched for.
    looks: u32,
    /// The kinds of alarms that stand: each is told when it comes, not each second.
    alarms: HashSet<Discriminant<Alarm>>,
    desk: Arc<Desk>,
    rung: watch::Sender<usize>,
}

impl Governor {
    /// A governor for `ladder`, which begins on the lightest rung that judges.
    pub(super) fn new(settings: &Settings, ladder: Ladder, desk: &Arc<Desk>) -> Self {
        let config::Governor { board_root, every, .. } = settings.governor.clone();
        let settings = governed_by(&settings.governor);
        let sensors = Sensors::find(&board_root);
        let state = State::new(&settings, &ladder);
        let rung = watch::Sender::new(state.rung());
        let governor = Self {
            root: board_root,
            every,
            sensors,
            ladder,
            settings,
            state,
            before: Before::default(),
            began: Instant::now(),
            looked: None,
            blind_looks: 0,
            looks: 0,
            alarms: HashSet::new(),
            desk: Arc::clone(desk),
            rung,
        };
        governor.tell_start();
        governor
    }

    /// A governor for new settings that goes on where this one is: with the rung and what was learned of the board. `None`
    /// where the ladder or the board is another, for then nothing of that holds.
    pub(super) fn taken_over(mut self, settings: &Settings, ladder: &Ladder) -> Option<Self> {
        let told = &settings.governor;
        if self.ladder != *ladder || self.root != told.board_root {
            return None;
        }
        self.every = told.every;
        self.settings = governed_by(told);
        Some(self)
    }

    /// The rung that is in force.
    pub(super) fn rung(&self) -> watch::Receiver<usize> {
        self.rung.subscribe()
    }

    /// Governs until `stop`; `None` when it broke off.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Option<Self> {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return Some(self),
            }
            // The kernel may take its time over a file.
            let looked = tokio::task::spawn_blocking(move || {
                self.look(self.began.elapsed());
                self
            });
            match looked.await {
                Ok(governor) => self = governor,
                Err(error) => {
                    tracing::error!("the governor broke off, the rung stays: {error}");
                    return None;
                }
            }
        }
    }

    fn tell_start(&self) {
        let rungs: Vec<_> = self.ladder.rungs().iter().map(|rung| rung.name.as_str()).collect();
        let simulated = if self.sensors.is_simulated() { "; the board is a made-up one" } else { "" };
        tracing::info!("the governor begins on rung {} of [{}]{simulated}", self.name(), rungs.join(", "));
        for lack in self.sensors.missing() {
            tracing::info!("the board: {lack}");
        }
    }

    /// One look at `now`, and what follows from it.
    fn look(&mut self, now: Duration) {
        let readings = self.sensors.read();
        self.blind_looks = if readings.is_blind() { self.blind_looks + 1 } else { 0 };
        self.looks += 1;
        if self.blind_looks >= SEARCH_EVERY || self.looks >= SEARCH_ANYWAY {
            (self.sensors, self.blind_looks, self.looks) = (Sensors::find(&self.root), 0, 0);
        }
        let seconds = now.saturating_sub(self.looked.replace(now).unwrap_or(now)).as_secs_f64();
        let load = self.desk.pace.load(self.ladder.rung(self.state.rung()), self.state.rung(), seconds);
        let (evidence, before) = Evidence::of(&readings, load, std::mem::take(&mut self.before), seconds);
        self.before = before;
        let (state, orders) = step(&self.settings, &self.ladder, self.state.clone(), &evidence, now);
        let heavier = orders.rung < self.state.rung();
        self.state = state;
        self.obey(&orders, heavier);
        self.tell_alarms(&orders.alarms);
        self.note(&orders, &evidence);
    }

    /// Hands a new rung to dispatch.
    fn obey(&self, orders: &Orders, heavier: bool) {
        if let Some(change) = &orders.changed {
            self.rung.send_replace(orders.rung);
            let event = if heavier { Event::RungRaised } else { Event::RungLowered };
            self.desk.telemetry.tell(event, format_args!("{change}"));
        }
    }

    /// Tells the alarms that are new.
    fn tell_alarms(&mut self, alarms: &[Alarm]) {
        for alarm in alarms.iter().filter(|alarm| !self.alarms.contains(&discriminant(*alarm))) {
            self.desk.telemetry.tell(Event::GovernorAlarm, format_args!("{alarm}"));
        }
        self.alarms = alarms.iter().map(discriminant).collect();
    }

    /// Puts what was ordered where the publisher reads it.
    fn note(&self, orders: &Orders, evidence: &Evidence) {
        let hottest = evidence.hottest.as_ref();
        self.desk.health.send_modify(|health| {
            let last = health.governed.take();
            let changed = orders.changed.as_ref();
            let told = changed.map(|change| {
                (Some(change.from.rung.clone()), Some(change.cause.name().to_owned()), Some(change.to_string()))
            });
            let since = last.as_ref().filter(|_| changed.is_none()).map_or_else(Timestamp::now, |last| last.since);
            let (from, cause, told) =
                told.or_else(|| last.map(|last| (last.from, last.cause, last.told))).unwrap_or_default();
            health.governed = Some(Governed {
                rung: orders.forecast.rung.clone(),
                from,
                cause,
                told,
                since,
                zone: hottest.map(|hottest| hottest.zone.clone()),
                celsius: hottest.map(|hottest| hottest.celsius),
                trip_celsius: hottest.map(|hottest| hottest.trip_celsius),
                watts: evidence.watts,
                steady_celsius: orders.forecast.steady_celsius,
                seconds_to_trip: orders.forecast.seconds_to_trip,
                alarms: orders.alarms.iter().map(ToString::to_string).collect(),
            });
        });
    }

    fn name(&self) -> &str {
        self.ladder.rung(self.state.rung()).name.as_str()
    }
}

/// What the step is told of the config.
fn governed_by(told: &config::Governor) -> step::Settings {
    let (dwell, hold_seconds) = (told.dwell, told.hold.as_secs_f64());
    step::Settings { dwell, hold_seconds, margin_kelvin: told.margin_kelvin, ..Default::default() }
}
