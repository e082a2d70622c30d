//! What the members of a panel say of labelled parts: asked of the models once and kept below the state directory, or read from
//! a file of out-of-fold scores.

use std::collections::{BTreeMap, HashMap};
use std::num::ParseFloatError;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use super::beside::{beside, missing};
use crate::cli::eval::tell_models;
use crate::cli::labelled::Labelled;
use crate::cli::line::{Line, jpeg_scale};
use crate::cli::runtime;
use crate::config::{self, Lighter, Settings, Station, WhenNone};
use crate::flow::embedding::embedding;
use crate::flow::infer::Crew;
use crate::flow::plan::{Member, Panel, Plan};
use crate::flow::statistics::quality;
use crate::flow::{MemberAnswer, Unanswered, Walked};
use crate::fusion::Rule;
use crate::fusion::adaptive::Quality;
use crate::fusion::boxes::{BoxFusion, Calibration};
use crate::fusion::calibrator::logistic;
use crate::models::catalogue::{sha256, sha256_of};
use crate::models::fit::reference::Embedded;
use crate::models::passport::Tier;
use crate::models::price::replace;
use crate::name::Name;
use crate::task;
use crate::telemetry::Telemetry;

/// The folder of kept scores inside the state directory.
const FOLDER: &str = "scores";

/// What became of one part.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The route that judged it; empty where none did.
    pub(super) route: String,
    /// The score of each voting seat.
    pub(super) scores: Vec<f64>,
    /// What each seat says beside that, whether it votes or not.
    pub(super) beside: Vec<Vec<f64>>,
    /// How well its frame was taken.
    pub(super) quality: Quality,
    /// Its embedding, where a member gave one and the picture is as it was taken.
    pub(super) embedding: Option<Embedded>,
}

/// The settings under which members are asked: everybody is asked, nobody's score is changed. What has no part in a member's
/// score is set alike, so that kept scores outlive a change of weights or thresholds.
pub(super) fn bare(settings: &Settings) -> Settings {
    let mut bare = settings.clone();
    let strip = |panel: &mut config::Panel| {
        panel.fusion.rule = Rule::Mean;
        panel.thresholds = config::Thresholds { reject_from: 0.5, pass_below: 0.5 };
        panel.deadline = None;
        for member in &mut panel.members {
            (member.weight, member.calibration, member.unless_sure) = (1.0, Calibration::IDENTITY, None);
        }
        if let Some(boxes) = &mut panel.fusion.boxes {
            *boxes = BoxFusion::Nms { iou_above: 0.5, skip_below: 0.0 };
        }
    };
    for route in &mut bare.routes {
        if let Station::Panel(panel) = &mut route.station {
            strip(panel);
        }
        for lighter in &mut route.lighter {
            if let Lighter::Panel(panel) = lighter {
                strip(panel);
            }
        }
    }
    bare
}

/// The seats that vote, in their order.
pub(super) fn voters(panel: &Panel) -> impl Iterator<Item = (usize, &Member)> {
    panel.members.iter().enumerate().filter(|(_, member)| member.votes)
}

/// Whose scores are wanted: the plan of the [`bare`] settings, and where the images come in.
pub(super) struct Asked<'a> {
    pub(super) settings: &'a Settings,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) camera: &'a Name,
    pub(super) rung: usize,
    pub(super) state: &'a Path,
}

impl Asked<'_> {
    /// What becomes of every part; `None` for one that cannot be read or of which a voting member says nothing, which is told.
    /// `hashes` are those of the images' files.
    ///
    /// # Errors
    /// When the models cannot be opened or the kept scores cannot be read or written.
    pub(super) fn ask(&self, set: &[Labelled], hashes: &[String]) -> anyhow::Result<Vec<Option<Said>>> {
        let path = self.kept_at(FOLDER, "csv");
        let mut kept = read_kept(&path).with_context(|| path.display().to_string())?;
        // What a member says hangs on the image, what is done to it, and the readings that the list gives.
        let key = |(Labelled { sensors, corruption, .. }, hash): (&Labelled, &String)| {
            let done = corruption.map(|corruption| corruption.to_string()).unwrap_or_default();
            sha256_of(format!("{hash} {done} {sensors:?}").as_bytes())
        };
        let keys: Vec<String> = set.iter().zip(hashes).map(key).collect();
        let missing: Vec<usize> = (0..set.len()).filter(|&place| !kept.contains_key(&keys[place])).collect();
        if !missing.is_empty() {
            let asked = missing.iter().map(|&place| &set[place]);
            let (said, fallback) = self.walk(asked, |labelled, walked| said(labelled, walked, self.camera))?;
            for (place, said) in missing.into_iter().zip(said) {
                if let Some(said) = said.flatten() {
                    kept.insert(keys[place].clone(), said);
                }
            }
            if !fallback {
                write_kept(&path, &kept).with_context(|| format!("{} cannot be written", path.display()))?;
            }
        }
        Ok(keys.iter().map(|key| kept.get(key).cloned()).collect())
    }

    /// Walks parts and makes something of each, `None` for one that cannot be read; and whether a model answered from a fallback:
    /// what it says is then not what was asked for, and not kept.
    ///
    /// # Errors
    /// When a model cannot be opened.
    pub(super) fn walk<'s, T>(
        &self,
        set: impl ExactSizeIterator<Item = &'s Labelled>,
        made: impl Fn(&Labelled, &Walked) -> T,
    ) -> anyhow::Result<(Vec<Option<T>>, bool)> {
        let Self { settings, plan, rung, .. } = *self;
        let crew = Crew::open(plan, &settings.runtime, Telemetry::default())?;
        tell_models(&crew);
        if let Some((model, why)) = crew.stopped().next() {
            bail!("model {model} does not judge, and what it would say is wanted: {why}");
        }
        let fallback = crew.placements().any(|(_, placement)| placement.fallback.is_some());
        let line = Line { camera: self.camera.clone(), rung, settings, plan, crew: &crew };
        Ok((runtime()?.block_on(line.walk_all(set, made)), fallback))
    }

    /// The file of what is kept: named by everything it hangs on but the images, model hashes before all.
    pub(super) fn kept_at(&self, folder: &str, ending: &str) -> PathBuf {
        let (runtime, scale) = (&self.settings.runtime, jpeg_scale(self.camera, self.settings));
        let Self { plan, camera, rung, .. } = self;
        let hash = &plan.hash;
        let text = format!(
            "with quality, labels and embedding {hash} {camera} {rung} {:?} {:?} {scale:?}",
            runtime.backends, runtime.providers
        );
        self.state.join(folder).join(format!("{}.{ending}", sha256_of(text.as_bytes())))
    }
}

/// What became of one walk; `None`, which is told, where a voting member says nothing.
fn said(labelled: &Labelled, walked: &Walked, camera: &Name) -> Option<Said> {
    let plan = &walked.part.plan;
    let quality = quality(&walked.part.frames.first()?.image);
    let embedding = if labelled.corruption.is_none() { embedding(walked, camera) } else { None };
    let Some(&last) = walked.path.last() else {
        return Some(Said { route: String::new(), scores: Vec::new(), beside: Vec::new(), quality, embedding });
    };
    let route = plan.route(last).name.to_string();
    let Some(panel) = plan.panel(last, walked.part.rung) else {
        return Some(Said { route, scores: Vec::new(), beside: Vec::new(), quality, embedding });
    };
    let mut scores = Vec::new();
    for (seat, member) in voters(panel) {
        let of_seat = walked.answers.iter().filter(|given| given.member == seat);
        let Some(score) = of_seat.filter_map(|given| score(plan, member, given)).reduce(f64::max) else {
            let (image, name) = (labelled.image.display(), &plan.model(member.model).passport.name);
            eprintln!("kenpin: {image} is left out: model {name} says nothing of it");
            return None;
        };
        scores.push(score);
    }
    let of_seat = |(seat, member): (usize, &Member)| {
        let given = walked.answers.iter().find(|given| given.member == seat);
        beside(member, given.and_then(|given| given.answer.findings.as_ref().ok()))
    };
    let beside: Vec<Vec<f64>> = panel.members.iter().enumerate().map(of_seat).collect();
    if let Some(seat) = missing(plan, panel, &beside) {
        let image = labelled.image.display();
        eprintln!("kenpin: {image} is left out: the model on seat {seat} says nothing of it");
        return None;
    }
    Some(Said { route, scores, beside, quality, embedding })
}

/// The score of one answer, as the model gives it.
fn score(plan: &Plan, member: &Member, MemberAnswer { answer, .. }: &MemberAnswer) -> Option<f64> {
    match &answer.findings {
        Ok(findings) => task::defect_score(findings, &plan.model(answer.model).passport),
        Err(Unanswered::NothingToLookAt { .. }) => {
            let good = member.crops.as_ref().is_some_and(|(_, crops)| crops.when_none == WhenNone::Good);
            good.then_some(0.0)
        }
        Err(_) => None,
    }
}

fn read_kept(path: &Path) -> anyhow::Result<BTreeMap<String, Said>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let row = |row: csv::Result<(String, String, String, String, String, String)>| {
        let (key, route, scores, beside, taken, embedding) = row?;
        let [sharpness, brightness, clipped, noise] = numbers(&taken)?[..] else {
            bail!("a picture has other figures than four: remove the file to ask the models again")
        };
        let quality = Quality { sharpness, brightness, clipped, noise };
        let beside = beside.split_terminator(';').map(numbers).collect::<anyhow::Result<_>>()?;
        let embedding = embedding.split_once(':').map(|(member, vector)| {
            let member = member.parse().context("a seat is no number: remove the file to ask the models again")?;
            anyhow::Ok(Embedded { member, vector: numbers(vector)?.into() })
        });
        Ok((key, Said { route, scores: numbers(&scores)?, beside, quality, embedding: embedding.transpose()? }))
    };
    csv::Reader::from_path(path)?.deserialize().map(row).collect()
}

/// Numbers with spaces between them.
fn numbers<N: FromStr<Err = ParseFloatError>>(text: &str) -> anyhow::Result<Vec<N>> {
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<N>, _>>();
    numbers.context("a score is no number: remove the file to ask the models again")
}

fn joined<N: ToString>(numbers: &[N]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<String>>().join(" ")
}

fn write_kept(path: &Path, kept: &BTreeMap<String, Said>) -> anyhow::Result<()> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    let header = ["part", "route", "scores", "beside", "sharpness brightness clipped noise", "member:embedding"];
    rows.write_record(header)?;
    for (key, Said { route, scores, beside, quality, embedding }) in kept {
        let Quality { sharpness, brightness, clipped, noise } = quality;
        // One field for the seats, each ended by a semicolon.
        let beside: String = beside.iter().map(|numbers| joined(numbers) + ";").collect();
        let taken = joined(&[*sharpness, *brightness, *clipped, *noise]);
        let embedding = embedding.as_ref().map(|Embedded { member, vector }| format!("{member}:{}", joined(vector)));
        rows.write_record([key, route, &joined(scores), &beside, &taken, &embedding.unwrap_or_default()])?;
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)?;
    Ok(replace(folder, path, &rows.into_inner().context("the rows are not whole")?)?)
}

/// The hash of every image, in the order of the set.
pub(super) fn hashes(set: &[Labelled]) -> anyhow::Result<Vec<String>> {
    set.iter().map(|labelled| Ok(sha256(&labelled.image)?)).collect()
}

/// Reads out-of-fold scores (`part,fold,member,rung,logit`, as the recipe writes them) for the voting members of a panel.
///
/// A part is an image by its file's stem, a member is the model whose name stands under `rung`; a specialist that has no rows of
/// its own takes those of the routed `specialist`. The gate does not judge and is passed over.
///
/// # Errors
/// When the file cannot be read, a logit is no finite number, or a member has no score for a part.
pub(super) fn out_of_fold(path: &Path, set: &[Labelled], plan: &Plan, panel: &Panel) -> anyhow::Result<Vec<Vec<f64>>> {
    let shown = path.display();
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{shown} cannot be read"))?;
    let mut known: HashMap<(String, String), f64> = HashMap::new();
    for row in reader.deserialize() {
        let (part, _fold, member, rung, logit): (String, String, String, String, f64) =
            row.with_context(|| format!("{shown}: want the columns part, fold, member, rung, logit"))?;
        ensure!(logit.is_finite(), "{shown}: the logit of {rung} for {part} is {logit}, want a finite number");
        if member != "gate" {
            let doubled = known.insert((rung.clone(), part.clone()), logistic(logit)).is_some();
            ensure!(!doubled, "{shown}: {rung} has two scores for {part}");
        }
    }
    let mut members = Vec::new();
    for (_, member) in voters(panel) {
        let passport = &plan.model(member.model).passport;
        let own = known.keys().any(|(rung, _)| rung == passport.name.as_str());
        let rung = if !own && passport.tier == Tier::Specialist { "specialist" } else { passport.name.as_str() };
        let score = |labelled: &Labelled| {
            let stem = labelled.image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let found = known.get(&(rung.to_owned(), stem.clone())).copied();
            found.with_context(|| format!("{shown} has no score of {rung} for {stem}"))
        };
        members.push(set.iter().map(score).collect::<anyhow::Result<Vec<f64>>>()?);
    }
    Ok(members)
}
