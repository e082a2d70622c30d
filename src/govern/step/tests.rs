//! The governor over single readings, over random histories, and on boards at rest.

use proptest::prelude::*;

use super::*;
use crate::board::readings::{Cap, Clock, Readings};
use crate::govern::evidence::tests::{load, zone};
use crate::govern::evidence::{Before, Load};
use crate::govern::ladder::tests::ladder;
use crate::govern::order::Alarm;

/// A governor that is told one second after the other.
struct Line {
    settings: Settings,
    ladder: Ladder,
    state: State,
    before: Before,
    now: Duration,
}

impl Line {
    fn new(settings: Settings, ladder: Ladder) -> Self {
        let state = State::new(&settings, &ladder);
        Self { settings, ladder, state, before: Before::default(), now: Duration::from_secs(1_000_000) }
    }

    fn usual() -> Self {
        Self::new(Settings::default(), ladder())
    }

    fn evidence(&self, readings: &Readings, load: Load) -> (Evidence, Before) {
        Evidence::of(readings, load, self.before.clone(), 1.0)
    }

    fn tick(&mut self, readings: &Readings, load: Load) -> Orders {
        let (evidence, before) = self.evidence(readings, load);
        (self.before, self.now) = (before, self.now + Duration::from_secs(1));
        let (state, orders) = step(&self.settings, &self.ladder, self.state.clone(), &evidence, self.now);
        self.state = state;
        assert!(self.ladder.rung(orders.rung).allowed, "a forbidden rung was ordered");
        orders
    }

    /// The same for some seconds; the last orders and every change.
    fn ticks(&mut self, seconds: u32, readings: &Readings, load: Load) -> (Orders, Vec<Change>) {
        let mut changes = Vec::new();
        let mut orders = self.tick(readings, load);
        for _ in 1..seconds {
            changes.extend(orders.changed.take());
            orders = self.tick(readings, load);
        }
        changes.extend(orders.changed.clone());
        (orders, changes)
    }

    /// A line that has run cool for a while, on the heaviest rung.
    fn cool() -> Self {
        let mut line = Self::usual();
        let (orders, _) = line.ticks(60, &at(50.0), load(14.0));
        assert_eq!(orders.rung, 0);
        line
    }
}

fn at(celsius: f64) -> Readings {
    let zones = vec![
        zone("cpu", Some(celsius - 2.0), Some(99.0)),
        zone("cv0", None, Some(99.0)),
        zone("gpu", Some(celsius), Some(99.0)),
    ];
    Readings { zones, ..Readings::default() }
}

#[test]
fn a_fan_that_stands_raises_an_alarm_until_it_turns_and_switches_nothing() {
    let mut line = Line::cool();
    let with = |fan_rpm| Readings { fan: Some(0.6), fan_rpm: Some(fan_rpm), ..at(50.0) };
    let (orders, changes) = line.ticks(9, &with(0.0), load(14.0));
    assert!(orders.alarms.is_empty() && changes.is_empty());
    let (orders, changes) = line.ticks(60, &with(0.0), load(14.0));
    assert_eq!((orders.alarms.as_slice(), changes.len()), ([Alarm::Fan].as_slice(), 0));
    assert!(line.tick(&with(1200.0), load(14.0)).alarms.is_empty());
}

#[test]
fn it_begins_light_and_goes_up_once_the_pace_is_known() {
    let mut line = Line::usual();
    let (orders, changes) = line.ticks(10, &at(50.0), load(14.0));
    assert_eq!((orders.rung, changes.len()), (3, 0));
    let orders = line.tick(&at(50.0), load(14.0));
    assert_eq!((orders.rung, orders.changed.unwrap().cause.name()), (0, "room"));
    // Nothing arrives: nothing is known of the heat that parts would bring.
    let (orders, changes) = Line::usual().ticks(600, &at(30.0), load(0.0));
    assert_eq!((orders.rung, changes.len()), (3, 0));
    // More than the ensemble can serve: the teacher, for 28 x 22.5 ms are 63 % of the time.
    let (orders, changes) = Line::usual().ticks(600, &at(50.0), load(28.0));
    assert_eq!((orders.rung, changes.len()), (1, 1));
}

#[test]
fn nearness_to_the_trip_steps_down_to_what_stays_cool_and_up_again_after_the_dwell() {
    let mut line = Line::cool();
    // The dwell does not bind what steps down.
    let orders = line.tick(&at(98.5), load(14.0));
    let change = orders.changed.unwrap();
    assert_eq!((orders.rung, change.cause.name()), (1, "heat"), "the teacher cools it by the prior");
    assert!(change.to_string().starts_with("gpu zone 98.5 C, "), "{change}");
    let (orders, changes) = line.ticks(119, &at(70.0), load(14.0));
    assert_eq!((orders.rung, changes.len()), (1, 0), "dwell");
    // Left early, so it waits twice as long.
    let (orders, changes) = line.ticks(120, &at(70.0), load(14.0));
    assert_eq!((orders.rung, changes.len()), (1, 0));
    let (orders, changes) = line.ticks(3, &at(70.0), load(14.0));
    assert_eq!((orders.rung, changes.len()), (0, 1));
}

#[test]
fn hard_evidence_steps_down_in_its_step_and_again_when_it_lasts() {
    let mut alert = at(60.0);
    alert.alerts.insert("gpu".into(), true);
    let mut cap = at(60.0);
    cap.caps = vec![Cap { device: "devfreq-17000000.gpu".into(), steps: 1, most: 6 }];
    let mut rail = at(60.0);
    rail.over_limit = vec!["VDD_IN".into()];
    for readings in [alert, cap, rail] {
        let mut line = Line::cool();
        let orders = line.tick(&readings, load(14.0));
        assert_eq!((orders.rung, orders.changed.unwrap().cause.name()), (1, "throttled"));
        let (orders, changes) = line.ticks(14, &readings, load(14.0));
        assert_eq!((orders.rung, changes.len()), (1, 0), "given time to show");
        let orders = line.tick(&readings, load(14.0));
        assert_eq!(orders.rung, 2);
        let (orders, _) = line.ticks(600, &readings, load(14.0));
        assert_eq!((orders.rung, orders.alarms.as_slice()), (3, [Alarm::Hot { celsius: Some(60.0) }].as_slice()));
    }
    let mut line = Line::cool();
    let orders = line.tick(&at(99.0), load(14.0));
    assert_eq!((orders.rung > 0, orders.changed.unwrap().cause.name()), (true, "trip"));
}

#[test]
fn pace_steps_down_and_a_lower_power_mode_or_a_slow_clock_makes_rungs_slower() {
    let orders = Line::cool().tick(&at(50.0), load(28.0));
    assert_eq!(
        (orders.rung, orders.changed.unwrap().cause.name()),
        (1, "pace"),
        "28 x 62.5 ms do not fit into a second"
    );
    let queued = Load { queued: 16.0, ..load(14.0) };
    assert_eq!(Line::cool().tick(&at(50.0), queued).rung, 1, "16 x 62.5 ms are half of 2 s");

    let clocked = |hertz: f64, most_hertz: f64| Readings {
        gpu_load: Some(1.0),
        gpu_clock: Some(Clock { hertz, most_hertz }),
        ..at(50.0)
    };
    let mut line = Line::cool();
    let (orders, _) = line.ticks(5, &clocked(1e9, 1e9), load(14.0));
    assert_eq!(orders.rung, 0);
    assert_eq!(line.tick(&clocked(6e8, 6e8), load(14.0)).rung, 1, "14 x 62.5 ms at 60 % of the clock");

    let mut line = Line::cool();
    let (orders, changes) = line.ticks(2, &clocked(6e8, 1e9), load(14.0));
    assert_eq!((orders.rung, changes.len()), (0, 0), "two seconds are no evidence");
    assert_eq!(line.tick(&clocked(6e8, 1e9), load(14.0)).rung, 1);

    let (orders, _) = Line::usual().ticks(30, &at(50.0), load(5000.0));
    assert_eq!(
        (orders.rung, orders.alarms.as_slice()),
        (3, [Alarm::Overload { arrivals_per_second: 5000.0 }].as_slice())
    );
}

#[test]
fn blind_holds_the_rung_and_tells() {
    let mut line = Line::usual();
    let (orders, changes) = line.ticks(9, &Readings::default(), load(14.0));
    assert_eq!((orders.rung, changes.len(), orders.alarms.len()), (3, 0, 0));
    let (orders, changes) = line.ticks(3600, &Readings::default(), load(14.0));
    assert_eq!((orders.rung, changes.len()), (3, 0));
    assert_eq!(orders.alarms, [Alarm::Blind { seconds: 3609.0 }]);

    let mut line = Line::cool();
    let (orders, changes) = line.ticks(3600, &Readings::default(), load(14.0));
    assert_eq!((orders.rung, changes.len()), (0, 0), "held");
    // Pace still counts, and nothing heavier comes back while one of the zones is missing.
    let (orders, _) = line.ticks(20, &Readings::default(), load(28.0));
    assert_eq!(orders.rung, 1);
    let one = Readings { zones: vec![zone("cpu", Some(40.0), Some(99.0))], ..Readings::default() };
    let (orders, changes) = line.ticks(3600, &one, load(14.0));
    assert_eq!((orders.rung, changes.len()), (1, 0));
    assert_eq!(orders.alarms, [Alarm::Missing { zones: vec!["gpu".into()] }]);
    let (orders, _) = line.ticks(1, &at(40.0), load(14.0));
    assert_eq!((orders.rung, orders.alarms.len()), (0, 0));
}

#[test]
fn an_over_current_counter_alone_switches_nothing() {
    let mut line = Line::cool();
    for count in 0..600 {
        let mut readings = at(50.0);
        readings.over_currents.insert("oc3".into(), count * 8);
        let orders = line.tick(&readings, load(14.0));
        assert_eq!(orders.rung, 0);
        let wanted = Alarm::OverCurrent { counter: "oc3".into(), per_hour: 28_800.0 };
        assert_eq!(orders.alarms, if count == 0 { vec![] } else { vec![wanted] });
    }
}

#[test]
fn a_site_may_leave_parts_undecided_rather_than_judge_below_the_teacher() {
    let mut rungs = ladder().rungs().to_vec();
    for rung in &mut rungs[2..] {
        rung.allowed = false;
    }
    rungs.push(Rung::skip(crate::name::Name::new("skip").unwrap(), true));
    let mut line = Line::new(Settings::default(), Ladder::new(rungs).unwrap());
    assert_eq!(line.tick(&at(50.0), load(14.0)).rung, 1, "the lightest that judges");
    let (_, changes) = line.ticks(40, &at(98.9), load(14.0));
    assert_eq!(changes.last().unwrap().to.rung, *"skip");
    let (orders, _) = line.ticks(900, &at(60.0), load(14.0));
    assert!(orders.rung < 2, "and judges again");
}

/// Readings as no board should give them, and some that it may.
fn readings() -> impl Strategy<Value = Readings> {
    let celsius = prop_oneof![
        8 => (20.0..105.0_f64).prop_map(Some),
        1 => Just(None),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -256.0, 1e9, 0.0]).prop_map(Some),
    ];
    let alert = prop::option::weighted(0.5, prop::bool::weighted(0.1));
    let cap = prop_oneof![9 => Just(0_u32), 1 => 1..=6_u32];
    let watts = prop::option::of(prop_oneof![9 => 3e3..3e4_f64, 1 => prop::sample::select(vec![f64::NAN, -5.0, 1e12])]);
    let clock = prop::option::of((
        prop::sample::select(vec![3e8, 1e9, 0.0, f64::NAN]),
        prop::sample::select(vec![6e8, 1e9, 0.0, f64::NAN]),
    ));
    let told = (prop::collection::vec(celsius, 4), alert, cap, prop::bool::weighted(0.03), watts, clock, 0..50_u64);
    told.prop_map(|(celsius, alert, steps, over, power_mw, clock, count)| {
        let names = ["cpu", "gpu", "cv0", "tj"];
        let trips = [Some(99.0), Some(97.5), Some(99.0), None];
        Readings {
            zones: names
                .into_iter()
                .zip(celsius)
                .zip(trips)
                .map(|((name, celsius), trip)| zone(name, celsius, trip))
                .collect(),
            alerts: alert.map(|active| ("gpu".to_owned(), active)).into_iter().collect(),
            caps: vec![Cap { device: "devfreq-gpu".into(), steps, most: 6 }],
            over_limit: over.then(|| "VDD_IN".to_owned()).into_iter().collect(),
            over_currents: [("oc3".to_owned(), count)].into(),
            power_mw,
            gpu_load: Some(1.0),
            gpu_clock: clock.map(|(hertz, most_hertz)| Clock { hertz, most_hertz }),
            ..Readings::default()
        }
    })
}

fn loads() -> impl Strategy<Value = Load> {
    let rate = prop_oneof![8 => 0.0..20.0_f64, 1 => prop::sample::select(vec![f64::NAN, -1.0, 1e9])];
    let queued = prop_oneof![8 => Just(0.0), 1 => 0.0..50.0_f64, 1 => Just(f64::INFINITY)];
    let scale = prop_oneof![8 => Just(1.0), 1 => 0.5..3.0_f64, 1 => Just(f64::NAN)];
    (rate, queued, scale).prop_map(|(arrivals_per_second, queued, service_scale)| Load {
        arrivals_per_second,
        queued,
        deadline_seconds: 2.0,
        service_scale,
        waits: false,
    })
}

/// A history: readings and loads, and how many seconds each of them stays.
fn history() -> impl Strategy<Value = Vec<(Readings, Load, u32)>> {
    prop::collection::vec((readings(), loads(), 1..40_u32), 1..40)
}

/// Any ladder of which one rung at least is allowed.
fn ladders() -> impl Strategy<Value = Ladder> {
    prop::collection::vec(any::<bool>(), 5).prop_filter_map("none is allowed", |allowed| {
        let mut rungs = ladder().rungs().to_vec();
        rungs.push(Rung::skip(crate::name::Name::new("skip").unwrap(), true));
        for (rung, allowed) in rungs.iter_mut().zip(allowed) {
            rung.allowed = allowed;
        }
        Ladder::new(rungs).ok()
    })
}

fn quick() -> Settings {
    Settings { dwell: Duration::from_secs(40), hold_seconds: 60.0, ..Settings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn over_any_history_dwell_binds_steps_up_and_hard_evidence_steps_down(history in history(), ladder in ladders()) {
        let mut line = Line::new(quick(), ladder);
        let (mut rung, mut switched, mut severity) = (line.state.rung(), None::<Duration>, 0);
        for (readings, load, seconds) in history {
            for _ in 0..seconds {
                let (evidence, _) = line.evidence(&readings, load);
                let orders = line.tick(&readings, load);
                prop_assert_eq!(orders.changed.is_some(), orders.rung != rung, "told exactly when it changes");
                if orders.rung < rung {
                    prop_assert!(switched.is_none_or(|switched| line.now >= switched + line.settings.dwell), "up within the dwell");
                    prop_assert!(evidence.hottest.is_some() && evidence.missing.is_empty(), "up while blind");
                    prop_assert!(!evidence.throttled(), "up while throttled");
                }
                let at_trip = evidence.hottest.as_ref().is_some_and(|hottest| hottest.margin() <= 0.0);
                if at_trip || evidence.severity() > severity {
                    prop_assert!(orders.rung > rung || rung == line.ladder.lightest(), "hard evidence waited");
                }
                let blind = evidence.blind_seconds >= line.settings.blind_seconds;
                prop_assert_eq!(blind, orders.alarms.iter().any(|alarm| matches!(alarm, Alarm::Blind { .. })));
                if orders.rung != rung {
                    (rung, switched) = (orders.rung, Some(line.now));
                }
                severity = evidence.severity();
            }
        }
    }

    #[test]
    fn a_hotter_reading_never_gives_a_heavier_rung(
        history in history(), ladder in ladders(), last in readings(), load in loads(), hotter in 0.0..60.0_f64, which in 0..4_usize, later in 1..2000_u64,
    ) {
        let mut line = Line::new(quick(), ladder);
        for (readings, load, seconds) in history {
            line.ticks(seconds, &readings, load);
        }
        let now = line.now + Duration::from_secs(later);
        let order = |readings: &Readings| step(&line.settings, &line.ladder, line.state.clone(), &line.evidence(readings, load).0, now).1.rung;
        let mut hot = last.clone();
        if let Some(celsius) = hot.zones[which].celsius.as_mut().filter(|celsius| (-50.0..90.0).contains(*celsius)) {
            *celsius += hotter;
        }
        prop_assert!(order(&hot) >= order(&last), "{} after {}", order(&hot), order(&last));
    }
}

/// A board of another order than the governor's: a chip of some seconds above a heat sink of some minutes.
#[derive(Debug, Clone, Copy)]
struct Plant {
    chip: f64,
    sink: f64,
    factor: f64,
    tau: f64,
    ambient: f64,
    rate: f64,
}

impl Plant {
    fn strategy() -> impl Strategy<Value = Self> {
        let plant = (0.6..1.2_f64, 2.5..7.0_f64, 0.7..1.3_f64, 150.0..1500.0_f64, 15.0..55.0_f64, 3.0..14.5_f64);
        plant.prop_map(|(chip, sink, factor, tau, ambient, rate)| Self { chip, sink, factor, tau, ambient, rate })
    }

    /// Runs for some hours; gives when it switched, in seconds, and whether that was up.
    fn run(self, settings: Settings, hours: u32) -> Vec<(u32, bool)> {
        let mut line = Line::new(settings, ladder());
        let (mut sink, mut chip, mut switches) = (self.ambient, self.ambient, Vec::new());
        for second in 0..hours * 3600 {
            let rung = line.ladder.rung(line.state.rung());
            let watts = 4.5 + self.factor * rung.power.watts * rung.busy(self.rate, 1.0);
            sink += (self.ambient + self.sink * watts - sink) / self.tau;
            chip += (sink + self.chip * watts - chip) / 4.0;
            let mut readings = at((chip * 2.0).round() / 2.0);
            readings.power_mw = Some(watts * 1e3);
            let before = line.state.rung();
            let orders = line.tick(&readings, load(self.rate));
            if orders.rung != before {
                switches.push((second, orders.rung < before));
            }
        }
        switches
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn on_a_plateau_nothing_oscillates(plant in Plant::strategy()) {
        let settled = |switches: &[(u32, bool)]| switches.iter().filter(|(second, up)| *up && *second >= 2 * 3600).count();
        // For ever or not at all: what was taken in vain is tried 64 minutes later at the earliest.
        let ever = plant.run(Settings { hold_seconds: f64::INFINITY, ..Settings::default() }, 5);
        prop_assert!(settled(&ever) <= 3, "{} switches up in three hours: {ever:?}", settled(&ever));
        // In turns: no more often than dwell and half of the forecast time, below which the wait doubles, allow.
        let turns = plant.run(Settings::default(), 5);
        prop_assert!(settled(&turns) <= 55, "{} switches up in three hours: {turns:?}", settled(&turns));
    }
}
