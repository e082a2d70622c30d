//! How a Jetson's kernel answers heat: alerts and held clocks, as the thermal governor `step_wise` and the driver
//! `thermal-trip-event` move them once a second.

use super::boards::{Tells, spec};
use super::{Heat, Kind};

/// Seconds between two looks of the kernel (`polling-delay` of the device tree of Orin).
const POLL: f64 = 1.0;

/// The most seconds that go by between two calls; no clock has as many steps.
const LONGEST: f64 = 3600.0;

/// Passive trips up to here, in thousandths of a degree Celsius, do not slow a Jetson.
const NO_THROTTLE: u32 = 70_000;

/// Degrees Celsius at which the fan begins, and over which many it gets to its full drive (plausible).
const FAN: (f64, f64) = (35.0, 50.0);

/// The GPU's load while a curve is played: so high that its clock falls with the first step it is held down (plausible).
const BUSY: f64 = 0.98;

/// The kernel of a miniature board. Power is left as it is: no model of a board is played here.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The lowest temperature at which a zone of the chip slows the board.
    trip_celsius: Option<f64>,
    /// Steps by which each clock is held down, and the most of each.
    caps: Vec<(u32, u32)>,
    /// Seconds since it last looked.
    waited: f64,
    throttled: bool,
}

impl Kernel {
    /// The kernel of a cool board.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let spec = spec(kind);
        let chips = spec.zones.iter().filter(|zone| matches!(zone.tells, Tells::Chip) && zone.kind != "x86_pkg_temp");
        let trips = chips.flat_map(|zone| zone.trips.iter().filter(|(kind, _)| *kind == "passive"));
        let trip = trips.map(|(_, trip)| *trip).filter(|trip| *trip > NO_THROTTLE).min();
        Self {
            trip_celsius: trip.map(|trip| f64::from(trip) / 1e3),
            caps: spec.caps.iter().map(|(_, most)| (0, *most)).collect(),
            waited: POLL,
            throttled: false,
        }
    }

    /// Degrees Celsius at which the board begins to slow down.
    #[must_use]
    pub fn trip_celsius(&self) -> Option<f64> {
        self.trip_celsius
    }

    /// What the board tells when its chip has `celsius` and `seconds` have gone by since the last call. At each look at or above
    /// the trip the clocks are held down one step more, below it one step less; the alert stands while it is at or above.
    #[must_use]
    pub fn heat(&mut self, celsius: f64, seconds: f64) -> Heat {
        self.waited += seconds.clamp(0.0, LONGEST);
        while self.waited >= POLL {
            self.waited -= POLL;
            self.throttled = self.trip_celsius.is_some_and(|trip| celsius >= trip);
            for (steps, most) in &mut self.caps {
                *steps = if self.throttled { (*steps + 1).min(*most) } else { steps.saturating_sub(1) };
            }
        }
        let (begins, over) = FAN;
        let fan = ((celsius - begins) / over).clamp(0.0, 1.0);
        let caps = self.caps.iter().map(|(steps, _)| *steps).collect();
        Heat { gpu_load: BUSY, celsius, throttled: self.throttled, caps, fan, ..Heat::default() }
    }
}
