//! How the board heats, learned while it runs: a slow mass behind a fast one, and from that the temperature at another power.
//!
//! The model is a heat sink S of one time constant, and the chip T above it without delay:
//!
//! ```text
//! S' = (ambient + slow P - S) / tau,   T = S + fast P
//! ```
//!
//! Over windows of [`WINDOW`] seconds with mean temperatures and powers (T0, P0), then (T1, P1), that is
//!
//! ```text
//! T1 - T0 = -k T0 + fast (P1 - P0) + k (fast + slow) P0 + k ambient,   k = 1 - exp(-window / tau)
//! ```
//!
//! which is linear in four parameters that [`Rls`] follows, from a stated prior and inside of physical bounds. At one power
//! the answer is closed:
//!
//! ```text
//! T(t) = end + (T(0) - end) exp(-t / tau),   end = ambient + (fast + slow) P
//! ```
//!
//! Source: the first-order thermal network as in F. Incropera and D. `DeWitt`, *Fundamentals of Heat and Mass Transfer*,
//! section 5.1 (lumped capacitance), equations 5.6 and 5.25; its identification as a difference equation as in L. Ljung,
//! *System Identification* (2nd ed. 1999), sections 4.2 and 11.2; the variance of a forecast of such an equation as in
//! G. Box and G. Jenkins, *Time Series Analysis*, section 5.1.

use super::rls::Rls;

/// Seconds of a window: sensors step by half a degree or more, and a mean over many steps is finer than one of them.
pub const WINDOW: f64 = 30.0;

/// Temperatures are told against this, so that the parameters are of one size.
const CENTRE: f64 = 60.0;

/// The standard deviation of a window's mean temperature, in kelvin, before any residual was seen.
const FIRST_RESIDUAL: f64 = 0.3;

/// Windows over which residuals are averaged.
const RESIDUALS: f64 = 30.0;

/// The weight an observation has left after one window more: about half an hour of memory.
const FORGETTING: f64 = 0.985;

/// Seconds: what drifts more slowly is taken as a change of the air around, which is followed.
const MOST_TAU: f64 = 2000.0;

/// The share of a normal distribution below this many deviations is 95 %.
const SURE: f64 = 1.645;

/// Kelvin: no forecast is doubted more than this.
const MOST_DOUBT: f64 = 6.0;

/// A board as a network of two resistances, one time constant and the air around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Board {
    /// Kelvin per watt from the heat sink to the chip, felt at once.
    pub fast: f64,
    /// Kelvin per watt from the air to the heat sink, felt with the time constant.
    pub slow: f64,
    /// The time constant in seconds.
    pub tau: f64,
    /// Degrees Celsius of the air.
    pub ambient: f64,
}

impl Board {
    /// What a small board with a heat sink may be like, before anything was seen of it. Assumed.
    pub const PRIOR: Self = Self { fast: 0.9, slow: 3.2, tau: 500.0, ambient: 35.0 };

    /// The same inside of what a board may be: resistances to 3 and 15 K/W, time constants to [`MOST_TAU`], air of -20 to 85 C.
    fn held(self) -> Self {
        Self {
            fast: self.fast.clamp(0.0, 3.0),
            slow: self.slow.clamp(0.2, 15.0),
            tau: self.tau.clamp(60.0, MOST_TAU),
            ambient: self.ambient.clamp(-20.0, 85.0),
        }
    }

    /// The temperature after a long time at this power, in degrees Celsius: ambient + (fast + slow) P.
    #[must_use]
    pub fn steady(&self, watts: f64) -> f64 {
        self.ambient + (self.fast + self.slow) * watts
    }

    /// The temperature `seconds` after the power went from `now` to `then`, from `celsius`.
    #[must_use]
    pub fn after(&self, celsius: f64, now: f64, then: f64, seconds: f64) -> f64 {
        let (start, end) = (self.start(celsius, now, then), self.steady(then));
        end + (start - end) * (-seconds / self.tau).exp()
    }

    /// Seconds from the change of power until `level` is reached from below: tau ln((end - T(0)) / (end - level)). 0 when
    /// it is already, `None` when it never is.
    #[must_use]
    pub fn seconds_until(&self, level: f64, celsius: f64, now: f64, then: f64) -> Option<f64> {
        let (start, end) = (self.start(celsius, now, then), self.steady(then));
        if start >= level {
            return Some(0.0);
        }
        (end > level).then(|| self.tau * ((end - start) / (end - level)).ln())
    }

    /// The temperature just after a change of power.
    #[must_use]
    pub fn start(&self, celsius: f64, now: f64, then: f64) -> f64 {
        celsius + self.fast * (then - now)
    }

    fn k(&self) -> f64 {
        -(-WINDOW / self.tau).exp_m1()
    }

    /// As parameters of the difference equation.
    fn parameters(&self) -> [f64; 4] {
        let k = self.k();
        [k, self.fast, k * (self.fast + self.slow), k * (self.ambient - CENTRE)]
    }

    /// From parameters of the difference equation, inside of the bounds.
    fn of([k, fast, gain, offset]: [f64; 4]) -> Self {
        let k = if k.is_finite() { k.clamp(-(-WINDOW / MOST_TAU).exp_m1(), 0.5) } else { Self::PRIOR.k() };
        let fast = fast.clamp(0.0, 3.0);
        Self { fast, slow: gain / k - fast, tau: -WINDOW / (-k).ln_1p(), ambient: CENTRE + offset / k }.held()
    }
}

/// The board as it is known so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Thermal {
    rls: Rls<4>,
    board: Board,
    /// The mean square of what a window was off its forecast, kelvin squared.
    residual: f64,
    /// The window before, as mean temperature and mean power.
    last: Option<(f64, f64)>,
    /// The window that fills: seconds, and sums of temperature and power over them.
    filling: (f64, f64, f64),
}

impl Thermal {
    /// Begins with what is assumed of the board.
    #[must_use]
    pub fn new(prior: Board) -> Self {
        let prior = prior.held();
        let [k, _, gain, offset] = prior.parameters();
        let noise = FIRST_RESIDUAL * FIRST_RESIDUAL;
        // Deviations that are believed: half of k, which gain and offset share; half of the fast resistance; then a third of the whole
        // resistance and 12 K of the air, each times k.
        let shared = [k, 0.0, gain, offset].map(|parameter| parameter * 0.5);
        let own = [0.0, prior.fast * 0.5, gain * 0.35, k * 12.0];
        let covariance = std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let own = if row == column { own[row] * own[row] } else { 0.0 };
                (shared[row] * shared[column] + own) / noise
            })
        });
        let rls = Rls::new(prior.parameters(), covariance, FORGETTING);
        Self { rls, board: prior, residual: noise, last: None, filling: (0.0, 0.0, 0.0) }
    }

    /// The board as it is known so far.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Kelvin by which a forecast over `seconds`, for a change of power by `watts`, may be too low, at 95 %: what residuals add up to over the
    /// windows in between, and what is not known of the fast resistance.
    #[must_use]
    pub fn doubt(&self, seconds: f64, watts: f64) -> f64 {
        let alpha = 1.0 - self.board.k();
        let windows = (seconds / WINDOW).max(1.0);
        let added = (1.0 - alpha.powf(2.0 * windows)) / (1.0 - alpha * alpha);
        let fast = self.rls.variance(1) * watts * watts;
        (SURE * (self.residual * (added + fast)).sqrt()).min(MOST_DOUBT)
    }

    /// Learns that the board had this temperature and drew this power over the last `seconds`. A gap (no temperature, or more than a
    /// window) begins anew.
    pub fn learn(&mut self, celsius: Option<f64>, watts: f64, seconds: f64) {
        let Some(celsius) = celsius.filter(|celsius| celsius.is_finite() && watts.is_finite() && seconds <= WINDOW)
        else {
            (self.last, self.filling) = (None, (0.0, 0.0, 0.0));
            return;
        };
        self.filling.0 += seconds;
        self.filling.1 += seconds * (celsius - CENTRE);
        self.filling.2 += seconds * watts;
        let (filled, celsius, watts) = self.filling;
        if filled >= WINDOW {
            self.filling = (0.0, 0.0, 0.0);
            self.learn_window(celsius / filled, watts / filled);
        }
    }

    fn learn_window(&mut self, celsius: f64, watts: f64) {
        if let Some((before, watts_before)) = self.last {
            let error = self.rls.learn(&[-before, watts - watts_before, watts_before, 1.0], celsius - before);
            // One window's upset (a fan that fails) is not to widen all forecasts for long.
            let square = (error * error).min(4.0);
            self.residual += (square - self.residual) / RESIDUALS;
            self.board = Board::of(*self.rls.parameters());
            self.rls.set_parameters(self.board.parameters());
        }
        self.last = Some((celsius, watts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOARD: Board = Board { fast: 1.0, slow: 4.0, tau: 600.0, ambient: 40.0 };

    #[test]
    fn closed_forms_are_those_done_by_hand() {
        assert!((BOARD.steady(10.0) - 90.0).abs() < 1e-12, "40 + 5 x 10");
        // From 50 C at 5 W to 10 W: 55 C at once, then 35 K less to go by a factor e in 600 s.
        assert!((BOARD.after(50.0, 5.0, 10.0, 0.0) - 55.0).abs() < 1e-12);
        assert!((BOARD.after(50.0, 5.0, 10.0, 600.0) - (90.0 - 35.0 / std::f64::consts::E)).abs() < 1e-9);
        // 80 C leaves 10 of those 35 K: 600 ln 3.5 s.
        assert!((BOARD.seconds_until(80.0, 50.0, 5.0, 10.0).unwrap() - 600.0 * 3.5_f64.ln()).abs() < 1e-9);
        assert_eq!(BOARD.seconds_until(90.0, 50.0, 5.0, 10.0), None, "approached, never reached");
        assert_eq!(BOARD.seconds_until(54.0, 50.0, 5.0, 10.0), Some(0.0));
    }

    #[test]
    fn parameters_and_board_are_the_same_thing() {
        let again = Board::of(BOARD.parameters());
        for (seen, wanted) in [(again.fast, 1.0), (again.slow, 4.0), (again.tau, 600.0), (again.ambient, 40.0)] {
            assert!((seen - wanted).abs() < 1e-9, "{again:?}");
        }
        assert!((BOARD.parameters()[0] - (1.0 - (-0.05_f64).exp())).abs() < 1e-12);
    }

    /// Plays a board for some hours, its power switched every ten minutes; gives what was learned.
    fn learned(board: Board, step: f64, hours: u32) -> Thermal {
        let mut thermal = Thermal::new(Board::PRIOR);
        let mut sink = board.ambient;
        for second in 0..hours * 3600 {
            let watts = if (second / 600) % 2 == 0 { 6.0 } else { 11.0 };
            sink += (board.ambient + board.slow * watts - sink) / board.tau;
            let celsius = sink + board.fast * watts;
            thermal.learn(Some((celsius / step).round() * step), watts, 1.0);
        }
        thermal
    }

    #[test]
    fn a_board_of_the_models_own_kind_is_found_through_half_degree_steps() {
        let found = learned(BOARD, 0.5, 4);
        let board = found.board();
        assert!((board.fast - 1.0).abs() < 0.15 && (board.tau - 600.0).abs() < 90.0, "{board:?}");
        assert!((board.steady(8.0) - BOARD.steady(8.0)).abs() < 1.0, "{board:?}");
        assert!(found.doubt(600.0, 0.0) > 0.0 && found.doubt(600.0, 5.0) > found.doubt(600.0, 0.0));
        assert!(found.doubt(600.0, 5.0) < Thermal::new(Board::PRIOR).doubt(600.0, 5.0), "surer than at first");
    }

    #[test]
    fn a_gap_in_the_readings_begins_a_new_window() {
        let mut thermal = learned(BOARD, 0.5, 1);
        let known = *thermal.board();
        for _ in 0..3600 {
            thermal.learn(None, 9.0, 1.0);
            thermal.learn(Some(f64::NAN), 9.0, 1.0);
        }
        assert_eq!(*thermal.board(), known);
        thermal.learn(Some(20.0), 9.0, WINDOW);
        assert_eq!(*thermal.board(), known, "one window alone tells of no change");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_told_the_board_stays_possible(told in prop::collection::vec((prop::option::of(-300.0..300.0_f64), 0.0..600.0_f64), 1..400)) {
            let mut thermal = Thermal::new(Board::PRIOR);
            for (celsius, watts) in told {
                thermal.learn(celsius, watts, 15.0);
                let board = thermal.board();
                prop_assert!(*board == board.held(), "{board:?}");
                let doubt = thermal.doubt(600.0, 5.0);
                prop_assert!((0.0..=MOST_DOUBT).contains(&doubt), "{doubt}");
            }
        }
    }
}
