//! The file of all that is assumed of a board, `kenpin.board/1`. Each figure is checked when it is read.
//!
//! This is also where measurements come in: a command that measures on a board writes this file anew and says `measured`.

use serde::{Deserialize, Serialize};

use crate::govern::ladder::Basis;
use crate::govern::step::Settings;
use crate::govern::thermal;
use crate::name::Name;

/// The schema this build reads.
pub const SCHEMA: &str = "kenpin.board/1";

/// The Orin Nano, whose figures are assumed.
pub const ORIN_NANO: &str = include_str!("orin-nano.toml");

/// What is assumed of a board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The version of this file's form, `kenpin.board/1`.
    pub schema: String,
    /// The board's name; prices that were measured on a board of this name need no speed factor.
    pub name: Name,
    /// What it is, for people.
    pub told: String,
    /// Whether anybody measured these figures.
    pub basis: Basis,
    /// How it heats.
    pub heat: Heat,
    /// What it draws.
    pub power: Power,
    /// How fast it is.
    pub speed: Speed,
    /// What its sensors tell.
    pub sensors: Sensors,
    /// How it slows itself down.
    pub throttle: Throttle,
}

/// Three masses in a row: chip, heat sink, the air of the housing; outside is the hall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heat {
    /// Heat capacity of the chip.
    pub chip_joules_per_kelvin: f64,
    /// Heat capacity of the heat sink.
    pub sink_joules_per_kelvin: f64,
    /// Heat capacity of the housing and its air.
    pub housing_joules_per_kelvin: f64,
    /// Thermal resistance from chip to heat sink.
    pub chip_to_sink_kelvin_per_watt: f64,
    /// Thermal resistance from heat sink to housing at full fan.
    pub sink_to_housing_kelvin_per_watt: f64,
    /// The same with the fan at rest, as a multiple.
    pub still_factor: f64,
    /// Thermal resistance from housing to hall with a clean filter.
    pub housing_to_hall_kelvin_per_watt: f64,
    /// Below this temperature of the chip the fan rests.
    pub fan_from_celsius: f64,
    /// From this temperature of the chip on it runs in full.
    pub fan_full_celsius: f64,
}

/// What the board draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// Watt while no model runs, at 50 C.
    pub idle_watts: f64,
    /// The share by which that grows with each kelvin.
    pub leakage_per_kelvin: f64,
    /// Power while working grows with this power of the clock.
    pub clock_exponent: f64,
    /// A factor on what rungs draw.
    pub factor: f64,
    /// Watt above idle of a teacher that works.
    pub teacher_watts: f64,
    /// Watt above idle of a student that works.
    pub student_watts: f64,
}

/// How fast the board is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// A service time on this board over that in a price that was measured elsewhere.
    pub service_factor: f64,
}

/// What the board's sensors tell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensors {
    /// Temperatures are told in steps of this.
    pub celsius_step: f64,
    /// The standard deviation of a power reading.
    pub watts_noise: f64,
}

/// How the board slows itself down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Where the kernel begins to step clocks down.
    pub trip_celsius: f64,
    /// The most steps.
    pub cap_steps: u32,
    /// The share of the clock that a step takes.
    pub cap_share: f64,
    /// Where the firmware throttles.
    pub hardware_celsius: f64,
    /// The share of the clock that is left then.
    pub hardware_clock: f64,
    /// Where it throttles harder.
    pub hardware_hard_celsius: f64,
    /// The share of the clock that is left then.
    pub hardware_hard_clock: f64,
    /// Where the board switches itself off.
    pub shutdown_celsius: f64,
    /// Seconds until somebody has switched it on again.
    pub off_seconds: f64,
}

impl Board {
    /// Reads a board file.
    ///
    /// # Errors
    /// A sentence: what is no TOML, has a key that is unknown or missing, is of another schema, or a figure out of its range.
    pub fn read(text: &str) -> Result<Self, String> {
        let board: Self = toml_edit::de::from_str(text).map_err(|error| super::rungs::one_line(&error))?;
        if board.schema != SCHEMA {
            return Err(format!("its schema is {:?}, want {SCHEMA:?}", board.schema));
        }
        match board.findings() {
            findings if findings.is_empty() => Ok(board),
            findings => Err(findings.join("; ")),
        }
    }

    /// What the governor is told of such a board: the file's figures, not those that are drawn; two masses of the three.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let Heat { sink_to_housing_kelvin_per_watt: sink, housing_to_hall_kelvin_per_watt: hall, .. } = self.heat;
        let slow = sink + hall;
        let board = thermal::Board {
            fast: self.heat.chip_to_sink_kelvin_per_watt,
            slow,
            tau: slow * (self.heat.sink_joules_per_kelvin + self.heat.housing_joules_per_kelvin) / 2.0,
            ambient: 35.0,
        };
        Settings { board, idle_watts: self.power.idle_watts, ..Settings::default() }
    }

    fn findings(&self) -> Vec<String> {
        let Self { heat, power, speed, sensors, throttle, .. } = self;
        let figures = [
            ("heat.chip_joules_per_kelvin", heat.chip_joules_per_kelvin, 1.0, 1e3),
            ("heat.sink_joules_per_kelvin", heat.sink_joules_per_kelvin, 5.0, 1e5),
            ("heat.housing_joules_per_kelvin", heat.housing_joules_per_kelvin, 5.0, 1e6),
            ("heat.chip_to_sink_kelvin_per_watt", heat.chip_to_sink_kelvin_per_watt, 0.05, 10.0),
            ("heat.sink_to_housing_kelvin_per_watt", heat.sink_to_housing_kelvin_per_watt, 0.05, 50.0),
            ("heat.still_factor", heat.still_factor, 1.0, 20.0),
            ("heat.housing_to_hall_kelvin_per_watt", heat.housing_to_hall_kelvin_per_watt, 0.01, 50.0),
            ("heat.fan_from_celsius", heat.fan_from_celsius, 0.0, 120.0),
            ("heat.fan_full_celsius", heat.fan_full_celsius, heat.fan_from_celsius + 1.0, 130.0),
            ("power.idle_watts", power.idle_watts, 0.1, 200.0),
            ("power.leakage_per_kelvin", power.leakage_per_kelvin, 0.0, 0.02),
            ("power.clock_exponent", power.clock_exponent, 1.0, 3.0),
            ("power.factor", power.factor, 0.1, 10.0),
            ("power.teacher_watts", power.teacher_watts, 0.0, 500.0),
            ("power.student_watts", power.student_watts, 0.0, 500.0),
            ("speed.service_factor", speed.service_factor, 1e-3, 1e3),
            ("sensors.celsius_step", sensors.celsius_step, 1e-3, 5.0),
            ("sensors.watts_noise", sensors.watts_noise, 0.0, 5.0),
            ("throttle.trip_celsius", throttle.trip_celsius, 40.0, 130.0),
            ("throttle.cap_share", throttle.cap_share, 0.0, 0.99 / f64::from(throttle.cap_steps.max(1))),
            ("throttle.hardware_celsius", throttle.hardware_celsius, throttle.trip_celsius, 140.0),
            ("throttle.hardware_clock", throttle.hardware_clock, 0.01, 1.0),
            ("throttle.hardware_hard_celsius", throttle.hardware_hard_celsius, throttle.hardware_celsius, 140.0),
            ("throttle.hardware_hard_clock", throttle.hardware_hard_clock, 0.01, 1.0),
            ("throttle.shutdown_celsius", throttle.shutdown_celsius, throttle.hardware_hard_celsius, 150.0),
            ("throttle.off_seconds", throttle.off_seconds, 0.0, 1e6),
        ];
        let wrong = figures.into_iter().filter(|(_, seen, least, most)| !(least..=most).contains(&seen));
        wrong.map(|(name, seen, least, most)| format!("{name} is {seen}, want {least} to {most}")).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn orin_nano() -> Board {
        Board::read(ORIN_NANO).unwrap()
    }

    #[test]
    fn the_shipped_file_is_assumed_and_says_so() {
        let board = orin_nano();
        assert_eq!((board.name.as_str(), board.basis), ("orin-nano", Basis::Assumed));
        let known = board.settings().board;
        assert!((known.steady(10.0) - (35.0 + 10.0 * (0.9 + 2.2 + 1.4))).abs() < 1e-9);
    }

    #[test]
    fn every_figure_out_of_its_range_is_told() {
        let with = |from: &str, to: &str| Board::read(&ORIN_NANO.replace(from, to)).unwrap_err();
        let told = with("idle_watts = 4.5", "idle_watts = -1.0");
        assert_eq!(told, "power.idle_watts is -1, want 0.1 to 200");
        assert!(with("still_factor = 2.3", "still_factor = nan").starts_with("heat.still_factor is NaN, want 1 to 20"));
        assert!(with("hardware_celsius = 101.0", "hardware_celsius = 98.0").contains("want 99 to 140"));
        assert!(with("kenpin.board/1", "kenpin.board/2").contains("its schema is \"kenpin.board/2\""));
        assert!(with("idle_watts", "idle_watt").contains("idle_watt"));
    }
}
