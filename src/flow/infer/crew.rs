//! The crew: every model of a plan on its own named thread, which owns the session and the preparation buffers and alone
//! touches them.
//!
//! Promises an answer to every question, in bounded time after the model's own: a model that could not be loaded, or
//! whose thread has died, answers with one sentence. Requests wait in a queue of [`bound::REQUESTS`]; beyond it the
//! asking walker waits. Knows nothing of routes. A model whose engine is not built yet answers on the next provider, and moves
//! to the engine when a child has built it.

mod desk;
mod upgrade;

use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::feed::Question;
use super::poison::poisons;
use super::session::Session;
use super::turns::{Turns, Urgency};
use super::walk;
use crate::config::{Provider, Runtime};
use crate::engines::build::tidy;
use crate::engines::store::Store;
use crate::flow::plan::{ModelIndex, Plan};
use crate::flow::{Answer, Part, Placement, StageTimes, Unanswered, Walked, bound};
use crate::memory::budget::Budget;
use crate::models::ModelError;
use crate::models::passport::Model;
use crate::name::Name;
use crate::task::Read;
use crate::task::geometry::Region;
use crate::telemetry::{Event, Telemetry};
use desk::Desk;
use upgrade::{Asked, Improvement, Order, Upgrades};

/// The models of one plan, ready to be asked.
#[derive(Debug)]
pub struct Crew {
    seats: Vec<Seat>,
    telemetry: Telemetry,
    asked: Arc<Asked>,
    upgrades: Option<Upgrades>,
    poisoned: CancellationToken,
}

/// One model's place in the crew.
#[derive(Debug)]
struct Seat {
    name: Name,
    state: State,
}

#[derive(Debug)]
enum State {
    Running {
        requests: mpsc::Sender<Request>,
        improvements: std::sync::mpsc::Sender<Improvement>,
        place: Arc<Place>,
        thread: JoinHandle<()>,
    },
    Stopped {
        why: String,
    },
}

/// Where a model runs now; its thread changes it, everybody reads it.
#[derive(Debug)]
struct Place(RwLock<Arc<Placement>>);

impl Place {
    fn new(placement: &Arc<Placement>) -> Self {
        Self(RwLock::new(Arc::clone(placement)))
    }

    fn get(&self) -> Arc<Placement> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, placement: &Arc<Placement>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(placement);
    }
}

/// One question to a model.
#[derive(Debug)]
struct Request {
    question: Question,
    urgency: Urgency,
    asked: Instant,
    reply: oneshot::Sender<Reply>,
}

impl Request {
    /// A question that nobody waits for: it passes through the model's thread and its turn, and no session is asked.
    fn heartbeat() -> Self {
        let question = Question { frame: None, region: Region::Whole, readings: Arc::default(), found: Vec::new() };
        let (reply, _) = oneshot::channel();
        Self { question, urgency: Urgency::REQUIRED, asked: Instant::now(), reply }
    }
}

/// A model's reply.
#[derive(Debug)]
struct Reply {
    read: Result<Read, String>,
    times: StageTimes,
    /// Where it was made; `None` where no session was asked.
    placement: Option<Arc<Placement>>,
}

impl Crew {
    /// Opens every model of `plan` one after another, each on its own thread, and warms it up. Blocks until the last is
    /// ready, which can take minutes where engines are built.
    ///
    /// A model that cannot be opened is kept as stopped, counted, and answers with the sentence of its error.
    ///
    /// # Errors
    /// [`ModelError::Runtime`] when no backend of the settings can be used at all.
    pub fn open(plan: &Arc<Plan>, runtime: &Runtime, telemetry: Telemetry) -> Result<Self, ModelError> {
        let backend = Backend::choose(runtime)?;
        if runtime.providers.contains(&Provider::TensorRt) {
            tidy(&Store::new(&runtime.tensorrt.folder));
        }
        let turns = Arc::new(Turns::new(at_once(runtime)));
        let start = |model: &Arc<Model>| {
            let (backend, runtime, opened) = (backend.clone(), runtime.clone(), Arc::clone(model));
            Seat::start(model, &turns, &telemetry, move || backend.open(&opened, &runtime))
        };
        let mut budget = Budget::begin(runtime.memory_bytes);
        let open = |model: &Arc<Model>| {
            let seat = start(model);
            budget.note(seat.name.as_str());
            seat
        };
        let seats: Vec<Seat> = plan.models().iter().map(open).collect();
        budget.keep().map_err(|(seen, wanted)| ModelError::Memory { seen, wanted })?;
        let asked = Arc::new(Asked::new());
        let orders = plan.models().iter().zip(&seats);
        let orders = orders.filter_map(|(model, seat)| seat.order(model, (&backend, runtime), &telemetry)).collect();
        let upgrades = Upgrades::start(orders, (backend, runtime.clone()), Arc::clone(&asked), telemetry.clone());
        Ok(Self { seats, telemetry, asked, upgrades, poisoned: CancellationToken::new() })
    }

    /// Sends a heartbeat through the thread of every running model: a question that nobody waits for. Where so many questions
    /// wait that there is no room for one, they keep the thread busy enough.
    pub fn heartbeat(&self) {
        for seat in &self.seats {
            if let State::Running { requests, .. } = &seat.state {
                let _ = requests.try_send(Request::heartbeat());
            }
        }
    }

    /// Cancelled once a model said that CUDA is broken for this process: nothing but a new process helps.
    #[must_use]
    pub const fn poisoned(&self) -> &CancellationToken {
        &self.poisoned
    }

    /// Walks one part to its end; see [`walk`].
    pub async fn walk(&self, part: Part) -> Walked {
        walk::walk(self, part).await
    }

    /// Where each running model runs, by the order of the plan's models.
    pub fn placements(&self) -> impl Iterator<Item = (&Name, Arc<Placement>)> {
        self.seats.iter().filter_map(|seat| Some((&seat.name, seat.placement()?)))
    }

    /// The models that cannot judge, each with why: they could not be opened, or their threads have panicked since.
    pub fn stopped(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.seats.iter().filter_map(|seat| match &seat.state {
            State::Stopped { why } => Some((&seat.name, why.as_str())),
            State::Running { thread, .. } if thread.is_finished() => Some((&seat.name, "its thread has panicked")),
            State::Running { .. } => None,
        })
    }

    /// Lets every model finish what it was asked, and ends the threads. Blocks until they have ended.
    pub fn close(self) {
        if let Some(upgrades) = self.upgrades {
            upgrades.stop();
        }
        for seat in self.seats {
            let State::Running { requests, thread, .. } = seat.state else { continue };
            drop(requests);
            if thread.join().is_err() {
                tracing::error!(model = %seat.name, "the thread of the model had panicked");
            }
        }
    }

    /// Asks one model one question about a part.
    pub(super) async fn ask(&self, part: &Part, model: ModelIndex, question: Question, urgency: Urgency) -> Answer {
        let Some(seat) = self.seats.get(model.get()) else {
            return self.cannot_ask(part, model, "the model is not in the crew: the plan has changed".into());
        };
        let camera = question.frame.as_ref().map(|frame| frame.camera.clone());
        self.asked.now();
        let Reply { read, times, placement } = seat.ask(question, urgency).await;
        if let Err(why) = &read {
            self.tell_failed(part, &seat.name, why);
            if poisons(why) {
                self.poisoned.cancel();
            }
        }
        let placement = placement.or_else(|| seat.placement());
        let (findings, embedding) = match read {
            Ok(Read { findings, embedding }) => (Ok(findings), embedding),
            Err(why) => (Err(Unanswered::Failed(why)), None),
        };
        Answer { model, camera, crop: None, findings, embedding, times, placement }
    }

    /// The answer of a model that was not asked.
    pub(super) fn cannot_ask(&self, part: &Part, model: ModelIndex, why: String) -> Answer {
        let seat = self.seats.get(model.get());
        if let Some(seat) = seat {
            self.tell_failed(part, &seat.name, &why);
        }
        self.unasked(model, None, Unanswered::Failed(why))
    }

    /// The answer of an optional member whose deadline has passed; its model is told to leave the question alone.
    pub(super) fn late(&self, part: &Part, model: ModelIndex, camera: Option<Name>, deadline: f64) -> Answer {
        if let Some(seat) = self.seats.get(model.get()) {
            let what = format_args!("model {} on part {}: {deadline} ms after the capture", seat.name, part.id);
            self.telemetry.tell(Event::MemberLate, what);
        }
        self.unasked(model, camera, Unanswered::Late { deadline })
    }

    /// The answer of a member that the plan passes over.
    pub(super) fn unasked(&self, model: ModelIndex, camera: Option<Name>, why: Unanswered) -> Answer {
        let placement = self.seats.get(model.get()).and_then(Seat::placement);
        let times = StageTimes::default();
        Answer { model, camera, crop: None, findings: Err(why), embedding: None, times, placement }
    }

    fn tell_failed(&self, part: &Part, model: &Name, why: &str) {
        self.telemetry.tell(Event::MemberFailed, format_args!("model {model} on part {}: {why}", part.id));
    }
}

impl Seat {
    /// Starts the model's thread and waits until its session is open, or is not.
    ///
    /// The thread is named `model-<name>`; the kernel shows the first 15 bytes of it.
    fn start(
        model: &Arc<Model>,
        turns: &Arc<Turns>,
        telemetry: &Telemetry,
        open: impl FnOnce() -> Result<Box<dyn Session>, ModelError> + Send + 'static,
    ) -> Self {
        let name = model.passport.name.clone();
        let (requests, waiting) = mpsc::channel(bound::REQUESTS);
        let (improvements, improved) = std::sync::mpsc::channel();
        let (ready, opened) = std::sync::mpsc::sync_channel(1);
        let (worker, turns, pulse) = (Arc::clone(model), Arc::clone(turns), telemetry.pulse().clone());
        let spawned =
            std::thread::Builder::new().name(format!("model-{name}")).spawn(move || match Desk::open(&worker, open) {
                Ok(desk) => {
                    let place = Arc::new(Place::new(desk.placement()));
                    if ready.send(Ok(Arc::clone(&place))).is_ok() {
                        let beat = pulse.listen(format!("model {}", worker.passport.name));
                        desk.serve(waiting, &improved, (&place, &turns), &beat);
                    }
                }
                Err(error) => _ = ready.send(Err(error.to_string())),
            });
        let state = spawned.map_err(|error| format!("model {name}: its thread cannot be started: {error}")).and_then(
            |thread| match opened.recv() {
                Ok(Ok(place)) => Ok(State::Running { requests, improvements, place, thread }),
                Ok(Err(why)) => Err(why),
                Err(_) => Err(format!("model {name}: its thread panicked while opening the session")),
            },
        );
        let seat = Self { name, state: state.unwrap_or_else(|why| State::Stopped { why }) };
        telemetry.pulse().worked();
        seat.tell(telemetry);
        seat
    }

    /// Tells what someone should look at: a model that is stopped or does not run on what was asked for first.
    fn tell(&self, telemetry: &Telemetry) {
        match &self.state {
            State::Stopped { why } => telemetry.tell(Event::ModelStopped, format_args!("{why}")),
            State::Running { place, .. } => {
                let placement = place.get();
                let Placement { backend, version, provider, nodes, fallback } = &*placement;
                tracing::info!(model = %self.name, backend, version, provider, ?nodes, "the model is ready");
                if let Some(why) = fallback {
                    let what = format_args!("model {} runs on {backend} {version}, {provider}: {why}", self.name);
                    telemetry.tell(Event::MemberDegraded, what);
                }
            }
        }
    }

    fn placement(&self) -> Option<Arc<Placement>> {
        match &self.state {
            State::Running { place, .. } => Some(place.get()),
            State::Stopped { .. } => None,
        }
    }

    /// What has to be built for this model, where it runs on another provider only because its engine is not there.
    fn order(&self, model: &Arc<Model>, how: (&Backend, &Runtime), telemetry: &Telemetry) -> Option<Order> {
        let State::Running { improvements, place, .. } = &self.state else { return None };
        let order = Order::of(model, &place.get(), improvements, how)?;
        order.tell(telemetry);
        Some(order)
    }

    /// Asks the model and waits for its reply; a dead thread is a reply too.
    async fn ask(&self, question: Question, urgency: Urgency) -> Reply {
        let failed = |why: String| Reply { read: Err(why), times: StageTimes::default(), placement: None };
        let requests = match &self.state {
            State::Running { requests, .. } => requests,
            State::Stopped { why } => return failed(why.clone()),
        };
        let (reply, replied) = oneshot::channel();
        let sent = requests.send(Request { question, urgency, asked: Instant::now(), reply }).await;
        let received = if sent.is_ok() { replied.await.ok() } else { None };
        received.unwrap_or_else(|| failed(format!("model {}: its thread has panicked and answers no more", self.name)))
    }
}

/// How many models may run at once: as told, else as many as there are cores for on the processor, and all of them where
/// another device does the work.
fn at_once(runtime: &Runtime) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let alone = runtime.providers.first() == Some(&Provider::Cpu) || runtime.providers.is_empty();
    let natural = if alone { (cores / runtime.threads_per_session.max(1)).max(1) } else { usize::MAX };
    runtime.models_at_once.unwrap_or(natural)
}

#[cfg(test)]
pub(super) mod tests;
