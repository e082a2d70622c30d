//! The shift: what may change while the daemon runs. Reads configuration, models and fits anew when it is asked to, and
//! begins a new term with them, or refuses them and lets the line go on as it was.
//!
//! Promises: no part is lost or judged twice over a reload, and each is judged by the plan of its capture. Nothing is
//! swapped before all of the new is open and warm; a config with findings, a key that cannot change, a model that cannot be
//! opened or a ladder without prices refuses the whole reload, with its reasons in the log, the status and a counter. The crew
//! stays where the models and how they are run stay, so that a new fit costs neither time nor memory; otherwise both crews
//! are in memory until the last part of the old plan is judged. A governor whose ladder stays goes on where it was. A changeover
//! to another recipe ([`changeover`]) waits for a reload that is under way, and a reload for it.

pub(super) mod changeover;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::govern::Governor;
use super::settle::Desk;
use super::{announce, drift, ladder, open, watchdog};
use crate::clock::Monotonic;
use crate::config::{ConfigError, Settings, Texts, fixed};
use crate::flow::infer::{Crew, Crews};
use crate::flow::plan::Plan;
use crate::flow::plan::terms::Terms;
use crate::flow::publish::message::{BirthMessage, Standing};
use crate::govern::ladder::Ladder;
use crate::models::catalogue::verify;
use crate::name::Name;
use crate::notify::Notify;
use crate::record::starts::Starts;
use crate::telemetry::Event;

/// How often it is looked whether a crew can be let go.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the settings came from, and are read from again at each reload.
#[derive(Debug, Clone)]
pub struct Source {
    /// The main file.
    pub config: PathBuf,
    /// The production run in place of that in the file.
    pub run: Option<Name>,
    /// The record of this start, for a daemon under a service manager.
    pub starts: Option<Arc<Starts>>,
    /// Why the daemon does not run what lies in `config`, in one sentence; `None` where it does.
    pub safe_mode: Option<String>,
}

impl Source {
    /// The settings that `texts` say, for this run.
    ///
    /// # Errors
    /// [`ConfigError`] with every finding in them.
    pub fn settings(&self, texts: &Texts) -> Result<Settings, ConfigError> {
        let mut settings = texts.settings()?;
        if let Some(run) = &self.run {
            settings.line.run = run.clone();
        }
        Ok(settings)
    }
}

/// What is to change.
#[derive(Debug)]
enum Change {
    /// Everything is read anew.
    Reload,
    /// The recipe, by what names it.
    Recipe(String),
}

/// A change that is asked for, and where the answer goes.
type Ask = (Change, oneshot::Sender<Result<String, String>>);

/// By what a running daemon is asked to change; clones ask the same daemon. Changes are made one after the other.
#[derive(Debug, Clone)]
pub struct Changer(mpsc::Sender<Ask>);

impl Changer {
    /// Asks to read everything anew, and waits for what came of it: what changed, in one sentence.
    ///
    /// # Errors
    /// Why it was refused, in one sentence; also when the daemon is stopping.
    pub async fn reload(&self) -> Result<String, String> {
        self.ask(Change::Reload).await
    }

    /// Asks to go on with another recipe, and waits until it is in force for the parts captured from then on.
    ///
    /// # Errors
    /// Why it was refused, in one sentence; also when the daemon is stopping.
    pub async fn change_over(&self, recipe: &str) -> Result<String, String> {
        self.ask(Change::Recipe(recipe.to_owned())).await
    }

    async fn ask(&self, change: Change) -> Result<String, String> {
        let (ask, answer) = oneshot::channel();
        let stopping = || "the daemon is stopping".to_owned();
        self.0.send((change, ask)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

/// What may change while the daemon runs.
pub(super) struct Shift {
    /// As they were read last, without what was found out at the start.
    settings: Settings,
    terms: Arc<Terms>,
    crews: Arc<Crews>,
    desk: Arc<Desk>,
    birth: watch::Sender<BirthMessage>,
    notify: Notify,
    /// Who chooses the rung, where there is a ladder, while it does not run.
    governor: Option<Governor>,
    governing: Option<Governing>,
    source: Option<Source>,
    changer: Changer,
    asks: mpsc::Receiver<Ask>,
}

/// A governor at work.
struct Governing {
    stop: CancellationToken,
    task: JoinHandle<Option<Governor>>,
}

/// What is to be taken over, open and warm.
struct Next {
    texts: Texts,
    settings: Settings,
    plan: Arc<Plan>,
    crew: Arc<Crew>,
    ladder: Option<Ladder>,
}

/// What a shift begins with.
pub(super) struct Start {
    pub(super) settings: Settings,
    pub(super) plan: Arc<Plan>,
    pub(super) crew: Arc<Crew>,
    pub(super) ladder: Option<Ladder>,
    pub(super) recipe: Name,
    pub(super) desk: Arc<Desk>,
    pub(super) birth: watch::Sender<BirthMessage>,
    pub(super) notify: Notify,
}

impl Shift {
    /// The first term.
    pub(super) fn new(start: Start) -> Self {
        let Start { settings, plan, crew, ladder, recipe, desk, birth, notify } = start;
        drift::tell_unwatched(&settings, &plan);
        let governor = ladder.map(|ladder| Governor::new(&settings, ladder, &desk));
        let terms = Arc::new(Terms::new(Arc::clone(&plan), rung_of(governor.as_ref()), recipe));
        let crews = Arc::new(Crews::new(plan, crew));
        let (governing, source, (ask, asks)) = (None, None, mpsc::channel(1));
        let changer = Changer(ask);
        Self { settings, terms, crews, desk, birth, notify, governor, governing, source, changer, asks }
    }

    /// By what the daemon is asked to change.
    pub(super) fn changer(&self) -> Changer {
        self.changer.clone()
    }

    /// Lets the daemon reload from `source`.
    pub(super) fn reload_from(&mut self, source: Source) {
        if let Some(why) = &source.safe_mode {
            self.desk.telemetry.tell(Event::SafeMode, format_args!("{why}"));
            self.desk.health.send_modify(|health| health.standing.safe_mode = Some(why.clone()));
        }
        self.source = Some(source);
    }

    /// What the device is; changes with every reload.
    pub(super) fn born(&self) -> watch::Receiver<BirthMessage> {
        self.birth.subscribe()
    }

    /// The plans by the time of capture.
    pub(super) fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms)
    }

    /// Who walks the parts.
    pub(super) fn crews(&self) -> Arc<Crews> {
        Arc::clone(&self.crews)
    }

    /// Governs, answers questions and lets crews go, until `stop`. A crew that breaks CUDA cancels `broken`.
    pub(super) async fn serve(mut self, stop: CancellationToken, broken: CancellationToken) {
        watch_over(&self.crews.newest(), &broken);
        self.govern(&stop);
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some((change, ask)) = self.asks.recv() => {
                    let changed = match change {
                        Change::Reload => stop.run_until_cancelled(self.reload(&stop, &broken)).await,
                        Change::Recipe(recipe) => Some(self.change_over(&recipe).await),
                    };
                    let Some(changed) = changed else { break };
                    // Whoever asked need not have waited.
                    let _ = ask.send(changed);
                }
                _ = ticks.tick() => {
                    self.starts().inspect(|starts| starts.runs(Monotonic::now()));
                    self.retire().await;
                }
            }
        }
        self.halt().await;
    }

    /// Reads everything anew and takes it over, or says why not; the service manager, the log and the status hear of either.
    async fn reload(&mut self, stop: &CancellationToken, broken: &CancellationToken) -> Result<String, String> {
        let telemetry = self.desk.telemetry.clone();
        self.notify.reloading(Monotonic::now());
        let loading =
            watchdog::loading(self.notify.clone(), telemetry.pulse().clone(), open::longest_opening(&self.settings));
        let loading = AbortOnDropHandle::new(tokio::spawn(loading));
        let next = self.open_next().await;
        drop(loading);
        let done = match next {
            Ok(next) => Ok(self.begin(next, stop, broken).await),
            Err(why) => Err(why),
        };
        match &done {
            Ok(told) => telemetry.tell(Event::PlanReloaded, format_args!("{told}")),
            Err(why) => {
                telemetry.tell(Event::ReloadRefused, format_args!("the line goes on as it was: {why}"));
                self.desk.health.send_modify(|health| health.standing.reload_refused = Some(why.clone()));
            }
        }
        self.notify.ready();
        done
    }

    /// Opens what is to be taken over.
    async fn open_next(&self) -> Result<Next, String> {
        let source = self.source.clone().ok_or("this daemon has no file to read anew")?;
        let read = move || Texts::read(&source.config).and_then(|texts| Ok((source.settings(&texts)?, texts)));
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| format!("reading broke off: {error}"))?;
        let (settings, texts) = read.map_err(|error| error.line())?;
        let kept = fixed(&self.settings, &settings);
        if !kept.is_empty() {
            return Err(kept.join("; "));
        }
        let plan = open::plan(&settings).await.map_err(|error| in_one_line(&error))?;
        let recipe = self.terms.newest().recipe;
        changeover::named(recipe.as_str(), &plan, &settings.line.recipe)
            .map_err(|why| format!("recipe {recipe} is in force: {why}; change over first"))?;
        let crew = self.crew_for(&plan, &settings).await?;
        if let Some((_, why)) = crew.stopped().next() {
            return Err(why.to_owned());
        }
        let ladder = ladder::ladder(&settings, &plan, &crew).map_err(|error| in_one_line(&error))?;
        Ok(Next { texts, settings, plan, crew, ladder })
    }

    /// The crew that is there, where it has the same models, runs them in the same way and none of them is stopped; else one
    /// that is opened for the plan.
    async fn crew_for(&self, plan: &Arc<Plan>, settings: &Settings) -> Result<Arc<Crew>, String> {
        let (newest, crew) = (self.terms.newest().plan, self.crews.newest());
        let same = newest.models() == plan.models() && self.settings.runtime == settings.runtime;
        if same && crew.stopped().next().is_none() {
            // What runs is what the passports say; what lies there may have changed beneath them.
            let plan = Arc::clone(plan);
            let verified =
                tokio::task::spawn_blocking(move || plan.models().iter().try_for_each(|model| verify(model)));
            let verified = verified.await.map_err(|error| format!("verifying the models broke off: {error}"))?;
            return verified.map(|()| crew).map_err(|error| error.to_string());
        }
        open::crew(plan, settings, &self.desk.telemetry).await.map_err(|error| in_one_line(&error))
    }

    /// Begins a term with what was opened; what changed, in one sentence.
    async fn begin(&mut self, next: Next, stop: &CancellationToken, broken: &CancellationToken) -> String {
        let Next { texts, settings, plan, crew, ladder } = next;
        drift::tell_unwatched(&settings, &plan);
        let (before, kept) = (self.terms.newest().plan.hash.clone(), Arc::ptr_eq(&crew, &self.crews.newest()));
        let governor = self.halt().await;
        self.governor = ladder.map(|ladder| {
            let taken_over = governor.and_then(|governor| governor.taken_over(&settings, &ladder));
            taken_over.unwrap_or_else(|| Governor::new(&settings, ladder, &self.desk))
        });
        let rung = rung_of(self.governor.as_ref());
        self.desk.pace.set_deadline(settings.governor.deadline);
        if !kept {
            watch_over(&crew, broken);
        }
        self.crews.add(Arc::clone(&plan), Arc::clone(&crew));
        self.terms.begin(Monotonic::now(), &plan, &rung);
        self.desk.health.send_modify(|health| {
            let Standing { recipe_refused, recipe_lost, recipe_register, .. } = std::mem::take(&mut health.standing);
            let stopped_models = announce::stopped(&crew);
            health.standing =
                Standing { stopped_models, recipe_refused, recipe_lost, recipe_register, ..Standing::default() };
            if self.governor.is_none() {
                health.governed = None;
            }
        });
        let started = self.birth.borrow().started;
        let recipe = self.terms.newest().recipe;
        self.birth.send_replace(BirthMessage { started, ..announce::birth(recipe, &plan, &crew, &self.desk) });
        self.settings = settings;
        self.starts().inspect(|starts| starts.taken_over(texts, Monotonic::now()));
        self.govern(stop);
        let models = if kept { "its models stay" } else { "its models were opened anew" };
        format!("parts captured from now on are judged by plan {}, those before by {before}; {models}", plan.hash)
    }

    /// The record of this start.
    fn starts(&self) -> Option<Arc<Starts>> {
        self.source.as_ref()?.starts.clone()
    }

    /// Sets the governor to work.
    fn govern(&mut self, stop: &CancellationToken) {
        let Some(governor) = self.governor.take() else { return };
        let stop = stop.child_token();
        let task = tokio::spawn(governor.run(stop.clone()));
        self.governing = Some(Governing { stop, task });
    }

    /// Has the governor stop, and gives it.
    async fn halt(&mut self) -> Option<Governor> {
        let Governing { stop, task } = self.governing.take()?;
        stop.cancel();
        task.await.inspect_err(|error| tracing::error!("the governor broke off: {error}")).ok()?
    }

    /// Closes the crews that no part can come for any more.
    async fn retire(&self) {
        let gone = self.crews.retire();
        if gone.is_empty() {
            return;
        }
        let closed = tokio::task::spawn_blocking(|| gone.into_iter().for_each(Crew::close)).await;
        match closed {
            Ok(()) => tracing::info!("the last part of an old plan is judged, its models are closed"),
            Err(error) => tracing::error!("closing the models of an old plan broke off: {error}"),
        }
    }
}

/// The rung that a governor orders; the heaviest for ever where there is none.
fn rung_of(governor: Option<&Governor>) -> watch::Receiver<usize> {
    governor.map_or_else(|| watch::channel(0).1, Governor::rung)
}

/// Has `broken` cancelled when `crew` breaks CUDA.
fn watch_over(crew: &Crew, broken: &CancellationToken) {
    let (poisoned, broken) = (crew.poisoned().clone(), broken.clone());
    tokio::spawn(async move {
        poisoned.cancelled().await;
        broken.cancel();
    });
}

/// An error in one line, findings too.
fn in_one_line(error: &anyhow::Error) -> String {
    error.downcast_ref::<ConfigError>().map_or_else(|| format!("{error:#}"), ConfigError::line)
}
