//! What the board draws on a rung: idle watts, and the rung's own watts times the share of time it works, both corrected by
//! what the power monitor tells. Without a monitor the assumed figures stand, and forecasts say so.

use super::ladder::{Basis, Ladder, Rung};
use super::rls::Rls;
use super::thermal::WINDOW;

/// The variance of a window's mean power, in watt squared.
const NOISE: f64 = 0.01;

/// The weight an observation has left after one window more.
const FORGETTING: f64 = 0.99;

/// Idle watts, and a factor on what rungs are said to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    rls: Rls<2>,
    /// The window that fills: seconds, and sums over them of the power told and of the rung's own.
    filling: (f64, f64, f64),
    /// Whether a monitor told of a whole window.
    told: bool,
}

impl Draw {
    /// Begins with the idle watts that are assumed of the board; rungs are believed within a third.
    #[must_use]
    pub fn new(idle_watts: f64) -> Self {
        let covariance = [[(idle_watts * 0.35).powi(2) / NOISE, 0.0], [0.0, 0.35 * 0.35 / NOISE]];
        Self { rls: Rls::new([idle_watts, 1.0], covariance, FORGETTING), filling: (0.0, 0.0, 0.0), told: false }
    }

    /// Watt of the board on a rung that works this share of the time.
    #[must_use]
    pub fn watts(&self, rung: &Rung, busy: f64) -> f64 {
        let [idle, factor] = *self.rls.parameters();
        idle + factor * rung.power.watts * busy
    }

    /// Whether a power stands on measurements: on the monitor's, or on those behind every rung.
    #[must_use]
    pub fn basis(&self, ladder: &Ladder) -> Basis {
        let measured = self.told || ladder.rungs().iter().all(|rung| rung.power.basis == Basis::Measured);
        if measured { Basis::Measured } else { Basis::Assumed }
    }

    /// Learns what the monitor told over the last `seconds`, while a rung drew `own` watt by its price.
    pub fn learn(&mut self, told: Option<f64>, own: f64, seconds: f64) {
        let Some(told) = told.filter(|_| seconds <= WINDOW) else {
            self.filling = (0.0, 0.0, 0.0);
            return;
        };
        self.filling.0 += seconds;
        self.filling.1 += seconds * told;
        self.filling.2 += seconds * own;
        let (filled, told, own) = self.filling;
        if filled >= WINDOW {
            self.rls.learn(&[1.0, own / filled], told / filled);
            let [idle, factor] = *self.rls.parameters();
            self.rls.set_parameters([idle.clamp(0.0, 200.0), factor.clamp(0.2, 5.0)]);
            (self.filling, self.told) = ((0.0, 0.0, 0.0), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::ladder::tests::ladder;

    #[test]
    fn idle_and_factor_are_found_once_two_rungs_have_run() {
        let (ladder, mut draw) = (ladder(), Draw::new(5.0));
        let (heavy, light) = (ladder.rung(0), ladder.rung(3));
        assert!((draw.watts(heavy, 0.5) - 11.5).abs() < 1e-12, "5 + 13 / 2 before anything is told");
        assert_eq!(draw.basis(&ladder), Basis::Assumed);
        for second in 0..3600 {
            let own = if (second / 300) % 2 == 0 { 6.5 } else { 0.1 };
            draw.learn(Some(4.0 + 1.3 * own), own, 1.0);
        }
        assert!((draw.watts(heavy, 0.5) - (4.0 + 1.3 * 6.5)).abs() < 0.05, "{draw:?}");
        assert!((draw.watts(light, 0.0) - 4.0).abs() < 0.05);
        assert_eq!(draw.basis(&ladder), Basis::Measured);
        let known = draw.clone();
        draw.learn(None, 6.5, 1.0);
        assert_eq!(draw.rls, known.rls, "no monitor, nothing learned");
    }
}
