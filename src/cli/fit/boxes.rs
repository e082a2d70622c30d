//! `kenpin fit` on a route that fuses boxes: from pictures in which people labelled the defects, how the members' boxes become
//! one set. What is learned stands in [`crate::learn::boxes`].

mod found;
mod labels;
pub(super) mod out;

use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;

use super::learn::begun;
use super::scores::{self, Asked, voters};
use super::{Args, Fitting, Seat, conclude, leak, refuse};
use crate::cli::labelled::Labelled;
use crate::cli::line;
use crate::config::{Lighter, Settings, Station, Thresholds};
use crate::flow::plan::Plan;
use crate::flow::pool::Pool;
use crate::fusion::calibrator::Calibrator;
use crate::learn::boxes::precision::Truth;
use crate::learn::boxes::{self, Fitted, Picture, Set};
use crate::learn::thresholds::Aim;
use crate::models::catalogue::sha256_of;
use crate::models::fit::boxes::FittedBoxes;
use crate::models::fit::reference::{Reference, Seen};
use crate::models::fit::shelf;
use crate::models::fit::{Fit, Method};
use crate::models::passport::Task;
use crate::models::price::MeasuredSet;
use crate::name::Name;
use found::Said;
use labels::{Boxed, Labels};

/// Fits, prints, writes.
///
/// # Errors
/// When something cannot be read, asked or written, or the arguments or the route are not for boxes.
pub(super) fn run(fitting: Fitting<'_>) -> anyhow::Result<ExitCode> {
    let Fitting { args, settings, plan, seat, rung, folder, .. } = fitting;
    of_boxes(args, plan, seat)?;
    let path = args.labelled.as_deref().context("no labelled pictures are given")?;
    let labels = Labels::of(path, plan, seat.panel)?;
    let boxed = labels::read(path, &labels)?;
    // Whether a picture is good is not asked here: boxes say what it holds.
    let set: Vec<Labelled> = boxed.iter().map(|one| Labelled::plain(one.image.clone(), false)).collect();
    if let Some(leak) = leak(args, &set)? {
        return Ok(refuse(&leak));
    }
    let gathered = gather(fitting, (&boxed, &set, &labels))?;
    let aim = args
        .escape_bound
        .map_or(Aim::Cost(args.escape_cost), |escapes| Aim::Bound { escapes, confidence: args.confidence });
    let progress = ProgressBar::new_spinner().with_message("settings tried");
    let fitted = boxes::fit(&gathered.set, aim, &|| progress.inc(1));
    progress.finish_and_clear();
    let fitted = match fitted {
        Ok(fitted) => fitted,
        Err(why) => return Ok(refuse(&why)),
    };
    let number = shelf::next_number(folder, seat.route, seat.rung)?;
    let configured = configured(settings, seat.route, rung).context("the route lost its thresholds")?;
    let left_out = gathered.left_out;
    let fit = assemble(fitting, fitted, gathered, configured, number);
    Ok(conclude(fitting, (fit, left_out, None))?.0)
}

/// Refuses arguments and panels that are for scores.
fn of_boxes(args: &Args, plan: &Plan, seat: &Seat<'_>) -> anyhow::Result<()> {
    let (route, given) = (
        seat.route,
        [
            ("--journal", args.journal),
            ("--cascade", args.cascade.is_some()),
            ("--adaptive", args.adaptive),
            ("--method", args.method.is_some()),
            ("--rehearse", args.rehearse.is_some()),
            ("--plot", args.plot.is_some()),
        ],
    );
    if let Some((flag, _)) = given.iter().find(|(_, given)| *given) {
        bail!("{flag} is for routes that join scores; route {route} fuses boxes");
    }
    for (_, member) in voters(seat.panel) {
        let passport = &plan.model(member.model).passport;
        let (name, task) = (&passport.name, passport.task.as_str());
        ensure!(
            matches!(passport.task, Task::Detection(_)),
            "route {route}: {name} is for {task} and votes; a fit of boxes wants voting members that find boxes"
        );
        ensure!(member.crops.is_none(), "route {route} shows crops to {name}; a fit of boxes wants whole frames");
    }
    ensure!(
        voters(seat.panel).count() > 1,
        "route {route} has one voting member, whose boxes are its own; with `over = \"defect\"` its score can be fitted"
    );
    Ok(())
}

/// The thresholds that the config has for a route on a rung.
fn configured(settings: &Settings, route: &Name, rung: usize) -> Option<Thresholds> {
    let route = settings.routes.iter().find(|known| known.name == *route)?;
    match (&route.station, rung.checked_sub(1)) {
        (Station::Panel(panel), None) => Some(panel.thresholds),
        (Station::Panel(_), Some(below)) => match route.lighter.get(below)? {
            Lighter::Panel(panel) => Some(panel.thresholds),
            Lighter::Undecided => None,
        },
        _ => None,
    }
}

/// The labelled pictures with what the members found in them.
struct Gathered {
    set: Set,
    labels: MeasuredSet,
    /// Labelled pictures that are not in `set`.
    left_out: usize,
    /// Pictures of `set` without a file of labels.
    without_file: usize,
    /// What the members said of each picture of `set`, and for which camera they stand; `None` where no model was asked.
    said: Option<(Name, Vec<Said>)>,
}

/// Asks the members, or reads what they found, for each picture that the route judges.
fn gather(
    Fitting { args, settings, bare, plan, seat, rung, .. }: Fitting<'_>,
    (boxed, set, labels): (&[Boxed], &[Labelled], &Labels),
) -> anyhow::Result<Gathered> {
    let hashes = scores::hashes(set)?;
    let mut kept: Vec<&Boxed> = Vec::new();
    let mut pictures = Vec::new();
    let mut said = None;
    if let Some(path) = &args.scores {
        let read = found::read(path, boxed, plan, seat.panel, labels)?;
        let pool = Pool::new(1);
        for (one, found) in boxed.iter().zip(read) {
            let (width, height) = one.size(&pool)?;
            pictures.push(Picture { truths: one.truths(width, height)?, found });
            kept.push(one);
        }
    } else {
        let camera = line::camera(args.camera.as_ref(), &args.config, settings)?;
        let asked = Asked { settings: bare, plan, camera: &camera, rung, state: &args.state };
        let all = found::ask(&asked, seat.route, set, &hashes)?;
        let mut of_route = Vec::new();
        for (one, said) in boxed.iter().zip(all) {
            let Some(said) = said.filter(|said| said.route == seat.route.as_str()) else { continue };
            pictures
                .push(Picture { truths: one.truths(said.width, said.height)?, found: said.found(seat.panel, labels) });
            kept.push(one);
            of_route.push(said);
        }
        said = Some((camera, of_route));
    }
    let all = boxed.len();
    ensure!(!kept.is_empty(), "route {} judges none of the {all} labelled pictures", seat.route);
    let lines = hashes.iter().zip(boxed).map(|(hash, one)| format!("{hash} {}\n", sha256_of(one.text().as_bytes())));
    let sha256 = sha256_of(lines.collect::<String>().as_bytes());
    let name = |(_, member): (usize, &crate::flow::plan::Member)| plan.model(member.model).passport.name.to_string();
    let (left_out, without_file) = (all - kept.len(), kept.iter().filter(|one| one.text.is_none()).count());
    let set = Set {
        members: voters(seat.panel).map(name).collect(),
        labels: labels.names.clone(),
        defects: labels.defects.clone(),
        pictures,
    };
    let defective = boxed.iter().filter(|one| one.boxes.iter().any(|one| labels.defects.contains(&one.label))).count();
    let labels = MeasuredSet { path: args.labelled.clone().unwrap_or_default(), sha256, parts: all, defective };
    Ok(Gathered { set, labels, left_out, without_file, said })
}

impl Boxed {
    /// The labelled boxes in a picture of this size.
    fn truths(&self, width: u32, height: u32) -> anyhow::Result<Vec<Truth>> {
        let truth = |one: &boxes::yolo::Labelled| {
            let outline = one.outline(width, height);
            let outline = outline.with_context(|| {
                format!("{}: a labelled box has no area in a picture of {width} by {height}", self.image.display())
            })?;
            Ok(Truth { outline, label: one.label })
        };
        self.boxes.iter().map(truth).collect()
    }
}

/// The file of a fit of boxes.
fn assemble(fitting: Fitting<'_>, fitted: Fitted, gathered: Gathered, configured: Thresholds, number: u32) -> Fit {
    let Fitted { joined, thresholds, promise, evidence, scores } = fitted;
    let Gathered { labels, without_file, said, .. } = gathered;
    let seen =
        |(said, score): (&Said, &f64)| Seen { score: Some(*score), quality: Some(said.quality), embedding: None };
    let reference =
        said.map(|(camera, said)| Reference::of(camera, &said.iter().zip(&scores).map(seen).collect::<Vec<Seen>>()));
    let learned = joined.weights.into_iter().map(|weight| (weight, Calibrator::None));
    let judging = (Method::Boxes, thresholds.unwrap_or(configured), promise);
    Fit {
        boxes: Some(FittedBoxes { fusion: joined.fusion, without_file, evidence }),
        reference,
        ..begun(fitting, judging, learned, labels, number)
    }
}
