//! A board that heats: three masses in a row with a fan, clocks that the kernel and the firmware hold down, sensors that tell
//! all that in steps. Of another order than the governor's model, and drawn around the file's figures.
//!
//! Source of the equations: energy balances of lumped masses, F. Incropera and D. `DeWitt`, *Fundamentals of Heat and Mass
//! Transfer*, section 5.1; the kernel's `step_wise` thermal governor (one step down a poll while the zone is above its trip and does
//! not cool, one step up while it is below and cools); firmware throttling and shutdown as in NVIDIA's trip tables.

use fastrand::Rng;

use super::board::Board;
use crate::board::readings::{Cap, Readings, Zone};

/// How far a draw goes from the file's figures, as a share.
pub const SPREAD: f64 = 0.3;

/// Turns of the fan in a minute at full drive.
const FULL_RPM: f64 = 6000.0;

/// Steps of a second.
const STEPS: u32 = 4;

/// What surrounds the board in one second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Around {
    /// The hall, in degrees Celsius.
    pub celsius: f64,
    /// Whether the fan turns.
    pub fan: bool,
    /// How many times as much as a clean one the filter resists.
    pub filter: f64,
}

/// The three temperatures in degrees Celsius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heat {
    /// The chip.
    pub chip: f64,
    /// The heat sink.
    pub sink: f64,
    /// The housing.
    pub housing: f64,
}

/// A board at one moment.
#[derive(Debug, Clone)]
pub struct Plant {
    /// The figures of this draw.
    board: Board,
    heat: Heat,
    /// Steps by which the kernel holds the clock down.
    cap: u32,
    /// The chip at the last poll, as the sensor told it.
    polled: f64,
    /// Seconds until it is on again; 0 while it is.
    off: f64,
}

impl Plant {
    /// A board with exactly these figures, as warm as its hall.
    #[must_use]
    pub fn new(board: Board, celsius: f64) -> Self {
        let heat = Heat { chip: celsius, sink: celsius, housing: celsius };
        Self { board, heat, cap: 0, polled: celsius, off: 0.0 }
    }

    /// A board whose figures are drawn within [`SPREAD`] of the file's.
    #[must_use]
    pub fn draw(board: &Board, celsius: f64, random: &mut Rng) -> Self {
        let mut board = board.clone();
        let (heat, power) = (&mut board.heat, &mut board.power);
        for figure in [
            &mut heat.chip_joules_per_kelvin,
            &mut heat.sink_joules_per_kelvin,
            &mut heat.housing_joules_per_kelvin,
            &mut heat.chip_to_sink_kelvin_per_watt,
            &mut heat.sink_to_housing_kelvin_per_watt,
            &mut heat.housing_to_hall_kelvin_per_watt,
            &mut power.idle_watts,
            &mut power.factor,
        ] {
            *figure *= 1.0 + SPREAD * (2.0 * random.f64() - 1.0);
        }
        Self::new(board, celsius)
    }

    /// The figures of this draw.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The temperatures now.
    #[must_use]
    pub fn heat(&self) -> Heat {
        self.heat
    }

    /// Whether it is switched on.
    #[must_use]
    pub fn on(&self) -> bool {
        self.off <= 0.0
    }

    /// The share of the full clock it runs at.
    #[must_use]
    pub fn clock(&self) -> f64 {
        let throttle = &self.board.throttle;
        let kernel = 1.0 - throttle.cap_share * f64::from(self.cap);
        if self.heat.chip >= throttle.hardware_hard_celsius {
            kernel.min(throttle.hardware_hard_clock)
        } else if self.heat.chip >= throttle.hardware_celsius {
            kernel.min(throttle.hardware_clock)
        } else {
            kernel
        }
    }

    /// Watt that the board draws while a rung of `watts` works this share of the time at this clock.
    #[must_use]
    pub fn watts(&self, watts: f64, busy: f64, clock: f64) -> f64 {
        if !self.on() {
            return 0.0;
        }
        let power = &self.board.power;
        idle(&self.board, self.heat.chip) + power.factor * watts * busy * clock.powf(power.clock_exponent)
    }

    /// Lets one second pass at this power; then the kernel polls.
    pub fn pass(&mut self, watts: f64, around: Around) {
        for _ in 0..STEPS {
            let (chip, sink, housing) = flows(&self.board, self.heat, watts, around);
            let step = 1.0 / f64::from(STEPS);
            self.heat.chip += step * chip;
            self.heat.sink += step * sink;
            self.heat.housing += step * housing;
        }
        self.off = (self.off - 1.0).max(0.0);
        if self.on() && self.heat.chip >= self.board.throttle.shutdown_celsius {
            self.off = self.board.throttle.off_seconds;
        }
        self.poll();
    }

    /// The kernel's step-wise governor.
    fn poll(&mut self) {
        let (throttle, told) = (&self.board.throttle, self.told());
        if !self.on() {
            self.cap = 0;
        } else if told >= throttle.trip_celsius {
            self.cap = if told >= self.polled { (self.cap + 1).min(throttle.cap_steps) } else { self.cap };
        } else if told <= self.polled {
            self.cap = self.cap.saturating_sub(1);
        }
        self.polled = told;
    }

    /// The chip as its sensor tells it.
    #[must_use]
    pub fn told(&self) -> f64 {
        let step = self.board.sensors.celsius_step;
        (self.heat.chip / step).round() * step
    }

    /// Writes what sysfs tells now into `readings`, whose zones and caps are made anew only at first. `watts` is what the
    /// board draws; a board without a monitor tells none. `fan` says whether the fan turns where it is driven.
    pub fn tell(&self, readings: &mut Readings, watts: f64, monitor: bool, fan: bool, random: &mut Rng) {
        let (throttle, told) = (&self.board.throttle, self.told());
        if readings.zones.is_empty() {
            let zone = |name: &str, trip| Zone {
                name: name.into(),
                celsius: None,
                throttle_celsius: trip,
                critical_celsius: Some(throttle.shutdown_celsius),
            };
            readings.zones = vec![
                zone("cv0", Some(throttle.trip_celsius)),
                zone("gpu", Some(throttle.trip_celsius)),
                zone("tj", None),
            ];
            readings.caps = vec![Cap { device: "devfreq-17000000.gpu".into(), steps: 0, most: throttle.cap_steps }];
        }
        for zone in readings.zones.iter_mut().filter(|zone| zone.name != "cv0") {
            zone.celsius = Some(told);
        }
        for cap in &mut readings.caps {
            cap.steps = self.cap;
        }
        if told >= throttle.trip_celsius {
            readings.alerts.insert("gpu".into(), true);
        } else {
            readings.alerts.clear();
        }
        let drive = fan_drive(&self.board, told);
        (readings.fan, readings.fan_rpm) = (Some(drive), Some(if fan { FULL_RPM * drive } else { 0.0 }));
        let noise = self.board.sensors.watts_noise * normal(random);
        readings.power_mw = monitor.then_some((watts + noise) * 1e3);
    }
}

/// Watt while no model runs.
pub(super) fn idle(board: &Board, chip: f64) -> f64 {
    board.power.idle_watts * (1.0 + board.power.leakage_per_kelvin * (chip - 50.0))
}

/// How hard the fan is driven, 0 to 1, turning or not.
fn fan_drive(board: &Board, chip: f64) -> f64 {
    let heat = &board.heat;
    let span = heat.fan_full_celsius - heat.fan_from_celsius;
    ((chip - heat.fan_from_celsius) / span).clamp(0.0, 1.0)
}

/// Kelvin per watt from heat sink to housing, by what the fan does.
pub(super) fn sink_resistance(board: &Board, chip: f64, fan: bool) -> f64 {
    let heat = &board.heat;
    let drive = if fan { fan_drive(board, chip) } else { 0.0 };
    heat.sink_to_housing_kelvin_per_watt * (heat.still_factor + (1.0 - heat.still_factor) * drive)
}

/// Kelvin in a second, of each mass: what flows in less what flows out, over its capacity.
pub(super) fn flows(board: &Board, now: Heat, watts: f64, around: Around) -> (f64, f64, f64) {
    let heat = &board.heat;
    let to_sink = (now.chip - now.sink) / heat.chip_to_sink_kelvin_per_watt;
    let to_housing = (now.sink - now.housing) / sink_resistance(board, now.chip, around.fan);
    let to_hall = (now.housing - around.celsius) / (heat.housing_to_hall_kelvin_per_watt * around.filter);
    (
        (watts - to_sink) / heat.chip_joules_per_kelvin,
        (to_sink - to_housing) / heat.sink_joules_per_kelvin,
        (to_housing - to_hall) / heat.housing_joules_per_kelvin,
    )
}

/// A standard normal number, by G. Box and M. Muller (1958).
pub(super) fn normal(random: &mut Rng) -> f64 {
    let (radius, angle) = (1.0 - random.f64(), std::f64::consts::TAU * random.f64());
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::board::tests::orin_nano;

    const HALL: Around = Around { celsius: 25.0, fan: true, filter: 1.0 };

    fn run(plant: &mut Plant, seconds: u32, watts: f64, around: Around) {
        for _ in 0..seconds {
            plant.pass(watts, around);
        }
    }

    #[test]
    fn at_rest_what_flows_in_flows_out_through_every_resistance() {
        let mut plant = Plant::new(orin_nano(), 25.0);
        run(&mut plant, 40_000, 12.0, HALL);
        let Heat { chip, sink, housing } = plant.heat();
        // 12 W through 1.4, 2.2 (chip above 75 C: full fan) and 0.9 K/W.
        for (seen, wanted) in [(housing, 25.0 + 16.8), (sink, 41.8 + 26.4), (chip, 68.2 + 10.8)] {
            assert!((seen - wanted).abs() < 1e-6, "{seen} for {wanted}");
        }
        // Without a fan 2.3 times 2.2 K/W.
        run(&mut plant, 40_000, 5.0, Around { fan: false, ..HALL });
        assert!((plant.heat().chip - (25.0 + 5.0 * (1.4 + 5.06 + 0.9))).abs() < 1e-6);
    }

    #[test]
    fn heat_that_flows_in_and_not_out_is_stored() {
        let mut board = orin_nano();
        board.heat.housing_to_hall_kelvin_per_watt = 50.0;
        let mut plant = Plant::new(board.clone(), 25.0);
        run(&mut plant, 100, 8.0, HALL);
        let (now, heat) = (plant.heat(), board.heat);
        let stored = heat.chip_joules_per_kelvin * (now.chip - 25.0)
            + heat.sink_joules_per_kelvin * (now.sink - 25.0)
            + heat.housing_joules_per_kelvin * (now.housing - 25.0);
        assert!((stored - 800.0).abs() < 2.0, "{stored} J of 100 s at 8 W, less what the bad wall let through");
    }

    #[test]
    fn the_kernel_steps_down_above_the_trip_and_up_again_below() {
        let mut plant = Plant::new(orin_nano(), 98.6);
        let hot = Around { celsius: 98.6, ..HALL };
        let mut readings = Readings::default();
        for step in 1..=3 {
            plant.pass(3.0, hot);
            plant.tell(&mut readings, 3.0, true, true, &mut Rng::with_seed(1));
            assert_eq!((readings.caps[0].steps, readings.alerts.get("gpu")), (step, Some(&true)));
        }
        assert!((plant.clock() - 0.67).abs() < 1e-12);
        for _ in 0..60 {
            plant.pass(0.0, HALL);
        }
        plant.tell(&mut readings, 10.0, false, false, &mut Rng::with_seed(1));
        assert_eq!((readings.caps[0].steps, readings.alerts.len(), readings.power_mw), (0, 0, None));
        assert_eq!((readings.fan.is_some(), readings.fan_rpm), (true, Some(0.0)), "the fan stands");
    }

    #[test]
    fn the_firmware_throttles_and_at_last_the_board_is_off() {
        let at = |celsius| Plant::new(orin_nano(), celsius).clock();
        for (celsius, clock) in [(98.0, 1.0), (101.0, 0.5), (103.0, 0.25)] {
            assert!((at(celsius) - clock).abs() < 1e-12);
        }
        let mut plant = Plant::new(orin_nano(), 104.4);
        plant.pass(30.0, Around { celsius: 104.4, ..HALL });
        assert!(!plant.on() && plant.watts(13.0, 1.0, 1.0) <= 0.0);
        run(&mut plant, 900, 0.0, HALL);
        assert!(plant.on());
    }

    #[test]
    fn draws_stay_within_their_spread_and_sensors_tell_in_steps() {
        let mut random = Rng::with_seed(3);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for _ in 0..500 {
            let drawn = Plant::draw(&orin_nano(), 25.0, &mut random).board().heat.sink_joules_per_kelvin / 150.0;
            (least, most) = (least.min(drawn), most.max(drawn));
        }
        assert!((0.7..0.72).contains(&least) && (1.28..=1.3).contains(&most), "{least} {most}");
        for (chip, told) in [(98.74, 98.5), (98.76, 99.0), (40.1, 40.0)] {
            assert!((Plant::new(orin_nano(), chip).told() - told).abs() < 1e-12);
        }
    }
}
