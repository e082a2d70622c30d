//! What happens around a board during a shift: the hall, the fan, the filter, the line.

use super::plant::Around;
use crate::name::Name;

/// Parts in a second of one line.
pub const LINE: f64 = 14.0;

/// Seconds from a part's arrival until its verdict is due.
pub const DEADLINE: f64 = 2.0;

/// Seconds of a shift: eight hours.
pub const SHIFT: u32 = 8 * 3600;

/// A shift.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name: `ambient-25`, `summer-hall`.
    pub name: Name,
    /// The hall over the shift.
    hall: Hall,
    /// From which share of the shift on the fan stands still.
    fan_fails: Option<f64>,
    /// How many times as much as a clean one the filter resists at the end of the shift.
    filter: f64,
    /// Lines that feed the board.
    lines: f64,
    /// From which share of the shift on they run.
    starts: f64,
}

/// Degrees Celsius over the shift.
#[derive(Debug, Clone, PartialEq)]
enum Hall {
    Constant(f64),
    /// From the first by the second, reached after six tenths of the shift, to the third.
    Summer(f64, f64, f64),
}

impl Scenario {
    /// The one of a name: `ambient-25`, or one of [`Self::special`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let constant = name.strip_prefix("ambient-").and_then(|celsius| Self::ambient(celsius.parse().ok()?));
        constant.or_else(|| Self::special().into_iter().find(|scenario| scenario.name == *name))
    }

    /// Those that are played when none is named: halls of 25, 40 and 50 C, and [`Self::special`].
    #[must_use]
    pub fn usual() -> Vec<Self> {
        [25.0, 40.0, 50.0].into_iter().filter_map(Self::ambient).chain(Self::special()).collect()
    }

    /// A hall of one temperature, from -40 to 80 degrees Celsius; `None` for any other.
    #[must_use]
    pub fn ambient(celsius: f64) -> Option<Self> {
        if !(-40.0..=80.0).contains(&celsius) {
            return None;
        }
        Some(Self::plain(Name::new(&format!("ambient-{celsius}")).ok()?, Hall::Constant(celsius)))
    }

    fn plain(name: Name, hall: Hall) -> Self {
        Self { name, hall, fan_fails: None, filter: 1.0, lines: 1.0, starts: 0.0 }
    }

    /// Those that are more than a temperature: the failed fan, the summer hall, the clogged filter, two lines at once.
    #[must_use]
    pub fn special() -> Vec<Self> {
        let plain = |name, hall| Some(Self::plain(Name::new(name).ok()?, hall));
        let failed_fan =
            plain("failed-fan-40", Hall::Constant(40.0)).map(|plain| Self { fan_fails: Some(0.125), ..plain });
        let summer = plain("summer-hall", Hall::Summer(24.0, 46.0, 30.0));
        let clogged = plain("clogged-filter", Hall::Constant(35.0)).map(|plain| Self { filter: 3.5, ..plain });
        let two = plain("two-lines", Hall::Constant(35.0)).map(|plain| Self { lines: 2.0, starts: 0.0625, ..plain });
        [failed_fan, summer, clogged, two].into_iter().flatten().collect()
    }

    /// What surrounds the board at a share of the shift, 0 to 1.
    #[must_use]
    pub fn around(&self, share: f64) -> Around {
        let celsius = match self.hall {
            Hall::Constant(celsius) => celsius,
            // Half a wave up and half a wave down.
            Hall::Summer(from, by, to) => {
                let wave = |share: f64| (1.0 - (std::f64::consts::PI * share).cos()) / 2.0;
                if share < 0.6 {
                    from + (by - from) * wave(share / 0.6)
                } else {
                    by + (to - by) * wave((share - 0.6) / 0.4)
                }
            }
        };
        Around {
            celsius,
            fan: self.fan_fails.is_none_or(|fails| share < fails),
            filter: 1.0 + (self.filter - 1.0) * share,
        }
    }

    /// Parts in a second at a share of the shift, without their jitter.
    #[must_use]
    pub fn rate(&self, share: f64) -> f64 {
        if share < self.starts { 0.0 } else { self.lines * LINE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_the_board_is_what_the_name_says() {
        let of = |name: &str| Scenario::named(name).unwrap();
        let summer = of("summer-hall");
        for (share, celsius) in [(0.0, 24.0), (0.3, 35.0), (0.6, 46.0), (0.8, 38.0), (1.0, 30.0)] {
            assert!((summer.around(share).celsius - celsius).abs() < 1e-9, "{share}");
        }
        let fan = of("failed-fan-40");
        assert!(fan.around(0.12).fan && !fan.around(0.13).fan && fan.around(0.5).celsius >= 40.0);
        assert!((of("clogged-filter").around(0.5).filter - 2.25).abs() < 1e-12);
        assert_eq!((of("two-lines").rate(0.0), of("two-lines").rate(0.5)), (0.0, 28.0));
        let hall = of("ambient-47.5");
        assert_eq!((hall.name.as_str(), hall.rate(0.0), hall.around(0.7).celsius), ("ambient-47.5", 14.0, 47.5));
        assert_eq!(Scenario::ambient(-5.0).unwrap().name.as_str(), "ambient--5");
        assert!(["ambient-81", "ambient-NaN", "winter"].iter().all(|name| Scenario::named(name).is_none()));
        assert_eq!(Scenario::usual().len(), 7);
    }
}
