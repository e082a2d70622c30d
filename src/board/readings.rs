//! What a board tells at one moment: temperatures, throttling, power, clocks. Plain values, for whoever decides by them.
//!
//! Every figure may be missing, for every file of the kernel may be: a sensor block that is switched off, a board that
//! has no such part. What is absent is `None` or not in its list; it is never a zero.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// All that was told at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Readings {
    /// The thermal zones, in the order of their names.
    pub zones: Vec<Zone>,
    /// Zones that say they are being throttled now (`*-throttle-alert`), by zone: whether they do. Unreadable ones are absent.
    pub alerts: BTreeMap<String, bool>,
    /// Clocks that are held down by heat (`cpufreq-*` and `devfreq-*` cooling devices), in the order of their names.
    pub caps: Vec<Cap>,
    /// Over-current and under-voltage events since boot, by the kernel's name of the counter (`oc1`, `oc2`, `oc3`).
    pub over_currents: BTreeMap<String, u64>,
    /// Rails whose current stands above their critical limit now (`curr*_crit_alarm`), by label.
    pub over_limit: Vec<String>,
    /// Milliwatt that the board draws: the total rail, else the sum of the rails; `None` without a monitor or while one of
    /// the rails cannot be read.
    pub power_mw: Option<f64>,
    /// Every rail that can be read, in the order of their labels. Some feed others: they are not to be added up.
    pub rails: Vec<Rail>,
    /// The share of time the GPU worked, 0 to 1.
    pub gpu_load: Option<f64>,
    /// The GPU's clock.
    pub gpu_clock: Option<Clock>,
    /// Whether the GPU's clock is held at one value, as `jetson_clocks` does.
    pub gpu_clock_locked: Option<bool>,
    /// The clocks of the processor's clusters, in the order of their first core.
    pub cpu_clocks: Vec<Clock>,
    /// The fan's drive, 0 to 1. At 1 it is no evidence of throttling.
    pub fan: Option<f64>,
    /// Turns of the fan in a minute, as its tachometer counts them; 0 while it stands. A driven fan that stands is broken or stuck.
    pub fan_rpm: Option<f64>,
    /// The power mode: its number in `/etc/nvpmodel.conf`. The highest is not the fastest.
    pub power_mode: Option<u32>,
}

/// One thermal zone.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Zone {
    /// Its type in lower case without `-therm` or `-thermal`: `cpu`, `gpu`, `tj`.
    pub name: String,
    /// Degrees Celsius now; `None` while the sensor cannot be read or tells a value that no chip has.
    pub celsius: Option<f64>,
    /// Where the kernel begins to slow the board down: the highest passive trip; `None` where the zone has none that slows.
    pub throttle_celsius: Option<f64>,
    /// Where the kernel switches the board off: the lowest critical trip.
    pub critical_celsius: Option<f64>,
}

/// One clock that heat may hold down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cap {
    /// The cooling device's type, as `cpufreq-cpu0` or `devfreq-17000000.gpu`.
    pub device: String,
    /// Steps by which the clock is held down now; 0 is free.
    pub steps: u32,
    /// The most steps there are.
    pub most: u32,
}

/// One rail of a power monitor.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rail {
    /// Its label, as `VDD_IN`.
    pub label: String,
    /// Milliwatt now. A rail at rest may tell a little less than zero.
    pub milliwatts: f64,
}

/// One clock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Clock {
    /// Hertz now.
    pub hertz: f64,
    /// The most it may have now: what the power mode allows, less what heat takes, for the kernel tells both as one
    /// (`max_freq` of devfreq, `scaling_max_freq` of cpufreq). [`Readings::caps`] tells heat apart.
    pub most_hertz: f64,
}

impl Readings {
    /// Whether no zone tells a temperature. Where zones told one before, the devices may have new numbers (a driver was loaded
    /// anew): look for them with `Sensors::find` again, not more than every few seconds.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.zones.iter().all(|zone| zone.celsius.is_none())
    }
}
