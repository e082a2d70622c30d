//! How long to wait before something that failed is tried again. Pure: who waits, and what ends the waiting, is the caller's
//! business.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long to wait before trying again: doubling from `first` up to `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub cap: Duration,
}

impl Default for Retry {
    /// From half a second up to half a minute.
    fn default() -> Self {
        Self { first: Duration::from_millis(500), cap: Duration::from_secs(30) }
    }
}

impl Retry {
    /// The pause after this many failures in a row. `draw`, 0 to 1, spreads it over its upper half, so that devices that
    /// lost the same broker do not all come back at once.
    #[must_use]
    pub fn after(self, failures: u32, draw: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20));
        doubled.min(self.cap).mul_f64(0.5 + 0.5 * draw.clamp(0.0, 1.0))
    }
}

/// A number drawn evenly from 0 to 1. The standard library's hash keys are its only source.
#[must_use]
pub fn draw() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}
