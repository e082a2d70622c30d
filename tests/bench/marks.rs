//! Two marks in a running daemon, set when a verdict of a given number is reached: so that starting and stopping are not
//! counted, and what is ahead of the verdict on the road is the same at both ends.
//!
//! The daemon tells each verdict as an event; a subscriber counts them and reads the clocks. It listens to nothing else.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use kenpin::clock::Monotonic;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::counting;

/// What the process had used at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// CPU milliseconds of all threads.
    pub(crate) cpu: f64,
    /// Those of them spent in the kernel.
    pub(crate) kernel: f64,
    /// Wall milliseconds since some moment.
    pub(crate) wall: f64,
    /// Allocations of the Rust code.
    pub(crate) allocations: u64,
}

impl Reading {
    /// Now.
    pub(crate) fn now() -> Self {
        let usage = rusage();
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Self {
            cpu: time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6,
            kernel: usage.tv_sec as f64 * 1e3 + usage.tv_usec as f64 / 1e3,
            wall: kenpin::clock::milliseconds(Monotonic::now().since(Monotonic::default())),
            allocations: counting::count(),
        }
    }

    /// What was used from `earlier` to here.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        Spent {
            cpu: self.cpu - earlier.cpu,
            kernel: self.kernel - earlier.kernel,
            wall: self.wall - earlier.wall,
            allocations: (self.allocations - earlier.allocations) as f64,
        }
    }
}

/// What a stretch of work used: CPU, kernel and wall milliseconds, allocations.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) cpu: f64,
    pub(crate) kernel: f64,
    pub(crate) wall: f64,
    pub(crate) allocations: f64,
}

/// Measures `work`, all threads of the process together.
pub(crate) fn spend<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Spent, T)> {
    let before = Reading::now();
    let done = work()?;
    Ok((Reading::now().since(&before), done))
}

#[expect(unsafe_code, reason = "getrusage fills a plain struct")]
fn rusage() -> libc::timeval {
    // SAFETY: all-zero is a valid rusage, and the call writes nothing but it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage.ru_stime
    }
}

/// Where the marks are set.
struct Plan {
    first: u64,
    last: u64,
    readings: Vec<Reading>,
    stop: CancellationToken,
}

static PLAN: Mutex<Option<Plan>> = Mutex::new(None);
static JUDGED: AtomicU64 = AtomicU64::new(0);
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Sets the marks at the verdicts `first` and `last`, counted from 1; `stop` is cancelled at the second.
pub(crate) fn set(first: u64, last: u64, stop: CancellationToken) {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| _ = tracing::subscriber::set_global_default(Verdicts));
    JUDGED.store(0, Ordering::SeqCst);
    NEXT.store(first, Ordering::SeqCst);
    *PLAN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Plan { first, last, readings: Vec::new(), stop });
}

/// What was used between the marks, and the parts; `None` when the run ended before the second.
pub(crate) fn between() -> Option<(Spent, f64)> {
    let plan = PLAN.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let [first, last] = plan.readings.as_slice() else { return None };
    Some((last.since(first), (plan.last - plan.first) as f64))
}

fn judged() {
    let number = JUDGED.fetch_add(1, Ordering::Relaxed) + 1;
    if number != NEXT.load(Ordering::Relaxed) {
        return;
    }
    if let Some(plan) = PLAN.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        plan.readings.push(Reading::now());
        if number == plan.first {
            NEXT.store(plan.last, Ordering::Relaxed);
        } else {
            plan.stop.cancel();
        }
    }
}

/// Hears verdicts and nothing else.
struct Verdicts;

impl Subscriber for Verdicts {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "kenpin::telemetry" && *metadata.level() == Level::DEBUG
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::DEBUG)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Kind);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Looks at the event's own name, without making a text of it.
struct Kind;

impl Visit for Kind {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut rest = Rest("part_judged");
        if field.name() == "event" && write!(rest, "{value:?}").is_ok() && rest.0.is_empty() {
            judged();
        }
    }
}

/// What of a text is still to be written; refuses any other.
struct Rest(&'static str);

impl std::fmt::Write for Rest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(std::fmt::Error)?;
        Ok(())
    }
}
