//! Drift in the running daemon: every part that was judged by a fit is held against what the fit's labelled pictures looked like.
//!
//! Owns one thread, which looks at the pixels; the road hands it a part and goes on. Promises: a part for which the thread has
//! no time is left out, counted, and never waited for. Each route on each rung is watched for itself, by the fit in force;
//! another fit begins anew. What drift changes of a verdict is said by [`Drift::drifting`]; the verdict is the desk's.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::config::{self, Settings};
use crate::flow::embedding::embedding;
use crate::flow::plan::{Fitted, Plan};
use crate::flow::publish::message::{DriftedStatistic, Drifting, DriftingRoute, Health};
use crate::flow::statistics::quality;
use crate::flow::verdict::Verdict;
use crate::flow::{Frame, WalkEnd, Walked};
use crate::fusion::adaptive::Quality;
use crate::learn::drift::space::FEWEST;
use crate::learn::drift::{Look, Turn, Watch, Watching};
use crate::models::fit::reference::{Embedded, Reference, Seen};
use crate::models::passport::Task;
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};

/// Parts that wait to be looked at: each holds a frame.
const WAITING: usize = 4;

/// The routes that drift, by their fits.
type Standing = Arc<Mutex<BTreeMap<String, Drifting>>>;

/// Who watches the line.
pub(super) struct Drift {
    parts: SyncSender<Sample>,
    thread: JoinHandle<()>,
    standing: Standing,
    telemetry: Telemetry,
}

/// Where parts are judged: a route on a rung.
type Place = (Name, Option<Name>);

/// A part to look at.
struct Sample {
    place: Place,
    fit: String,
    reference: Arc<Reference>,
    score: Option<f64>,
    embedding: Option<Embedded>,
    picture: Picture,
}

/// How well a picture was taken, or the picture.
enum Picture {
    None,
    Known(Quality),
    Frame(Arc<Frame>),
}

impl Drift {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system said when it could not be started.
    pub(super) fn open(
        told: config::Drift,
        health: &watch::Sender<Health>,
        telemetry: &Telemetry,
    ) -> anyhow::Result<Self> {
        let (parts, waiting) = mpsc::sync_channel(WAITING);
        let standing = Standing::default();
        health.send_modify(|health| health.drifting = Some(Vec::new()));
        let mut watcher = Watcher {
            told,
            watches: BTreeMap::new(),
            standing: Arc::clone(&standing),
            health: health.clone(),
            telemetry: telemetry.clone(),
        };
        let run = move || waiting.into_iter().for_each(|sample| watcher.look(&sample));
        let thread = std::thread::Builder::new().name("drift".into()).spawn(run);
        let thread = thread.context("the thread that watches for drift could not be started")?;
        Ok(Self { parts, thread, standing, telemetry: telemetry.clone() })
    }

    /// Hands a judged part to the watch, without waiting.
    pub(super) fn see(&self, walked: &Walked, verdict: &Verdict) {
        let Some(sample) = sample(walked, verdict) else { return };
        if let Err(TrySendError::Full(sample)) = self.parts.try_send(sample) {
            let (route, _) = sample.place;
            let part = &walked.part.id;
            self.telemetry.tell(Event::DriftUnseen, format_args!("part {part} of route {route}: {WAITING} wait"));
        }
    }

    /// What drift changes of the verdict on a part; `None` where its route does not drift.
    pub(super) fn drifting(&self, walked: &Walked) -> Option<Drifting> {
        let fit = fit(walked)?;
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).get(&fit.sha256).cloned()
    }

    /// Looks at what waits and ends.
    pub(super) fn close(self) {
        drop(self.parts);
        if self.thread.join().is_err() {
            tracing::error!("the thread that watched for drift panicked");
        }
    }
}

/// Says in the log on which routes and rungs nobody watches for drift, since what judges there knows no reference, or where nobody
/// watches the embeddings that a member gives.
pub(super) fn tell_unwatched(settings: &Settings, plan: &Plan) {
    if settings.drift.is_none() {
        return;
    }
    for (route, rung) in plan.routes().flat_map(|route| (0..plan.rungs.len().max(1)).map(move |rung| (route, rung))) {
        let ((index, route), rung_name) = (route, plan.rungs.get(rung));
        let Some(panel) = plan.panel(index, rung) else { continue };
        let rung = rung_name.map_or_else(String::new, |rung| format!(" on rung {rung}"));
        let name = &route.name;
        let Some(reference) = panel.fit.as_ref().and_then(|fit| fit.reference.as_ref()) else {
            tracing::warn!(
                "[drift] does not watch route {name}{rung}: it wants a fit by `kenpin fit` on labelled pictures"
            );
            continue;
        };
        let watched = reference.embedding.as_ref().map(|space| space.member);
        for (_, member) in panel.members.iter().enumerate().filter(|(seat, _)| watched != Some(*seat)) {
            let passport = &plan.model(member.model).passport;
            if passport.task == Task::Embedding || passport.embedding.is_some() {
                let model = &passport.name;
                tracing::warn!(
                    "[drift] does not watch the embeddings of model {model} on route {name}{rung}: it watches those of one \
                     member, where the fit was made with {FEWEST} labelled pictures or more that it looked at whole"
                );
            }
        }
    }
}

/// The fit that a part was judged by.
fn fit(walked: &Walked) -> Option<&Fitted> {
    let judged = walked.end == WalkEnd::Judged;
    let last = walked.path.last().filter(|_| judged)?;
    walked.part.plan.panel(*last, walked.part.rung)?.fit.as_deref()
}

/// What is looked at of a part; `None` for one that no fit with a reference judged.
fn sample(walked: &Walked, verdict: &Verdict) -> Option<Sample> {
    let fit = fit(walked)?;
    let (reference, plan) = (fit.reference.as_ref()?, &walked.part.plan);
    let route = plan.route(*walked.path.last()?).name.clone();
    let known = verdict.quality.iter().find(|taken| taken.camera == reference.camera);
    let frame = || walked.part.frames.iter().find(|frame| frame.camera == reference.camera);
    let picture = known.map(|taken| Picture::Known(taken.quality));
    Some(Sample {
        place: (route, plan.rungs.get(walked.part.rung).cloned()),
        fit: fit.sha256.clone(),
        reference: Arc::clone(reference),
        score: verdict.score,
        embedding: reference.embedding.as_ref().and_then(|_| embedding(walked, &reference.camera)),
        picture: picture.or_else(|| frame().cloned().map(Picture::Frame)).unwrap_or(Picture::None),
    })
}

/// What the thread owns.
struct Watcher {
    told: config::Drift,
    /// The fit that each place was last judged by, and its watch.
    watches: BTreeMap<Place, (String, Watch)>,
    standing: Standing,
    health: watch::Sender<Health>,
    telemetry: Telemetry,
}

impl Watcher {
    fn look(&mut self, sample: &Sample) {
        let watching = Watching::from(&self.told);
        let begin = || (sample.fit.clone(), Watch::new(watching));
        let (judged_by, watch) = self.watches.entry(sample.place.clone()).or_insert_with(begin);
        if let (Some(space), Some(given)) = (&sample.reference.embedding, &sample.embedding)
            && space.mean.len() != given.vector.len()
        {
            let (place, seen, wanted) = (told_place(&sample.place), given.vector.len(), space.mean.len());
            let told = format_args!("{place}: an embedding has {seen} numbers, those of its fit have {wanted}");
            self.telemetry.tell(Event::DriftUnseen, told);
        }
        let mut left = None;
        if *judged_by != sample.fit {
            left = Some(std::mem::replace(judged_by, sample.fit.clone())).filter(|_| watch.is_drifting());
            *watch = Watch::new(watching);
        }
        let quality = match &sample.picture {
            Picture::None => None,
            Picture::Known(quality) => Some(*quality),
            Picture::Frame(frame) => Some(quality(&frame.image)),
        };
        let embedding = sample.embedding.clone();
        let turn = watch.see(&Seen { score: sample.score, quality, embedding }, &sample.reference);
        if let Some(left) = left {
            self.end(&left);
        }
        match turn {
            Some(Turn::Began(look)) => self.began(sample, &look),
            Some(Turn::Over(look)) => {
                self.end(&sample.fit);
                let (place, parts) = (told_place(&sample.place), look.parts);
                let told = format_args!("{place}: the last {parts} parts look like those of its fit again");
                self.telemetry.tell(Event::DriftOver, told);
            }
            None => {}
        }
    }

    fn began(&self, Sample { place, fit, reference, .. }: &Sample, look: &Look) {
        let statistics = look.drifted().map(|seen| DriftedStatistic {
            statistic: seen.statistic,
            psi: seen.psi,
            ks: seen.distance,
            p: seen.p,
            median: seen.median,
            reference_median: seen.reference_median,
        });
        let (statistics, widened_by): (Vec<DriftedStatistic>, f64) = (statistics.collect(), self.told.widen);
        let told = sentence(place, look, &statistics, reference, widened_by);
        self.telemetry.tell(Event::DriftBegan, format_args!("{told}"));
        let named = statistics.iter().map(|seen| seen.statistic).collect();
        self.standing().insert(fit.clone(), Drifting { statistics: named, widened_by });
        let (route, rung) = place.clone();
        let drifting = DriftingRoute {
            route,
            rung,
            fit: fit.clone(),
            camera: reference.camera.clone(),
            since: Timestamp::now(),
            window: look.parts,
            reference_parts: reference.parts,
            level: look.level,
            widened_by,
            statistics,
            told,
        };
        self.health.send_modify(|health| health.drifting.get_or_insert_default().push(drifting));
    }

    /// Takes back that parts drift away from a fit.
    fn end(&self, fit: &str) {
        self.standing().remove(fit);
        self.health
            .send_modify(|health| health.drifting.get_or_insert_default().retain(|drifting| drifting.fit != *fit));
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Drifting>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told_place((route, rung): &Place) -> String {
    rung.as_ref().map_or_else(|| format!("route {route}"), |rung| format!("route {route} on rung {rung}"))
}

/// The alarm in one sentence.
fn sentence(
    place: &Place,
    look: &Look,
    statistics: &[DriftedStatistic],
    reference: &Reference,
    widened_by: f64,
) -> String {
    let told = |DriftedStatistic { statistic, psi, ks, p, median, reference_median }: &DriftedStatistic| {
        let name = statistic.as_str();
        format!("{name} (median {median:.4}, was {reference_median:.4}; PSI {psi:.2}, KS {ks:.2}, p {p:.1e})")
    };
    let told: Vec<String> = statistics.iter().map(told).collect();
    let (parts, then) = (look.parts, reference.parts);
    let band = if widened_by > 0.0 {
        format!("; the band of undecided is wider by {widened_by} on both sides")
    } else {
        String::new()
    };
    let (place, told) = (told_place(place), told.join(", "));
    format!("{place}: the last {parts} parts differ from the {then} of its fit in {told}{band}")
}
