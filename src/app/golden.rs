//! The golden set: pictures whose verdict is known are judged after each start, after each change and once a day, beside the line.
//!
//! They are shown to the models of the line, one after the other, so that a part of the line waits for one of them at most; they
//! pass no camera, no journal, no output and no watch. Judged on the heaviest rung, for the recipe that the config names. What is judged otherwise than expected is
//! told in the log, by a counter and over MQTT, each picture by name; nothing is decided by it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::settle::{Desk, judged};
use super::shown::Shown;
use crate::clock::Monotonic;
use crate::config::{JpegScale, Settings};
use crate::flow::acquire::decode::read_image;
use crate::flow::infer::{Crew, Crews};
use crate::flow::plan::Plan;
use crate::flow::plan::terms::Terms;
use crate::flow::pool::Pool;
use crate::flow::publish::message::{BirthMessage, GoldenDifference, GoldenJudged, Health};
use crate::flow::verdict::{Decision, Verdict};
use crate::flow::{Part, Reading, Walked};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};
use crate::value::Value;

/// How often it is judged without a cause.
const EVERY: Duration = Duration::from_hours(24);

/// The most differences that are told by name.
const TOLD: usize = 100;

/// A picture of the golden set.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenPicture {
    /// The file.
    pub image: PathBuf,
    /// What becomes of it.
    pub expected: Decision,
    /// What each sensor says of it.
    pub sensors: BTreeMap<Name, BTreeMap<String, Value>>,
}

/// The golden set with what its parts are made of.
#[derive(Debug, Clone)]
pub struct Golden {
    pictures: Vec<GoldenPicture>,
    camera: Name,
    scale: JpegScale,
    line: crate::config::Line,
}

impl Golden {
    /// These pictures as the line that `settings` describe would take them; `None` where there is no `[golden]`.
    #[must_use]
    pub fn new(settings: &Settings, pictures: Vec<GoldenPicture>) -> Option<Self> {
        let camera = settings.golden.as_ref()?.camera.clone();
        let scale = settings.cameras.get(&camera).map_or(JpegScale::Whole, |told| told.source.jpeg_scale());
        Some(Self { pictures, camera, scale, line: settings.line.clone() })
    }

    /// How many pictures there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// Shows every picture to `crew`; those that are judged otherwise than expected.
    pub async fn judge(&self, plan: &Arc<Plan>, crew: &Crew) -> Vec<GoldenDifference> {
        self.differences(plan, |part| crew.walk(part)).await
    }

    async fn differences<W: Future<Output = Walked>>(
        &self,
        plan: &Arc<Plan>,
        walk: impl Fn(Part) -> W,
    ) -> Vec<GoldenDifference> {
        let pool = Pool::new(1);
        let mut differences = Vec::new();
        for picture in &self.pictures {
            let difference = match self.part(picture, plan, &pool).await {
                Ok(part) => difference(picture, &judged(&walk(part).await)),
                Err(why) => {
                    let (expected, told) = (picture.expected, picture.image.display().to_string());
                    Some(GoldenDifference { picture: told, expected, seen: None, score: None, why })
                }
            };
            differences.extend(difference);
        }
        differences
    }

    async fn part(&self, picture: &GoldenPicture, plan: &Arc<Plan>, pool: &Pool) -> Result<Part, String> {
        let (path, scale, pool) = (picture.image.clone(), self.scale, pool.clone());
        let read = tokio::task::spawn_blocking(move || read_image(&path, scale, &pool)).await;
        let image = read.map_err(|error| format!("reading it broke off: {error}"))??;
        let now = Monotonic::now();
        let reading = |(sensor, values): (&Name, &BTreeMap<String, Value>)| Reading {
            sensor: sensor.clone(),
            captured: now,
            part: None,
            values: values.clone(),
            asker: None,
        };
        let readings = picture.sensors.iter().map(reading).collect();
        Ok(Shown { image, camera: &self.camera, readings, rung: 0 }.part(&self.line, plan, now))
    }
}

/// What is told of a verdict that is not the expected one.
fn difference(picture: &GoldenPicture, verdict: &Verdict) -> Option<GoldenDifference> {
    let (expected, seen) = (picture.expected, verdict.decision);
    (seen != expected).then(|| GoldenDifference {
        picture: picture.image.display().to_string(),
        expected,
        seen: Some(seen),
        score: verdict.score,
        why: verdict.reasons.first().and_then(|reason| serde_json::to_string(reason).ok()).unwrap_or_default(),
    })
}

/// Who judges the golden set of a running daemon.
pub(super) struct Examiner {
    pub(super) golden: Box<Golden>,
    pub(super) terms: Arc<Terms>,
    pub(super) crews: Arc<Crews>,
    pub(super) desk: Arc<Desk>,
    /// Changes with every reload and every changeover.
    pub(super) birth: watch::Receiver<BirthMessage>,
}

impl Examiner {
    /// Judges it at once, and again for each cause, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        again(self.birth.clone(), &stop, |cause| self.judge(cause)).await;
    }

    async fn judge(&self, cause: &'static str) {
        let plan = self.terms.newest().plan;
        let differences = self.golden.differences(&plan, |part| self.crews.walk(part)).await;
        tell(cause, &plan, self.golden.len(), differences, &self.desk.health, &self.desk.telemetry);
    }
}

/// Has something judged at once, after each change and [`EVERY`] so often, one after the other, until `stop`. Time is that of
/// tokio's timers, so that a test may hold it.
async fn again<T, J: Future<Output = ()>>(
    mut changes: watch::Receiver<T>,
    stop: &CancellationToken,
    judge: impl Fn(&'static str) -> J,
) {
    let mut days = tokio::time::interval(EVERY);
    days.set_missed_tick_behavior(MissedTickBehavior::Delay);
    days.tick().await;
    changes.mark_unchanged();
    let mut cause = "start";
    while stop.run_until_cancelled(judge(cause)).await.is_some() {
        cause = tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = changes.changed() => "change",
            _ = days.tick() => "daily",
        };
    }
}

/// Tells what came of it: the log, the counters and whoever looks at the health.
fn tell(
    cause: &str,
    plan: &Plan,
    pictures: usize,
    differences: Vec<GoldenDifference>,
    health: &watch::Sender<Health>,
    telemetry: &Telemetry,
) {
    let differing = differences.len();
    for different in differences.iter().take(TOLD) {
        telemetry.tell(Event::GoldenDiffers, format_args!("{different}"));
    }
    if let Some(more) = differing.checked_sub(TOLD).filter(|more| *more > 0) {
        telemetry.tell_of(more as u64, Event::GoldenDiffers, format_args!("and {more} more pictures"));
    }
    let as_expected = pictures - differing;
    telemetry.tell(
        Event::GoldenJudged,
        format_args!("{cause}: {as_expected} of {pictures} pictures of the golden set are judged as expected"),
    );
    let judged = GoldenJudged {
        passed: differing == 0,
        cause: cause.to_owned(),
        at: Timestamp::now(),
        plan: plan.hash.clone(),
        pictures,
        differing,
        differences: differences.into_iter().take(TOLD).collect(),
    };
    health.send_modify(|health| health.golden = Some(judged));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;
    use crate::flow::WalkEnd;

    const HOUR: Duration = Duration::from_hours(1);

    /// A set of one picture in `folder`, which is to pass.
    fn golden(folder: &std::path::Path) -> Golden {
        let image = folder.join("good.png");
        image::GrayImage::from_pixel(8, 8, image::Luma([200])).save(&image).unwrap();
        let camera = Name::new("top").unwrap();
        let pictures = vec![GoldenPicture { image, expected: Decision::Pass, sensors: BTreeMap::new() }];
        let line = crate::config::Line { recipe: camera.clone(), run: camera.clone(), recipe_key: None };
        Golden { pictures, camera, scale: JpegScale::Whole, line }
    }

    /// No route takes the part.
    async fn nowhere(part: Part) -> Walked {
        Walked { part, path: Vec::new(), end: WalkEnd::Unrouted, gates: Vec::new(), answers: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_set_is_judged_at_the_start_after_a_change_and_every_day() {
        let folder = tempfile::tempdir().unwrap();
        let (golden, telemetry) = (golden(folder.path()), Telemetry::default());
        let plan = Arc::new(Plan::without_models(Vec::new()));
        let (health, mut told) = watch::channel(Health::default());
        let (change, changes) = watch::channel(());
        let (stop, started) = (CancellationToken::new(), Instant::now());
        let judge = async |cause| {
            let differences = golden.differences(&plan, nowhere).await;
            tell(cause, &plan, golden.len(), differences, &health, &telemetry);
        };
        // The fifth hour brings a change; the clock leaps whenever nobody has anything to do.
        let changing = async {
            tokio::time::sleep(5 * HOUR).await;
            change.send(()).unwrap();
        };
        let seen = async {
            let mut seen = Vec::new();
            while seen.len() < 5 {
                told.changed().await.unwrap();
                let judged = told.borrow_and_update().golden.clone().unwrap();
                assert_eq!((judged.pictures, judged.differing, judged.passed), (1, 1, false), "{judged:?}");
                seen.push((judged.cause, started.elapsed().as_secs() / HOUR.as_secs()));
            }
            stop.cancel();
            seen
        };
        let ((), (), seen) = tokio::join!(again(changes, &stop, judge), changing, seen);
        let wanted = [("start", 0), ("change", 5), ("daily", 24), ("daily", 48), ("daily", 72)];
        assert_eq!(seen, wanted.map(|(cause, hour)| (cause.to_owned(), hour)));
        assert_eq!((telemetry.count(Event::GoldenJudged), telemetry.count(Event::GoldenDiffers)), (5, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn one_judgement_follows_the_other_and_none_is_begun_after_the_stop() {
        let (_change, changes) = watch::channel(());
        let (stop, started, begun) = (CancellationToken::new(), Instant::now(), Mutex::new(Vec::new()));
        // Each takes longer than a day; the next comes at once, and they do not pile up.
        let judge = async |cause| {
            begun.lock().unwrap().push((cause, started.elapsed().as_secs() / HOUR.as_secs()));
            tokio::time::sleep(30 * HOUR).await;
        };
        let stopping = async {
            tokio::time::sleep(100 * HOUR).await;
            stop.cancel();
        };
        tokio::join!(again(changes, &stop, judge), stopping);
        assert_eq!(*begun.lock().unwrap(), [("start", 0), ("daily", 30), ("daily", 60), ("daily", 90)]);
        assert_eq!(started.elapsed().as_secs() / HOUR.as_secs(), 100);
    }
}
