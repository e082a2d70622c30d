//! What the board and the line tell of heat and pace at one moment, weighed: which zone stands nearest to its trip, what
//! throttles, what cannot be read. Pure; [`Before`] is what one look hands to the next.
//!
//! The order of evidence, best first: alerts of zones, clocks held down, over-current counters, rails over their critical
//! limit, a slow clock under load, nearness to the trip. The fan at full drive is no evidence.
//!
//! A value that no board has is no value: temperatures outside of [`CELSIUS`] and powers outside of [`WATTS`] count as
//! unreadable. The zones of the CV engines (`cv0`, ...) cannot be read while those are off, and never count as missing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::ladder::Rung;
use crate::board::readings::{Readings, Zone};

/// Degrees Celsius that a chip may have.
pub const CELSIUS: RangeInclusive<f64> = -50.0..=150.0;

/// Watt that a board may draw.
pub const WATTS: RangeInclusive<f64> = 0.1..=500.0;

/// The share of time from which on the GPU counts as loaded.
const LOADED: f64 = 0.9;

/// The share of its most below which a clock counts as slow.
const SLOW: f64 = 0.97;

/// The share of its drive from which on a fan must turn: below it some rest.
const DRIVEN: f64 = 0.3;

/// Seconds after which a driven fan that does not turn stands still: starting takes some.
const STANDS: f64 = 10.0;

/// What the line asks for, as whoever feeds the models sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Parts that arrive in a second, smoothed over some seconds.
    pub arrivals_per_second: f64,
    /// Parts that wait for the model now.
    pub queued: f64,
    /// Seconds from a part's arrival by which its verdict is due.
    pub deadline_seconds: f64,
    /// Service time seen over that of the price: 1 at full clock, 2 at half.
    pub service_scale: f64,
    /// Whether the line waits for the models: they work all the time, whatever the rung, and none is too slow.
    pub waits: bool,
}

impl Load {
    /// The share of time that a rung works, 0 to 1, where the clock makes it take `scale` times as long.
    pub(super) fn busy(&self, rung: &Rung, scale: f64) -> f64 {
        if self.waits && rung.judges() { 1.0 } else { rung.busy(self.arrivals_per_second, scale) }
    }

    /// The same with what no line has made harmless: an unknown rate is none, an unknown queue empty, an unknown scale 1.
    fn sane(self) -> Self {
        let or = |number: f64, other: f64| if number.is_finite() && number >= 0.0 { number } else { other };
        Self {
            arrivals_per_second: or(self.arrivals_per_second, 0.0),
            queued: or(self.queued, 0.0),
            deadline_seconds: or(self.deadline_seconds, f64::INFINITY),
            service_scale: or(self.service_scale, 1.0).clamp(1.0, 100.0),
            waits: self.waits,
        }
    }
}

/// The zone that stands nearest to its trip.
#[derive(Debug, Clone, PartialEq)]
pub struct Hottest {
    /// Its name.
    pub zone: String,
    /// Degrees Celsius now.
    pub celsius: f64,
    /// Where the kernel slows the board down for it.
    pub trip_celsius: f64,
}

impl Hottest {
    /// Kelvin to the trip; negative above it.
    #[must_use]
    pub fn margin(&self) -> f64 {
        self.trip_celsius - self.celsius
    }
}

/// What one look hands to the next.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Before {
    /// The counters of over-current events; empty before the first look.
    over_currents: BTreeMap<String, u64>,
    /// Zones with a trip that were readable once.
    seen: BTreeSet<String>,
    /// Seconds for which the clock was slow under load.
    slow_seconds: f64,
    /// Seconds for which no zone with a trip was readable.
    blind_seconds: f64,
    /// Seconds for which the fan was driven and did not turn.
    fan_seconds: f64,
}

/// What was told, weighed.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Seconds since the look before.
    pub seconds: f64,
    /// The zone nearest to its trip; `None` while no zone that has one can be read.
    pub hottest: Option<Hottest>,
    /// The lowest trip of all zones that have one: the hottest zone's temperature is told against it.
    pub trip_celsius: Option<f64>,
    /// Zones that say they are throttled now.
    pub alerts: Vec<String>,
    /// Clocks that heat holds down now, and by how many steps.
    pub caps: Vec<(String, u32)>,
    /// Rails over their critical limit now.
    pub over_limit: Vec<String>,
    /// Over-current events in a second, by counter; only those that rose.
    pub over_currents: Vec<(String, f64)>,
    /// Watt that the board draws.
    pub watts: Option<f64>,
    /// The most hertz the GPU may have in this power mode: how a lower mode shows.
    pub most_hertz: Option<f64>,
    /// The GPU's clock over its most, 0 to 1.
    pub clock_share: Option<f64>,
    /// Seconds for which that clock was slow under load; below 3 it is no evidence.
    pub slow_seconds: f64,
    /// Zones that were readable once and are not now, without those of the CV engines.
    pub missing: Vec<String>,
    /// Seconds for which no zone with a trip was readable, this look included; 0 while one is.
    pub blind_seconds: f64,
    /// Whether the fan has been driven for ten seconds without turning: it is broken, stuck or unplugged.
    pub fan_stands: bool,
    /// What the line asks for.
    pub load: Load,
}

impl Evidence {
    /// Weighs readings taken `seconds` after those that gave `before`; the first look has [`Before::default`] and any
    /// seconds.
    #[must_use]
    pub fn of(readings: &Readings, load: Load, before: Before, seconds: f64) -> (Self, Before) {
        let seconds = if seconds.is_finite() { seconds.clamp(0.0, 3600.0) } else { 0.0 };
        let mut before = before;
        let hottest = hottest(&readings.zones);
        note_seen(&mut before.seen, &readings.zones);
        before.blind_seconds = if hottest.is_none() { before.blind_seconds + seconds } else { 0.0 };
        let clock = readings.gpu_clock.filter(|clock| clock.hertz > 0.0 && clock.most_hertz > 0.0);
        let clock_share =
            clock.map(|clock| (clock.hertz / clock.most_hertz).min(1.0)).filter(|share| share.is_finite());
        let loaded = readings.gpu_load.is_some_and(|load| load >= LOADED);
        let slow = loaded && clock_share.is_some_and(|share| share < SLOW);
        before.slow_seconds = if slow { before.slow_seconds + seconds } else { 0.0 };
        let stands =
            readings.fan_rpm.is_some_and(|turns| turns <= 0.0) && readings.fan.is_some_and(|fan| fan >= DRIVEN);
        before.fan_seconds = if stands { before.fan_seconds + seconds } else { 0.0 };
        let over_currents = rates(&before.over_currents, &readings.over_currents, seconds);
        if before.over_currents != readings.over_currents {
            before.over_currents.clone_from(&readings.over_currents);
        }
        let evidence = Self {
            seconds,
            trip_celsius: trips(&readings.zones).reduce(f64::min),
            hottest,
            alerts: readings.alerts.iter().filter(|(_, active)| **active).map(|(zone, _)| zone.clone()).collect(),
            caps: readings.caps.iter().filter(|cap| cap.steps > 0).map(|cap| (cap.device.clone(), cap.steps)).collect(),
            over_limit: readings.over_limit.clone(),
            over_currents,
            watts: readings.power_mw.map(|milliwatts| milliwatts / 1e3).filter(|watts| WATTS.contains(watts)),
            most_hertz: clock.map(|clock| clock.most_hertz).filter(|hertz| hertz.is_finite()),
            clock_share,
            slow_seconds: before.slow_seconds,
            missing: missing(&before.seen, &readings.zones),
            blind_seconds: before.blind_seconds,
            fan_stands: before.fan_seconds >= STANDS,
            load: load.sane(),
        };
        (evidence, before)
    }

    /// The hottest zone's temperature as if its trip were the lowest one: what the governor forecasts.
    #[must_use]
    pub fn celsius(&self) -> Option<f64> {
        Some(self.trip_celsius? - self.hottest.as_ref()?.margin())
    }

    /// Whether something says that the board is being slowed down now.
    #[must_use]
    pub fn throttled(&self) -> bool {
        !self.alerts.is_empty() || !self.caps.is_empty() || !self.over_limit.is_empty()
    }

    /// How strongly: the number of alerts and rails, and the steps of all clocks. Any rise is new evidence.
    #[must_use]
    pub fn severity(&self) -> u64 {
        let told = (self.alerts.len() + self.over_limit.len()) as u64;
        self.caps.iter().fold(told, |sum, (_, steps)| sum.saturating_add((*steps).into()))
    }
}

/// The trip of a zone that slows the board down.
fn trip(zone: &Zone) -> Option<f64> {
    zone.throttle_celsius.filter(|trip| CELSIUS.contains(trip))
}

fn trips(zones: &[Zone]) -> impl Iterator<Item = f64> {
    zones.iter().filter_map(trip)
}

/// What a zone tells, where that is a temperature a chip may have.
fn told(zone: &Zone) -> Option<f64> {
    zone.celsius.filter(|celsius| CELSIUS.contains(celsius))
}

fn hottest(zones: &[Zone]) -> Option<Hottest> {
    let margins = zones.iter().filter_map(|zone| Some((zone, told(zone)?, trip(zone)?)));
    let (zone, celsius, trip_celsius) = margins.min_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)))?;
    Some(Hottest { zone: zone.name.clone(), celsius, trip_celsius })
}

fn note_seen(seen: &mut BTreeSet<String>, zones: &[Zone]) {
    for zone in zones {
        if trip(zone).is_some() && told(zone).is_some() && !seen.contains(&zone.name) {
            seen.insert(zone.name.clone());
        }
    }
}

fn missing(seen: &BTreeSet<String>, zones: &[Zone]) -> Vec<String> {
    let readable = |name: &str| zones.iter().any(|zone| zone.name == name && told(zone).is_some());
    seen.iter().filter(|name| !name.starts_with("cv") && !readable(name)).cloned().collect()
}

/// Events in a second. A counter that fell began anew; one that was not there before tells nothing yet.
fn rates(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>, seconds: f64) -> Vec<(String, f64)> {
    let rate = |(name, count): (&String, &u64)| {
        let more = count.saturating_sub(*before.get(name)?);
        #[expect(clippy::cast_precision_loss, reason = "events of some seconds stay far below 2^53")]
        (more > 0 && seconds > 0.0).then(|| (name.clone(), more as f64 / seconds))
    };
    now.iter().filter_map(rate).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::board::readings::{Cap, Clock};

    pub(crate) fn zone(name: &str, celsius: Option<f64>, trip: Option<f64>) -> Zone {
        Zone { name: name.into(), celsius, throttle_celsius: trip, critical_celsius: trip.map(|trip| trip + 5.5) }
    }

    pub(crate) fn load(arrivals_per_second: f64) -> Load {
        Load { arrivals_per_second, queued: 0.0, deadline_seconds: 2.0, service_scale: 1.0, waits: false }
    }

    fn look(readings: &Readings, before: Before) -> (Evidence, Before) {
        Evidence::of(readings, load(10.0), before, 1.0)
    }

    #[test]
    fn the_hottest_zone_is_the_one_nearest_to_its_own_trip() {
        let zones = vec![
            zone("cpu", Some(80.0), Some(97.0)),
            zone("gpu", Some(81.0), Some(99.0)),
            zone("tj", Some(90.0), None),
        ];
        let (evidence, _) = look(&Readings { zones, ..Readings::default() }, Before::default());
        let hottest = evidence.hottest.clone().unwrap();
        assert_eq!((hottest.zone.as_str(), hottest.margin(), evidence.trip_celsius), ("cpu", 17.0, Some(97.0)));
        let zones = vec![zone("cpu", Some(80.0), Some(97.0)), zone("gpu", Some(84.0), Some(99.0))];
        let (evidence, _) = look(&Readings { zones, ..Readings::default() }, Before::default());
        assert_eq!(
            (evidence.hottest.clone().unwrap().zone.as_str(), evidence.celsius()),
            ("gpu", Some(82.0)),
            "97 - 15"
        );
    }

    #[test]
    fn what_no_chip_has_is_unreadable_and_cv_zones_are_never_missed() {
        let all = |celsius| ["cpu", "cv0"].map(|name| zone(name, celsius, Some(99.0))).to_vec();
        let (mut evidence, mut before) =
            look(&Readings { zones: all(Some(50.0)), ..Readings::default() }, Before::default());
        assert!(evidence.missing.is_empty() && evidence.hottest.is_some());
        for (place, mad) in (1_u32..).zip([None, Some(f64::NAN), Some(-256.0), Some(1e9)]) {
            (evidence, before) = look(&Readings { zones: all(mad), ..Readings::default() }, before);
            assert_eq!((evidence.hottest.clone(), evidence.missing.as_slice()), (None, ["cpu".to_owned()].as_slice()));
            assert!((evidence.blind_seconds - f64::from(place)).abs() < 1e-12);
        }
        // A zone that is gone altogether is missing too.
        (evidence, before) = look(&Readings::default(), before);
        assert_eq!(evidence.missing, ["cpu"]);
        (evidence, _) = look(&Readings { zones: all(Some(50.0)), ..Readings::default() }, before);
        assert!(evidence.missing.is_empty() && evidence.blind_seconds <= 0.0);
    }

    #[test]
    fn counters_give_rates_and_only_what_throttles_is_told() {
        let with = |count| {
            let mut readings = Readings { power_mw: Some(9250.0), ..Readings::default() };
            readings.over_currents.insert("oc3".into(), count);
            readings.alerts.extend([("gpu".to_owned(), true), ("cpu".to_owned(), false)]);
            readings.caps = [("cpufreq-cpu0", 0), ("devfreq-gpu", 2)]
                .map(|(device, steps)| Cap { device: device.into(), steps, most: 6 })
                .into();
            readings
        };
        let (first, before) = Evidence::of(&with(27_390), load(1.0), Before::default(), 1.0);
        assert!(first.over_currents.is_empty(), "what happened before the first look has no rate");
        assert_eq!(
            (first.alerts.len(), first.caps.as_slice(), first.severity()),
            (1, [("devfreq-gpu".to_owned(), 2)].as_slice(), 3)
        );
        assert_eq!(first.watts, Some(9.25));
        let (second, before) = Evidence::of(&with(27_400), load(1.0), before, 2.0);
        assert_eq!(second.over_currents, [("oc3".to_owned(), 5.0)]);
        let (third, _) = Evidence::of(&with(3), load(1.0), before, 1.0);
        assert!(third.over_currents.is_empty(), "counted anew");
    }

    #[test]
    fn a_slow_clock_counts_only_under_load() {
        let with = |gpu_load, hertz| Readings {
            gpu_load: Some(gpu_load),
            gpu_clock: Some(Clock { hertz, most_hertz: 1e9 }),
            ..Readings::default()
        };
        let mut before = Before::default();
        let mut slow = Vec::new();
        for readings in
            [with(0.95, 6e8), with(0.95, 6e8), with(0.2, 6e8), with(0.95, 6e8), with(0.95, 9.9e8), with(0.95, f64::NAN)]
        {
            let (evidence, next) = look(&readings, before);
            slow.push(evidence.slow_seconds);
            before = next;
        }
        assert_eq!(slow, [1.0, 2.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_fan_stands_when_it_is_driven_and_does_not_turn_for_long() {
        let with = |fan: Option<f64>, fan_rpm: Option<f64>| Readings { fan, fan_rpm, ..Readings::default() };
        let after = |readings: &[Readings]| {
            let told = |(_, before): (bool, Before), readings: &Readings| {
                let (evidence, before) = look(readings, before);
                (evidence.fan_stands, before)
            };
            readings.iter().fold((false, Before::default()), told).0
        };
        let stands = with(Some(0.5), Some(0.0));
        assert!(after(&vec![stands.clone(); 10]) && !after(&vec![stands.clone(); 9]));
        let turned = [vec![stands.clone(); 9], vec![with(Some(0.5), Some(900.0))], vec![stands; 9]].concat();
        assert!(!after(&turned), "it turned in between");
        for fine in
            [with(Some(0.29), Some(0.0)), with(None, Some(0.0)), with(Some(1.0), None), with(Some(1.0), Some(1.0))]
        {
            assert!(!after(&vec![fine.clone(); 60]), "{fine:?}");
        }
    }

    #[test]
    fn a_load_that_no_line_has_is_made_harmless() {
        let mad = Load {
            arrivals_per_second: f64::NAN,
            queued: -3.0,
            deadline_seconds: f64::NAN,
            service_scale: 0.0,
            waits: false,
        };
        let sane = Load {
            arrivals_per_second: 0.0,
            queued: 0.0,
            deadline_seconds: f64::INFINITY,
            service_scale: 1.0,
            waits: false,
        };
        assert_eq!(mad.sane(), sane);
        assert_eq!(load(7.0).sane(), load(7.0));
    }
}
