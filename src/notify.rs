//! Notify: what systemd is told (`sd_notify(3)`), and how often it wants to hear that the daemon lives.
//!
//! The only file that touches the protocol. Without a service manager, and for a part of Kenpin that is no daemon, every
//! call does nothing. Promises not to fail: a manager that cannot be told is told of once in the log. Decides nothing: who
//! calls [`Notify::alive`] has seen that the road moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::clock::Monotonic;

/// The way to the service manager, shared by clones.
#[derive(Debug, Clone, Default)]
pub struct Notify {
    /// Whether somebody listens.
    heard: bool,
    watchdog: Option<Duration>,
    failed: Arc<AtomicBool>,
}

impl Notify {
    /// As the environment says: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` where the unit has a `WatchdogSec`.
    #[must_use]
    pub fn from_environment() -> Self {
        let heard = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        let watchdog = sd_notify::watchdog_enabled().filter(|span| heard && !span.is_zero());
        Self { heard, watchdog, failed: Arc::default() }
    }

    /// The longest silence between two calls of [`Self::alive`] after which the manager ends the daemon; `None` where it
    /// does not listen for them.
    #[must_use]
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Whether anybody hears what is told.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        self.heard
    }

    /// The daemon judges; also the end of a reload.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// A reload begins at `now`.
    pub fn reloading(&self, now: Monotonic) {
        self.tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(i128::from(now.as_nanos() / 1000))]);
    }

    /// The road is being drained.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// The road moves.
    pub fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// The start, reload or stop that is under way takes until `span` from now at the least.
    pub fn extend(&self, span: Duration) {
        let microseconds = u32::try_from(span.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[NotifyState::ExtendTimeoutUsec(microseconds)]);
    }

    /// What `systemctl status` shows: one line.
    pub fn status(&self, line: &str) {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.tell(&[NotifyState::Status(&line)]);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if !self.heard {
            return;
        }
        if let Err(error) = sd_notify::notify(states)
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("the service manager cannot be told how the daemon is: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_manager_nobody_is_told() {
        let notify = Notify::default();
        assert!(!notify.is_heard() && notify.watchdog().is_none());
        notify.ready();
        notify.status("two\nlines");
        assert!(!notify.failed.load(Ordering::Relaxed));
    }
}
