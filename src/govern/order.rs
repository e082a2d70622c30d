//! What the governor orders, and why: small structs whose `Display` is a sentence for the person who must act.

use std::fmt;

use super::ladder::Basis;
use crate::name::Name;

/// What is to run from the next frame on.
#[derive(Debug, Clone, PartialEq)]
pub struct Orders {
    /// The place of the rung in the ladder; always an allowed one.
    pub rung: usize,
    /// Where this is another rung than before: from what to what, and why.
    pub changed: Option<Change>,
    /// What a person should look at. The same alarm stands in every order while its reason does.
    pub alarms: Vec<Alarm>,
    /// What is expected of the ordered rung.
    pub forecast: Forecast,
}

/// A switch.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What ran, and what was expected of it.
    pub from: Forecast,
    /// What runs now, and what is expected of it.
    pub to: Forecast,
    /// Why.
    pub cause: Cause,
}

/// What is expected of a rung.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The rung.
    pub rung: Name,
    /// The expected share of right verdicts, 0 to 1.
    pub accuracy: f64,
    /// Watt that the board will draw.
    pub watts: f64,
    /// Whether that stands on measurements.
    pub basis: Basis,
    /// Where the hottest zone is slowed down, in degrees Celsius; `None` while no such zone can be read.
    pub trip_celsius: Option<f64>,
    /// The hottest zone in the end, in degrees Celsius, told against that trip.
    pub steady_celsius: Option<f64>,
    /// Seconds until the trip; `None` where it is not reached, or no temperature is known.
    pub seconds_to_trip: Option<f64>,
}

/// Why a rung was left for another one.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// The site forbids the one that ran.
    Forbidden,
    /// The board is slowed down now, by what is named.
    Throttled {
        /// The zones, clocks and rails that say so.
        by: Vec<String>,
    },
    /// A zone stands at its trip.
    Trip {
        /// The zone.
        zone: String,
        /// Its temperature in degrees Celsius.
        celsius: f64,
    },
    /// A zone comes too near to its trip.
    Heat {
        /// The zone.
        zone: String,
        /// Its temperature in degrees Celsius.
        celsius: f64,
    },
    /// More parts than the rung can serve in time.
    Pace {
        /// Parts that arrive in a second.
        arrivals_per_second: f64,
        /// Parts that wait.
        queued: f64,
        /// Seconds of work that arrive in a second.
        work: f64,
    },
    /// There is room for a heavier one, in heat and in pace.
    Room {
        /// The hottest zone.
        zone: String,
        /// Its temperature in degrees Celsius.
        celsius: f64,
    },
}

impl Cause {
    /// Its name for counters and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Throttled { .. } => "throttled",
            Self::Trip { .. } => "trip",
            Self::Heat { .. } => "heat",
            Self::Pace { .. } => "pace",
            Self::Room { .. } => "room",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, cause } = self;
        match cause {
            Cause::Forbidden => write!(f, "{} is forbidden here", from.rung)?,
            Cause::Throttled { by } => write!(f, "the board is slowed down ({})", by.join(", "))?,
            Cause::Trip { zone, celsius } => write!(f, "{zone} zone {celsius:.1} C, at its trip at {}", Watts(from))?,
            Cause::Heat { zone, celsius } => write!(f, "{zone} zone {celsius:.1} C, {}", Heating(from))?,
            Cause::Pace { arrivals_per_second, queued, work } => {
                let rung = &from.rung;
                write!(
                    f,
                    "{arrivals_per_second:.1} parts/s, {queued:.0} waiting, are {work:.2} s of work in a second for {rung}"
                )?;
            }
            Cause::Room { zone, celsius } => write!(f, "{zone} zone {celsius:.1} C, {}", Heating(to))?,
        }
        write!(f, ": {} ({:.3} of parts right, {})", to.rung, to.accuracy, Watts(to))
    }
}

/// Watts, and whether they are only assumed.
struct Watts<'f>(&'f Forecast);

impl fmt::Display for Watts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let assumed = if self.0.basis == Basis::Assumed { " assumed" } else { "" };
        write!(f, "{:.1} W{assumed}", self.0.watts)
    }
}

/// When the trip is reached, or where the heating ends.
struct Heating<'f>(&'f Forecast);

impl fmt::Display for Heating<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, watts) = (self.0, Watts(self.0));
        match (of.trip_celsius, of.seconds_to_trip, of.steady_celsius) {
            (Some(trip), Some(seconds), _) => write!(f, "{trip:.0} C forecast in {seconds:.0} s at {watts}"),
            (_, _, Some(steady)) => write!(f, "{steady:.0} C forecast in the end at {watts}"),
            _ => write!(f, "{watts}"),
        }
    }
}

/// What a person should look at.
#[derive(Debug, Clone, PartialEq)]
pub enum Alarm {
    /// No zone with a trip could be read for long: the rung is held and never a heavier one taken.
    Blind {
        /// Seconds so far.
        seconds: f64,
    },
    /// Zones that could be read before cannot be now: no heavier rung is taken.
    Missing {
        /// The zones.
        zones: Vec<String>,
    },
    /// An over-current counter rises fast. No model is switched by that alone.
    OverCurrent {
        /// The counter.
        counter: String,
        /// Events in an hour, at the present rate.
        per_hour: f64,
    },
    /// The fan is driven and does not turn. That alone switches no model: the heat that follows does.
    Fan,
    /// Not even the lightest rung keeps the deadline.
    Overload {
        /// Parts that arrive in a second.
        arrivals_per_second: f64,
    },
    /// Even on the lightest rung a zone stands at its trip, or the board is slowed down.
    Hot {
        /// The hottest temperature in degrees Celsius; `None` where none can be read.
        celsius: Option<f64>,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blind { seconds } => {
                write!(f, "no temperature could be read for {seconds:.0} s: the rung is held, none heavier is taken")
            }
            Self::Missing { zones } => {
                write!(f, "zones that were readable are not: {}; no heavier rung is taken", zones.join(", "))
            }
            Self::OverCurrent { counter, per_hour } => {
                write!(
                    f,
                    "{counter} rises by {per_hour:.0} events an hour: look at the power supply and the power mode"
                )
            }
            Self::Fan => {
                f.write_str("the fan is driven and stands still: look for a stuck blade, a loose plug, a worn fan")
            }
            Self::Overload { arrivals_per_second } => {
                write!(f, "{arrivals_per_second:.1} parts/s are more than the lightest rung can serve in time")
            }
            Self::Hot { celsius: Some(celsius) } => {
                write!(f, "{celsius:.1} C on the lightest rung: look at the fan, the filter and the air around")
            }
            Self::Hot { celsius: None } => f.write_str("the board is slowed down on the lightest rung"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(rung: &str, watts: f64, seconds_to_trip: Option<f64>) -> Forecast {
        Forecast {
            rung: Name::new(rung).unwrap(),
            accuracy: 0.885,
            watts,
            basis: if seconds_to_trip.is_some() { Basis::Measured } else { Basis::Assumed },
            trip_celsius: Some(99.0),
            steady_celsius: Some(81.2),
            seconds_to_trip,
        }
    }

    #[test]
    fn a_change_is_a_sentence_that_a_person_understands() {
        let (teacher, student) = (forecast("elpv-teacher", 14.2, Some(41.2)), forecast("elpv-student", 3.1, None));
        let told = |cause| Change { from: teacher.clone(), to: student.clone(), cause }.to_string();
        let zone = || "gpu".to_owned();
        assert_eq!(
            told(Cause::Heat { zone: zone(), celsius: 93.12 }),
            "gpu zone 93.1 C, 99 C forecast in 41 s at 14.2 W: elpv-student (0.885 of parts right, 3.1 W assumed)"
        );
        assert_eq!(
            told(Cause::Room { zone: zone(), celsius: 61.0 }),
            "gpu zone 61.0 C, 81 C forecast in the end at 3.1 W assumed: elpv-student (0.885 of parts right, 3.1 W assumed)"
        );
        let by = vec!["gpu-throttle-alert".to_owned(), "devfreq-gpu by 2 steps".to_owned()];
        assert!(
            told(Cause::Throttled { by })
                .starts_with("the board is slowed down (gpu-throttle-alert, devfreq-gpu by 2 steps): ")
        );
        let pace = Cause::Pace { arrivals_per_second: 28.0, queued: 11.0, work: 1.75 };
        assert!(
            told(pace)
                .starts_with("28.0 parts/s, 11 waiting, are 1.75 s of work in a second for elpv-teacher: elpv-student")
        );
        assert!(
            told(Cause::Trip { zone: zone(), celsius: 99.5 }).starts_with("gpu zone 99.5 C, at its trip at 14.2 W: ")
        );
        assert!(told(Cause::Forbidden).starts_with("elpv-teacher is forbidden here: "));
    }
}
