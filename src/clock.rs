//! Time, in the two kinds Kenpin keeps apart.
//!
//! Durations and joining use [`Monotonic`], the kernel's `CLOCK_MONOTONIC` (V4L2 stamps frames with it); messages
//! carry UTC and say whether the kernel holds the clock synchronised. Pure code never asks for the time: it is handed in.

use std::ops::{Add, Sub};
use std::time::Duration;

use tokio::time::Instant;

/// A point on `CLOCK_MONOTONIC`, in nanoseconds since an unspecified start (boot, on Linux).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(u64);

impl Monotonic {
    /// The point `nanoseconds` after the clock's start.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Now, as `clock_gettime(CLOCK_MONOTONIC)` gives it.
    #[must_use]
    pub fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
    }

    /// Nanoseconds since the clock's start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The distance between two points, whichever comes first.
    #[must_use]
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Monotonic {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The monotonic clock as tokio's timers see it, so that a test may hold it.
#[derive(Debug, Clone, Copy)]
pub struct Timers {
    instant: Instant,
    monotonic: Monotonic,
}

impl Timers {
    /// Begins now, inside a tokio runtime.
    #[must_use]
    pub fn start() -> Self {
        Self { instant: Instant::now(), monotonic: Monotonic::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(self) -> Monotonic {
        self.monotonic + self.instant.elapsed()
    }

    /// Sleeps until `deadline`; for ever when there is none.
    pub async fn sleep_until(self, deadline: Option<Monotonic>) {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.instant + deadline.since(self.monotonic)).await,
            None => std::future::pending().await,
        }
    }
}

/// Whether the kernel holds the system clock synchronised to an outside source.
///
/// Source: `adjtimex(2)`; the state is `TIME_ERROR` while the clock is not synchronised.
#[must_use]
#[expect(unsafe_code, reason = "no maintained crate wraps a read-only adjtimex; the call fills one plain struct")]
pub fn synchronised() -> bool {
    // SAFETY: `timex` is a plain C struct for which all zeroes is a valid value, `modes = 0` asks for a read only, and
    // the kernel writes to nothing but the struct that the exclusive reference points at.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    state >= 0 && state != libc::TIME_ERROR
}

/// CPU time that all threads of this process have used, those that have ended too, the kernel's part included.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Milliseconds of a span, for messages and logs.
#[must_use]
pub fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_forward_and_never_below_zero() {
        let first = Monotonic::now();
        let second = Monotonic::now();
        assert!(second >= first);
        assert_eq!(first.since(second + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(Monotonic::from_nanos(5) - Duration::from_secs(1), Monotonic::default());
        assert_eq!(Monotonic::from_nanos(9).distance(Monotonic::from_nanos(4)), Duration::from_nanos(5));
    }
}
