//! `kenpin fit`: learns from labelled parts how the members of a panel become one score and where it becomes a decision.

mod boxes;
mod gather;
mod journal;
mod out;
mod plot;
mod rehearsal;
mod scores;
mod values;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use super::labelled;
use super::leak::Trained;
use super::{FINDINGS, line, load_settings, say, start_logging};
use crate::config::{ConfigError, Settings};
use crate::flow::plan::{self, Plan, RouteIndex, Station};
use crate::fusion::Over;
use crate::learn::ensemble::Parts;
use crate::learn::thresholds::Aim;
use crate::learn::{cascade, panel};
use crate::models::catalogue;
use crate::models::fit::shelf::{self, RolledBack};
use crate::models::fit::{FOLDER, Fit, FittedMember, Method, SCHEMA};
use crate::models::price::MeasuredSet;
use crate::name::Name;
use crate::simulate::corrupt::Corruption;
use gather::{Gathered, gather, sits_twice};
use out::Report;
use scores::voters;
use values::{inner_share, method, pair, positive};

/// Learn from labelled parts how the members of a route become one score, and where it becomes a decision.
///
/// Fits, for one route on one rung of the ladder: what each member's score is worth (temperature, Platt, beta or isotonic,
/// whichever has the least log loss on parts it was not fitted to), how the members become one (mean, weighted mean, maximum or
/// stacking, by log loss), and the thresholds. Every figure of the ensemble comes from nested cross-validation. Batches, where a
/// CSV list has a column `batch`, are held out whole.
///
/// Thresholds: with --escape-cost C an escape costs C false rejects and nobody stays undecided. With --escape-bound B at most a
/// share B of the defective parts passes, with --confidence, over the draw of the labelled parts: half of them fits, the other
/// half tests, parts between the thresholds stay undecided. Too few defective parts are refused: none may escape among 299 to
/// show 1 % with 95 %. The labelled parts must be drawn as the line makes them, not only those that somebody looked at.
///
/// With --cascade STUDENT,TEACHER, a panel of two, the student judges alone where it is sure; --loss-bound says how many false
/// rejects a part it may add to the teacher's own mistakes, an escape counting as --escape-cost of them.
///
/// With --adaptive, weights that move with the quality of the picture (sharpness, brightness, clipped share, noise) and with each
/// member's own doubt are tried too. Each labelled picture is then shown as it is and corrupted, which is simulated; all copies of
/// a picture are held out together, thresholds come from the pictures as they are. Adaptive weights win only where they beat
/// every other method by nested cross-validation.
///
/// What the labelled pictures looked like is kept in the fit, too, with their embeddings where a member gives some: `[drift]` in the
/// config holds the line's own parts against it.
///
/// With --journal the parts are the labelled verdicts of the line (`kenpin label`): what the members said stands in them, so no
/// model is asked and no picture is wanted. People look at every reject and at few passes, so each part weighs by one over the
/// chance with which it was put up for review. A bound cannot be shown by such weights: with --escape-bound or --cascade only the
/// parts count that a plain random sample of all parts holds, all of which must be labelled, and audited passes be among them.
///
/// On a route that fuses boxes (`over = "boxes"`) the labelled folder holds `images/` and `labels/`, one text file a picture in
/// YOLO form (number of the label, centre x and y, width, height as shares of the picture; or x and y of four corners); a picture
/// without a file has no box. Labels are numbered as in the members' passports, or in a `classes.txt` beside, one name a line. What
/// is fitted is the method by which boxes that overlap become one, its overlap and lowest confidence, and the members' weights, by
/// mean average precision (0.50 to 0.95); the ensemble's figure comes from pictures that had no part in choosing. The control, a
/// member's boxes as they are or joined among themselves, is held against it by the paired bootstrap over pictures, and thresholds
/// come from the surest box of a defect of each picture.
///
/// The best single member is the control: an ensemble whose ROC AUC is not greater with p < 0.05 (DeLong) is not written unless
/// --force. What is written is laid over the route's own values by `kenpin run` and `kenpin eval` where the config has
/// `[fits] folder = "..."`. Exit code 1 when nothing was written because of what the parts show.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Args {
    /// The config whose route is fitted.
    config: PathBuf,
    /// The labelled folder or CSV list, as `kenpin eval` takes it.
    #[arg(required_unless_present_any = ["rollback", "journal"])]
    labelled: Option<PathBuf>,
    /// Take the labels from the journal of the config, in the place of a labelled folder or list.
    #[arg(long, conflicts_with_all = ["labelled", "scores", "adaptive", "camera", "plot", "rollback"])]
    journal: bool,
    /// The route; the only one that ends at a panel when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    route: Option<Name>,
    /// The rung of the ladder; the heaviest when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    rung: Option<Name>,
    /// The camera whose frames the images stand for; the config's only camera when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    camera: Option<Name>,
    /// The greatest share of defective parts that may pass, such as 0.05.
    #[arg(long, value_name = "SHARE", value_parser = inner_share, conflicts_with_all = ["escape_cost", "cascade"])]
    escape_bound: Option<f64>,
    /// How sure a bound is to hold, over the draw of the labelled parts.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = inner_share)]
    confidence: f64,
    /// What an escape costs, in false rejects.
    #[arg(long, value_name = "COST", default_value_t = 1.0, value_parser = positive)]
    escape_cost: f64,
    /// The student that judges first and the teacher that is woken where it is not sure, as the config names the models.
    #[arg(long, value_name = "STUDENT,TEACHER", value_parser = pair, requires = "loss_bound")]
    cascade: Option<(Name, Name)>,
    /// The greatest expected cost, in false rejects a part, that the student may add, such as 0.02.
    #[arg(long, value_name = "COST", value_parser = positive, requires = "cascade")]
    loss_bound: Option<f64>,
    /// Try weights that move with each picture too, on corrupted copies of the pictures.
    #[arg(long, conflicts_with_all = ["cascade", "scores", "rollback"])]
    adaptive: bool,
    /// With --adaptive: how pictures are corrupted, as `kenpin eval --corrupt` takes it; once for each way. When not given: blur=2,
    /// blur=4, exposure=-40, exposure=-70, exposure=50, noise=10, noise=25.
    #[arg(long, value_name = "KIND=NUMBER", requires = "adaptive", allow_hyphen_values = true)]
    corrupt: Vec<Corruption>,
    /// Only this method (mean, weighted-mean, maximum, stacking or adaptive) in the place of the best.
    #[arg(long, value_parser = method, conflicts_with_all = ["cascade", "rollback"])]
    method: Option<Method>,
    /// Read the members' scores from a CSV file (`part,fold,member,rung,logit`, as the recipe writes out-of-fold scores; for boxes
    /// `picture,member,label,confidence,left,top,right,bottom`, in pixels) instead of asking the models; every labelled image is
    /// then a part of the route, known by its file's stem.
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// A list of the parts that a member was trained on, one name a line: a labelled picture that is one of them is refused.
    #[arg(long, value_name = "LIST", requires = "pixels", conflicts_with = "scores")]
    trained: Option<PathBuf>,
    /// With --trained: a CSV file `part,sha256` with the hash of each part's decoded pixels, as the recipe writes it.
    #[arg(long, value_name = "FILE", requires = "trained")]
    pixels: Option<PathBuf>,
    /// The state directory, which keeps the members' scores, so that they are computed once, and gets the fits.
    #[arg(long, default_value = "state")]
    state: PathBuf,
    /// The folder that gets the fit; that of `[fits]` in the config when not given, else `fits/` in the state directory.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Fit nothing, but split the labelled parts so often at random, promise --escape-bound by three quarters of them and see on the
    /// last quarter whether it held, and how many parts stay undecided for it.
    #[arg(long, value_name = "SPLITS", requires = "escape_bound", value_parser = clap::value_parser!(u32).range(1..=100_000),
        conflicts_with_all = ["rollback", "plot", "force", "out"])]
    rehearse: Option<u32>,
    /// Write the fit although the ensemble does not beat its best member.
    #[arg(long)]
    force: bool,
    /// Write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take the fit in force back: the one before it is in force again to the last byte, or the config where there was none.
    #[arg(long, conflicts_with_all = ["labelled", "dry_run", "force", "scores"])]
    rollback: bool,
    /// An SVG file that gets the evidence: ROC curves, what the score is worth, the thresholds.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Print JSON instead of the tables.
    #[arg(long)]
    json: bool,
}

/// The panel that is fitted.
struct Seat<'p> {
    index: RouteIndex,
    route: &'p Name,
    /// The name of the rung; `None` where there is no ladder.
    rung: Option<&'p Name>,
    panel: &'p plan::Panel,
}

/// Fits, prints, writes; or takes back.
///
/// # Errors
/// When something cannot be read, asked or written, or the arguments name what the config does not have.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let settings = match load_settings(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let models = catalogue::load_all(&settings)?;
    let bare = scores::bare(&settings);
    let label = args.config.display().to_string();
    let plan = Plan::build(&bare, &models).map_err(|told| ConfigError::of_sentences(&label, told))?;
    let plan = Arc::new(plan);
    let rung = line::rung(args.rung.as_ref(), &args.config, &plan)?;
    let seat = seat(args, &plan, rung)?;
    let folder = args.out.clone().or_else(|| settings.fits.clone()).unwrap_or_else(|| args.state.join(FOLDER));
    if args.rollback {
        return roll_back(&folder, &seat);
    }
    if let Some(twice) = sits_twice(&plan, seat.panel) {
        return Ok(refuse(&twice));
    }
    if seat.panel.fusion.over == Over::Boxes {
        return boxes::run(args, &settings, &bare, &plan, &seat, rung, &folder);
    }
    let gathered = match labelled_parts(args, &settings, &bare, &plan, &seat, rung)? {
        Ok(gathered) => gathered,
        Err(why) => return Ok(refuse(&why)),
    };
    if let Some((splits, bound)) = args.rehearse.zip(args.escape_bound) {
        return rehearsal::run(args, splits as usize, bound, &gathered.parts);
    }
    let fitted = match learn(args, &settings, &seat, &gathered.parts) {
        Ok(fitted) => fitted,
        Err(why) => return Ok(refuse(&why)),
    };
    let (crossed, reference) = (fitted.crossed.clone(), gathered.reference(&fitted));
    let number = shelf::next_number(&folder, seat.route, seat.rung)?;
    let (reviewed, census) = gathered.reviewed.unzip();
    let fit = Fit { reviewed, reference, ..assemble(args, &plan, &seat, fitted, gathered.labels, number) };
    let (code, fit) = conclude(args, &plan, &seat, &folder, (fit, gathered.left_out, census))?;
    // What was learned is told and kept, whatever becomes of the picture.
    if let Some(path) = &args.plot {
        plot::draw(&fit, &gathered.parts, &crossed, path)?;
    }
    Ok(code)
}

/// Writes a fit, where nothing speaks against it, and tells of it.
fn conclude(
    args: &Args,
    plan: &Plan,
    seat: &Seat<'_>,
    folder: &Path,
    (fit, left_out, labels): (Fit, usize, Option<journal::Census>),
) -> anyhow::Result<(ExitCode, Fit)> {
    fit.check().map_err(|why| anyhow::anyhow!("the fit is none: {why}"))?;
    let not_written = refused(args, &fit);
    let mut report = Report { written: None, not_written, left_out, labels, unfitted: Vec::new(), fit };
    if report.not_written.is_none() {
        report.written = Some(shelf::write(folder, &report.fit)?);
        report.unfitted = unfitted(plan, seat, folder);
    }
    say(if args.json { serde_json::to_string_pretty(&report)? } else { out::text(&report) })?;
    let done = report.written.is_some() || args.dry_run;
    Ok((if done { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) }, report.fit))
}

/// The labelled parts with what the members say of them, from the journal or from a set; a sentence where they are of no use.
fn labelled_parts(
    args: &Args,
    settings: &Settings,
    bare: &Settings,
    plan: &Arc<Plan>,
    seat: &Seat<'_>,
    rung: usize,
) -> anyhow::Result<Result<Gathered, String>> {
    if args.journal {
        return journal::gather(args, settings, plan, seat);
    }
    let path = args.labelled.as_deref().context("no labelled parts are given")?;
    let set = labelled::read(path, &settings.sensors.keys().collect::<Vec<_>>())?;
    if let Some(leak) = leak(args, &set)? {
        return Ok(Err(leak));
    }
    gather(args, settings, bare, plan, seat, rung, &set).map(Ok)
}

/// The rungs on which members of the route judge and that have no fit in the folder.
fn unfitted(plan: &Plan, seat: &Seat<'_>, folder: &Path) -> Vec<Name> {
    let judging = plan.rungs.iter().enumerate().filter(|(place, _)| plan.panel(seat.index, *place).is_some());
    let bare = judging.filter(|(_, rung)| !shelf::path(folder, seat.route, Some(rung)).is_file());
    bare.map(|(_, rung)| rung.clone()).collect()
}

/// Tells why the parts give no fit.
fn refuse(why: &str) -> ExitCode {
    eprintln!("kenpin: nothing is fitted: {why}");
    ExitCode::from(FINDINGS)
}

/// A sentence where labelled pictures are among those that a member was trained on.
fn leak(args: &Args, set: &[labelled::Labelled]) -> anyhow::Result<Option<String>> {
    let Some((list, pixels)) = args.trained.as_deref().zip(args.pixels.as_deref()) else { return Ok(None) };
    let trained = Trained::read(list, pixels)?;
    let leaked = trained.among(set)?;
    Ok(leaked.first().map(|(image, name)| {
        let (count, all, image, list) = (leaked.len(), set.len(), image.display(), list.display());
        format!("{count} of {all} labelled pictures were trained on, {image} the first: it is {name} of {list}")
    }))
}

/// The panel that the arguments mean.
fn seat<'p>(args: &Args, plan: &'p Plan, rung: usize) -> anyhow::Result<Seat<'p>> {
    let config = args.config.display();
    let panels: Vec<RouteIndex> =
        plan.routes().filter(|(_, route)| matches!(route.station, Station::Panel(_))).map(|(index, _)| index).collect();
    let known = || panels.iter().map(|&index| plan.route(index).name.as_str()).collect::<Vec<_>>().join(", ");
    let index = match (&args.route, panels.as_slice()) {
        (Some(asked), _) => panels.iter().find(|&&index| plan.route(index).name == *asked).copied(),
        (None, [only]) => Some(*only),
        (None, _) => bail!("{config} has several routes that end at members: say with --route which of {}", known()),
    };
    let index = index.with_context(|| {
        let asked = args.route.as_ref().map_or("", Name::as_str);
        format!("{config} has no route {asked} that ends at members; those are [{}]", known())
    })?;
    let (route, rung_name) = (&plan.route(index).name, plan.rungs.get(rung));
    let panel = plan.panel(index, rung).with_context(|| {
        format!("nobody judges parts of route {route} on rung {}", rung_name.map_or("", Name::as_str))
    })?;
    ensure!(
        matches!(panel.fusion.over, Over::Defect | Over::Boxes),
        "route {route} fuses {:?}; fits are made over defect, each member's probability of any defect, and over boxes",
        panel.fusion.over
    );
    let crops = args.adaptive && voters(panel).any(|(_, member)| member.crops.is_some());
    ensure!(!crops, "route {route} shows crops to a member; adaptive weights move with the quality of whole frames");
    Ok(Seat { index, route, rung: rung_name, panel })
}

/// Fits the panel as the arguments say.
fn learn(args: &Args, settings: &Settings, seat: &Seat<'_>, parts: &Parts) -> Result<panel::Panel, String> {
    let Some((student, teacher)) = &args.cascade else {
        let aim = args
            .escape_bound
            .map_or(Aim::Cost(args.escape_cost), |escapes| Aim::Bound { escapes, confidence: args.confidence });
        return panel::of_votes(parts, aim, args.method);
    };
    let members = &seat.panel.members;
    let named = |wanted: &Name| {
        // Models of a plan stand in the order of their names.
        let place = members.iter().position(|member| settings.models.keys().nth(member.model.get()) == Some(wanted));
        place.ok_or_else(|| format!("--cascade names {wanted}, which has no seat on route {}", seat.route))
    };
    let (student, teacher) = (named(student)?, named(teacher)?);
    let plain = members.iter().all(|member| member.votes && member.after().next().is_none());
    if members.len() != 2 || student == teacher || !plain {
        return Err("a cascade wants a panel of two that both vote on whole frames: the student and its teacher".into());
    }
    let bound = args.loss_bound.ok_or("--cascade wants --loss-bound")?;
    let promise = cascade::Promise { escape_cost: args.escape_cost, bound, confidence: args.confidence };
    panel::of_student_first(parts, (student, teacher), promise)
}

/// The file of a fit.
fn assemble(args: &Args, plan: &Plan, seat: &Seat<'_>, fitted: panel::Panel, labels: MeasuredSet, number: u32) -> Fit {
    let panel::Panel { fused, thresholds, promise, cascade, evidence, .. } = fitted;
    let mut of_voters = fused.weights.into_iter().zip(fused.calibrators);
    let members = seat.panel.members.iter().map(|member| {
        let passport = &plan.model(member.model).passport;
        let learned = if member.votes { of_voters.next() } else { None };
        let (weight, calibrator) = learned.unwrap_or((0.0, crate::fusion::calibrator::Calibrator::None));
        FittedMember { model: passport.name.clone(), sha256: passport.file.sha256.clone(), weight, calibrator }
    });
    Fit {
        schema: SCHEMA.into(),
        kenpin: env!("CARGO_PKG_VERSION").into(),
        fitted: jiff::Timestamp::now(),
        number,
        route: seat.route.clone(),
        rung: seat.rung.cloned(),
        method: fused.method,
        thresholds,
        promise,
        members: members.collect(),
        stacking: fused.stacking,
        adaptive: fused.adaptive,
        cascade,
        labels,
        simulated: args.corruptions().iter().map(ToString::to_string).collect(),
        scores: match &args.scores {
            Some(path) => path.display().to_string(),
            None if args.journal => "journal".into(),
            None => "models".into(),
        },
        reviewed: None,
        boxes: None,
        evidence: Some(evidence),
        reference: None,
    }
}

/// Why a fit is not written.
fn refused(args: &Args, fit: &Fit) -> Option<String> {
    if args.dry_run {
        return Some("a dry run writes nothing".into());
    }
    let of_boxes = fit.boxes.as_ref().and_then(|boxes| boxes.evidence.control.as_ref());
    let of_scores = fit.evidence.as_ref().and_then(|evidence| evidence.control.as_ref());
    let control = of_scores.map(|control| (&control.name, control.significant));
    let control = control.or_else(|| of_boxes.map(|control| (&control.name, control.significant)));
    let (name, _) = control.filter(|(_, significant)| !significant && !args.force)?;
    Some(format!(
        "the ensemble does not beat {name}, its best member, with p < 0.05: judge with {name} alone, or write it with --force"
    ))
}

fn roll_back(folder: &Path, seat: &Seat<'_>) -> anyhow::Result<ExitCode> {
    let route = seat.route;
    let told = match shelf::roll_back(folder, route, seat.rung)? {
        RolledBack::To(number) => format!("route {route}: fit {number} is in force again"),
        RolledBack::ToConfig => {
            format!("route {route}: there is no fit before it, the route judges by its config again")
        }
    };
    say(told)?;
    Ok(ExitCode::SUCCESS)
}
