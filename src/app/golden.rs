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
use crate::flow::publish::message::{BirthMessage, GoldenDifference, GoldenJudged};
use crate::flow::verdict::{Decision, Verdict};
use crate::flow::{Part, Reading, Walked};
use crate::name::Name;
use crate::telemetry::Event;
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
            let difference = match self.part(picture, plan, &pool) {
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

    fn part(&self, picture: &GoldenPicture, plan: &Arc<Plan>, pool: &Pool) -> Result<Part, String> {
        let image = tokio::task::block_in_place(|| read_image(&picture.image, self.scale, pool))?;
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
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut days = tokio::time::interval(EVERY);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        days.tick().await;
        self.birth.mark_unchanged();
        let mut cause = "start";
        while stop.run_until_cancelled(self.judge(cause)).await.is_some() {
            cause = tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = self.birth.changed() => "change",
                _ = days.tick() => "daily",
            };
        }
    }

    async fn judge(&self, cause: &str) {
        let plan = self.terms.newest().plan;
        let differences = self.golden.differences(&plan, |part| self.crews.walk(part)).await;
        let (pictures, differing, telemetry) = (self.golden.len(), differences.len(), &self.desk.telemetry);
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
        self.desk.health.send_modify(|health| health.golden = Some(judged));
    }
}
