//! Where a member looked: its model is asked again about the kept frame, as the line asks it, then for its class activation, or
//! about the frame behind random masks. A model that is not the one that judged is never asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use image::RgbImage;
use serde::Serialize;

use super::activation::activation;
use super::ask::{Against, Asked, Curves, mean};
use super::words::number;
use crate::clock::Monotonic;
use crate::config::{EngineBuild, JpegScale, Settings};
use crate::flow::acquire::decode::read_image;
use crate::flow::infer::backend::Backend;
use crate::flow::infer::feed::{Found, Question};
use crate::flow::pool::Pool;
use crate::flow::publish::message::{VerdictMessage, VoteMessage};
use crate::flow::{Findings, Frame, Image, Reading};
use crate::models::passport::Model;
use crate::name::Name;
use crate::record::images::{file_name, stem};
use crate::task::geometry::{Rectangle, Region};
use crate::task::{self, Map};
use crate::view;

/// How far a score that is found again may lie from that of the verdict: what two processors may differ by.
const SAME: f64 = 1e-3;

/// Why nothing is told of where a member looked.
pub(super) enum Unseen {
    /// There is nothing to look at, which is no finding.
    Nothing(String),
    /// Something is not as it was.
    Refused(String),
}

/// How a map came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum By {
    /// It is the model's own.
    Map,
    /// The boxes of a detector, which are no map.
    Boxes,
    /// What each place of its last features says to its answer.
    Activation,
    /// Random masks hid half of the picture, again and again.
    Rise,
}

/// Where a member looked.
#[derive(Debug, Serialize)]
pub(super) struct Looked {
    model: Name,
    by: By,
    /// Why the map is not the class activation, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_activation: Option<String>,
    /// The file with the picture.
    pub(super) picture: PathBuf,
    /// The score of the model as it gives it, before any calibration: at the verdict, and now.
    then: Option<f64>,
    now: Option<f64>,
    /// The hottest place: x and y in pixels of the frame.
    peak: Option<[f64; 2]>,
    /// How the map fares against random ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    curves: Option<Curves>,
}

impl Looked {
    /// A sentence where the model does not say again what it said.
    pub(super) fn differs(&self) -> Option<String> {
        let (then, now) = (self.then?, self.now.unwrap_or(f64::NAN));
        let near = (then - now).abs() <= SAME;
        (!near).then(|| {
            format!("model {} gives {} of the kept frame, {} at the verdict", self.model, number(now), number(then))
        })
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let how = match self.by {
            By::Map => "its own map".to_owned(),
            By::Boxes => "its boxes".to_owned(),
            By::Activation => "what its score rests on, by class activation".to_owned(),
            By::Rise => {
                let why = self
                    .no_activation
                    .as_ref()
                    .map_or_else(String::new, |why| format!(" (no class activation: {why})"));
                format!("what its score rests on, by RISE{why}")
            }
        };
        let peak = self.peak.map_or_else(String::new, |[x, y]| format!(", most at {x:.0} {y:.0}"));
        let again = match (self.then, self.now) {
            (Some(then), Some(now)) => format!("; its score is {}, at the verdict {}", number(now), number(then)),
            _ => String::new(),
        };
        let fares = |curve: &str, against: &Against| {
            let (scattered, misplaced) = (number(mean(&against.scattered)), number(mean(&against.misplaced)));
            format!(
                "; {curve} {}, of scattered maps {scattered}, of the map misplaced {misplaced}",
                number(against.area)
            )
        };
        let curves = self.curves.as_ref().map_or_else(String::new, |curves| {
            fares("deletion", &curves.deletion) + &fares("insertion", &curves.insertion)
        });
        format!("{how}{peak}{again}{curves}; {}", self.picture.display())
    }
}

/// What is needed to ask again.
pub(super) struct Looking<'l> {
    pub(super) settings: &'l Settings,
    pub(super) models: &'l BTreeMap<Name, Arc<Model>>,
    pub(super) message: &'l VerdictMessage,
    pub(super) out: &'l Path,
    /// Whether a classifier is asked by RISE even where its class activation is to be had.
    pub(super) rise: bool,
    /// The maps that each is held against, of each kind.
    pub(super) random: u64,
}

impl Looking<'_> {
    /// Where the member of the vote at `place` looked.
    ///
    /// # Errors
    /// When the kept frame cannot be read, no library runs models, or the picture cannot be written.
    pub(super) fn at(&self, place: usize) -> anyhow::Result<Result<Looked, Unseen>> {
        let vote = self.message.votes.get(place).context("there is no such vote")?;
        let frame = match self.kept(vote)? {
            Ok(frame) => frame,
            Err(why) => return Ok(Err(Unseen::Nothing(why))),
        };
        let model = match self.model(&vote.answer.model, &vote.answer.sha256) {
            Ok(model) => model,
            Err(why) => return Ok(Err(Unseen::Refused(why))),
        };
        let mut runtime = self.settings.runtime.clone();
        runtime.tensorrt.engine_build = EngineBuild::BeforeStart;
        let session = match Backend::choose(&runtime)?.open(model, &runtime) {
            Ok(session) => session,
            Err(error) => return Ok(Err(Unseen::Refused(error.to_string()))),
        };
        let asked = match Asked::new(model, session, self.question(vote, &frame)) {
            Ok(asked) => asked,
            Err(why) => return Ok(Err(Unseen::Refused(format!("model {}: {why}", model.passport.name)))),
        };
        let picture = self.out.join(format!("{}-{place}-{}.png", self.stem(), vote.answer.model));
        self.look(vote, &asked, &frame.image, picture)
    }

    fn stem(&self) -> String {
        stem(self.message.epoch, self.message.seq)
    }

    /// The kept frame that a vote is of, or why there is none.
    fn kept(&self, vote: &VoteMessage) -> anyhow::Result<Result<Arc<Frame>, String>> {
        let Some(camera) = vote.answer.findings.as_ref().and(vote.answer.camera.as_ref()) else {
            return Ok(Err("it gave no answer, or looks at no picture".into()));
        };
        let Some(images) = &self.settings.images else {
            return Ok(Err("the config keeps no frames: see `[images]`".into()));
        };
        let name = file_name(self.message.epoch, self.message.seq, camera);
        let path = images.folder.join(&name);
        if !path.exists() {
            return Ok(Err(format!(
                "the frame of camera {camera} was not kept, or is kept no more: {}",
                path.display()
            )));
        }
        let image = read_image(&path, JpegScale::Whole, &Pool::new(0)).map_err(anyhow::Error::msg);
        let image = image.with_context(|| format!("the kept frame {} cannot be read", path.display()))?;
        // For the page, which is to be whole wherever it is moved.
        std::fs::copy(&path, self.out.join(&name))
            .with_context(|| format!("{} cannot be written to", self.out.display()))?;
        Ok(Ok(Arc::new(Frame { camera: camera.clone(), sequence: 0, captured: Monotonic::now(), part: None, image })))
    }

    /// The model that judged, where it is still the same file.
    fn model(&self, name: &Name, sha256: &str) -> Result<&Model, String> {
        let model = self.models.values().find(|model| model.passport.name == *name);
        let model = model.ok_or_else(|| format!("the config has no model {name} any more"))?;
        let seen = &model.passport.file.sha256;
        if seen != sha256 {
            return Err(format!(
                "model {name} is another than the one that judged: its file has the SHA-256 {seen}, that of the verdict had {sha256}"
            ));
        }
        Ok(model)
    }

    /// What the member was asked.
    fn question(&self, vote: &VoteMessage, frame: &Arc<Frame>) -> Question {
        let readings = self.message.readings.iter().map(|(sensor, values)| Reading {
            sensor: sensor.clone(),
            captured: frame.captured,
            part: None,
            values: values.clone(),
            asker: None,
        });
        let found = self.message.votes.iter().filter(|other| other.member != vote.member).filter_map(|other| {
            let model = self.model(&other.answer.model, &other.answer.sha256).ok()?;
            let same = other.answer.camera == vote.answer.camera || other.answer.camera.is_none();
            let findings = other.answer.findings.clone().filter(|_| same)?;
            Some(Found { model: Arc::new(model.clone()), findings })
        });
        Question {
            frame: Some(Arc::clone(frame)),
            region: vote.answer.crop.map_or(Region::Whole, |crop| Region::Rectangle(Rectangle::between(crop))),
            readings: Arc::new(readings.collect()),
            found: found.collect(),
        }
    }

    fn look(
        &self,
        vote: &VoteMessage,
        asked: &Asked<'_>,
        image: &Image,
        picture: PathBuf,
    ) -> anyhow::Result<Result<Looked, Unseen>> {
        let passport = &asked.model.passport;
        let then = vote.answer.findings.as_ref().and_then(|findings| task::defect_score(findings, passport));
        let (now, findings) = match asked.about(None) {
            Ok(findings) => (task::defect_score(&findings, passport), findings),
            Err(why) => return Ok(Err(Unseen::Refused(format!("model {}: {why}", passport.name)))),
        };
        let size = (image.width(), image.height());
        let area = vote.answer.crop.map_or(Rectangle::whole(size), Rectangle::between);
        let mut no_activation = None;
        let (by, map) = match (own(&findings, asked.model), now) {
            (Some(found), _) => found,
            (None, None) => return Ok(Err(Unseen::Nothing("what it finds says nothing of defects".into()))),
            (None, Some(_)) if self.rise => (By::Rise, Some(asked.rise(image, area)?)),
            (None, Some(now)) => match activation(asked, &self.settings.runtime, now)? {
                Ok(map) => (By::Activation, Some(map)),
                Err(why) => {
                    no_activation = Some(why);
                    (By::Rise, Some(asked.rise(image, area)?))
                }
            },
        };
        let seen = view::rgb(image).context("the pixels of the kept frame do not fill it")?;
        let drawn = draw(&seen, by, map.as_ref(), &findings, asked.model);
        drawn.save(&picture).with_context(|| format!("{} cannot be written", picture.display()))?;
        let curves = match &map {
            Some(map) if self.random > 0 && now.is_some() => Some(asked.curves(image, area, map, self.random)?),
            _ => None,
        };
        let peak = map.as_ref().and_then(Map::peak).map(|(at, _)| at);
        Ok(Ok(Looked { model: passport.name.clone(), by, no_activation, picture, then, now, peak, curves }))
    }
}

/// What findings say themselves of where the model looked: the map of an anomaly model, of a segmentation the greatest number of
/// any defect at each pixel, the boxes of a detector.
fn own(findings: &Findings, model: &Model) -> Option<(By, Option<Map>)> {
    let labels = &model.passport.labels;
    match findings {
        Findings::Anomaly { map, .. } => map.as_deref().cloned().map(|map| (By::Map, Some(map))),
        Findings::Segmentation { maps, .. } => {
            let of_defects = labels.names.iter().zip(maps).filter(|(label, _)| labels.defects.contains(label));
            let joint = of_defects.map(|(_, map)| Map::clone(map)).reduce(|mut joint, map| {
                joint.numbers.iter_mut().zip(map.numbers).for_each(|(most, number)| *most = most.max(number));
                joint
            });
            joint.map(|map| (By::Map, Some(map)))
        }
        Findings::Detection { .. } => Some((By::Boxes, None)),
        _ => None,
    }
}

fn draw(frame: &RgbImage, by: By, map: Option<&Map>, findings: &Findings, model: &Model) -> RgbImage {
    match map.filter(|_| matches!(by, By::Activation | By::Rise)) {
        Some(map) => view::evidence(frame, map, model.passport.name.as_str()),
        None => view::draw(frame, findings, &model.passport.labels.defects),
    }
}
