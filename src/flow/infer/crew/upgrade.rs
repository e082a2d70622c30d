//! From the next provider to the engine: while models answer on what they got, their engines are built one after another,
//! and each model moves to its engine when that has been held against the references in this process too.
//!
//! Builds when the settings say: at once, or when no model has been asked for a while, and then no longer than until the next
//! question. A build that fails is told once, stands in the placement from then on, and is not tried again in this process:
//! what crashed once would crash again. No model waits for anything here: the new session is opened on this thread and
//! handed over warm.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::config::{EngineBuild, Provider, Runtime};
use crate::engines::build::build;
use crate::engines::child::Stopped;
use crate::engines::store::State;
use crate::flow::Placement;
use crate::flow::infer::backend::Backend;
use crate::flow::infer::session::Session;
use crate::models::passport::Model;
use crate::telemetry::{Event, Telemetry};

/// What a model's thread learns of its engine.
pub(super) enum Improvement {
    /// A session on it, warm.
    Session(Box<dyn Session>),
    /// There will be none: what the placement has said so far, and why.
    Refused { pending: String, why: String },
}

impl std::fmt::Debug for Improvement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session(session) => write!(f, "Session({:?})", session.placement()),
            Self::Refused { why, .. } => write!(f, "Refused({why:?})"),
        }
    }
}

/// When a model was last asked, in milliseconds since the start.
#[derive(Debug)]
pub(super) struct Asked {
    start: Instant,
    last: AtomicU64,
}

impl Asked {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }

    /// A model is asked now.
    pub(super) fn now(&self) {
        self.last.store(self.milliseconds(), Ordering::Relaxed);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// When that was.
    fn last(&self) -> Duration {
        Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// How long it has been since; from the start where there was none.
    fn quiet(&self) -> Duration {
        Duration::from_millis(self.milliseconds()).saturating_sub(self.last())
    }
}

/// One engine to be built.
#[derive(Debug)]
pub(super) struct Order {
    model: Arc<Model>,
    pending: String,
    /// Whether there is an engine that may not be used.
    refused: bool,
    to: Sender<Improvement>,
}

impl Order {
    /// What has to be built for a model that runs at `placement`; `None` where nothing has.
    pub(super) fn of(
        model: &Arc<Model>,
        placement: &Placement,
        to: &Sender<Improvement>,
        (backend, runtime): (&Backend, &Runtime),
    ) -> Option<Self> {
        let place = |name: &str| runtime.providers.iter().position(|provider| provider.as_str() == name);
        let better = place(Provider::TensorRt.as_str())? < place(&placement.provider)?;
        if !better || runtime.tensorrt.engine_build == EngineBuild::BeforeStart {
            return None;
        }
        let state = backend.wanted(model, runtime)?.ok()?.state;
        let refused = matches!(state, State::Refused(_));
        Some(Self { model: Arc::clone(model), pending: state.pending()?, refused, to: to.clone() })
    }

    /// Tells of an engine that lies there and may not be used.
    pub(super) fn tell(&self, telemetry: &Telemetry) {
        if self.refused {
            let what = format_args!("model {}: {}; it is built anew", self.model.passport.name, self.pending);
            telemetry.tell(Event::EngineRefused, what);
        }
    }
}

/// The thread that has engines built.
#[derive(Debug)]
pub(super) struct Upgrades {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Upgrades {
    /// Starts it where there is something to build.
    pub(super) fn start(
        orders: VecDeque<Order>,
        (backend, runtime): (Backend, Runtime),
        asked: Arc<Asked>,
        telemetry: Telemetry,
    ) -> Option<Self> {
        if orders.is_empty() {
            return None;
        }
        let patience = (runtime.tensorrt.engine_build == EngineBuild::Idle).then_some(runtime.tensorrt.idle_after);
        let (stop, stopped) = channel();
        let work = move || {
            let watch = Watch { patience, asked: &asked, stopped: &stopped };
            let make = |model: &Model, called_off: &dyn Fn() -> bool| make(&backend, &runtime, model, called_off);
            work(orders, &watch, &telemetry, make);
        };
        let thread = std::thread::Builder::new().name("engines".into()).spawn(work);
        let thread = thread.map_err(|error| tracing::error!(%error, "no thread for engines: none is built")).ok()?;
        Some(Self { stop, thread })
    }

    /// Calls off what is being built and waits for the end of it.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that has engines built had panicked");
        }
    }
}

/// Has the engine of a model built and opens a session on it.
fn make(
    backend: &Backend,
    runtime: &Runtime,
    model: &Model,
    called_off: &dyn Fn() -> bool,
) -> Result<Box<dyn Session>, Stopped> {
    let wanted = backend.wanted(model, runtime).unwrap_or_else(|| Err("TensorRT is not asked for".into()))?;
    let library = backend.library().ok_or_else(|| "ONNX Runtime does not serve".to_owned())?;
    let stage = |stage: &str| tracing::info!(model = %model.passport.name, "the builder: {stage}");
    build(&wanted, (model, runtime, library), (Path::new("/"), called_off), stage)?;
    let opened = backend.open_engine(model, runtime, &wanted.place);
    Ok(opened.map_err(|error| error.to_string())?)
}

/// When to build and when not.
struct Watch<'a> {
    /// How long no model must have been asked before a build; `None` builds at once.
    patience: Option<Duration>,
    asked: &'a Asked,
    stopped: &'a Receiver<()>,
}

impl Watch<'_> {
    /// Whether the daemon ends.
    fn ended(&self) -> bool {
        matches!(self.stopped.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected))
    }

    /// Waits for the time to build; false when the daemon ends.
    fn wait(&self) -> bool {
        loop {
            let left = self.patience.map_or(Duration::ZERO, |patience| patience.saturating_sub(self.asked.quiet()));
            if left.is_zero() {
                return !self.ended();
            }
            if self.stopped.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
                return false;
            }
        }
    }
}

/// Works off the orders until all are done or the daemon ends.
fn work(
    mut orders: VecDeque<Order>,
    watch: &Watch<'_>,
    telemetry: &Telemetry,
    make: impl Fn(&Model, &dyn Fn() -> bool) -> Result<Box<dyn Session>, Stopped>,
) {
    while !orders.is_empty() && watch.wait() {
        let Some(order) = orders.pop_front() else { return };
        let name = &order.model.passport.name;
        let begun = watch.asked.last();
        tracing::info!(model = %name, "{}: a child builds it", order.pending);
        let disturbed = || watch.patience.is_some() && watch.asked.last() != begun;
        let news = match make(&order.model, &|| watch.ended() || disturbed()) {
            Ok(session) => {
                let Placement { version, provider, .. } = session.placement();
                let what = format_args!("model {name} moves to {provider} of ONNX Runtime {version}");
                telemetry.tell(Event::EngineBuilt, what);
                Improvement::Session(session)
            }
            Err(stopped) if stopped.called_off => {
                tracing::info!(model = %name, "parts came: the engine is built when the line is idle again");
                orders.push_front(order);
                continue;
            }
            Err(Stopped { why, .. }) => {
                telemetry.tell(Event::EngineRefused, format_args!("model {name} stays where it runs: {why}"));
                Improvement::Refused { pending: order.pending, why }
            }
        };
        // A model whose thread has gone needs no engine.
        let _ = order.to.send(news);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::flow::infer::crew::tests::{Behaviour, fake, model};

    fn orders(names: &[&str]) -> (VecDeque<Order>, Receiver<Improvement>) {
        let (to, improvements) = channel();
        let order =
            |name: &&str| Order { model: model(name), pending: "not built".into(), refused: false, to: to.clone() };
        (names.iter().map(order).collect(), improvements)
    }

    fn stopped(why: &str, called_off: bool) -> Stopped {
        Stopped { why: why.into(), called_off }
    }

    /// Works with `make` until it is done.
    fn worked(
        names: &[&str],
        patience: Option<Duration>,
        make: impl Fn(&str, &Asked, &dyn Fn() -> bool) -> Result<Box<dyn Session>, Stopped>,
    ) -> (Vec<Improvement>, Telemetry) {
        let ((orders, improvements), telemetry) = (orders(names), Telemetry::default());
        let (asked, (_stop, end)) = (Asked::new(), channel());
        let watch = Watch { patience, asked: &asked, stopped: &end };
        work(orders, &watch, &telemetry, |model, called_off| make(model.passport.name.as_str(), &asked, called_off));
        (improvements.try_iter().collect(), telemetry)
    }

    #[test]
    fn one_engine_after_another_and_a_failed_one_stops_nobody() {
        let order = RefCell::new(Vec::new());
        let (news, telemetry) = worked(&["a", "b", "c"], None, |name, _, _| {
            order.borrow_mut().push(name.to_owned());
            if name == "b" { Err(stopped("it crashed", false)) } else { Ok(fake(Behaviour::Looks).0) }
        });
        assert_eq!(*order.borrow(), ["a", "b", "c"]);
        assert!(matches!(&news[..], [Improvement::Session(_), Improvement::Refused { .. }, Improvement::Session(_)]));
        let Improvement::Refused { pending, why } = &news[1] else { panic!("{news:?}") };
        assert_eq!((pending.as_str(), why.as_str()), ("not built", "it crashed"));
        assert_eq!((telemetry.count(Event::EngineBuilt), telemetry.count(Event::EngineRefused)), (2, 1));
    }

    #[test]
    fn a_question_calls_an_idle_build_off_until_the_line_is_idle_again() {
        let tries = Cell::new(0);
        let (news, telemetry) = worked(&["a"], Some(Duration::ZERO), |_, asked, called_off| {
            tries.set(tries.get() + 1);
            if tries.get() == 1 {
                assert!(!called_off());
                asked.last.fetch_add(1, Ordering::Relaxed); // a question
                assert!(called_off());
                return Err(stopped("called off", true));
            }
            Ok(fake(Behaviour::Looks).0)
        });
        assert_eq!((tries.get(), news.len()), (2, 1));
        assert_eq!(telemetry.count(Event::EngineRefused), 0, "called off is not failed");
    }

    #[test]
    fn beside_the_running_line_questions_call_nothing_off() {
        let (news, _) = worked(&["a"], None, |_, asked, called_off| {
            asked.last.fetch_add(1, Ordering::Relaxed);
            assert!(!called_off());
            Ok(fake(Behaviour::Looks).0)
        });
        assert_eq!(news.len(), 1);
    }

    #[test]
    fn the_end_of_the_daemon_ends_the_waiting_and_the_building() {
        let (asked, (stop, end)) = (Asked::new(), channel());
        let watch = Watch { patience: Some(Duration::from_hours(1)), asked: &asked, stopped: &end };
        let thread_safe = std::thread::scope(|scope| {
            scope.spawn(move || drop(stop));
            watch.wait()
        });
        assert!(!thread_safe && watch.ended());
    }
}
